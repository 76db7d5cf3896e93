"""Reads about members."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Lower, Reverse
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, parse

from common.sql import fetch_all, fetch_prepared
from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE, Channel, Purpose
from members.models import (
    PRESENT,
    Attribute,
    Consent,
    Identity,
    Member,
    MemberMerge,
    Programme,
    Purchase,
    TimelineEvent,
    User,
)
from members.rules import matches_on
from members.validators import CARD_DIGITS, clean_card_number


def get_programme() -> Programme:
    """The programme's settings; the defaults where nobody has saved any yet."""
    return Programme.objects.filter(pk=1).first() or Programme(pk=1)


FEWEST_OF_PHONE = 6
FEWEST_FOR_PARTS = 3  # letters that the index of parts of names needs
LAST_DIGITS = 4
FOUND_EXACTLY = 100


def search(text: str, members: QuerySet[Member] | None = None) -> QuerySet[Member]:
    """Members found by a card number (or its last four digits and more), e-mail, phone or a part of the name, each by
    an index.

    One letter or two must begin a word of the name, or end it. Who was merged is found as the member they are now, by
    any card or address of old. Nobody who is erased.
    """
    members = Member.objects.all() if members is None else members
    text = text.strip()
    if not text:
        return members
    members = members.filter(PRESENT)
    digits = clean_card_number(text)
    # Asked for at once: an OR over two tables would read all members, and a union all who are called so.
    alone = Member.objects.filter(pk__in=_exactly(text)).values_list("pk", flat=True)
    exactly = Q(pk__in=list(alone[:FOUND_EXACTLY]))
    if "@" in text or len(digits) >= CARD_DIGITS:
        return members.filter(exactly)
    if len(digits) >= LAST_DIGITS and not any(c.isalpha() for c in text):
        return members.alias(backwards=Reverse("card_number")).filter(exactly | Q(backwards__startswith=digits[::-1]))
    return members.filter(exactly | _named(text))


def found_exactly(text: str) -> list[int]:
    """The present members, at most two, whose card, e-mail, phone or number elsewhere is this and nothing else."""
    text = text.strip()
    if not text:
        return []
    return list(Member.objects.filter(PRESENT, pk__in=_exactly(text)).order_by("pk").values_list("pk", flat=True)[:2])


def _exactly(text: str) -> QuerySet:
    """Ids of members by what belongs to one alone."""
    digits = clean_card_number(text.removeprefix("+"))
    found = _by_number(text)
    if "@" in text:
        return found.union(_by_email(text.lower()))
    if len(digits) == CARD_DIGITS:
        found = found.union(_by_card(digits))
    if len(digits) >= FEWEST_OF_PHONE and not any(c.isalpha() for c in text):
        found = found.union(_by_phone(text, digits))
    return found


def _named(text: str) -> Q:
    """Members by a part of their name. The index of trigrams knows a shorter part at the ends of words alone."""
    if len(text) >= FEWEST_FOR_PARTS:
        return Q(name__icontains=text)
    begins = Q(name__istartswith=text) | Q(name__icontains=f" {text}")
    return begins | Q(name__iendswith=text) if len(text) == FEWEST_FOR_PARTS - 1 else begins


def _by_card(digits: str) -> QuerySet:
    """Ids of the members who have a card now: of its first owner, or of whom that owner was merged into."""
    owner = Member.objects.filter(card_number=digits).annotate(now=Coalesce("merged_into", "pk"))
    return owner.values("now").union(_by_identity(OWN_CARD, digits))


def _by_email(address: str) -> QuerySet:
    # Written so that the unique index on lower(email) finds it.
    primary = Member.objects.annotate(lower=Lower("email")).exclude(email="").filter(lower=address)
    return primary.values("pk").union(_by_identity(OWN_EMAIL, address))


def _by_phone(text: str, digits: str) -> QuerySet:
    primary = Member.objects.exclude(phone="").filter(phone__in=_phone_readings(text, digits))
    return primary.values("pk").union(_by_identity(OWN_PHONE, text, digits))


def _by_identity(system: str, text: str, digits: str | None = None) -> QuerySet:
    values = [text] if digits is None else _phone_readings(text, digits)
    return Identity.objects.filter(system=system, value__in=values).values("member")


def _by_number(text: str) -> QuerySet:
    return Identity.objects.filter(value=text).values("member")


def find_member(
    *, card: str = "", email: str = "", phone: str = "", identity: tuple[str, str] | None = None
) -> Member | None:
    """The one present member whom a card, address, phone or (system, customer number) belongs to, by exactly one of
    them. Cards, addresses and phones that the member came to by a merge count like any other."""
    if card:
        found = _by_card(clean_card_number(card))
    elif email:
        found = _by_email(email.strip().lower())
    elif phone:
        found = _by_phone(phone, clean_card_number(phone.strip().removeprefix("+")))
    elif identity:
        found = _by_identity(*identity)
    else:
        return None
    return Member.objects.filter(PRESENT, pk__in=found).order_by("pk").first()


_MERGED_INTO = "SELECT id, merged_into_id FROM members_member WHERE id = ANY(%s) AND merged_into_id IS NOT NULL"


def merged_into(member_ids: Iterable[int]) -> dict[int, int]:
    """Whom those of the members who were merged are now, by their id."""
    return dict(fetch_prepared(_MERGED_INTO, [list(member_ids)]))


def family(member_ids: Iterable[int]) -> list[int]:
    """The members and all who were merged into them: whose wallets and traces belong together now."""
    ids = list(member_ids)
    return sorted({*ids, *Member.objects.filter(merged_into__in=ids).values_list("pk", flat=True)})


def accounts_of(member_ids: Iterable[int]) -> QuerySet[User]:
    """The portal accounts of members, and those that a merge of these has left without a member."""
    ids = list(member_ids)
    merges = MemberMerge.objects.filter(Q(survivor__in=ids) | Q(merged__in=ids), undone_at=None)
    left = Q(pk__in=merges.exclude(unlinked=None).values("unlinked"), member=None)
    return User.objects.filter(Q(member__in=ids) | left, is_staff=False)


_EVER = """
WITH RECURSIVE ever (id) AS (
    SELECT unnest(%(members)s::bigint[])
    UNION SELECT merge.survivor_id FROM ever JOIN members_membermerge AS merge ON merge.merged_id = ever.id
)
SELECT id FROM ever
"""


def ever_with(member_ids: Iterable[int]) -> list[int]:
    """The members, all who were merged into them, and whoever they were merged into, if only for a while."""
    return [row[0] for row in fetch_all(_EVER, {"members": family(member_ids)})]


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
