"""The interval of a proportion, wherever one is shown."""

from math import sqrt
from statistics import NormalDist

LEVEL = 0.95


def wilson(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, JASA 22:209). Within 0 and 1 also where none or all succeed;
    (0, 1) of no trials."""
    if not trials:
        return 0.0, 1.0
    z, rate = NormalDist().inv_cdf((1 + level) / 2), successes / trials
    middle = rate + z * z / (2 * trials)
    spread = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # By the formula the ends are reached exactly; floating point may miss them by the last bit.
    low = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if successes == trials else min(1.0, (middle + spread) / scale)
    return low, high
