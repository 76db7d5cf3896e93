"""Moments as people read them: short, in the active language and time zone."""

from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from babel.dates import format_date
from django.utils.timezone import localtime
from django.utils.translation import get_language, to_locale


def format_day(at: datetime | None) -> str:
    """The day of a moment: "Nov 21, 2026"; "" for None."""
    return format_date(localtime(at), "medium", locale=to_locale(get_language() or "en")) if at else ""


def format_moment(at: datetime | None) -> str:
    """A moment to the minute: "Nov 21, 2026 13:16"; "" for None."""
    return f"{format_day(at)} {localtime(at):%H:%M}" if at else ""


@cache
def time_zones() -> frozenset[str]:
    """The IANA names of time zones that this machine knows."""
    return frozenset(available_timezones())
