"""Moments as people read them: short, in the active language and time zone."""

from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from django.utils.formats import date_format
from django.utils.timezone import localtime


def format_day(at: datetime | None) -> str:
    """The day of a moment: "Nov 21, 2026"; "" for None."""
    return date_format(localtime(at), "DATE_FORMAT") if at else ""


def format_moment(at: datetime | None) -> str:
    """A moment to the minute: "Nov 21, 2026 13:16"; "" for None."""
    return date_format(localtime(at), "DATETIME_FORMAT") if at else ""


@cache
def time_zones() -> frozenset[str]:
    """The IANA names of time zones that this machine knows."""
    return frozenset(available_timezones())
