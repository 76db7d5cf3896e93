"""Exact arithmetic of awards, and the moments at which they can be spent and expire."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from rewards.earning.definition import Expiry, Pending


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of `total`, as the weights have it, that add up to it exactly. The weights add up to more than 0."""
    whole, parts, gone, given = sum(weights), [], 0, 0
    for weight in weights:
        gone += weight
        up_to = total * gone // whole
        parts.append(up_to - given)
        given = up_to
    return parts


def rounded(numerator: int, denominator: int, rounding: str) -> int:
    """A fraction as a whole number: down, up, or to the nearest, halves up."""
    if rounding == "up":
        return -(-numerator // denominator)
    if rounding == "nearest":
        return (2 * numerator + denominator) // (2 * denominator)
    return numerator // denominator


@lru_cache(maxsize=10_000)  # a shop's prices are the same ones again and again
def as_text(numerator: int, denominator: int) -> str:
    """An exact number: a decimal where there is one ("12.75"), else a fraction ("25/3"). Fraction() reads both."""
    if denominator != 1 and (places := _places(denominator)) is not None:
        numerator, denominator = numerator * (10**places // denominator), 1
        if places:
            sign, digits = ("-" if numerator < 0 else ""), str(abs(numerator)).rjust(places + 1, "0")
            return sign + f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    if denominator == 1:
        return str(numerator)
    reduced = Fraction(numerator, denominator)
    if reduced.denominator != denominator:
        return as_text(reduced.numerator, reduced.denominator)
    return f"{reduced.numerator}/{reduced.denominator}"


@lru_cache(maxsize=1024)
def _places(denominator: int) -> int | None:
    """Decimals that a fraction over this denominator needs; None where no number of them is enough."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives) if denominator == 1 else None


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which a local day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@lru_cache(maxsize=64)  # what is posted together often begins together
def months_later(at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The same local time, calendar months later; the month's last day where it has no such day."""
    local = at.astimezone(zone)
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    return local.replace(year=year, month=month, day=min(local.day, monthrange(year, month)[1])).astimezone(UTC)


def available(pending: Pending | None, at: datetime, zone: ZoneInfo) -> datetime | None:
    """From when what is given at `at` can be spent; None where at once. Of what waits for an event: until when."""
    if pending is None:
        return None
    moment = local_midnight(pending.until, zone) if pending.until else at + timedelta(days=pending.days)
    return moment if moment > at else None


def expires(expiry: Expiry, start: datetime, zone: ZoneInfo) -> datetime | None:
    """When what can be spent from `start` on expires: always after `start`."""
    if expiry.kind == "never":
        return None
    if expiry.kind == "date":
        year = start.astimezone(zone).year + expiry.years
        while (end := _day_end(year, expiry, zone)) <= start:
            year += 1
        return end
    return months_later(start, expiry.months, zone)


def _day_end(year: int, expiry: Expiry, zone: ZoneInfo) -> datetime:
    day = min(expiry.day, monthrange(year, expiry.month)[1])
    return local_midnight(date(year, expiry.month, day) + timedelta(days=1), zone)
