"""The formulas, held to calculations by hand and to published figures."""

from statistics import mean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.scores import ces, change, csat, nps, rank_correlation, share

COUNTS = st.dictionaries(st.integers(0, 10), st.integers(0, 400), max_size=11)


def answers(promoters: int, passives: int, detractors: int) -> dict[int, int]:
    return {10: promoters, 7: passives, 3: detractors}


@pytest.mark.parametrize(
    ("groups", "value", "error", "low", "high"),
    [((70, 20, 10), 60.0, 6.633, 47.0, 73.0), ((500, 300, 200), 30.0, 2.470, 25.16, 34.84)],
)
def test_nps_by_hand(groups, value, error, low, high):
    score = nps(answers(*groups))
    assert score.value == value
    assert score.error == pytest.approx(error, abs=5e-4)
    assert (score.low, score.high) == pytest.approx((low, high), abs=0.006)


def test_the_change_of_two_waves_by_hand():
    moved = change(nps(answers(120, 60, 20)), nps(answers(105, 60, 35)))
    assert moved.value == pytest.approx(-15)
    assert moved.p == pytest.approx(0.0366, abs=5e-4)  # z = -2.09
    assert moved.clear
    assert change(nps(answers(7, 2, 1)), nps(answers(1, 2, 7))) is None  # ten people say nothing of thousands
    assert change(nps(answers(70, 20, 10)), csat({5: 80, 1: 20})) is None


@pytest.mark.parametrize(("some", "n", "low", "high"), [(8, 10, 49.0, 94.3), (80, 100, 71.1, 86.7), (0, 10, 0, 27.8)])
def test_shares_by_wilson(some, n, low, high):
    score = share("x:1", some, n)
    assert (score.low, score.high) == pytest.approx((low, high), abs=0.06)


@pytest.mark.parametrize("score", [nps({}), csat({}), ces({}), share("x:1", 0, 0), rank_correlation([])])
def test_nothing_answered_is_no_score(score):
    assert (score.n, score.value, score.low, score.high) == (0, None, None, None)


@given(COUNTS)
def test_nps_is_the_mean_of_plus_one_nought_and_minus_one(counts):
    each = [1 if s >= 9 else -1 if s <= 6 else 0 for s, n in counts.items() for _ in range(n)]
    score = nps(counts)
    assert score.n == len(each)
    if each:
        assert score.value == pytest.approx(100 * mean(each))
        assert -100 <= score.low <= score.value <= score.high <= 100
        assert score.low < score.high  # ten people of one mind are not proof that all are
    if len(each) >= 30 and len(set(each)) > 1:
        assert score.error == pytest.approx(100 * (pvariance(each) / len(each)) ** 0.5)


def test_ranks_that_go_together():
    assert rank_correlation([(n, n**3) for n in range(20)]).value == 1
    assert rank_correlation([(n, -n) for n in range(20)]).value == -1
    assert rank_correlation([(n, 4) for n in range(20)]).value is None
    # Myers & Well's example of ten persons' IQ and hours of television: -29/165.
    pairs = [(106, 7), (100, 27), (86, 2), (101, 50), (99, 28), (103, 29), (97, 20), (113, 12), (112, 6), (110, 17)]
    score = rank_correlation(pairs)
    assert score.value == pytest.approx(-29 / 165)
    assert score.low < 0 < score.high
