"""When a step goes on. Waits of days are days of the member's own calendar: the clock on the wall stays."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from common.moments import clock_moment


def moment(day: date, hour: int, zone: tzinfo) -> datetime:
    """An hour of a day where the member lives, in UTC."""
    return clock_moment(day, time(hour), zone)


def after(start: datetime, told: Mapping[str, Any], zone: ZoneInfo) -> datetime:
    """When a wait of days, hours and minutes is over."""
    if days := told.get("days"):
        local = start.astimezone(zone)
        start = clock_moment(local.date() + timedelta(days=days), local.time(), zone)
    return start.astimezone(UTC) + timedelta(hours=told.get("hours") or 0, minutes=told.get("minutes") or 0)


def until_hour(start: datetime, hour: int, zone: ZoneInfo) -> datetime:
    """The next time that it is this hour where the member lives: now, if it has just begun."""
    local = start.astimezone(zone)
    if local.hour == hour:
        return start
    day = local.date() if local.hour < hour else local.date() + timedelta(days=1)
    return moment(day, hour, zone)


def until_date(told: Mapping[str, Any], day: date | None, zone: ZoneInfo) -> datetime | None:
    """When a wait for a day is over; None where the member has no such day, or calendars end before it."""
    try:
        if told.get("date"):
            day = date.fromisoformat(told["date"])
        elif day is not None:
            day += timedelta(days=told.get("days") or 0)
        return moment(day, told["hour"], zone) if day else None
    except OverflowError:
        return None


def draw(salt: str, member_id: int) -> float:
    """A number from 0 to 1 that is always the same for a member and an occasion (the first 32 bits of MD5)."""
    digest = hashlib.md5(f"{salt}:{member_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def way(salt: str, member_id: int, shares: Sequence[int]) -> str:
    """Which way of a split a member takes, as the name of its exit."""
    left = draw(salt, member_id) * 100
    for n, share in enumerate(shares):
        left -= share
        if left < 0:
            return str(n)
    return str(len(shares) - 1)
