"""Calibration of stated confidence: by hand, against scikit-learn, and by simulation."""

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from mmrare_judge.calibration.analyses.confidence import (
    Binning,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_diagram,
)
from mmrare_judge.errors import InputError

RANDOM = np.random.default_rng(3)
STATED = RANDOM.uniform(0.001, 0.999, 300)
RIGHT = (RANDOM.random(300) < STATED**2).astype(float)


def test_murphys_parts_of_a_brier_score_worked_by_hand() -> None:
    # .8 three times, two right; .4 twice, one right. Overall 3/5 right.
    # score = (.04 + .04 + .64 + .36 + .16) / 5 = 1.24 / 5
    # reliability = (3 (.8 - 2/3)^2 + 2 (.4 - 1/2)^2) / 5 = (.053333 + .02) / 5
    # resolution  = (3 (2/3 - .6)^2 + 2 (1/2 - .6)^2) / 5 = (.013333 + .02) / 5
    found = brier_score([0.8, 0.8, 0.8, 0.4, 0.4], [1, 1, 0, 1, 0])
    assert found.score.value == pytest.approx(0.248)
    assert found.reliability == pytest.approx(0.0733333 / 5, abs=1e-6)
    assert found.resolution == pytest.approx(0.0333333 / 5, abs=1e-6)
    assert found.uncertainty == pytest.approx(0.24)
    assert found.within == 0


def test_the_part_within_bins_makes_the_sum_whole() -> None:
    # One bin: p mean .5, y mean .5, so that reliability = resolution = 0 and uncertainty = .25;
    # score = (.01 + .01) / 2: the bin hides -.24.
    found = brier_score([0.9, 0.1], [1, 0], bins=1)
    assert (found.reliability, found.resolution) == pytest.approx((0, 0))
    assert found.within == pytest.approx(0.01 - 0.25)


def test_brier_score_and_log_loss_are_those_of_scikit_learn() -> None:
    assert brier_score(STATED, RIGHT).score.value == pytest.approx(brier_score_loss(RIGHT, STATED))
    assert log_loss(STATED, RIGHT).value == pytest.approx(sklearn_log_loss(RIGHT, STATED))


def test_a_certain_and_wrong_verdict_leaves_no_log_loss() -> None:
    found = log_loss([1.0, 0.5, 0.0], [0, 1, 1])
    assert found.value is None
    assert found.reason == "2 verdicts were certain and wrong: the log loss is infinite"
    assert log_loss([1.0, 0.0], [1, 0]).value == 0


STRATEGY: dict[Binning, str] = {"width": "uniform", "mass": "quantile"}


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_reliability_and_its_error_are_those_of_scikit_learns_curve(binning: Binning) -> None:
    found = reliability_diagram(STATED, RIGHT, bins=8, binning=binning)
    share, stated = calibration_curve(RIGHT, STATED, n_bins=8, strategy=STRATEGY[binning])
    assert [bin_.share for bin_ in found] == pytest.approx(share)
    assert [bin_.confidence for bin_ in found] == pytest.approx(stated)
    sizes = np.array([bin_.n for bin_ in found])
    ece = expected_calibration_error(STATED, RIGHT, bins=8, binning=binning, resamples=100)
    assert ece.value == pytest.approx((sizes * np.abs(share - stated)).sum() / 300)


def test_confidences_in_tenths_stand_each_at_the_lower_edge_of_a_bin() -> None:
    tenths = [k / 10 for k in range(10)]
    found = reliability_diagram(tenths, [1] * 10)
    assert [bin_.n for bin_ in found] == [1] * 10
    assert [bin_.low for bin_ in found] == tenths
    top = reliability_diagram([1.0], [1])[0]
    assert (top.low, top.high) == (0.9, 1.0)


def test_bins_of_equal_mass_are_fewer_where_confidences_are_tied() -> None:
    found = reliability_diagram([0.9] * 8 + [0.2, 0.3], [1] * 10, bins=5, binning="mass")
    assert sum(bin_.n for bin_ in found) == 10
    assert len(found) < 5


def test_verdicts_of_one_case_count_for_less_in_a_reliability_interval() -> None:
    # Ten cases of five equal verdicts: as good as ten verdicts.
    right = np.repeat([1, 1, 1, 1, 1, 1, 1, 0, 0, 0], 5)
    cases = np.repeat(np.arange(10), 5)
    alone = reliability_diagram([0.75] * 50, right)[0].interval
    clustered = reliability_diagram([0.75] * 50, right, clusters=cases)[0].interval
    assert clustered.low < alone.low
    assert clustered.high > alone.high


@pytest.mark.parametrize(("gap", "size"), [(0.0, 1), (0.1, 1), (0.08, 3)])
def test_the_interval_of_the_ece_holds_the_planted_error(gap: float, size: int) -> None:
    """True error ``gap`` in every bin; also 0, where the estimate itself is always too high."""
    random = np.random.default_rng(11)
    levels, cases, runs = np.array([0.55, 0.65, 0.75, 0.85, 0.95]), 120, 120
    held = 0
    for run in range(runs):
        stated = random.choice(levels, cases * size)
        shared = np.repeat(random.random(cases), size)
        luck = np.where(random.random(cases * size) < 0.5, shared, random.random(cases * size))
        found = expected_calibration_error(
            stated, luck < stated - gap, clusters=np.arange(cases * size) // size, resamples=200,
            seed=run,
        ).interval  # fmt: skip
        assert found is not None
        held += found.low <= gap <= found.high
    # 95 % of 120 are 114, with a standard deviation of 2.4
    assert held >= 106


def test_with_few_cases_there_is_an_ece_and_no_interval() -> None:
    found = expected_calibration_error([0.9] * 10, [1] * 7 + [0] * 3)
    assert found.value == pytest.approx(0.2)
    assert found.interval is None
    assert found.reason == "no interval: 10 clusters, and 20 are the least"


def test_what_has_no_confidence_or_no_gold_is_missing() -> None:
    stated, right = [0.9, math.nan, 0.8, 0.7], [1, 1, math.nan, 0]
    for found in (
        brier_score(stated, right).score,
        log_loss(stated, right),
        expected_calibration_error(stated, right),
    ):
        assert (found.n, found.missing) == (2, 2)
    assert [bin_.n for bin_ in reliability_diagram(stated, right)] == [1, 1]


def test_without_any_pair_there_is_no_number() -> None:
    assert brier_score([math.nan], [1]).score.value is None
    assert brier_score([math.nan], [1]).reliability is None
    assert log_loss([math.nan], [1]).value is None
    assert expected_calibration_error([math.nan], [1]).value is None
    assert reliability_diagram([math.nan], [1]) == []


def test_intervals_stay_where_the_scores_can_be() -> None:
    found = brier_score([0.99] * 30, [1] * 29 + [0])
    assert found.score.interval is not None
    assert found.score.interval.low == 0


@pytest.mark.parametrize("stated", [[85, 90], [-0.1, 0.5]])
def test_percentages_are_refused(stated: list[float]) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        brier_score(stated, [1, 1])


def test_there_is_at_least_one_bin() -> None:
    with pytest.raises(InputError, match="at least 1"):
        brier_score([0.5], [1], bins=0)
    with pytest.raises(InputError, match="at least 1"):
        reliability_diagram([0.5], [1], bins=0)
