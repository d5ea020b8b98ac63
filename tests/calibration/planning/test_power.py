"""Power of the two tests, held against simulated studies of the planned size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration import labels_for_alternative_test, labels_for_noninferiority
from mmrare_judge.errors import InputError

STUDIES = 3000


def drawn(kappa: float, human: float, prevalence: float, clinicians: int, units: int) -> np.ndarray:
    """Studies by units by raters, the judge first: each sees the truth at times, or guesses."""
    rng = np.random.default_rng(11)
    sees = np.array([kappa / np.sqrt(human), *[np.sqrt(human)] * clinicians])
    shape = (STUDIES, units, clinicians + 1)
    truth = rng.random((STUDIES, units, 1)) < prevalence
    return np.where(rng.random(shape) < sees, truth, rng.random(shape) < prevalence)


def kappas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cohen's kappa of every study."""
    observed = (first == second).mean(axis=1)
    p, q = first.mean(axis=1), second.mean(axis=1)
    chance = p * q + (1 - p) * (1 - q)
    return np.asarray((observed - chance) / (1 - chance))


PLANS = {
    "as good as clinicians": (0.6, 0.6, 0.1, 0.5, 3),
    "a rare answer, two clinicians": (0.6, 0.6, 0.15, 0.15, 2),
    "somewhat worse": (0.55, 0.6, 0.15, 0.3, 3),
    "better": (0.7, 0.6, 0.1, 0.4, 4),
}


@pytest.mark.parametrize(
    ("kappa", "human", "margin", "prevalence", "clinicians"), PLANS.values(), ids=PLANS
)
def test_planned_studies_show_non_inferiority_as_often_as_wanted(
    kappa: float, human: float, margin: float, prevalence: float, clinicians: int
) -> None:
    """3000 studies know 80 % to within 1.5; the studies' own spread stands for the interval."""
    plan = labels_for_noninferiority(kappa, human, margin, prevalence, clinicians=clinicians)
    labels = drawn(kappa, human, prevalence, clinicians, plan.labels)
    raters = range(1, clinicians + 1)
    judge = np.mean([kappas(labels[..., 0], labels[..., j]) for j in raters], axis=0)
    pairs = [(j, k) for j in raters for k in raters if j < k]
    theirs = np.mean([kappas(labels[..., j], labels[..., k]) for j, k in pairs], axis=0)
    difference = judge - theirs
    shown = (difference - 1.959964 * difference.std() > -margin).mean()
    assert shown == pytest.approx(0.8, abs=0.03)


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
    labels = drawn(kappa, human, prevalence, clinicians, plan.labels)
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
    # Half the margin, four times the labels.
    half = labels_for_noninferiority(0.6, 0.6, 0.05, 0.5).labels
    assert half == pytest.approx(4 * base, abs=4)
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
