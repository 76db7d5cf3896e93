"""Reads about members."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet, Sum
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, parse

from members.enums import Channel, Purpose
from members.models import Attribute, Consent, Identity, Member, Programme, Purchase, TimelineEvent
from members.rules import matches_on
from members.validators import CARD_DIGITS, clean_card_number


def get_programme() -> Programme:
    """The programme's settings; the defaults where nobody has saved any yet."""
    return Programme.objects.filter(pk=1).first() or Programme(pk=1)


def search(text: str, members: QuerySet[Member] | None = None) -> QuerySet[Member]:
    """Members found by card number, e-mail, phone or a part of the name, each by an index."""
    members = Member.objects.all() if members is None else members
    text = text.strip()
    if not text:
        return members
    digits = clean_card_number(text)
    if len(digits) == CARD_DIGITS:
        return members.filter(Q(card_number=digits) | Q(phone__in=_phone_readings(text, digits)))
    if "@" in text:
        return members.filter(email__iexact=text)
    if len(digits) >= 6 and not any(c.isalpha() for c in text):
        return members.filter(phone__in=_phone_readings(text, digits))
    # A union, for an OR over two tables would read all members.
    named = Member.objects.filter(name__icontains=text).values("pk")
    return members.filter(pk__in=named.union(Identity.objects.filter(value=text).values("member")))


def _phone_readings(text: str, digits: str) -> list[str]:
    readings = [f"+{digits}"]
    for region in (settings.PHONENUMBER_DEFAULT_REGION, "CN", "DE", "GB", "US"):
        try:
            readings.append(format_number(parse(text, region), PhoneNumberFormat.E164))
        except NumberParseException:
            continue
    return readings


def consent_state(member_id: int) -> dict[tuple[str, str], Consent]:
    """The latest statement of a member per (channel, purpose). What is missing was never asked, and means no."""
    latest = (
        Consent.objects.filter(member_id=member_id)
        .select_related("wording")
        .order_by("channel", "purpose", "-at", "-id")
        .distinct("channel", "purpose")
    )
    return {(consent.channel, consent.purpose): consent for consent in latest}


def has_consented(*, member_id: int, channel: Channel, purpose: Purpose) -> bool:
    """Whether the member's last word on this channel and purpose is yes."""
    latest = (
        Consent.objects.filter(member_id=member_id, channel=channel, purpose=purpose).order_by("-at", "-id").first()
    )
    return latest is not None and latest.granted


class BirthdayPatterns(NamedTuple):
    """Columns for unnest(): the patterns of birthday kept on some days (see members.rules.matches_on)."""

    days: list[date]
    calendars: list[str]
    months: list[int]
    day_numbers: list[int]
    leap_months: list[bool | None]
    leap_day_rules: list[str | None]
    years: list[int]


def birthday_patterns(days: Iterable[date]) -> BirthdayPatterns:
    """What to look for in members_member to find everyone whose birthday is kept on one of `days`."""
    columns = BirthdayPatterns([], [], [], [], [], [], [])
    for day in days:
        for match in matches_on(day):
            row = (day, match.calendar, match.month, match.day, match.leap_month, match.leap_day_rule, match.year)
            for column, value in zip(columns, row, strict=True):
                column.append(value)  # type: ignore[attr-defined]
    return columns


# Joins members to the patterns through the index members_member_birthday. Give birthday_patterns(...)._asdict().
BIRTHDAY_JOIN = """
unnest(%(days)s::date[], %(calendars)s::text[], %(months)s::smallint[], %(day_numbers)s::smallint[],
       %(leap_months)s::boolean[], %(leap_day_rules)s::text[], %(years)s::int[])
    AS birthday (day, calendar, month, day_number, leap_month, leap_day_rule, year)
JOIN members_member AS member
  ON member.birthday_calendar = birthday.calendar AND member.birthday_month = birthday.month
 AND member.birthday_day = birthday.day_number
 AND (birthday.leap_month IS NULL OR member.birthday_leap_month = birthday.leap_month)
 AND (birthday.leap_day_rule IS NULL OR member.leap_day_rule = birthday.leap_day_rule)
"""


class PurchaseTotals(NamedTuple):
    """What a member bought: how often, for how much (net of refunds, minor units by currency), when last."""

    times: int
    spent_minor: dict[str, int]
    last_at: datetime | None


def purchase_totals(member_id: int) -> PurchaseTotals:
    """A member's purchases in one line."""
    rows = (
        Purchase.objects.filter(member_id=member_id)
        .values("currency")
        .annotate(n=Count("id"), paid=Sum("amount_minor"), back=Sum("refunded_minor"), last=Max("purchased_at"))
        .order_by("currency")
    )
    return PurchaseTotals(
        sum(row["n"] for row in rows),
        {row["currency"]: row["paid"] - row["back"] for row in rows},
        max((row["last"] for row in rows), default=None),
    )


def timeline(member_id: int) -> QuerySet[TimelineEvent]:
    """A member's timeline, newest first."""
    return TimelineEvent.objects.filter(member_id=member_id).select_related("actor").order_by("-at", "-id")


def attributes(**filters: Any) -> list[Attribute]:
    """The custom attributes in use, in their order; one small query."""
    return list(Attribute.objects.filter(archived_at=None, **filters))


def is_attribute_used(key: str) -> bool:
    """Whether any member has a value."""
    return Member.objects.filter(attributes__has_key=key).exists()


def used_options(key: str) -> set[str]:
    """The options of a choice that some member has."""
    said = Member.objects.filter(attributes__has_key=key).values_list(f"attributes__{key}", flat=True)
    return set(said.order_by().distinct())
