"""Power of the two tests, held against simulated studies of the planned size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration import (
    Ratings,
    Resampling,
    Scale,
    labels_for_alternative_test,
    labels_for_noninferiority,
    non_inferiority,
)
from mmrare_judge.errors import InputError

YES_NO = Scale(level="nominal", categories=("NO", "YES"))


def drawn(
    kappa: float, human: float, prevalence: float, clinicians: int, shape: tuple[int, int]
) -> np.ndarray:
    """Studies by units by raters, the judge first: each sees the truth at times, or guesses."""
    rng = np.random.default_rng(11)
    sees = np.array([kappa / np.sqrt(human), *[np.sqrt(human)] * clinicians])
    raters = (*shape, clinicians + 1)
    truth = rng.random((*shape, 1)) < prevalence
    return np.where(rng.random(raters) < sees, truth, rng.random(raters) < prevalence)


PLANS = {
    "as good as clinicians": (0.6, 0.6, 0.15, 0.5, 3),
    "a rare answer, two clinicians": (0.6, 0.6, 0.2, 0.2, 2),
    "somewhat worse": (0.65, 0.7, 0.2, 0.3, 3),
    "better": (0.7, 0.6, 0.15, 0.4, 4),
}


@pytest.mark.parametrize(
    ("kappa", "human", "margin", "prevalence", "clinicians"), PLANS.values(), ids=PLANS
)
def test_planned_studies_show_non_inferiority_as_often_as_wanted(
    kappa: float, human: float, margin: float, prevalence: float, clinicians: int
) -> None:
    """The test itself, on 200 studies of the planned size: they know 80 % to within 5.5."""
    plan = labels_for_noninferiority(kappa, human, margin, prevalence, clinicians=clinicians)
    studies = drawn(kappa, human, prevalence, clinicians, (200, plan.labels))
    few = Resampling(resamples=100)  # the lower end of the interval does not come from resamples
    shown = 0
    for study in np.where(studies, "YES", "NO"):
        names = ["judge", *(f"Dr {n}" for n in range(clinicians))]
        ratings = Ratings.from_labels(study.tolist(), YES_NO, raters=names)
        found = non_inferiority(ratings, judge="judge", margin=margin, resampling=few)
        shown += found.verdict == "non-inferior"
    assert 0.74 <= shown / 200 <= 0.9


ALTERNATIVES = {
    "as good as clinicians": (0.6, 0.6, 0.5, 3, 0.1),
    "worse, at the usual epsilon": (0.45, 0.6, 0.3, 3, 0.2),
    "five clinicians": (0.6, 0.6, 0.3, 5, 0.1),
}


@pytest.mark.parametrize(
    ("kappa", "human", "prevalence", "clinicians", "epsilon"),
    ALTERNATIVES.values(), ids=ALTERNATIVES,
)  # fmt: skip
def test_planned_studies_pass_the_alternative_test_as_often_as_wanted(
    kappa: float, human: float, prevalence: float, clinicians: int, epsilon: float
) -> None:
    """The judge passes if it wins against half of them, in about as many studies as planned."""
    plan = labels_for_alternative_test(
        kappa, human, prevalence, clinicians=clinicians, epsilon=epsilon
    )
    labels = drawn(kappa, human, prevalence, clinicians, (3000, plan.labels))
    values = []
    for j in range(1, clinicians + 1):
        others = np.delete(labels, [0, j], axis=2)
        near = [(others == labels[..., [i]]).mean(axis=2) for i in (0, j)]
        loss = (near[1] >= near[0]).astype(float) - (near[0] >= near[1])
        error = loss.std(axis=1, ddof=1) / np.sqrt(plan.labels)
        values.append(stats.t.cdf((loss.mean(axis=1) - epsilon) / error, plan.labels - 1))
    adjusted = stats.false_discovery_control(np.array(values), axis=0, method="by")
    passed = ((adjusted <= 0.05).mean(axis=0) >= 0.5).mean()
    assert passed == pytest.approx(0.8, abs=0.08)


def test_clusters_multiply_the_labels() -> None:
    alone = labels_for_noninferiority(0.6, 0.6, 0.1, 0.5).labels
    doubled = labels_for_noninferiority(0.6, 0.6, 0.1, 0.5, design_effect=2).labels
    assert doubled == pytest.approx(2 * alone, abs=1)


def test_more_power_a_smaller_margin_and_a_worse_judge_take_more_labels() -> None:
    base = labels_for_noninferiority(0.6, 0.6, 0.1, 0.5).labels
    assert labels_for_noninferiority(0.6, 0.6, 0.1, 0.5, power=0.9).labels > base
    # Half the margin, about four times the labels: less, since the judge at it is nearer.
    assert 3.5 * base < labels_for_noninferiority(0.6, 0.6, 0.05, 0.5).labels < 4 * base
    assert labels_for_noninferiority(0.55, 0.6, 0.1, 0.5).labels > base


def test_a_plan_says_in_a_sentence_what_it_is() -> None:
    plan = labels_for_noninferiority(0.6, 0.6, 0.1, 0.5)
    assert plan.sentence.startswith(f"Label {plan.labels} units, each by 3 clinicians")
    assert "non-inferior by 0.1 with a chance of 80%" in plan.sentence


IMPOSSIBLE = {
    "worse by the margin": ((0.5, 0.6, 0.1, 0.5), {}, "worse than clinicians at 0.6 by the margin"),
    "a margin in per cent": ((0.6, 0.6, 10, 0.5), {}, "margin 10 must lie.*10 per cent is 0.1"),
    "better than can be": ((0.9, 0.6, 0.1, 0.5), {}, r"cannot be reached.*reaches 0.77 with them"),
    "no prevalence": ((0.6, 0.6, 0.1, 0.0), {}, "prevalence 0 must lie"),
    "one clinician": ((0.6, 0.6, 0.1, 0.5), {"clinicians": 1}, "1 clinicians; the test takes 2"),
    "power in per cent": ((0.6, 0.6, 0.1, 0.5), {"power": 80}, "power 80 must lie"),
}


@pytest.mark.parametrize(("values", "more", "problem"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_plans_are_refused_with_the_reason(
    values: tuple[float, float, float, float], more: dict[str, float], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        labels_for_noninferiority(*values, **more)  # type: ignore[arg-type]  # wrong ones


def test_a_judge_that_loses_by_epsilon_cannot_pass() -> None:
    with pytest.raises(InputError, match=r"expected to lose by 0\.\d+, no less than epsilon 0.05"):
        labels_for_alternative_test(0.3, 0.7, 0.5, epsilon=0.05)
