"""A time that clocks show twice or leap over is the same moment to Python and to PostgreSQL."""

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.moments import clock_moment
from common.sql import fetch_all

pytestmark = pytest.mark.django_db
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Shanghai",
    "Asia/Kathmandu",
]


@example("Europe/Berlin", date(2026, 3, 29), time(2, 30))  # there is none
@example("Europe/Berlin", date(2026, 10, 25), time(2, 30))  # there are two
@example("America/Havana", date(2026, 11, 1), time())  # midnight, twice
@example("Australia/Lord_Howe", date(2026, 4, 5), time(1, 45))  # half an hour, twice
@given(zone=st.sampled_from(ZONES), day=st.dates(date(2020, 1, 1), date(2035, 12, 31)), shown=st.times())
@settings(max_examples=60, deadline=None)
def test_a_time_that_clocks_show_is_the_moment_that_the_database_takes_it_for(zone, day, shown):
    theirs = fetch_all("SELECT (%s::date + %s::time) AT TIME ZONE %s", [day, shown, zone])[0][0]
    assert clock_moment(day, shown, ZoneInfo(zone)) == theirs


def test_every_time_of_the_days_on_which_clocks_change():
    for zone, day in [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("America/New_York", date(2026, 3, 8)),
        ("America/New_York", date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
        ("Antarctica/Troll", date(2026, 10, 25)),
    ]:
        rows = fetch_all(
            "SELECT %(day)s::timestamp + n * interval '15 minutes',"
            " (%(day)s::timestamp + n * interval '15 minutes') AT TIME ZONE %(zone)s FROM generate_series(0, 23) AS n",
            {"day": day, "zone": zone},
        )
        assert len(rows) == 24
        for shown, moment in rows:
            assert clock_moment(day, shown.time(), ZoneInfo(zone)) == moment, (zone, shown)
