"""Against published tables and examples, and against what must hold for any figures."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments import (
    Arm,
    Sample,
    chi_square,
    chi_square_tail,
    judge,
    t_quantile,
    t_tail,
    two_proportions,
    welch,
)
from common.intervals import wilson


def test_known_values():
    # Newcombe 1998, tables I and II: 56/70 against 48/80, method 10; a Wilson interval for 8 of 40
    gap = two_proportions(Arm(1, 70, 56), Arm(2, 80, 48))
    assert (round(gap.low, 4), round(gap.high, 4)) == (0.0524, 0.3339)
    assert wilson(8, 40) == pytest.approx((0.1050, 0.3476), abs=1e-4)


@pytest.mark.parametrize(("freedom", "x"), [(1, 3.841459), (2, 5.991465), (3, 7.814728), (4, 9.487729), (5, 11.070498)])
def test_chi_square_table(freedom, x):
    assert chi_square_tail(x, freedom) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706205), (2, 4.302653), (10, 2.228139), (30, 2.042272)])
def test_table_of_student(freedom, t):
    assert t_quantile(0.95, freedom) == pytest.approx(t, abs=1e-5)
    assert t_tail(-t, freedom) == pytest.approx(0.05, abs=1e-6)


def test_welch_example():
    # Means 20.82 and 22.99 of 15 each with deviations 2.804 and 1.952: t = -2.46, 25.0 degrees of freedom, p = 0.021
    found = welch(Sample(15, 20.82, 2.804**2), Sample(15, 22.99, 1.952**2))
    assert found is not None
    assert found.p == pytest.approx(0.021, abs=0.001)
    assert found.high < 0
    assert welch(Sample(1, 5, 0), Sample(90, 5, 1)) is None


counts = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(counts, counts)
def test_intervals_hold_the_estimate_and_mirror(first, second):
    a, b = Arm(0, *first), Arm(1, *second)
    low, high = wilson(a.successes, a.trials)
    assert 0 <= low <= a.rate <= high <= 1
    there, back = two_proportions(a, b), two_proportions(b, a)
    assert there.low - 1e-12 <= there.estimate <= there.high + 1e-12
    assert there.low >= -1 - 1e-12
    assert there.high <= 1 + 1e-12
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p == pytest.approx(back.p)
    assert chi_square([a, b]) == pytest.approx(there.p, abs=1e-9)  # of two versions they are one test


@given(st.lists(counts, min_size=2, max_size=5), st.integers(1, 1000))
def test_a_winner_has_the_best_rate_and_enough_trials(rows, minimum):
    arms = [Arm(number, *row) for number, row in enumerate(rows)]
    verdict = judge(arms, minimum=minimum)
    if verdict.winner is not None:
        assert min(arm.trials for arm in arms) >= minimum
        assert all(arms[verdict.winner].rate > arm.rate for arm in arms if arm.number != verdict.winner)
    assert judge(rows and [Arm(0, 500, 50)] * 2, minimum=1).winner is None


def test_a_a_tests_seldom_find_a_winner():
    dice, found = random.Random(5), 0
    for _ in range(400):
        arms = [Arm(n, 600, sum(dice.random() < 0.1 for _ in range(600))) for n in range(3)]
        found += judge(arms, minimum=500).winner is not None
    assert found <= 0.05 * 400


def test_a_real_gap_is_found():
    assert judge([Arm(0, 5000, 250), Arm(1, 5000, 350)], minimum=500).winner == 1
    assert judge([Arm(0, 499, 10), Arm(1, 5000, 900)], minimum=500).reason == "too_few"
