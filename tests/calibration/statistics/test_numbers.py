"""Statistics of numbers: the analysis of variance, limits of agreement and ranks."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration.statistics.coefficients import kendall_tau_b, mean_squares, spearman
from mmrare_judge.calibration.statistics.ratings import Label, Ratings
from mmrare_judge.calibration.statistics.table import estimate
from support.agreement_cases import NUMBERS, PEAK_FLOW, SHROUT_FLEISS


def columns(*raters: Any) -> Ratings:
    rows: list[list[Label]] = [list(row) for row in np.column_stack(raters).tolist()]
    return Ratings.from_labels(rows, NUMBERS)


def value(ratings: Ratings, name: str) -> float | None:
    return estimate(ratings, name, resampling=None).value


def test_the_mean_squares_are_those_of_shrout_and_fleiss() -> None:
    # Shrout and Fleiss (1979), table 3
    found = mean_squares(SHROUT_FLEISS.patterns, SHROUT_FLEISS.pattern_weights)
    squares = [found.between, found.within, found.raters, found.error]
    assert [round(float(part[0]), 2) for part in squares] == [11.24, 6.26, 32.49, 1.02]


def test_a_unit_with_a_missing_number_does_not_enter_an_icc() -> None:
    with_gap = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    more = Ratings.from_labels([*with_gap, [9, None, 1, 1]], NUMBERS)
    found = estimate(more, "icc_2_1", resampling=None)
    assert found.value == pytest.approx(value(SHROUT_FLEISS, "icc_2_1"))
    assert (found.n, found.missing) == (6, 1)


def test_a_constant_shift_costs_absolute_agreement_and_not_consistency() -> None:
    # One rater gives 2 more throughout: between units 2 * var, error 0, raters n * 2^2 / 2.
    # With 1, 2, 3, 4: BMS = 2 * 5/3, EMS = 0, JMS = 8; ICC(2,1) = BMS / (BMS + 2 * 8 / 4) = 5/11.
    shifted = columns([1.0, 2, 3, 4], [3.0, 4, 5, 6])
    assert value(shifted, "icc_3_1") == pytest.approx(1)
    assert value(shifted, "icc_2_1") == pytest.approx(5 / 11)
    # WMS = (8 + 0) / 4 = 2; ICC(1,1) = (10/3 - 2) / (10/3 + 2) = 1/4
    assert value(shifted, "icc_1_1") == pytest.approx(1 / 4)


def test_numbers_that_do_not_vary_have_no_icc_and_no_correlation() -> None:
    for name in ("icc_1_1", "icc_2_k", "spearman", "kendall_tau_b"):
        found = estimate(columns([0.7] * 5, [0.7] * 5), name, resampling=None)
        assert found.value is None


def test_limits_of_agreement_of_bland_and_altman() -> None:
    # Bland and Altman (1986): -2.1 -+ 2 * 38.8 is -79.7 and 75.5; here with 1.96.
    assert value(PEAK_FLOW, "agreement_limit_low") == pytest.approx(-2.1 - 1.96 * 38.8, abs=0.1)
    assert value(PEAK_FLOW, "agreement_limit_high") == pytest.approx(-2.1 + 1.96 * 38.8, abs=0.1)


def test_limits_hold_95_percent_of_normal_differences() -> None:
    random = np.random.default_rng(0)
    first = random.normal(0, 3, 5000)
    apart = random.normal(0.5, 1.2, 5000)
    ratings = columns(first + apart, first)
    low, high = (value(ratings, f"agreement_limit_{end}") or 0 for end in ("low", "high"))
    assert np.mean((apart > low) & (apart < high)) == pytest.approx(0.95, abs=0.01)


def test_one_pair_has_a_difference_and_no_limits() -> None:
    one = columns([3.0], [1.0])
    assert value(one, "leniency") == 2
    assert value(one, "agreement_limit_low") is None


def test_ranks_of_many_distinct_and_tied_numbers_are_scipys() -> None:
    """More than a block of distinct numbers at a time, ties among them."""
    random = np.random.default_rng(5)
    first = np.round(random.normal(0, 1, 1500), 3)
    second = np.round(first + random.normal(0, 1, 1500), 1)
    ratings = columns(first, second)
    weights = ratings.pattern_weights
    assert kendall_tau_b(ratings.patterns, weights)[0] == pytest.approx(
        stats.kendalltau(first, second).statistic
    )
    assert spearman(ratings.patterns, weights)[0] == pytest.approx(
        stats.spearmanr(first, second).statistic
    )
