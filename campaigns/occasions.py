"""Occasions as rules: "lunar 8-15", "second Sunday of May", and the days on which each falls. Pure.

The year of an occurrence is that of the rule's own calendar: New Year's Eve of lunar year 2025 falls in 2026, and
still comes once a year. Lunar days are those of borax, pinned: the libraries at hand disagree on five months between
1950 and 2098, none of them near. A lunar month means the plain one, never the leap month of the same number; a day
30 that a month has not is its day 29; 29 February is kept on the 28th.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays
from borax.calendars.lunardate import TERMS_CN, TermUtils
from dateutil.easter import easter

from campaigns.enums import OccasionRule
from members.enums import Calendar
from members.rules import Birthday

LAST = -1  # the last such weekday of a month
_ESTIMATED = " (estimated)"
_MAKE_UP = ("Day off (substituted", "Election Day", "Bank Holiday (")
NEXT_TO = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """When an occasion comes. Which numbers count is the kind's to say; `offset` days are added at the end."""

    kind: OccasionRule
    month: int = 0
    day: int = 0
    weekday: int = 0  # Monday is 0
    nth: int = 0  # from 1, or LAST
    offset: int = 0
    term: str = ""  # of TERMS
    country: str = ""
    holiday: str = ""  # its English name in the library


_NAMES = (
    *("minor-cold", "major-cold", "start-of-spring", "rain-water", "awakening-of-insects", "spring-equinox"),
    *("qingming", "grain-rain", "start-of-summer", "grain-buds", "grain-in-ear", "summer-solstice"),
    *("minor-heat", "major-heat", "start-of-autumn", "end-of-heat", "white-dew", "autumn-equinox"),
    *("cold-dew", "frost", "start-of-winter", "minor-snow", "major-snow", "winter-solstice"),
)
TERMS = dict(zip(_NAMES, TERMS_CN, strict=True))  # of the year, from January


def days_of(rule: Rule, year: int) -> list[date]:
    """The days of a rule in `year` (1900 to 2099) of its own calendar, in order: mostly one.

    None for days that people set by hand, or that are each member's own. ValueError for a rule that cannot be.
    """
    return list(_computed(rule, year))


@lru_cache(maxsize=4096)  # an almanac's work: the same days each night
def _computed(rule: Rule, year: int) -> tuple[date, ...]:
    return tuple(day + timedelta(days=rule.offset) for day in _days(rule, year))


def _days(rule: Rule, year: int) -> list[date]:
    match rule.kind:
        case OccasionRule.SOLAR:
            return [Birthday(Calendar.SOLAR, rule.month, rule.day).falls_on(year)]
        case OccasionRule.LUNAR:
            return [Birthday(Calendar.LUNAR, rule.month, rule.day).falls_on(year)]
        case OccasionRule.TERM:
            return [TermUtils.nth_term_day(year, list(TERMS).index(rule.term))]
        case OccasionRule.WEEKDAY:
            return [nth_weekday(year, rule.month, rule.weekday, rule.nth)]
        case OccasionRule.EASTER:
            return [easter(year)]
        case OccasionRule.PUBLIC:
            return list(public_holidays(rule.country, year).get(rule.holiday, ()))
    return []


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """The n-th (1 to 4) such weekday of a month, or with LAST the last. ValueError for another n."""
    if nth == LAST:
        after = date(year + month // 12, month % 12 + 1, 1)
        return after - timedelta(days=(after.weekday() - weekday - 1) % 7 + 1)
    if not 1 <= nth <= 4:
        raise ValueError(f"weekday number {nth} of a month")
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


@lru_cache(maxsize=1024)
def public_holidays(country: str, year: int) -> dict[str, tuple[date, ...]]:
    """English name → first days of a country's public holidays in a year, without days made up for or moved.

    A holiday of several days begins once. One by the moon may come twice in a year. Empty for an unknown country.
    """
    try:
        found = holidays.country_holidays(country, years=[year], observed=False, language="en_US")
    except NotImplementedError:
        return {}
    days: dict[str, list[date]] = {}
    for day in sorted(found):
        for name in found.get_list(day):
            if day.year == year and not name.startswith(_MAKE_UP):
                days.setdefault(name.removesuffix(_ESTIMATED), []).append(day)
    return {name: tuple(_beginnings(each)) for name, each in days.items()}


def _beginnings(days: Iterable[date]) -> Iterator[date]:
    before = None
    for day in days:
        if before is None or day - before > NEXT_TO:
            yield day
        before = day


@lru_cache(maxsize=64)
def names_in_chinese(country: str, year: int) -> dict[str, str]:
    """English name → Chinese name of a country's public holidays, as far as the library knows it."""
    try:
        days = holidays.country_holidays(country, years=[year], observed=False, language="en_US")
        if "zh_CN" not in (days.supported_languages or ()):
            return {}
        chinese = holidays.country_holidays(country, years=[year], observed=False, language="zh_CN")
    except NotImplementedError:
        return {}
    return {
        name: said
        for day in days
        for name, said in zip(days.get_list(day), chinese.get_list(day), strict=False)
        if not name.startswith(_MAKE_UP)
    }


@lru_cache(maxsize=1)
def countries() -> tuple[str, ...]:
    """The codes (ISO 3166) of the countries whose public holidays are known."""
    return tuple(sorted(holidays.list_supported_countries(include_aliases=False)))


def anniversary_matches(day: date) -> list[tuple[int, int, str | None]]:
    """(month, day, leap day rule) of the dates whose anniversary is kept on `day`; None for any rule."""
    found: list[tuple[int, int, str | None]] = [(day.month, day.day, None)]
    common = (day + timedelta(days=1)).month == 3 and (day.month, day.day) == (2, 28)
    if common:
        found.append((2, 29, "feb28"))
    if (day.month, day.day) == (3, 1) and (day - timedelta(days=1)).day == 28:
        found.append((2, 29, "mar1"))
    return found
