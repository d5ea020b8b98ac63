"""A judge against itself and against another, on tables small enough to count."""

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.bias import compare_judges, retest
from mmrare_judge.errors import InputError

NAN = float("nan")


def test_repeats_worked_by_hand() -> None:
    # Pairs alike: 3/3, 1/3, 1/1 (one repeat missing), 0/1; the last unit has one verdict only.
    repeats: list[list[float]] = [[2, 2, 2], [1, 1, 0], [0, NAN, 0], [2, NAN, 0], [1, NAN, NAN]]
    found = retest(repeats)
    assert found.agreement.value == pytest.approx((1 + 1 / 3 + 1 + 0) / 4)
    assert found.flipped.value == pytest.approx(2 / 4)
    # Standard deviations (n - 1): 0; of 1, 1, 0: sqrt(1/3); 0; of 2, 0: sqrt(2).
    assert found.spread.value == pytest.approx((3**-0.5 + 2**0.5) / 4)
    assert (found.agreement.n, found.agreement.missing) == (4, 1)


def test_the_planted_flip_rate_is_found() -> None:
    # Each of two repeats independently gives the other label with 0.1: alike in .82.
    random = np.random.default_rng(1)
    repeats = (random.random((2000, 2)) < 0.1).astype(float)
    found = retest(repeats)
    assert found.agreement.interval is not None
    assert found.agreement.interval.low < 0.82 < found.agreement.interval.high
    assert found.flipped.value == pytest.approx(1 - (found.agreement.value or 0))


def test_shares_stay_between_0_and_1() -> None:
    found = retest([[1, 1]] * 9 + [[0, 1]])
    assert found.agreement.interval is not None
    assert found.flipped.interval is not None
    assert found.agreement.interval.high == 1
    assert found.flipped.interval.low == 0


def test_a_judge_who_never_changes_has_no_interval_and_says_so() -> None:
    found = retest([[1, 1], [0, 0], [2, 2], [1, 1]])
    assert (found.agreement.value, found.flipped.value, found.spread.value) == (1, 0, 0)
    assert found.agreement.reason == "no interval: the residuals are all zero"


def test_single_gradings_say_nothing_about_repeats() -> None:
    found = retest([[1, NAN], [NAN, 2]])
    assert (found.agreement.value, found.agreement.missing) == (None, 2)
    with pytest.raises(InputError, match="units by repeats"):
        retest([1, 2, 3])


def test_two_judges_worked_by_hand() -> None:
    first, second, gold = [2, 1, 0, 2, NAN], [2, 0, 1, 0, 1], [2, 1, 1, 1, 1]
    found = compare_judges(first, second, gold)
    # Right: first 1 1 0 0, second 1 0 1 0. Errors: first 0 0 1 1, second 0 1 0 1.
    assert (found.only_first, found.only_second) == (1, 1)
    assert found.same.value == pytest.approx(1 / 4)
    assert found.accuracy_gain.value == 0
    assert found.error_gain.value == 0
    assert found.same.missing == 1


def test_the_planted_gain_is_found_and_its_test_keeps_its_level() -> None:
    gold = np.zeros(240)
    cases = np.repeat(np.arange(80), 3)
    covered, alarms, runs = 0, 0, 150
    for seed in range(runs):
        random = np.random.default_rng(seed)
        hard = np.repeat(random.random(80), 3)
        first, second, equal = ((hard + random.random((3, 240))) / 2 > [[0.4], [0.55], [0.4]]) * 1.0
        gain = compare_judges(second, first, gold, clusters=cases).accuracy_gain
        # (u + v) / 2 <= c: 2 c^2 = .32 below .5, 1 - 2 (1 - c)^2 = .595 above.
        assert gain.interval is not None
        covered += gain.interval.low <= 0.595 - 0.32 <= gain.interval.high
        p = compare_judges(first, equal, gold, clusters=cases).p_value
        alarms += p is not None and p < 0.05
    # 95 % of 150 are 142.5, with a standard deviation of 2.7
    assert covered >= 134
    assert alarms <= 16
