"""Likely duplicates at the desk: seen side by side, merged after a look at what it does, undone, or said to be two."""

import pytest
from django.urls import reverse

from loyalty_crm.roles import MARKETER
from loyalty_crm.tests.conftest import AT
from members.models import Duplicate, Member, MemberMerge
from members.services.duplicates import scan
from members.tests.factories import make_member
from rewards.queries import balance
from rewards.tests.factories import adjust

pytestmark = pytest.mark.django_db
BORN = {"birthday_month": 6, "birthday_day": 21}


@pytest.fixture
def pair(desk):
    """A marketer's browser, two members who seem to be one, and their page."""
    anna, double = make_member(name="Anna Becker", **BORN), make_member(name="Becker, Anna", **BORN)
    adjust(double, 25, AT)
    scan(at=AT)
    page = reverse("admin:members_duplicate_change", args=[Duplicate.objects.get().pk])
    return desk(MARKETER), anna, double, page


def answers(member, *fields):
    return dict.fromkeys(("survivor", *(f"take-{field}" for field in fields)), str(member.pk))


def test_a_pair_is_seen_merged_and_parted(pair):
    client, anna, double, page = pair
    listed = client.get(reverse("admin:members_duplicate_changelist")).content.decode()
    assert "60%" in listed
    assert "Their names are alike and they have the same birthday." in listed
    seen = client.get(page).content.decode()
    assert all(text in seen for text in ("Anna Becker", "Becker, Anna", "25 points", "These are two people"))

    chosen = answers(anna, "email") | {"take-name": str(double.pk)}
    preview = client.post(page, chosen).content.decode()
    assert "This is what will happen" in preview
    assert "25 points" in preview
    assert not MemberMerge.objects.exists()  # what was shown was rolled back

    answer = client.post(page, {**chosen, "confirmed": "1"})
    merge = MemberMerge.objects.get()
    assert answer.url == reverse("admin:members_membermerge_change", args=[merge.pk])
    assert (merge.survivor, merge.merged, merge.actor.email) == (anna, double, "marketer@example.com")
    assert Member.objects.get(pk=anna.pk).name == "Becker, Anna"
    assert balance(anna.pk) == 25
    assert client.get(page).url == answer.url  # who comes again is told what became of it
    assert (
        double.card_number_grouped
        in client.get(reverse("admin:members_member_change", args=[anna.pk])).content.decode()
    )

    undo = reverse("admin:members_membermerge_undo", args=[merge.pk])
    assert "will then have 25 points" in client.post(undo).content.decode()
    client.post(undo, {"confirmed": "1"})
    assert balance(double.pk) == 25
    assert Member.objects.get(pk=anna.pk).name == "Anna Becker"
    assert "This merge has been undone already." in client.post(undo, {"confirmed": "1"}).content.decode()


def test_two_people_do_not_come_up_again(pair):
    client, _anna, _double, page = pair
    client.post(page, {"dismiss": "1"})
    assert Duplicate.objects.get().state == "dismissed"
    assert "60%" not in client.get(reverse("admin:members_duplicate_changelist")).content.decode()
    assert "60%" in client.get(reverse("admin:members_duplicate_changelist") + "?state=dismissed").content.decode()


def test_any_two_can_be_put_side_by_side(desk):
    client, one, two = desk(MARKETER), make_member(), make_member(phone="+4930901820")
    page = reverse("admin:members_membermerge_add")
    assert "Nobody has this card" in client.post(page, {"first": one.email, "second": "12"}).content.decode()
    assert (
        "This is the same member."
        in client.post(page, {"first": one.email, "second": one.card_number}).content.decode()
    )
    answer = client.post(page, {"first": one.email, "second": "+49 30 901820"})
    assert answer.url == f"{page}?one={one.pk}&two={two.pk}"
    client.post(answer.url, {**answers(two, "name", "email"), "confirmed": "1"})
    assert MemberMerge.objects.get().survivor == two
    for bad in (f"?one={two.pk}&two={two.pk}", "?one=x&two=1", f"?one={one.pk}&two={two.pk}"):
        assert client.get(page + bad).status_code == 404


def test_who_adds_a_member_is_told_who_is_like_them(desk):
    make_member(name="Anna Becker", **BORN)
    client, page = desk(MARKETER), reverse("admin:members_member_add")
    form = {"name": "Becker Anna", "language": "en", "time_zone": "UTC", "birthday_calendar": "solar"}
    form |= {"leap_day_rule": "feb28", **BORN}
    told = client.post(page, form).content.decode()
    assert "This looks like somebody who is a member already:" in told
    assert 'name="despite"' in told
    assert Member.objects.count() == 1
    assert client.post(page, {**form, "despite": "1"}).status_code == 302
    assert Member.objects.count() == 2


def test_further_addresses_are_kept_on_the_member_s_page(desk):
    client, member = desk(MARKETER), make_member()

    def act(name, **data):
        return client.post(reverse("admin:members_member_act", args=[member.pk, "identities", name]), data)

    act("add", system="email", value="further@example.com")
    further = member.identities.get()
    act("verify", identity=further.pk)
    act("primary", identity=further.pk)
    assert Member.objects.get(pk=member.pk).email == "further@example.com"
    assert member.identities.get().value == member.email
    act("remove", identity=member.identities.get().pk)
    assert not member.identities.exists()
    act("add", system="other", elsewhere="", value="K-1")
    act("add", system="card", value="123")
    act("remove", identity="x")
    assert not member.identities.exists()
    act("add", system="other", elsewhere="web shop", value="K-1")
    assert member.identities.get().system == "web shop"
