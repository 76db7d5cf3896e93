"""Rates, ratios and times to an event, each with its interval of 95 %. Pure functions of counts and durations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from common.intervals import wilson
from surveys.scores import Z


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` events on `base` units of exposure, per `per` units; None where there is no exposure."""

    formula: str
    count: int
    base: int
    value: float | None
    low: float | None = None
    high: float | None = None


def per_thousand(count: int, base: int, formula: str = "per-1000:1") -> Rate:
    """Events per 1,000 with the interval of a Poisson count by Byar's approximation (Breslow & Day 1987, Statistical
    Methods in Cancer Research II, eq. 2.10)."""
    if base <= 0:
        return Rate(formula, count, base, None)
    low = 0.0 if count == 0 else count * (1 - 1 / (9 * count) - Z / (3 * sqrt(count))) ** 3
    more = count + 1
    high = more * (1 - 1 / (9 * more) + Z / (3 * sqrt(more))) ** 3
    return Rate(formula, count, base, 1000 * count / base, 1000 * max(0.0, low) / base, 1000 * high / base)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The later rate divided by the earlier one; below 1 it went down. None where it cannot be told."""

    formula: str
    value: float | None
    low: float | None = None
    high: float | None = None


def rate_ratio(before: int, base_before: int, after: int, base_after: int) -> Ratio:
    """Two Poisson rates compared by the share of events that fell after (given their sum, it is binomial: Przyborowski
    & Wilenski 1940, Biometrika 31:313), with Wilson's interval of that share. `high` is None where it has no end."""
    formula = "rate-ratio:1"
    total = before + after
    if not total or base_before <= 0 or base_after <= 0:
        return Ratio(formula, None)
    weight = base_before / base_after

    def odds(share: float) -> float | None:
        return None if share >= 1 else weight * share / (1 - share)

    low, high = wilson(after, total)
    return Ratio(formula, odds(after / total), odds(low), odds(high))


@dataclass(frozen=True, slots=True)
class Times:
    """`n` cases, of which `events` are over; quantiles of the time until it was, None where not enough are over."""

    formula: str
    n: int
    events: int
    median: float | None
    p90: float | None


def time_to(durations: Iterable[tuple[float, bool]]) -> Times:
    """Median and 90th percentile of the time to an event by the product-limit estimate (Kaplan & Meier 1958, JASA
    53:457). `durations` are (time, whether it is over): what is open yet counts as long as it is known, and is not left
    out. A quantile is the first time at which so many are over; None where the curve does not come down that far."""
    told: Sequence[tuple[float, bool]] = sorted(durations, key=lambda pair: (pair[0], not pair[1]))
    n, events = len(told), sum(over for _time, over in told)
    alive, at_risk, place = 1.0, n, 0
    found: dict[float, float] = {}
    while place < n:
        time = told[place][0]
        end = place
        while end < n and told[end][0] == time:
            end += 1
        alive *= 1 - sum(over for _time, over in told[place:end]) / at_risk
        for left in (0.5, 0.1):
            if left not in found and alive <= left + 1e-12:
                found[left] = time
        at_risk -= end - place
        place = end
    return Times("kaplan-meier:1", n, events, found.get(0.5), found.get(0.1))
