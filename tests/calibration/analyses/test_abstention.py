"""Risk against coverage by hand, and whether the guaranteed threshold keeps its promise."""

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.confidence import guaranteed_threshold, risk_coverage
from mmrare_judge.errors import ConfigError


def test_a_risk_coverage_curve_worked_by_hand() -> None:
    # Surest first: right, wrong, right, wrong. Risk after k: 0, 1/2, 1/3, 2/4.
    found = risk_coverage([0.6, 0.9, 0.7, 0.8], [0, 1, 1, 0])
    assert found.thresholds == (0.9, 0.8, 0.7, 0.6)
    assert found.coverage == (0.25, 0.5, 0.75, 1.0)
    assert found.risk == pytest.approx((0, 1 / 2, 1 / 3, 1 / 2))
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # The best order has both errors last: 0, 0, 1/3, 2/4.
    assert found.best_aurc == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_ties_are_kept_together_and_the_order_of_rows_does_not_matter() -> None:
    # All tied, one of four wrong: the error is spread evenly, the risk is 1/4 at any coverage.
    for right in ([0, 1, 1, 1], [1, 1, 1, 0]):
        found = risk_coverage([0.9] * 4, right)
        assert (found.coverage, found.risk) == ((1.0,), (0.25,))
        assert found.aurc == pytest.approx(0.25)


def test_a_curve_needs_a_verdict() -> None:
    assert (
        risk_coverage([float("nan"), 0.9], [1, float("nan")]).reason
        == "no unit has both a confidence and gold"
    )


LEVELS = np.array([0.6, 0.7, 0.8, 0.9, 1.0])
SHARE_RIGHT = np.array([0.6, 0.798, 0.86, 0.95, 0.99])
# Risk from each level on, all equally frequent: (.40 + .202 + .14 + .05 + .01) / 5 = .1604;
# (.202 + .14 + .05 + .01) / 4 = .1005, just too much; (.14 + .05 + .01) / 3 = .0667; .03; .01.
TRUE_RISK = dict(zip(LEVELS.tolist(), (0.1604, 0.1005, 0.0667, 0.03, 0.01), strict=True))


@pytest.mark.parametrize(
    ("cases", "size"), [(900, 1), (600, 3)], ids=["independent", "three verdicts a case"]
)
def test_a_guaranteed_threshold_is_broken_as_seldom_as_it_says(cases: int, size: int) -> None:
    random = np.random.default_rng(17)
    runs, broken, given = 300, 0, 0
    for run in range(runs):
        place = np.repeat(random.integers(0, 5, cases), size)
        shared = np.repeat(random.random(cases), size)
        own = random.random(cases * size)
        luck = np.where(np.repeat(random.random(cases) < 0.5, size), shared, own)
        found = guaranteed_threshold(
            LEVELS[place], luck < SHARE_RIGHT[place], max_risk=0.1, seed=run,
            clusters=np.arange(cases * size) // size,
        )  # fmt: skip
        if found.value is not None:
            given += 1
            broken += TRUE_RISK[found.value] > 0.1
    # At most 5 % of 300 are 15, with a standard deviation of 3.8.
    assert broken <= 24
    assert given >= 0.95 * runs


def test_the_threshold_is_as_low_as_the_held_out_part_allows() -> None:
    random = np.random.default_rng(2)
    place = random.integers(0, 5, 6000)
    right = random.random(6000) < SHARE_RIGHT[place]
    found = guaranteed_threshold(LEVELS[place], right, max_risk=0.1)
    assert found.value == 0.8
    assert found.bound is not None
    assert found.risk is not None
    assert found.risk < found.bound <= 0.1
    assert found.coverage == pytest.approx(3 / 5, abs=0.03)
    assert (found.held_out, found.reason) == (3000, "")


def test_the_limit_of_a_threshold_is_clopper_pearsons() -> None:
    # 100 held out, none wrong: 1 - .05^(1/100) = .0295 (the rule of three says .03).
    found = guaranteed_threshold([0.9] * 200, [1] * 200, max_risk=0.03)
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / 100))
    assert found.kept == 100
    refused = guaranteed_threshold([0.9] * 200, [1] * 200, max_risk=0.029)
    assert refused.value is None
    assert refused.reason == "at 0.9 the held-out part only shows a risk of at most 0.030"


def test_a_case_is_in_one_part_only_and_counts_once_where_it_is_of_one_mind() -> None:
    # 40 cases of ten right verdicts each: 20 held out, 1 - .05^(1/20) = .139.
    cases = np.repeat(np.arange(40), 10)
    found = guaranteed_threshold([0.9] * 400, [1] * 400, max_risk=0.2, clusters=cases)
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / 20))
    assert found.held_out == 200


@pytest.mark.parametrize("rows", [0, 1])
def test_what_cannot_be_split_has_no_threshold(rows: int) -> None:
    found = guaranteed_threshold([0.9] * rows, [1] * rows, max_risk=0.1)
    assert found.value is None
    assert found.reason == f"{rows} clusters with confidence and gold cannot be split"


@pytest.mark.parametrize("max_risk", [0, 1, -0.2])
def test_the_risk_to_accept_is_a_share(max_risk: float) -> None:
    with pytest.raises(ConfigError, match="max_risk"):
        guaranteed_threshold([0.9], [1], max_risk=max_risk)
