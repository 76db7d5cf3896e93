"""Birthdays as people state them, and the days on which they fall.

A member of the Chinese calendar keeps the lunar month and day; borax gives the solar day. Three conventions, each
one that families follow: a birthday in a leap month is kept in that leap month where the year has it, else in the
plain month of the same number; day 30 is kept on day 29 where the month is short; 29 February is kept on 28 February
or 1 March as the member says. The *year* of an occurrence is the year of its own calendar, so a lunar birthday that
falls twice into one solar year, or not at all, still comes once a year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from babel.core import Locale
from babel.dates import format_skeleton
from borax.calendars.lunardate import LCalendars, LunarDate, TextUtils
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext, to_locale
from django.utils.translation import gettext_lazy as _

from members.enums import Calendar, LeapDayRule

FIRST_YEAR, LAST_YEAR = 1900, 2099
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, slots=True)
class Birthday:
    """A yearly day in one of two calendars. `leap_month` only in the lunar one."""

    calendar: Calendar
    month: int
    day: int
    leap_month: bool = False
    leap_day_rule: LeapDayRule = LeapDayRule.FEBRUARY_28

    def falls_on(self, year: int) -> date:
        """The solar day of this birthday in `year` of its own calendar (1900 to 2099)."""
        if self.calendar == Calendar.LUNAR:
            leap = self.leap_month and LCalendars.leap_month(year) == self.month
            day = min(self.day, LCalendars.ndays(year, self.month, int(leap)))
            return LunarDate(year, self.month, day, int(leap)).to_solar_date()
        if (self.month, self.day) == (2, 29) and not _is_leap(year):
            return date(year, 2, 28) if self.leap_day_rule == LeapDayRule.FEBRUARY_28 else date(year, 3, 1)
        return date(year, self.month, self.day)

    def next_on_or_after(self, day: date) -> "Occurrence":
        """The first occurrence that is not before `day`."""
        for year in (day.year - 1, day.year, day.year + 1):
            if (falls := self.falls_on(year)) >= day:
                return Occurrence(falls, year)
        raise ValueError(f"no birthday found after {day}")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One birthday: the solar `day`, and the `year` of the birthday's own calendar."""

    day: date
    year: int


@dataclass(frozen=True, slots=True)
class BirthdayMatch:
    """A pattern of stored birthdays that fall on one day. None means: whatever stands there."""

    calendar: Calendar
    month: int
    day: int
    leap_month: bool | None
    leap_day_rule: LeapDayRule | None
    year: int


@lru_cache(maxsize=1024)
def matches_on(day: date) -> tuple[BirthdayMatch, ...]:
    """Every pattern of birthday that is kept on `day`: the inverse of `Birthday.falls_on`."""
    return (*_solar_matches(day), *_lunar_matches(day))


def _solar_matches(day: date) -> Iterator[BirthdayMatch]:
    yield BirthdayMatch(Calendar.SOLAR, day.month, day.day, None, None, day.year)
    if not _is_leap(day.year):
        for month_day, rule in (((2, 28), LeapDayRule.FEBRUARY_28), ((3, 1), LeapDayRule.MARCH_1)):
            if (day.month, day.day) == month_day:
                yield BirthdayMatch(Calendar.SOLAR, 2, 29, None, rule, day.year)


def _lunar_matches(day: date) -> Iterator[BirthdayMatch]:
    lunar = LunarDate.from_solar(day)
    year, month, leap = lunar.year, lunar.month, bool(lunar.leap)
    if leap:
        kept_here: bool | None = True
    else:  # the plain month also stands in for a leap month that this year has not
        kept_here = False if LCalendars.leap_month(year) == month else None
    days = [lunar.day]
    if lunar.day == 29 and LCalendars.ndays(year, month, int(leap)) == 29:
        days.append(30)
    for number in days:
        yield BirthdayMatch(Calendar.LUNAR, month, number, kept_here, None, year)


def lunar_month_name(month: int) -> str:
    """What a Chinese speaker calls a lunar month: 正月 … 冬月, 腊月."""
    return f"{TextUtils.month_cn(month)}月"


def lunar_day_name(day: int) -> str:
    """What a Chinese speaker calls a day of a lunar month: 初一 … 三十."""
    return TextUtils.day_cn(day)


def birthday_words(birthday: Birthday) -> str:
    """A birthday in the active language, as its owner said it: "June 21", "6月21日", "农历闰四月初八"."""
    language = get_language() or "en"
    if birthday.calendar == Calendar.SOLAR:
        in_a_leap_year = date(2000, birthday.month, birthday.day)
        return format_skeleton("MMMMd", in_a_leap_year, locale=to_locale(language))
    if language.startswith("zh"):
        leap = "闰" if birthday.leap_month else ""
        return f"农历{leap}{lunar_month_name(birthday.month)}{lunar_day_name(birthday.day)}"
    words = {"day": birthday.day, "month": birthday.month}
    if birthday.leap_month:
        return gettext("day %(day)d of the leap month after lunar month %(month)d") % words
    return gettext("day %(day)d of lunar month %(month)d") % words


def check_birthday(
    *, calendar: str, month: int | None, day: int | None, year: int | None = None, leap_month: bool = False
) -> None:
    """Raises ValidationError, by field, where no such birthday can be. Empty month and day mean: not said."""
    if month is None and day is None:
        if year is not None or leap_month:
            raise ValidationError({"birthday_month": _("Please give the month and the day as well.")})
        return
    if month is None or not 1 <= month <= 12:
        raise ValidationError({"birthday_month": _("Please choose a month.")})
    if day is None or day < 1:
        raise ValidationError({"birthday_day": _("Please choose a day.")})
    if year is not None and not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValidationError(
            {
                "birthday_year": _("The year must be from %(first)d to %(last)d.")
                % {"first": FIRST_YEAR, "last": LAST_YEAR}
            }
        )
    if calendar == Calendar.LUNAR:
        _check_lunar(month, day, year, leap_month)
    else:
        _check_solar(month, day, year, leap_month)


def _check_solar(month: int, day: int, year: int | None, leap_month: bool) -> None:
    if leap_month:
        raise ValidationError({"birthday_leap_month": _("Only the lunar calendar has leap months.")})
    longest = _LONGEST.get(month, 31)
    if day > longest:
        raise ValidationError({"birthday_day": _("This month has at most %(days)d days.") % {"days": longest}})
    if (month, day) == (2, 29) and year is not None and not _is_leap(year):
        raise ValidationError({"birthday_day": _("%(year)d had no 29 February.") % {"year": year}})


def _check_lunar(month: int, day: int, year: int | None, leap_month: bool) -> None:
    if day > 30:
        raise ValidationError({"birthday_day": _("A lunar month has at most 30 days.")})
    if year is None:
        if leap_month and not _ever_leap(month):
            raise ValidationError({"birthday_leap_month": _("The lunar calendar has no leap month of this number.")})
        return
    if leap_month and LCalendars.leap_month(year) != month:
        raise ValidationError(
            {
                "birthday_leap_month": _("Lunar year %(year)d has no leap month %(month)d.")
                % {"year": year, "month": month}
            }
        )
    longest = LCalendars.ndays(year, month, int(leap_month))
    if day > longest:
        raise ValidationError(
            {
                "birthday_day": _("That month of lunar year %(year)d has only %(days)d days.")
                % {"year": year, "days": longest}
            }
        )


@lru_cache(maxsize=12)
def _ever_leap(month: int) -> bool:
    return any(LCalendars.leap_month(year) == month for year in range(FIRST_YEAR, LAST_YEAR + 1))


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def birthdays_between(birthday: Birthday, first: date, last: date) -> list[Occurrence]:
    """All occurrences from `first` to `last`, both included."""
    found = []
    day = first
    while day <= last:
        occurrence = birthday.next_on_or_after(day)
        if occurrence.day > last:
            break
        found.append(occurrence)
        day = occurrence.day + timedelta(days=1)
    return found


def country_name(code: str) -> str:
    """What people of the active language call a country; the code itself where it is none."""
    return Locale.parse(to_locale(get_language() or "en")).territories.get(code, code)
