from datetime import UTC, datetime

import pytest

from analytics.quality import CHECKS, count_faults, faulty
from members.enums import Channel, Purpose
from members.models import Duplicate, Member, PurchaseSummary
from members.services.consent import state_consent
from members.tests.factories import make_member

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def faults_of(**fields) -> set[str]:
    """The faults of a member who otherwise has none."""
    well = {
        "name": "Anna Becker",
        "email": f"anna{Member.objects.count()}@example.com",
        "phone": f"+49151123400{Member.objects.count():02}",
        "birthday_month": 6,
        "birthday_day": 21,
        "email_verified_at": AT,
        "phone_verified_at": AT,
    }
    member = make_member()
    Member.objects.filter(pk=member.pk).update(**{**well, **fields})
    PurchaseSummary.objects.create(
        member=member, purchases=1, visit_days=1, spent_minor=1, first_at=AT, last_at=AT, rhythm_days=None
    )
    state_consent(
        member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=True, source="till", at=AT
    )
    return {check.key for check in CHECKS if faulty(Member.objects.filter(pk=member.pk), check.key, AT).exists()}


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, set()),
        ({"email": "", "phone": ""}, {"no_contact", "no_email", "no_phone"}),
        ({"email": ""}, {"no_email"}),
        ({"phone": ""}, {"no_phone"}),
        ({"email_verified_at": None}, {"email_unverified"}),
        ({"phone_verified_at": None}, {"phone_unverified"}),
        ({"name": ""}, {"no_name"}),
        ({"name": "anna@example.com"}, {"email_as_name"}),
        ({"name": "0151 2345678"}, {"number_as_name"}),
        ({"name": "Anna the 3rd"}, set()),
        ({"birthday_month": None, "birthday_day": None}, {"no_birthday"}),
        ({"birthday_year": 2027}, {"odd_birth_year"}),
        ({"birthday_year": 2026}, set()),
        ({"birthday_year": 1915}, {"odd_birth_year"}),
    ],
)
def test_each_fault_is_found_alone(fields, faults):
    assert faults_of(**fields) == faults


def test_silence_and_twins_are_faults_and_who_is_gone_has_none():
    first, second, gone = make_member(), make_member(), make_member()
    Duplicate.objects.create(first=first, second=second, score=90, found_at=AT)
    Member.objects.filter(pk=gone.pk).update(erased_at=AT, email="", phone="", birthday_month=None)
    members, faults = count_faults(AT)
    assert members == 2
    assert (faults["duplicates"], faults["not_asked"], faults["never_bought"]) == (2, 2, 2)
    Duplicate.objects.update(state="dismissed")
    assert count_faults(AT)[1]["duplicates"] == 0
