"""Nobody too young joins without a guardian; and what a word on profiling does."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError

from members.enums import Purpose
from members.models import ChangedMember, Consent, Guardian, Member, Programme
from members.services.age import GuardianConsent, age_of
from members.services.consent import NoPhone, apply_profiling_default, state_consent, stop_everything
from members.services.erasure import erase_member
from members.services.profile import MemberGone, create_member, update_profile
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db
GUARDIAN = GuardianConsent("Eva Berger", "form 17")


@pytest.fixture
def programme(db):
    return Programme.objects.create(pk=1, guardian_may_consent=True)


def born(year, month=None, day=None, **more) -> dict:
    return {"birthday_year": year, "birthday_month": month, "birthday_day": day, "name": "Kim", **more}


@pytest.mark.parametrize(
    ("birthday", "age"),
    [
        (born(2012, 5, 12), 14),
        (born(2012, 5, 13), 13),
        (born(2008, 2, 29), 18),
        (born(2012, 3, 20, birthday_calendar="lunar"), 14),  # 10 April 2012
        (born(2012, 4, 23, birthday_calendar="lunar"), 13),  # 13 May 2012
        (born(2011, 12, 29, birthday_calendar="lunar"), 14),  # 22 January 2012, a solar year later
        (born(None, 5, 12), None),
    ],
)
def test_age_in_full_years(birthday, age):
    assert age_of(Member(**birthday), date(2026, 5, 12)) == age


def test_who_is_too_young_needs_a_guardian_where_the_shop_allows_it(programme, at):
    too_young = born(2012, 5, 13)
    with pytest.raises(ValidationError) as refused:
        create_member(at=at, profile=too_young, source="admin")
    assert refused.value.message_dict == {
        "birthday_year": ["Who is younger than 14 joins with a parent or guardian: please come to us together."]
    }
    member = create_member(at=at, profile=too_young, source="admin", guardian=GUARDIAN)
    kept = Guardian.objects.get(member=member)
    assert (kept.name, kept.evidence, kept.at) == ("Eva Berger", "form 17", at)
    update_profile(member_id=member.pk, changes={"city": "Bonn"}, at=at)
    Programme.objects.update(guardian_may_consent=False)
    with pytest.raises(ValidationError):
        create_member(at=at, profile=too_young, source="admin", guardian=GUARDIAN)


def test_a_birth_year_cannot_be_changed_below_the_age(at):
    member = make_member(birthday_month=5, birthday_day=13, birthday_year=1990)
    with pytest.raises(ValidationError):
        update_profile(member_id=member.pk, changes={"birthday_year": 2012}, at=at)
    assert Member.objects.get(pk=member.pk).birthday_year == 1990
    Programme.objects.create(pk=1, minimum_age=0)
    update_profile(member_id=member.pk, changes={"birthday_year": 2012}, at=at)


def say(member, granted, at, *, purpose=Purpose.PROFILING, channel="", **more):
    return state_consent(
        member_id=member.pk, channel=channel, purpose=purpose, granted=granted, source="till", at=at, **more
    )


def test_the_first_no_to_profiling_counts_although_nobody_asked(at):
    member = make_member()
    assert say(member, False, at, evidence="letter 9").evidence == "letter 9"
    assert say(member, False, at) is None
    assert say(member, False, at, purpose=Purpose.SHARING) is None
    member.refresh_from_db()
    assert member.personalised is False
    assert stop_everything(member_id=member.pk, source="portal", at=at) == 0
    say(member, True, at)
    member.refresh_from_db()
    assert member.personalised is True


@pytest.mark.parametrize(("channel", "purpose"), [("email", "profiling"), ("", "offers"), ("sms", "sharing")])
def test_a_channel_where_there_is_none_is_a_mistake(at, channel, purpose):
    with pytest.raises(ValueError, match=purpose):
        say(make_member(), True, at, channel=channel, purpose=purpose)


def test_who_is_gone_and_who_has_no_phone_agree_to_nothing(at):
    member = make_member()
    with pytest.raises(NoPhone):
        say(member, True, at, channel="sms", purpose=Purpose.OFFERS)
    erase_member(member_id=member.pk, at=at)
    with pytest.raises(MemberGone):
        say(member, True, at)
    assert not Consent.objects.exists()


def test_the_programmes_default_holds_for_who_was_never_asked(at):
    asked, unasked = make_member(), make_member()
    say(asked, True, at)
    programme = Programme.objects.create(pk=1, personalise_by_default=False)
    ChangedMember.objects.all().delete()
    assert make_member().personalised is False
    assert apply_profiling_default() == 1
    personalised = set(Member.objects.filter(personalised=True).values_list("pk", flat=True))
    assert personalised == {asked.pk}
    assert unasked.pk in set(ChangedMember.objects.values_list("member_id", flat=True))
    programme.personalise_by_default = True
    programme.save()
    apply_profiling_default()
    assert not Member.objects.filter(personalised=False).exists()
