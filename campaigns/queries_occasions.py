"""Reads about occasions: when they fall, and whose own days fall when."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Min, Prefetch, Q, QuerySet

from campaigns.enums import MemberDay
from campaigns.models import Occasion, OccasionCountry, OccasionDate
from campaigns.occasions import anniversary_matches
from members.queries import get_programme

TAKES_PLACE = Q(off=False, occasion__active=True)
OLDEST = 60  # years back that anniversaries are looked for


def shop_day(at: datetime) -> date:
    """The day it is at a moment where the shop is."""
    return at.astimezone(ZoneInfo(get_programme().time_zone)).date()


def dates_of(occasion: Occasion | str, first: date, last: date) -> list[OccasionDate]:
    """The comings of an occasion (or of its key) from `first` to `last`, both included, in order, as they stand now.

    Those switched off, and all of an occasion that is, are left out. Whoever hangs something on an occasion asks anew
    each time, and remembers `OccasionDate.key`, not the day.
    """
    return list(_of(occasion).filter(day__range=(first, last)).order_by("day"))


def next_date(occasion: Occasion | str, after: date) -> OccasionDate | None:
    """The first coming of an occasion after a day; None where no more are known (they are kept ten years ahead)."""
    return _of(occasion).filter(day__gt=after).order_by("day").first()


def _of(occasion: Occasion | str) -> QuerySet[OccasionDate]:
    which = Q(occasion__key=occasion) if isinstance(occasion, str) else Q(occasion=occasion)
    return OccasionDate.objects.filter(TAKES_PLACE, which).select_related("occasion")


def dates_between(first: date, last: date, *, kinds: Iterable[str] = ()) -> QuerySet[OccasionDate]:
    """All that takes place from `first` to `last`, both included, in order."""
    dates = OccasionDate.objects.filter(TAKES_PLACE, day__range=(first, last)).select_related("occasion")
    if kinds:
        dates = dates.filter(occasion__kind__in=kinds)
    return dates.order_by("day", "occasion__key")


def calendar(*, first: date, last: date, today: date) -> QuerySet[Occasion]:
    """The occasions, those that come next first, each with `next_day` and, in `shown`, its days of the period."""
    shown = OccasionDate.objects.filter(day__range=(first, last)).order_by("day")
    coming = Min("dates__day", filter=Q(dates__day__gte=today, dates__off=False))
    return (
        Occasion.objects.annotate(next_day=coming)
        .order_by(F("next_day").asc(nulls_last=True), "key")
        .prefetch_related(Prefetch("dates", shown, to_attr="shown"))
    )


def chosen_countries() -> list[str]:
    """The codes of the countries whose days the shop keeps."""
    return list(OccasionCountry.objects.order_by("code").values_list("code", flat=True))


# Everyone whose anniversary is kept on some days, by the calendar of their own time zone (the programme's where the
# database does not know it): (member_id, day, year, zone). The year is that of the day. Nobody has an anniversary on
# the day itself. OFFSET 0 keeps each year back a short range of an index; who was near midnight is sorted out after it.
_ANNIVERSARIES = """
SELECT near.member_id, kept.day, extract(year FROM kept.day)::int AS year, near.zone
FROM unnest(%(kept_days)s::date[], %(kept_months)s::int[], %(kept_numbers)s::int[], %(kept_rules)s::text[])
         AS kept (day, month, number, rule)
CROSS JOIN generate_series(1, %(oldest)s) AS back (years)
CROSS JOIN LATERAL (SELECT extract(year FROM kept.day)::int - back.years AS year) AS begun
CROSS JOIN LATERAL (
    SELECT CASE WHEN kept.number < 29 OR kept.month <> 2
                     OR (begun.year %% 4 = 0 AND (begun.year %% 100 <> 0 OR begun.year %% 400 = 0))
           THEN make_date(begun.year, kept.month, kept.number) END AS day
) AS origin
CROSS JOIN LATERAL (
    SELECT member.id AS member_id, {moment} AS moment, member.leap_day_rule,
           CASE WHEN member.time_zone = ANY(%(zones)s) THEN member.time_zone ELSE %(fallback)s END AS zone
    FROM {source}
    WHERE {moment} >= origin.day::timestamp AT TIME ZONE 'UTC' - interval '14 hours'
      AND {moment} < (origin.day + 1)::timestamp AT TIME ZONE 'UTC' + interval '12 hours'
      AND member.merged_into_id IS NULL AND member.erased_at IS NULL
    OFFSET 0
) AS near
WHERE (kept.rule IS NULL OR near.leap_day_rule = kept.rule)
  AND (near.moment AT TIME ZONE near.zone)::date = origin.day
"""
ANNIVERSARIES = {
    MemberDay.JOINED: _ANNIVERSARIES.format(moment="member.joined_at", source="members_member AS member"),
    MemberDay.FIRST_PURCHASE: _ANNIVERSARIES.format(
        moment="bought.first_at",
        source="members_purchasesummary AS bought JOIN members_member AS member ON member.id = bought.member_id",
    ),
}


def anniversary_params(days: Iterable[date]) -> dict[str, Any]:
    """What ANNIVERSARIES asks for, on some days, beside campaigns.queries_journeys.zones."""
    kept = [(day, *match) for day in days for match in anniversary_matches(day)]
    columns = [list(column) for column in zip(*kept, strict=True)] if kept else [[], [], [], []]
    names = ("kept_days", "kept_months", "kept_numbers", "kept_rules")
    return dict(zip(names, columns, strict=True)) | {"oldest": OLDEST}
