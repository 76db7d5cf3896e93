"""Moments as people read them: short, in the active language and time zone; and the ends of the days that they type."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils.formats import date_format
from django.utils.timezone import localtime


def format_day(at: datetime | None) -> str:
    """The day of a moment: "Nov 21, 2026"; "" for None."""
    return date_format(localtime(at), "DATE_FORMAT") if at else ""


def format_moment(at: datetime | None) -> str:
    """A moment to the minute: "Nov 21, 2026 13:16"; "" for None."""
    return date_format(localtime(at), "DATETIME_FORMAT") if at else ""


def format_last_day(end: datetime | None) -> str:
    """The last day of what is over at `end`: of midnight, the day before it; "" for None."""
    return format_day(end - timedelta(microseconds=1)) if end else ""


def format_end(end: datetime | None) -> str:
    """The same to the minute, but where it is the end of a day; "" for None."""
    return format_last_day(end) if end and localtime(end).time() == time() else format_moment(end)


def end_of_day(day: date | None, zone: str) -> datetime | None:
    """The moment at which a day is over in a time zone; None, for ever, for None and the last day that there is."""
    if day is None or day == date.max:
        return None
    return clock_moment(day + timedelta(days=1), time(), ZoneInfo(zone))


def clock_moment(day: date, clock: time, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which the clocks of a zone show a time on a day, as PostgreSQL's AT TIME ZONE has it: the
    later one where they show it twice; where they leap over it, an hour (the leap) later by the new clock."""
    shown = datetime.combine(day, clock, zone)
    return max(shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


@cache
def time_zones() -> frozenset[str]:
    """The IANA names of time zones that this machine knows."""
    return frozenset(available_timezones())
