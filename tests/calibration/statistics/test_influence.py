"""Limits from influences: what they are by hand, and how often they hold the truth."""

import itertools

import numpy as np
import pytest

from mmrare_judge.calibration.statistics.estimate import Interval
from mmrare_judge.calibration.statistics.influence import gradient, off_mode
from mmrare_judge.calibration.statistics.ratings import Ratings
from mmrare_judge.calibration.statistics.table import STATISTICS, estimate, estimates, statistic
from soundness.coverage import Cell, agreement, limits, sensitivity, studies_of, truth_of
from soundness.labels import ratings_of
from support.agreement_cases import GRADED, YES_NO, random_labels


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_a_gradient_is_the_derivative_by_each_weight() -> None:
    # d/dw of the mean of 3 and 5 by their weights 1 and 3: (3 - 4.5) / 4 and (5 - 4.5) / 4.
    values = np.array([3.0, 5.0, 9.0])
    slopes = gradient(lambda w: (w @ values) / w.sum(axis=1), np.array([1.0, 3.0, 0.0]))
    assert slopes == pytest.approx([-0.375, 0.125, 0.0], abs=1e-3)


def test_an_agreement_is_limited_on_the_logit_with_one_case_of_chance_added() -> None:
    # 30 of 40 agree, YES and NO alike often: by chance half of a case agrees. p = 30.5 / 41.
    # Influences are (1 - p) / 41 and -p / 41, so that V = 41 p (1 - p) / 41^2 * 40 / 39; kurtosis
    # of so even a share leaves 39 degrees of freedom: 2 V^2 / (m4 - V^2 / 41) = 2 * 41 / (m4 / V^2
    # * 41 - 1), and (1 - 3 p (1 - p)) / (p (1 - p)) = 2.25: 66. t(39) is 2.0227.
    rows = [["YES", "YES"]] * 15 + [["NO", "NO"]] * 15 + [["YES", "NO"], ["NO", "YES"]] * 5
    found = estimate(Ratings.from_labels(rows, YES_NO), "percent_agreement").interval
    p = 30.5 / 41
    half = 2.0227 * (p * (1 - p) / 41 * 40 / 39) ** 0.5 / (p * (1 - p))
    centre = np.log(p / (1 - p))
    expected = tuple(1 / (1 + np.exp(-(centre + end))) for end in (-half, half))
    assert ends(found) == pytest.approx(expected, abs=1e-3)


def test_perfect_agreement_has_limits_with_a_width() -> None:
    ratings = Ratings.from_labels([["YES", "YES"], ["NO", "NO"]] * 20, YES_NO)
    found = estimate(ratings, "cohen_kappa")
    low, high = ends(found.interval)
    # The rule of three: up to 3 disputes in 40 may be unseen, which is a kappa of .85.
    assert low < 0.85
    assert high == 1
    assert found.reason == "only 0 disputed cases: perfect agreement cannot be excluded"


def test_no_statistic_of_a_sample_has_an_interval_without_width() -> None:
    samples = [
        Ratings.from_labels([["YES", "YES"]] * 30, YES_NO),
        Ratings.from_labels([["YES", "YES"], ["NO", "NO"]] * 15, YES_NO),
        Ratings.from_labels([["1", "1"]] * 25 + [["0", "0"]] * 5, GRADED),
        Ratings.from_labels([["YES", "NO"], ["NO", "YES"]] * 15, YES_NO),
        Ratings.from_labels([["1", "2"], ["0", "1"]] * 8, GRADED),
    ]
    for sample in samples:
        for name, found in estimates(sample).items():
            if found.interval is not None:
                assert found.interval.high > found.interval.low, name
            elif found.value is not None:
                assert found.reason, name


def test_labels_that_hardly_vary_give_no_limits_of_a_chance_corrected_value() -> None:
    rows = [["NO", "NO"]] * 36 + [["YES", "YES"]] * 3 + [["YES", "NO"]]
    ratings = Ratings.from_labels(rows, YES_NO)
    assert off_mode(ratings) == 3.5
    kappa, ac1 = estimate(ratings, "cohen_kappa"), estimate(ratings, "gwet_ac1")
    assert kappa.value is not None
    assert kappa.interval is None
    assert "3.5 labels a rater are off the most frequent level, and 5 are the least" in kappa.reason
    assert ac1.interval is not None


def test_the_order_of_raters_and_items_does_not_move_the_limits() -> None:
    ratings = random_labels(GRADED, raters=3, seed=2, units=90)
    names = ratings.raters
    turned = ratings.only(names[2], names[0], names[1])
    for name in ("fleiss_kappa", "alpha_ordinal", "gwet_ac2_linear"):
        first, second = (estimate(one, name).interval for one in (ratings, turned))
        assert ends(first) == pytest.approx(ends(second), abs=1e-6)


def test_sensitivity_has_the_exact_limits_of_missed_harm() -> None:
    # 8 of 10 positives found: Clopper-Pearson .4439 to .9748.
    rows = [["YES", "YES"]] * 8 + [["NO", "YES"]] * 2 + [["NO", "NO"]] * 20
    found = estimate(Ratings.from_labels(rows, YES_NO), "sensitivity").interval
    assert ends(found) == pytest.approx((0.4439, 0.9748), abs=1e-4)


SMALL = [
    Cell(cases, units, prevalence, kappa, levels, 2)
    for cases, units, prevalence, kappa, levels in itertools.product(
        (20, 40), (1, 4), (0.5, 0.2), (0.5, 0.9), (2, 3)
    )
]


def test_limits_of_agreement_hold_the_truth_where_labels_vary_enough() -> None:
    """A percentile bootstrap holds kappa in 63 to 75 % of the first of these cells."""
    found, apart = agreement(np.random.default_rng(3), 400, 1, SMALL)
    counted = {key: one.covered for key, one in found.items() if one.given > 0.2}
    # 400 studies: a standard error of 1.1 % a cell.
    assert min(counted.values()) > 0.89
    assert 0.94 <= np.mean(list(counted.values())) <= 0.975
    # What is simulated at once is what the library says one by one.
    assert apart < 1e-3


def test_limits_of_sensitivity_hold_the_truth() -> None:
    found = sensitivity(np.random.default_rng(4), 10)
    covered = [one.covered for one in found.values() if one.given > 0.2]
    assert np.mean(covered) > 0.93


@pytest.mark.parametrize("name", ["cohen_kappa", "gwet_ac1", "alpha_ordinal"])
def test_limits_hold_the_point_estimate(name: str) -> None:
    cell = Cell(20, 1, 0.2, 0.7, 3, 2)
    labels = studies_of(np.random.default_rng(5), cell, 40)
    low, high = limits(statistic(name), labels, 3)
    for one, least, most in zip(labels, low, high, strict=True):
        value = estimate(ratings_of(one, 3), name, resampling=None).value
        if value is not None and not np.isnan(least):
            assert least <= value <= most
    assert STATISTICS[name].low <= truth_of(statistic(name), cell) <= 1
