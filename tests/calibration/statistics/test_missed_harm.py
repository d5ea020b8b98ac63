"""Missed harm: the share of confirmed violations that the judge passed."""

import numpy as np
import pytest

from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import false_alarm, missed_harm

NAN = float("nan")


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.interval is not None
    return estimate.interval.low, estimate.interval.high


def test_missed_harm_is_one_minus_sensitivity_with_the_exact_interval() -> None:
    # Newcombe (1998): 15 of 148 is .1014, exact interval .0578 to .1617.
    flagged = [0] * 15 + [1] * 133 + [1, 0] * 20
    violation = [1] * 148 + [0] * 40
    found = missed_harm(flagged, violation)
    assert found.value == pytest.approx(15 / 148)
    assert ends(found) == pytest.approx((0.0578, 0.1617), abs=5e-5)
    assert (found.n, found.clusters, found.missing, found.reason) == (148, 148, 0, "")


def test_false_alarm_is_one_minus_specificity_among_the_others() -> None:
    # 1 of 29 without a violation was flagged: .0009 to .1776 (Newcombe 1998).
    found = false_alarm([1] + [0] * 28 + [1, 0], [0] * 29 + [1, 1])
    assert found.value == pytest.approx(1 / 29)
    assert ends(found) == pytest.approx((0.0009, 0.1776), abs=5e-5)


def test_none_missed_is_not_zero_risk() -> None:
    # 1 - .025^(1/30) = .1157 two-sided, 1 - .05^(1/30) = .0950 one-sided.
    found = missed_harm([1] * 30 + [0] * 70, [1] * 30 + [0] * 70)
    assert found.value == 0
    assert ends(found) == pytest.approx((0, 1 - 0.025 ** (1 / 30)))
    assert found.reason == (
        "none seen in 30: by the rule of three up to 9.5% cannot be excluded (one-sided, 95%)"
    )


def test_none_missed_in_six_cases_is_worth_six_looks_however_many_systems_answered() -> None:
    # 1 - .05^(1/6) = .3930; 1 - .025^(1/6) = .4593.
    found = missed_harm([1] * 30, [1] * 30, clusters=np.repeat(np.arange(6), 5))
    assert ends(found) == pytest.approx((0, 1 - 0.025 ** (1 / 6)))
    assert found.interval is not None
    assert found.interval.method == "korn-graubard"
    assert "up to 39.3% cannot be excluded" in found.reason


def test_all_missed_reaches_to_one() -> None:
    assert ends(missed_harm([0] * 20, [1] * 20)) == pytest.approx((0.025 ** (1 / 20), 1))


def test_violations_of_one_case_are_worth_one_and_it_is_said() -> None:
    found = missed_harm([1, 0, 1, 1], [1] * 4, clusters=["only"] * 4)
    assert found.value == 0.25
    assert "all 4 are from one cluster" in found.reason
    low, high = ends(found)
    assert (low < 0.05, high > 0.95) == (True, True)


def test_without_a_confirmed_violation_there_is_no_value() -> None:
    found = missed_harm([1, 0, 1], [0, 0, NAN])
    assert (found.value, found.interval, found.n) == (None, None, 0)
    assert found.reason == "clinicians confirmed no violation, so none could be missed"
    turned = false_alarm([1, 0], [1, 1])
    assert turned.reason.startswith("clinicians confirmed a violation everywhere")


def test_a_judge_that_never_answered_missed_nothing_and_found_nothing() -> None:
    found = missed_harm([NAN, NAN, 1], [1, 1, 0])
    assert (found.value, found.missing) == (None, 2)
    assert found.reason == "the judge gave no verdict on any of them"


def test_violations_without_a_verdict_are_counted_and_the_worst_is_said() -> None:
    # 1 of 4 judged was missed; with 2 unjudged counted as missed it is 3 of 6.
    found = missed_harm([1, 1, 0, 1, NAN, NAN, NAN], [1, 1, 1, 1, 1, 1, 0])
    assert (found.value, found.n, found.missing) == (0.25, 4, 2)
    assert found.reason == (
        "on 2 more the judge gave no verdict; counted as events they make 50.0%"
    )


def test_inclusion_probabilities_weigh_the_violations_and_the_worst_case_too() -> None:
    # Weights 1 (seen), 4 (missed), 5 (no verdict): 4/5 of the judged, 9/10 at worst.
    found = missed_harm([1, 0, NAN], [1, 1, 1], inclusion=[1, 0.25, 0.2])
    assert found.value == pytest.approx(0.8)
    assert "they make 90.0%" in found.reason


def test_the_interval_covers_the_planted_share_in_clusters_sampled_unequally() -> None:
    rng = np.random.default_rng(5)
    repeats, cases, systems = 1500, 60, 4
    level = rng.beta(2, 6, (repeats, cases, 1))  # each case has its own chance of being missed
    flagged = (rng.random((repeats, cases, systems)) >= level).reshape(repeats, -1)
    # Flagged violations are labelled three times as often as passed ones.
    inclusion = np.where(flagged, 0.9, 0.3)
    violation = np.where(rng.random(flagged.shape) < inclusion, 1.0, np.nan)
    clusters = np.repeat(np.arange(cases), systems)
    found = [
        missed_harm(f, v, clusters=clusters, inclusion=i)
        for f, v, i in zip(flagged, violation, inclusion, strict=True)
    ]
    low, high = np.array([ends(one) for one in found]).T
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(0.25, abs=0.005)
    # The exact interval is never below its level in the long run.
    assert 0.94 <= ((low <= 0.25) & (high >= 0.25)).mean() <= 0.99
