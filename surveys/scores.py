"""The scores of a survey and how sure they are. Pure functions of counts.

Each score carries the name and version of its formula: NPS, CSAT and CES are reckoned in several ways, and one that
changed must not be compared with one from before. A score of nothing is None, never 0. Intervals are of 95 %.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import atanh, erfc, sqrt, tanh
from statistics import NormalDist

from common.intervals import LEVEL, wilson

Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
FEW = 30  # below this many answers an interval by the normal distribution is too sure of itself


@dataclass(frozen=True, slots=True)
class Score:
    """`n` answers, of which the estimate is made; `low` and `high` are the ends of its interval, in its own units."""

    formula: str
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None  # standard error

    @property
    def few(self) -> bool:
        return self.n < FEW


@dataclass(frozen=True, slots=True)
class Change:
    """Later minus earlier, its interval, and how likely one so large is where nothing changed (two-sided)."""

    value: float
    low: float
    high: float
    p: float

    @property
    def clear(self) -> bool:
        """Whether it is more than noise: the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def nps(counts: Mapping[int, int]) -> Score:
    """100 (promoters - detractors) / answered; promoters gave 9 or 10, detractors 0 to 6 (Reichheld 2003). The variance
    of one answer scored +1, 0, -1 is p + d - (p - d)^2. Where all answered alike, or few, that is 0 or too small: then
    the interval is made of 3/4 of an answer more in each of the three groups' shares (adjusted Wald), never the
    estimate."""
    n = sum(counts.get(score, 0) for score in range(11))
    if not n:
        return Score("nps:1", 0, None)
    promoters = counts.get(9, 0) + counts.get(10, 0)
    detractors = sum(counts.get(score, 0) for score in range(7))
    value = 100 * (promoters - detractors) / n
    error = _nps_error(promoters, detractors, n)
    if n >= FEW and error:
        return Score("nps:1", n, value, max(-100.0, value - Z * error), min(100.0, value + Z * error), error)
    more = 0.75
    middle = 100 * (promoters - detractors) / (n + 3 * more)
    wider = _nps_error(promoters + more, detractors + more, n + 3 * more)
    low, high = max(-100.0, middle - Z * wider), min(100.0, middle + Z * wider)
    return Score("nps:1", n, value, min(low, value), max(high, value), wider)


def _nps_error(promoters: float, detractors: float, n: float) -> float:
    p, d = promoters / n, detractors / n
    return 100 * sqrt(max(0.0, p + d - (p - d) ** 2) / n)


def csat(counts: Mapping[int, int]) -> Score:
    """The share, in percent, of those who gave 4 or 5 of 5, with Wilson's interval."""
    n = sum(counts.get(score, 0) for score in range(1, 6))
    return share("csat-top2:1", counts.get(4, 0) + counts.get(5, 0), n)


def ces(counts: Mapping[int, int]) -> Score:
    """The mean of agreement 1 to 7 with "it was easy" (CES 2.0)."""
    return mean("ces-mean:1", {score: n for score, n in counts.items() if 1 <= score <= 7})


# By kind of question, the score of how often each number was given.
SCORES: Mapping[str, Callable[[Mapping[int, int]], Score]] = {"nps": nps, "csat": csat, "ces": ces}


def share(formula: str, some: int, n: int) -> Score:
    """A proportion in percent, with its score interval (Wilson 1927, JASA 22:209)."""
    if not n:
        return Score(formula, 0, None)
    rate, (low, high) = some / n, wilson(some, n)
    return Score(formula, n, 100 * rate, 100 * low, 100 * high, 100 * sqrt(rate * (1 - rate) / n))


def mean(formula: str, counts: Mapping[int, int] | Mapping[float, int]) -> Score:
    """The mean of what was given, weighted by how many gave it; no interval for fewer than two answers."""
    n = sum(counts.values())
    if not n:
        return Score(formula, 0, None)
    middle = sum(value * times for value, times in counts.items()) / n
    if n < 2:
        return Score(formula, n, middle)
    variance = sum(times * (value - middle) ** 2 for value, times in counts.items()) / (n - 1)
    error = sqrt(variance / n)
    return Score(formula, n, middle, middle - Z * error, middle + Z * error, error)


def change(earlier: Score, later: Score) -> Change | None:
    """The difference of two independent scores of one formula by the normal distribution; None where it cannot be told:
    other formulas, too few answers, no error known. ValueError never."""
    if earlier.formula != later.formula or earlier.few or later.few:
        return None
    if earlier.value is None or later.value is None or earlier.error is None or later.error is None:
        return None
    gap = later.value - earlier.value
    error = sqrt(earlier.error**2 + later.error**2)
    if not error:
        return None
    return Change(gap, gap - Z * error, gap + Z * error, erfc(abs(gap) / error / sqrt(2)))


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> Score:
    """Spearman's rho: Pearson's correlation of the ranks (equal values share the mean rank), with the interval by
    Fisher's z and the variance of Bonett & Wright (2000, Psychometrika 65:23), (1 + rho^2/2) / (n - 3). None for fewer
    than ten pairs or where one side never varies. It says what goes together, not what causes what."""
    n = len(pairs)
    if n < 10:
        return Score("spearman:1", n, None)
    firsts, seconds = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    middle = (n + 1) / 2
    above = sum((a - middle) * (b - middle) for a, b in zip(firsts, seconds, strict=True))
    spread = sqrt(sum((a - middle) ** 2 for a in firsts) * sum((b - middle) ** 2 for b in seconds))
    if not spread:
        return Score("spearman:1", n, None)
    rho = max(-1.0, min(1.0, above / spread))
    if abs(rho) == 1:
        return Score("spearman:1", n, rho, rho, rho, 0.0)
    error = sqrt((1 + rho * rho / 2) / (n - 3))
    return Score("spearman:1", n, rho, tanh(atanh(rho) - Z * error), tanh(atanh(rho) + Z * error), error)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = (start + end) / 2 + 1
        start = end + 1
    return ranks
