"""The calendar of occasions: kept ten years ahead, moved and switched by people."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.text import slugify

from campaigns.enums import OccasionKind, OccasionRule
from campaigns.festivals import FESTIVALS, IN_CHINESE
from campaigns.models import Occasion, OccasionCountry, OccasionDate
from campaigns.occasions import countries as known_countries
from campaigns.occasions import days_of, names_in_chinese, public_holidays
from campaigns.queries_occasions import shop_day
from common.sql import execute

YEARS_AHEAD = 10
_UNCOMPUTED = (OccasionRule.DATED, OccasionRule.MEMBER)


class OccasionError(Exception):
    """A change of the calendar that cannot be."""


class DayIsPast(OccasionError):
    """What has been cannot be moved, nor moved into the past."""


class DayTaken(OccasionError):
    """The occasion falls on that day already."""


class UnknownCountry(OccasionError):
    """No public holidays are known of this country."""


@transaction.atomic
def keep_calendar(*, at: datetime) -> int:
    """Adds the occasions that come with the product where they are missing, and the days of ten years ahead; how many
    days changed. A day that staff moved stays; what was computed for it is brought up to date beside it."""
    countries = set(OccasionCountry.objects.values_list("code", flat=True))
    there = set(Occasion.objects.values_list("key", flat=True))
    Occasion.objects.bulk_create(
        [
            Occasion(
                key=festival.key,
                name_en=festival.en,
                name_zh_hans=festival.zh,
                kind=festival.kind,
                countries=sorted(festival.countries),
                active=not festival.countries or bool(countries & set(festival.countries)),
                member_day=festival.member_day,
                rule=festival.rule.kind,
                month=festival.rule.month,
                day=festival.rule.day,
                weekday=festival.rule.weekday,
                nth=festival.rule.nth,
                offset=festival.rule.offset,
                term=festival.rule.term,
            )
            for festival in FESTIVALS
            if festival.key not in there
        ],
        ignore_conflicts=True,
    )
    return _compute(Occasion.objects.exclude(rule__in=_UNCOMPUTED), at)


_WRITE = """
INSERT INTO campaigns_occasiondate AS kept (occasion_id, year, number, day, computed, off, note)
SELECT fresh.occasion_id, fresh.year, fresh.number, fresh.day, fresh.day, false, ''
FROM unnest(%(occasions)s::bigint[], %(years)s::int[], %(numbers)s::int[], %(days)s::date[])
         AS fresh (occasion_id, year, number, day)
ON CONFLICT (occasion_id, year, number) DO UPDATE
SET computed = excluded.computed, day = CASE WHEN kept.edited_at IS NULL THEN excluded.day ELSE kept.day END
WHERE kept.computed IS DISTINCT FROM excluded.computed AND greatest(kept.day, excluded.day) >= %(today)s
"""

# What a rule gives no more, unless it was or somebody had a word on it.
_DROP = """
DELETE FROM campaigns_occasiondate AS kept
WHERE kept.occasion_id = ANY(%(considered)s) AND kept.day >= %(today)s AND kept.edited_at IS NULL
  AND NOT EXISTS (
      SELECT FROM unnest(%(occasions)s::bigint[], %(years)s::int[], %(numbers)s::int[])
                      AS fresh (occasion_id, year, number)
      WHERE (fresh.occasion_id, fresh.year, fresh.number) = (kept.occasion_id, kept.year, kept.number)
  )
"""


def _compute(occasions: Iterable[Occasion], at: datetime) -> int:
    today, considered = shop_day(at), list(occasions)
    rows = [
        (occasion.pk, year, number, day)
        for occasion in considered
        for year in range(today.year - 1, today.year + YEARS_AHEAD + 1)
        for number, day in enumerate(days_of(occasion.as_rule(), year), 1)
    ]
    names = ("occasions", "years", "numbers", "days")
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []]
    params = dict(zip(names, columns, strict=True)) | {"today": today, "considered": [o.pk for o in considered]}
    return execute(_DROP, params) + execute(_WRITE, params)


@transaction.atomic
def choose_countries(*, codes: Sequence[str], at: datetime) -> None:
    """Keeps the days of these countries and no others. Festivals and public holidays of a country that is new are
    switched on, those of none that is left are switched off; what staff switched otherwise stays. UnknownCountry."""
    wanted = set(codes)
    if unknown := wanted - set(known_countries()):
        raise UnknownCountry(", ".join(sorted(unknown)))
    before = set(OccasionCountry.objects.select_for_update().values_list("code", flat=True))
    OccasionCountry.objects.exclude(code__in=wanted).delete()
    OccasionCountry.objects.bulk_create([OccasionCountry(code=code) for code in sorted(wanted - before)])
    for code in sorted(wanted - before):
        _add_public_holidays(code, shop_day(at))
    _compute(Occasion.objects.filter(rule=OccasionRule.PUBLIC, country__in=wanted - before), at)
    Occasion.objects.filter(countries__overlap=sorted(wanted - before)).update(active=True)
    gone = Occasion.objects.filter(countries__overlap=sorted(before - wanted))
    gone.exclude(countries__overlap=sorted(wanted)).update(active=False)


def _add_public_holidays(country: str, today: date) -> None:
    """A row for each public holiday of a country. One that falls where an occasion of ours always does is that one."""
    years = range(today.year, today.year + YEARS_AHEAD + 1)
    ours = list(Occasion.objects.filter(rule__in=(OccasionRule.SOLAR, OccasionRule.LUNAR, OccasionRule.TERM,
                                                  OccasionRule.WEEKDAY, OccasionRule.EASTER),
                                        kind=OccasionKind.FESTIVAL).order_by("pk"))  # fmt: skip
    same = {
        frozenset(d for year in (years[0] - 1, *years) for d in days_of(o.as_rule(), year) if d.year in years): o
        for o in reversed(ours)
    }
    found: dict[str, set[date]] = {}
    chinese: dict[str, str] = {}
    for year in years:
        chinese |= names_in_chinese(country, year)
        for name, days in public_holidays(country, year).items():
            found.setdefault(name, set()).update(days)
    fresh = []
    for name, all_days in found.items():
        if (known := same.get(frozenset(all_days))) is not None:
            if known.countries and country not in known.countries:
                Occasion.objects.filter(pk=known.pk).update(countries=sorted({*known.countries, country}))
            continue
        fresh.append(
            Occasion(
                key=f"{country.lower()}-{slugify(name)}"[:80],
                name_en=name[:80],
                name_zh_hans=chinese.get(name) or IN_CHINESE.get(name) or None,
                kind=OccasionKind.PUBLIC,
                rule=OccasionRule.PUBLIC,
                country=country,
                holiday=name[:120],
                countries=[country],
            )
        )
    Occasion.objects.bulk_create(fresh, ignore_conflicts=True)


@transaction.atomic
def move(*, date_id: int, day: date, takes_place: bool, note: str, at: datetime, actor_id: int | None) -> OccasionDate:
    """Says when a coming of an occasion is, and whether it takes place at all. Everything that hangs on it follows.

    DayIsPast; DayTaken by another coming of the same occasion.
    """
    coming = OccasionDate.objects.select_for_update(of=("self",)).select_related("occasion").get(pk=date_id)
    today = shop_day(at)
    if coming.day < today or day < today:
        raise DayIsPast
    _refuse_twice(coming.occasion_id, day, but=coming.pk)
    coming.day, coming.off, coming.note = day, not takes_place, note[:200]
    coming.edited_at, coming.edited_by_id = at, actor_id
    coming.save(update_fields=["day", "off", "note", "edited_at", "edited_by"])
    return coming


@transaction.atomic
def put_back(*, date_id: int, at: datetime) -> OccasionDate:
    """Lets a coming fall where its rule has it. DayIsPast, too for one set by hand, which has no rule."""
    coming = OccasionDate.objects.select_for_update(of=("self",)).select_related("occasion").get(pk=date_id)
    today = shop_day(at)
    if coming.computed is None or coming.computed < today or coming.day < today:
        raise DayIsPast
    _refuse_twice(coming.occasion_id, coming.computed, but=coming.pk)
    coming.day, coming.off, coming.note, coming.edited_at, coming.edited_by = coming.computed, False, "", None, None
    coming.save(update_fields=["day", "off", "note", "edited_at", "edited_by"])
    return coming


def _refuse_twice(occasion_id: int, day: date, but: int | None = None) -> None:
    if OccasionDate.objects.filter(occasion_id=occasion_id, day=day).exclude(pk=but or 0).exists():
        raise DayTaken


@transaction.atomic
def save_own(*, occasion: Occasion, days: Sequence[date] = (), at: datetime, actor_id: int | None) -> Occasion:
    """Saves a day of the shop's own and computes its days; with the rule "dated", `days` are added to those it has.

    ValidationError by field where the rule cannot be; DayIsPast.
    """
    today = shop_day(at)
    if any(day < today for day in days):
        raise DayIsPast
    if not occasion.pk:
        occasion.key = _free_key(occasion.name_en or "")  # type: ignore[attr-defined]
    occasion.full_clean(validate_constraints=False)
    occasion.save()
    if occasion.rule != OccasionRule.DATED:
        _compute([occasion], at)
        return occasion
    there = list(occasion.dates.order_by("year", "number"))
    taken = {coming.day for coming in there}
    last: dict[int, int] = {}
    for coming in there:
        last[coming.year] = coming.number
    fresh = []
    for day in sorted(set(days) - taken):
        last[day.year] = last.get(day.year, 0) + 1
        fresh.append(
            OccasionDate(
                occasion=occasion, year=day.year, number=last[day.year], day=day, edited_at=at, edited_by_id=actor_id
            )
        )
    OccasionDate.objects.bulk_create(fresh)
    return occasion


def _free_key(name: str) -> str:
    stem = slugify(name)[:70] or "own"
    taken = set(Occasion.objects.filter(key__startswith=stem).values_list("key", flat=True))
    return next(key for n in range(1, len(taken) + 2) if (key := stem if n == 1 else f"{stem}-{n}") not in taken)
