"""What is missing or odd in the data of members: each check says how many, and which. docs/dashboard.md lists them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.enums import MessageState
from campaigns.models import Message
from members.enums import Channel, DuplicateState
from members.models import PRESENT, Consent, Duplicate, Member, PurchaseSummary

OLDEST = 110  # years


@dataclass(frozen=True, slots=True)
class Check:
    """A fault that members can have. `where(at)` is the condition; `mend` says what to do about it. `order` of the
    page: what keeps a member from being reached, then what is wrong, then what is merely unknown."""

    key: str
    label: Promise | str
    mend: Promise | str
    where: Callable[[datetime], Any]  # a condition of a queryset of members


def _of_member(rows: QuerySet) -> Exists:
    return Exists(rows.filter(member=OuterRef("pk")))


def _odd_birth_year(at: datetime) -> Q:
    return Q(birthday_year__gt=at.year) | Q(birthday_year__lt=at.year - OLDEST)


def _suspected(at: datetime) -> Q:
    twins = Duplicate.objects.filter(state=DuplicateState.OPEN)
    return Q(pk__in=twins.values("first")) | Q(pk__in=twins.values("second"))


def _bounced(at: datetime) -> Exists:
    failed = Message.objects.filter(channel=Channel.EMAIL, state=MessageState.FAILED, to=OuterRef("email"))
    return _of_member(failed.exclude(to=""))


CHECKS = (
    Check(
        "no_contact",
        _("Cannot be reached: neither e-mail nor phone"),
        _("Ask at the next visit; the till shows who they are by their card."),
        lambda at: Q(email="", phone=""),
    ),
    Check(
        "bounced",
        _("Mail to their present address failed"),
        _("Ask for the right address, by phone or at the till."),
        _bounced,
    ),
    Check(
        "duplicates",
        _("May be in here twice"),
        _("Look at both side by side, then merge them or say that they are two people."),
        _suspected,
    ),
    Check(
        "odd_birth_year",
        _("Birth year in the future, or too long ago"),
        _("Ask again; a greeting does not need the year."),
        _odd_birth_year,
    ),
    Check(
        "email_as_name",
        _("An e-mail address where the name should be"),
        _("Put it into its own field, and ask for the name."),
        lambda at: Q(name__contains="@"),
    ),
    Check(
        "number_as_name",
        _("A number where the name should be"),
        _("Often a phone number or a customer number from another system."),
        lambda at: Q(name__regex=r"\d{4}"),
    ),
    Check("no_name", _("No name"), _("Ask at the next visit."), lambda at: Q(name="")),
    Check("no_email", _("No e-mail address"), _("Ask at the next visit, with the consent."), lambda at: Q(email="")),
    Check(
        "email_unverified",
        _("E-mail address not confirmed"),
        _("They confirm it when they open their account in the portal."),
        lambda at: Q(email_verified_at=None) & ~Q(email=""),
    ),
    Check("no_phone", _("No phone number"), _("Ask at the next visit."), lambda at: Q(phone="")),
    Check(
        "phone_unverified",
        _("Phone number not confirmed"),
        _("They confirm it with the code that a text message brings."),
        lambda at: Q(phone_verified_at=None) & ~Q(phone=""),
    ),
    Check(
        "not_asked",
        _("No word about consent yet"),
        _("Nothing may be sent to them. Ask at the till, or in the portal."),
        lambda at: ~_of_member(Consent.objects.all()),
    ),
    Check(
        "no_birthday",
        _("No birthday"),
        _("They get no greeting. Ask for day and month only."),
        lambda at: Q(birthday_month=None),
    ),
    Check(
        "never_bought",
        _("Never bought anything"),
        _("Joined and never came, or the till does not ask for the card."),
        lambda at: ~_of_member(PurchaseSummary.objects.all()),
    ),
)
BY_KEY = {check.key: check for check in CHECKS}


def faulty(members: QuerySet[Member], key: str, at: datetime) -> QuerySet[Member]:
    """The members with a fault. KeyError where there is no such check."""
    return members.filter(PRESENT, BY_KEY[key].where(at))


def count_faults(at: datetime) -> tuple[int, dict[str, int]]:
    """How many members there are, and how many of them have each fault; a statement each."""
    members = Member.objects.all()
    return members.filter(PRESENT).count(), {key: faulty(members, key, at).count() for key in BY_KEY}
