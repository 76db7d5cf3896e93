"""Birthdays: what can be stated, and the days on which it falls."""

from datetime import date, timedelta

import pytest
from borax.calendars.lunardate import LCalendars
from django.core.exceptions import ValidationError
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from members.enums import Calendar, LeapDayRule
from members.rules import Birthday, birthday_words, birthdays_between, check_birthday, matches_on

SOLAR, LUNAR = Calendar.SOLAR, Calendar.LUNAR
LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def solar_birthdays():
    days = [(m, d) for m, last in enumerate(LONGEST, 1) for d in range(1, last + 1)]
    return st.builds(
        lambda md, rule: Birthday(SOLAR, *md, leap_day_rule=rule), st.sampled_from(days), st.sampled_from(LeapDayRule)
    )


def lunar_birthdays():
    return st.builds(Birthday, st.just(LUNAR), st.integers(1, 12), st.integers(1, 30), st.booleans())


def found_by(birthday: Birthday, day: date) -> list[int]:
    """The years of the patterns of `day` that this birthday fits, as the database would match them."""
    return [
        match.year
        for match in matches_on(day)
        if (match.calendar, match.month, match.day) == (birthday.calendar, birthday.month, birthday.day)
        and match.leap_month in (None, birthday.leap_month)
        and match.leap_day_rule in (None, birthday.leap_day_rule)
    ]


@given(st.one_of(solar_birthdays(), lunar_birthdays()), st.integers(1950, 2090))
def test_every_birthday_comes_once_a_year_and_the_patterns_find_it(birthday, year):
    day = birthday.falls_on(year)
    assert found_by(birthday, day) == [year]
    assert found_by(birthday, day + timedelta(days=1)) == []


@given(st.one_of(solar_birthdays(), lunar_birthdays()), st.integers(1950, 2090))
def test_two_birthdays_of_one_member_are_at_least_300_days_apart(birthday, year):
    assert (birthday.falls_on(year + 1) - birthday.falls_on(year)).days >= 300


@pytest.mark.parametrize(
    ("birthday", "year", "day"),
    [
        (Birthday(SOLAR, 2, 29), 2024, date(2024, 2, 29)),
        (Birthday(SOLAR, 2, 29), 2026, date(2026, 2, 28)),
        (Birthday(SOLAR, 2, 29, leap_day_rule=LeapDayRule.MARCH_1), 2026, date(2026, 3, 1)),
        (Birthday(SOLAR, 2, 29), 2100, date(2100, 2, 28)),  # a century without a leap day
        (Birthday(LUNAR, 1, 1), 2026, date(2026, 2, 17)),  # Spring Festival
        (Birthday(LUNAR, 8, 15), 2026, date(2026, 9, 25)),  # Mid-Autumn
        (Birthday(LUNAR, 2, 15, leap_month=True), 2042, date(2042, 4, 5)),  # the year has the leap month
        (Birthday(LUNAR, 2, 15, leap_month=True), 2026, date(2026, 4, 2)),  # it has not: the plain month
        (Birthday(LUNAR, 12, 30), 2024, date(2025, 1, 28)),  # a short month: its last day
    ],
)
def test_falls_on(birthday, year, day):
    assert birthday.falls_on(year) == day


def test_a_lunar_birthday_may_fall_twice_into_a_solar_year():
    days = birthdays_between(Birthday(LUNAR, 12, 1), date(2038, 1, 1), date(2038, 12, 31))
    assert [(o.day, o.year) for o in days] == [(date(2038, 1, 5), 2037), (date(2038, 12, 26), 2038)]


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({"month": 2, "day": 30}, "birthday_day"),
        ({"month": 4, "day": 31}, "birthday_day"),
        ({"month": 13, "day": 1}, "birthday_month"),
        ({"month": None, "day": 4}, "birthday_month"),
        ({"month": 4, "day": None}, "birthday_day"),
        ({"month": 4, "day": 0}, "birthday_day"),
        ({"month": 2, "day": 29, "year": 2023}, "birthday_day"),
        ({"month": 5, "day": 5, "leap_month": True}, "birthday_leap_month"),
        ({"month": None, "day": None, "year": 1980}, "birthday_month"),
        ({"month": 5, "day": 5, "year": 1850}, "birthday_year"),
        ({"calendar": LUNAR, "month": 5, "day": 31}, "birthday_day"),
        ({"calendar": LUNAR, "month": 3, "day": 4, "year": 2023, "leap_month": True}, "birthday_leap_month"),
        ({"calendar": LUNAR, "month": 1, "day": 4, "leap_month": True}, "birthday_leap_month"),
        ({"calendar": LUNAR, "month": 12, "day": 30, "year": 2024}, "birthday_day"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(stated, field):
    with pytest.raises(ValidationError) as refused:
        check_birthday(**{"calendar": SOLAR, **stated})
    assert list(refused.value.message_dict) == [field]


@pytest.mark.parametrize(
    "stated",
    [
        {"month": None, "day": None},
        {"month": 2, "day": 29},
        {"month": 2, "day": 29, "year": 2024},
        {"calendar": LUNAR, "month": 2, "day": 15, "year": 2023, "leap_month": True},
        {"calendar": LUNAR, "month": 12, "day": 30},
    ],
)
def test_what_can_be_is_accepted(stated):
    assert check_birthday(**{"calendar": SOLAR, **stated}) is None


def test_leap_months_are_those_of_the_published_calendar():
    published = {2020: 4, 2023: 2, 2025: 6, 2028: 5, 2031: 3, 2033: 11, 2036: 6, 2039: 5, 2042: 2, 2044: 7}
    assert {year: LCalendars.leap_month(year) for year in published} == published


@pytest.mark.parametrize(
    ("birthday", "english", "chinese"),
    [
        (Birthday(Calendar.SOLAR, 2, 29), "February 29", "2月29日"),
        (Birthday(Calendar.LUNAR, 1, 1), "day 1 of lunar month 1", "农历正月初一"),
        (Birthday(Calendar.LUNAR, 11, 20), "day 20 of lunar month 11", "农历冬月二十"),
        (Birthday(Calendar.LUNAR, 12, 30), "day 30 of lunar month 12", "农历腊月三十"),
        (Birthday(Calendar.LUNAR, 4, 8, True), "day 8 of the leap month after lunar month 4", "农历闰四月初八"),
    ],
)
def test_a_birthday_is_said_as_its_owner_says_it(birthday, english, chinese):
    with override("en"):
        assert birthday_words(birthday) == english
    with override("zh-hans"):
        assert birthday_words(birthday) == chinese
