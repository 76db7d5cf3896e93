"""Becoming a member: once, with the card that the verified address already has, or with a new one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.enums import Channel, Purpose
from members.models import Member, Programme, User
from members.queries import has_consented
from members.services.joining import claim_by_email, join
from members.services.profile import AlreadyLinked, link_account, update_profile
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return User.objects.create_user("someone@example.com")


def joined(user, at, **values):
    usual = {"name": "Sam", "language": "zh-hans", "consents": [], "source": "portal", "old_enough": True}
    return join(**{"user": user, **usual, **values}, at=at)


def test_a_new_member_has_a_card_the_pages_language_and_the_programmes_time_zone(user, at):
    Programme.objects.create(pk=1, time_zone="Asia/Shanghai")
    member = joined(user, at, consents=[(Channel.EMAIL, Purpose.OFFERS)])
    member.refresh_from_db()
    assert (member.user, member.email, member.name) == (user, "someone@example.com", "Sam")
    assert (member.language, member.time_zone, member.joined_at) == ("zh-hans", "Asia/Shanghai", at)
    assert has_consented(member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)
    assert not has_consented(member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.GREETINGS)


def test_nobody_joins_twice(user, at):
    joined(user, at)
    with pytest.raises(AlreadyLinked):
        joined(user, at)
    assert Member.objects.count() == 1


def test_the_card_of_the_verified_address_comes_first(user, at):
    member = make_member(email="someone@example.com")
    assert joined(user, at) == member
    member.refresh_from_db()
    assert (Member.objects.get().user, member.language) == (user, "zh-hans")
    assert member.email_verified_at == at
    update_profile(member_id=member.pk, changes={"city": "Berlin"}, at=at)
    assert Member.objects.get().email_verified_at == at
    update_profile(member_id=member.pk, changes={"email": "else@example.com"}, at=at)
    assert Member.objects.get().email_verified_at is None


def test_an_address_that_another_member_holds_stays_theirs(user, at):
    other = make_member(email="someone@example.com")
    link_account(member_id=other.pk, user=User.objects.create_user("owner@example.com"), at=at)
    member = joined(user, at)
    assert member != other
    assert (member.user, Member.objects.get(pk=member.pk).email) == (user, "")
    other.refresh_from_db()
    assert other.email == "someone@example.com"


def test_an_address_is_known_whatever_its_case_and_only_once(at):
    user = User.objects.create_user("someone@example.com")
    User.objects.filter(pk=user.pk).update(email="Someone@Example.COM")
    user.refresh_from_db()
    member = make_member(email="someone@example.com")
    assert claim_by_email(user=user, language="en", at=at) == member
    assert claim_by_email(user=user, language="en", at=at) is None


def test_an_address_is_found_by_its_index():
    Member.objects.bulk_create(Member(email=f"m{n}@example.com") for n in range(300))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE members_member")
    with CaptureQueriesContext(connection) as queries:
        claim_by_email(user=User(pk=0, email="a@example.com"), language="en", at=None)
    find = next(q["sql"] for q in queries if "LOWER" in q["sql"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {find}")
        assert "members_member_email_unique" in str(cursor.fetchall())
