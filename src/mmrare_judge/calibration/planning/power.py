"""How many units two tests need: non-inferiority, and the alternative annotator test.

Both are planned on one model of labels of two levels. A rater sees the truth with a probability and
otherwise answers by the prevalence, so that two raters agree with kappa ``r_i r_j`` and all say yes
equally often. With few raters all patterns of labels can be gone through, and means and variances
are exact sums over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from math import sqrt

import numpy as np

from mmrare_judge.calibration.planning.sizes import Plan, rounded_up
from mmrare_judge.calibration.statistics.estimate import Codes, Floats, normal_quantile, two_sided
from mmrare_judge.errors import InputError

MOST_CLINICIANS = 10
"""With more, there are too many patterns to go through."""


class NonInferiorityPlan(Plan):
    """Units for a test of non-inferiority.

    Attributes:
        labels: Units that every clinician labels.
        clinicians: Clinicians.
        kappa: Of the judge with a clinician, as expected.
        clinicians_kappa: Of two clinicians, as expected.
        margin: The margin.
        prevalence: The share of yes, as expected.
        power: With which probability the test says yes.
        level: Of the two-sided interval; the test's one-sided level is half of what it leaves.
        design_effect: By how much clusters inflate the variance.
    """

    labels: int
    clinicians: int
    kappa: float
    clinicians_kappa: float
    margin: float
    prevalence: float
    power: float
    level: float
    design_effect: float


class AlternativePlan(Plan):
    """Units for the alternative annotator test.

    Attributes:
        labels: Units that every clinician labels.
        clinicians: Clinicians.
        kappa: Of the judge with a clinician, as expected.
        clinicians_kappa: Of two clinicians, as expected.
        epsilon: How much worse than a clinician the judge may be.
        loss: How much more often a clinician is expected to be at least as near to the others.
        prevalence: The share of yes, as expected.
        power: With which probability the judge wins against a clinician.
        level: The false discovery rate.
        design_effect: By how much clusters inflate the variance.
    """

    labels: int
    clinicians: int
    kappa: float
    clinicians_kappa: float
    epsilon: float
    loss: float
    prevalence: float
    power: float
    level: float
    design_effect: float


def labels_for_noninferiority(
    kappa: float,
    clinicians_kappa: float,
    margin: float,
    prevalence: float,
    *,
    clinicians: int = 3,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: float = 1.0,
) -> NonInferiorityPlan:
    """How many units show that a judge agrees with clinicians as well as they do, up to a margin.

    ``n = D [(z_level s0 + z_power s1) / (difference + margin)]²``, where the difference is that of
    the two kappas, s1 the standard deviation of its influence from all patterns of labels, and s0
    that of a judge who is worse by the margin, as the test is a score test; D is the design effect.

    Args:
        kappa: Of the judge with a clinician, as expected.
        clinicians_kappa: Of two clinicians, as expected.
        margin: By how much the judge may be worse.
        prevalence: The share of yes; for several levels that of the rarest.
        clinicians: How many label every unit.
        power: With which probability the test should say yes.
        level: Of the two-sided interval.
        design_effect: See `design_effect`.

    Raises:
        InputError: A value is impossible, or the judge is expected to be worse by the margin.

    >>> labels_for_noninferiority(0.6, 0.6, 0.1, 0.5).labels
    423
    """
    _check(kappa, clinicians_kappa, prevalence, clinicians, power, design_effect)
    if not 0 < margin < 1:
        raise InputError(f"margin {margin:g} must lie between 0 and 1", remedy="10 per cent is 0.1")
    room = kappa - clinicians_kappa + margin
    if room <= 1e-9:
        raise InputError(
            f"a judge at kappa {kappa:g} is worse than clinicians at {clinicians_kappa:g} by the "
            f"margin {margin:g} or more",
            remedy="No number of labels would show the contrary",
        )
    least = max(clinicians_kappa - margin, 0.0)  # what the test rejects
    at_margin, expected = (
        sqrt(_difference_variance(judge, clinicians_kappa, prevalence, clinicians))
        for judge in (least, kappa)
    )
    spread = normal_quantile(two_sided(level)) * at_margin + normal_quantile(power) * expected
    labels = max(rounded_up(design_effect * (spread / room) ** 2), 2)
    return NonInferiorityPlan(
        labels=labels, clinicians=clinicians, kappa=kappa, clinicians_kappa=clinicians_kappa,
        margin=margin, prevalence=prevalence, power=power, level=level,
        design_effect=design_effect,
        sentence=f"Label {labels} units, each by {clinicians} clinicians: a judge at kappa "
        f"{kappa:g} beside clinicians at {clinicians_kappa:g} is then shown to be non-inferior by "
        f"{margin:g} with a chance of {power:.0%}.",
    )  # fmt: skip


def labels_for_alternative_test(
    kappa: float,
    clinicians_kappa: float,
    prevalence: float,
    *,
    clinicians: int = 3,
    epsilon: float = 0.2,
    power: float = 0.8,
    level: float = 0.05,
    design_effect: float = 1.0,
) -> AlternativePlan:
    """How many units the alternative annotator test needs.

    For each clinician ``n = D V [(z_level + z_power) / (epsilon - loss)]²``, where the loss is how
    much more often the clinician is at least as near to the others than the judge, V its variance
    over all patterns of labels. The level is Benjamini and Yekutieli's for half of the clinicians,
    by which the test is passed.

    Source: Calderon, Reichart and Dror (2025), arXiv 2501.10970.

    Args:
        kappa: Of the judge with a clinician, as expected.
        clinicians_kappa: Of two clinicians, as expected.
        prevalence: The share of yes; for several levels that of the rarest.
        clinicians: How many label every unit; three or more make a contest.
        epsilon: How much worse than a clinician the judge may be.
        power: With which probability the judge should win against a clinician.
        level: The false discovery rate.
        design_effect: See `design_effect`.

    Raises:
        InputError: A value is impossible, or the judge is expected to be worse by epsilon.

    >>> labels_for_alternative_test(0.6, 0.6, 0.5, epsilon=0.1).labels
    138
    """
    _check(kappa, clinicians_kappa, prevalence, clinicians, power, design_effect)
    if not 0 < epsilon < 1:
        raise InputError(f"epsilon {epsilon:g} must lie between 0 and 1", remedy="0.2 is usual")
    patterns, chances = _patterns(kappa, clinicians_kappa, prevalence, clinicians)
    losses = _losses(patterns)
    loss = float(chances @ losses)
    if loss >= epsilon:
        raise InputError(
            f"the judge is expected to lose by {loss:.3f}, no less than epsilon {epsilon:g}",
            remedy="No number of labels would pass the test",
        )
    ranks = np.arange(1, clinicians + 1)
    wanted = -(-clinicians // 2)  # half of them, rounded up
    one_sided = level * wanted / (clinicians * float((1 / ranks).sum()))
    z = normal_quantile(1 - one_sided) + normal_quantile(power)
    variance = float(chances @ (losses - loss) ** 2)
    labels = max(rounded_up(design_effect * variance * (z / (epsilon - loss)) ** 2), 2)
    return AlternativePlan(
        labels=labels, clinicians=clinicians, kappa=kappa, clinicians_kappa=clinicians_kappa,
        epsilon=epsilon, loss=loss, prevalence=prevalence, power=power, level=level,
        design_effect=design_effect,
        sentence=f"Label {labels} units, each by {clinicians} clinicians: at an epsilon of "
        f"{epsilon:g} the judge then wins against a clinician with a chance of {power:.0%}, if its "
        f"kappa is {kappa:g} and theirs {clinicians_kappa:g}. Passing at 0.2 is easy; plan for the "
        "kappas too.",
    )  # fmt: skip


def _check(
    kappa: float, human: float, prevalence: float, clinicians: int, power: float, effect: float
) -> None:
    if not (0 < human < 1 and 0 <= kappa < 1):
        raise InputError(
            f"kappas {kappa:g} and {human:g} must lie between 0 and 1",
            remedy="Plan with the values you expect; at 1 nothing is left to test",
        )
    if kappa > sqrt(human):
        raise InputError(
            f"kappa {kappa:g} cannot be reached with clinicians who agree at {human:g}",
            remedy=f"Even a judge who knows the truth reaches {sqrt(human):.2f} with them",
        )
    if not 0 < prevalence < 1:
        raise InputError(f"prevalence {prevalence:g} must lie between 0 and 1")
    if not 2 <= clinicians <= MOST_CLINICIANS:
        raise InputError(f"{clinicians} clinicians; the test takes 2 to {MOST_CLINICIANS}")
    if not 0 < power < 1:
        raise InputError(f"power {power:g} must lie between 0 and 1", remedy="80 per cent is 0.8")
    if not 0 < effect < float("inf"):
        raise InputError(f"design effect {effect:g} must be above 0")


def _patterns(
    kappa: float, human: float, prevalence: float, clinicians: int
) -> tuple[Codes, Floats]:
    """All patterns of labels, the judge's first, and how probable each is."""
    sees: Sequence[float] = (kappa / sqrt(human), *[sqrt(human)] * clinicians)
    patterns = np.array(list(product((0, 1), repeat=len(sees))), dtype=np.int64)
    share = np.array([1 - prevalence, prevalence])
    chances = np.zeros(len(patterns))
    for truth in (0, 1):
        given = [see * (patterns[:, i] == truth) + (1 - see) * share[patterns[:, i]]
                 for i, see in enumerate(sees)]  # fmt: skip
        chances += share[truth] * np.prod(given, axis=0)
    return patterns, chances


def _difference_variance(kappa: float, human: float, prevalence: float, clinicians: int) -> float:
    """The variance of what a unit adds to the judge's mean kappa with clinicians less theirs."""
    patterns, chances = _patterns(kappa, human, prevalence, clinicians)
    columns = range(1, patterns.shape[1])
    judge = [_kappa_influence(patterns[:, [0, j]], prevalence, kappa) for j in columns]
    pairs = [_kappa_influence(patterns[:, p], prevalence, human) for p in combinations(columns, 2)]
    return float(chances @ (np.mean(judge, axis=0) - np.mean(pairs, axis=0)) ** 2)


def _kappa_influence(pair: Codes, prevalence: float, kappa: float) -> Floats:
    """``(dPo - (1 - kappa) dPe) / (1 - Pe)``: how kappa moves with the share of a pattern."""
    share = np.array([1 - prevalence, prevalence])
    chance = float(share @ share)
    observed = kappa * (1 - chance) + chance
    d_observed = (pair[:, 0] == pair[:, 1]) - observed
    d_chance = share[pair[:, 0]] + share[pair[:, 1]] - 2 * chance
    return np.asarray((d_observed - (1 - kappa) * d_chance) / (1 - chance))


def _losses(patterns: Codes) -> Floats:
    """How much the judge is worse than the first clinician, pattern by pattern: -1, 0 or 1."""
    others = patterns[:, 2:]
    judge, clinician = ((others == patterns[:, [i]]).mean(axis=1) for i in (0, 1))
    return np.asarray((clinician >= judge).astype(float) - (judge >= clinician))
