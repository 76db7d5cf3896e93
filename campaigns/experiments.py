"""Tests and intervals for comparing versions of a message, and a campaign with its hold-out. Pure functions.

Proportions are given as (successes, trials). Probabilities are two-sided; intervals are of 95 % unless told otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, inf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

from common.intervals import LEVEL, wilson


@dataclass(frozen=True, slots=True)
class Arm:
    """One version: how many got it, and how many of them did what counts."""

    number: int
    trials: int
    successes: int

    @property
    def rate(self) -> float:
        return self.successes / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement of many members: how many, their mean, and the variance of the sample (n - 1)."""

    n: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Estimate, limits of its interval, and the probability of one so large or larger where there is none."""

    estimate: float
    low: float
    high: float
    p: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test of versions comes to: the winner's number, or None and which of `too_few`, `no_difference` holds."""

    winner: int | None
    reason: str
    p: float | None = None


def two_proportions(first: Arm, second: Arm, level: float = LEVEL) -> Difference:
    """The difference first - second of two rates: Newcombe's hybrid score interval (1998, Stat Med 17:873, method 10)
    and the pooled z test."""
    if not first.trials or not second.trials:
        return Difference(0.0, -1.0, 1.0, 1.0)
    gap = first.rate - second.rate
    low_1, high_1 = wilson(first.successes, first.trials, level)
    low_2, high_2 = wilson(second.successes, second.trials, level)
    low = gap - sqrt((first.rate - low_1) ** 2 + (high_2 - second.rate) ** 2)
    high = gap + sqrt((high_1 - first.rate) ** 2 + (second.rate - low_2) ** 2)
    pooled = (first.successes + second.successes) / (first.trials + second.trials)
    error = sqrt(pooled * (1 - pooled) * (1 / first.trials + 1 / second.trials))
    p = erfc(abs(gap) / error / sqrt(2)) if error else 1.0
    return Difference(gap, low, high, p)


def chi_square(arms: Sequence[Arm]) -> float:
    """How probable rates so far apart are where all versions are alike (Pearson 1900). 1 where nothing can differ."""
    trials, successes = sum(arm.trials for arm in arms), sum(arm.successes for arm in arms)
    used = [arm for arm in arms if arm.trials]
    if len(used) < 2 or successes in (0, trials):
        return 1.0
    rate = successes / trials
    statistic = sum((arm.successes - arm.trials * rate) ** 2 / (arm.trials * rate * (1 - rate)) for arm in used)
    return chi_square_tail(statistic, len(used) - 1)


def chi_square_tail(x: float, freedom: int) -> float:
    """P(X > x) of the chi-square distribution: the finite sums of Abramowitz & Stegun 26.4.4 and 26.4.5."""
    half = x / 2
    if freedom % 2 == 0:
        term = total = exp(-half)
        for n in range(1, freedom // 2):
            term *= half / n
            total += term
        return min(1.0, total)
    total, term = erfc(sqrt(half)), exp(-half) * sqrt(2 * x / pi)
    for n in range(1, (freedom - 1) // 2 + 1):
        total += term
        term *= x / (2 * n + 1)
    return min(1.0, total)


def judge(arms: Sequence[Arm], *, minimum: int, level: float = LEVEL) -> Verdict:
    """Which version is better than every other, if one is.

    It wins where each version has `minimum` trials, all together differ, and it beats each other one with the error
    shared among the comparisons (Bonferroni): versions that are alike get a winner in at most 5 % of all tests. That
    holds for one look at a moment set before, not for looking until something shows.
    """
    if len(arms) < 2 or any(arm.trials < max(minimum, 1) for arm in arms):
        return Verdict(None, "too_few")
    p, alpha = chi_square(arms), 1 - level
    best = max(arms, key=lambda arm: (arm.rate, -arm.number))
    others = [arm for arm in arms if arm is not best]
    beaten = all(two_proportions(best, other).p < alpha / len(others) for other in others)
    if p < alpha and beaten:
        return Verdict(best.number, "", p)
    return Verdict(None, "no_difference", p)


def welch(first: Sample, second: Sample, level: float = LEVEL) -> Difference | None:
    """The difference first - second of two means (Welch 1947, Biometrika 34:28). None for fewer than two of either."""
    if first.n < 2 or second.n < 2:
        return None
    gap = first.mean - second.mean
    a, b = first.variance / first.n, second.variance / second.n
    if a + b == 0:
        return Difference(gap, gap, gap, 1.0 if gap == 0 else 0.0)
    # Satterthwaite's degrees of freedom, by shares: the squares of very small variances would be 0
    share = a / (a + b)
    freedom = 1 / (share**2 / (first.n - 1) + (1 - share) ** 2 / (second.n - 1))
    error = sqrt(a + b)
    spread = t_quantile(level, freedom) * error
    return Difference(gap, gap - spread, gap + spread, t_tail(gap / error, freedom))


def t_tail(t: float, freedom: float) -> float:
    """P(|T| > |t|) of Student's t distribution (Abramowitz & Stegun 26.7.1)."""
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def t_quantile(level: float, freedom: float) -> float:
    """The t within which `level` of Student's distribution lies on both sides, to nine digits, by bisection."""
    low, high = 0.0, 2.0
    while t_tail(high, freedom) > 1 - level:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, freedom) > 1 - level else (low, middle)
    return high


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) and Lentz's method."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) / a
    value, c, d, n, delta = 1.0, 1.0, 0.0, 0, inf
    while abs(delta - 1) > 1e-14 and n < 500:
        m = n // 2
        if n == 0:
            part = 1.0
        elif n % 2:
            part = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            part = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + part * d or 1e-300)
        c = 1 + part / c or 1e-300
        delta = c * d
        value *= delta
        n += 1
    return min(1.0, front * (value - 1))
