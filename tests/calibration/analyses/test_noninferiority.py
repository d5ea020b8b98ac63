"""Verdicts of non-inferiority under planted differences, and how often they are wrong."""

from typing import Literal

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.ceiling import NonInferiority, non_inferiority
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.statistics.ratings import Ratings
from mmrare_judge.errors import InputError
from support.agreement_cases import YES_NO

MARGIN = 0.1
QUICK = Resampling(resamples=200)


def study(seed: int, judge_right: float, *, cases: int = 60) -> Ratings:
    """Two units a case, two clinicians right with .9, a judge with the chance given."""
    random = np.random.default_rng(seed)
    units = 2 * cases
    truth = random.integers(0, 2, (units, 1))
    right = random.random((units, 3)) < np.array([judge_right, 0.9, 0.9])
    codes = np.where(right, truth, 1 - truth)
    return Ratings(
        codes, codes.astype(float), YES_NO, ("judge", "a", "b"), np.arange(units) // 2,
        np.ones(units),
    )  # fmt: skip


def outcome(seed: int, judge_right: float, *, cases: int = 60) -> NonInferiority:
    return non_inferiority(
        study(seed, judge_right, cases=cases), judge="judge", margin=MARGIN,
        name="percent_agreement", resampling=QUICK,
    )  # fmt: skip


# Two raters right with p and q agree with p q + (1 - p)(1 - q): judge with clinician minus
# clinician with clinician is (2 * .9 - 1)(q - .9) = .8 (q - .9).
ON_THE_MARGIN = 0.9 - MARGIN / 0.8


def test_on_the_margin_a_judge_is_wrongly_passed_in_one_study_of_forty() -> None:
    verdicts = [outcome(seed, ON_THE_MARGIN).verdict for seed in range(120)]
    # 2.5 % of 120 are 3, with a standard deviation of 1.7; as many are wrongly failed.
    assert verdicts.count("non-inferior") <= 8
    assert verdicts.count("inferior") <= 8
    assert verdicts.count("inconclusive") >= 104


Verdict = Literal["non-inferior", "inferior"]


@pytest.mark.parametrize(
    ("judge_right", "verdict"),
    [(0.9, "non-inferior"), (0.98, "non-inferior"), (0.6, "inferior")],
    ids=["as good as clinicians", "better", "far worse"],
)
def test_away_from_the_margin_the_verdict_is_right(judge_right: float, verdict: Verdict) -> None:
    found = [outcome(seed, judge_right, cases=300).verdict for seed in range(12)]
    assert found == [verdict] * 12


def test_the_difference_found_is_the_planted_one() -> None:
    found = outcome(0, 0.8, cases=2000).side.difference
    assert found.value == pytest.approx(0.8 * (0.8 - 0.9), abs=0.02)


def test_an_endless_margin_passes_everyone_and_is_refused() -> None:
    with pytest.raises(InputError, match="finite and above zero"):
        non_inferiority(study(0, 0.5), judge="judge", margin=float("inf"))
