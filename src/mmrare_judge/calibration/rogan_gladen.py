"""Binary criteria: the judge's rate corrected by its sensitivity and specificity."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Codes,
    Estimate,
    Floats,
    Interval,
    Mask,
    binary,
    cluster_codes,
    count_clusters,
    normal_quantile,
    sampling_weights,
    two_sided,
)
from mmrare_judge.calibration.statistics.proportions import Share, design_share
from mmrare_judge.errors import InputError

MIN_CELL = 5
"""Gold-positive and gold-negative labels below which sensitivity and specificity are refused."""

MIN_YOUDEN = 0.1
"""Sensitivity + specificity - 1 below which the correction divides by next to nothing."""


class BinaryTest(NamedTuple):
    """What is known of a binary judge, each share with the sample size it is worth.

    Attributes:
        rate: The share it calls positive (the apparent prevalence).
        n: Size of the sample the rate is from.
        sensitivity: Its share of positives among the gold-positive.
        n_positive: Gold-positive units.
        specificity: Its share of negatives among the gold-negative.
        n_negative: Gold-negative units.
    """

    rate: float
    n: float
    sensitivity: float
    n_positive: float
    specificity: float
    n_negative: float

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1."""
        return self.sensitivity + self.specificity - 1

    @property
    def prevalence(self) -> float:
        """``(rate + specificity - 1) / (sensitivity + specificity - 1)`` (Rogan, Gladen 1978)."""
        return (self.rate + self.specificity - 1) / self.youden

    def pseudo(self, z: float) -> BinaryTest:
        """With the pseudo-counts of Lang and Reiczigel: ``z^2/2`` and 1 of either kind."""
        n = self.n + z**2
        return BinaryTest(
            rate=(self.n * self.rate + z**2 / 2) / n,
            n=n,
            sensitivity=(self.n_positive * self.sensitivity + 1) / (self.n_positive + 2),
            n_positive=self.n_positive + 2,
            specificity=(self.n_negative * self.specificity + 1) / (self.n_negative + 2),
            n_negative=self.n_negative + 2,
        )

    def variances(self) -> tuple[float, float, float]:
        """Binomial variances of rate, sensitivity and specificity."""
        return (
            self.rate * (1 - self.rate) / self.n,
            self.sensitivity * (1 - self.sensitivity) / self.n_positive,
            self.specificity * (1 - self.specificity) / self.n_negative,
        )


def lang_reiczigel(test: BinaryTest, *, level: float = 0.95) -> Interval:
    """Interval for the prevalence where the test's errors are estimated too.

    With primes for the shares after pseudo-counts (Lang and Reiczigel 2014, equations 4 to 17)::

        V  = (AP'(1-AP')/n' + P'^2 Se'(1-Se')/n1' + (1-P')^2 Sp'(1-Sp')/n0') / (Se' + Sp' - 1)^2
        dP = 2 z^2 (P' Se'(1-Se')/n1' - (1-P') Sp'(1-Sp')/n0')
        P' + dP -+ z sqrt(V), cut to 0..1

    The three samples must be independent.

    Raises:
        InputError: ``Se' + Sp'`` is 1 or less.

    >>> blood = BinaryTest(4060 / 11284, 11284, 178 / 179, 179, 358 / 359, 359)
    >>> interval = lang_reiczigel(blood)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.349, 0.372)
    """
    z = normal_quantile(two_sided(level))
    primed = test.pseudo(z)
    if primed.youden <= 0:
        raise InputError(
            f"sensitivity {test.sensitivity:g} + specificity {test.specificity:g} - 1 is not above "
            "0 after pseudo-counts: such a test says nothing of the prevalence"
        )
    share = primed.prevalence
    rate, sensitivity, specificity = primed.variances()
    shift = 2 * z**2 * (share * sensitivity - (1 - share) * specificity)
    variance = rate + share**2 * sensitivity + (1 - share) ** 2 * specificity
    half = z * math.sqrt(variance) / primed.youden
    return Interval(
        low=min(1.0, max(0.0, share + shift - half)),
        high=max(0.0, min(1.0, share + shift + half)),
        level=level,
        method="lang-reiczigel",
    )


def rogan_gladen(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The gold-positive share of a binary criterion, from the judge's rate and its errors.

    ``(AP + Sp - 1) / (Se + Sp - 1)``, cut to 0..1, with the interval of `lang_reiczigel`. With a
    uniform gold sample the rate ``AP`` is taken from the units without gold, so that the three
    samples are independent; with unequal inclusion probabilities from all units, because what was
    left over is then no fair sample, and ``Se`` and ``Sp`` are weighted. Clusters and weights enter
    as effective sample sizes. Where the samples are not independent after all, because one case has
    units with and without gold or because ``AP`` takes in the labelled, the interval is too wide.

    Args:
        judge: 1 where the judge says met, 0 where not, nan without a verdict.
        gold: The same from clinicians, nan where there is no gold.
        clusters: The case of each unit.
        inclusion: The probability with which each unit was chosen for gold labels.
        level: Nominal coverage.

    Returns:
        The estimate. No value, with the reason, where gold-positive or gold-negative labels are
        fewer than 5, where nothing is left without gold, or where sensitivity + specificity - 1 is
        below 0.1 or not told apart from 0: the judge carries no information then.

    >>> rogan_gladen([1, 0, 1, 0], [1, 0, None, None]).reason
    'gold-positive labels with a verdict: 1, gold-negative: 1; 5 of each are the least'
    """
    labels = binary(gold, "gold")
    verdicts = binary(judge, "judge", length=len(labels))
    codes = cluster_codes(clusters, len(labels))
    judged, labelled = ~np.isnan(verdicts), ~np.isnan(labels)
    weights = sampling_weights(inclusion, labelled)
    rated = judged if inclusion is not None else judged & ~labelled
    sides = [judged & (labels == side) for side in (1, 0)]
    reason = _too_few(sides, rated)
    test = None if reason else _test(verdicts, weights, codes, (rated, *sides), level)
    if test is not None:
        reason = _uninformative(test, level)
    known = None if reason else test
    return Estimate(
        name="rogan-gladen",
        value=None if known is None else min(1.0, max(0.0, known.prevalence)),
        interval=None if known is None else lang_reiczigel(known, level=level),
        n=len(labels),
        clusters=count_clusters(codes),
        missing=int((~judged).sum()),
        reason=reason or _caveat(int((~judged).sum())),
    )


def _caveat(abstained: int) -> str:
    if not abstained:
        return ""
    return f"{abstained} units without a verdict are left out: this is the share of the others"


def _too_few(sides: list[Mask], rated: Mask) -> str:
    positive, negative = (int(side.sum()) for side in sides)
    if min(positive, negative) < MIN_CELL:
        return (
            f"gold-positive labels with a verdict: {positive}, gold-negative: {negative}; "
            f"{MIN_CELL} of each are the least"
        )
    return "" if rated.any() else "every unit has gold: there is nothing left to correct"


def _test(
    verdicts: Floats,
    weights: Floats,
    codes: Codes,
    masks: tuple[Mask, Mask, Mask],
    level: float,
) -> BinaryTest:
    rated, positive, negative = masks
    even = np.ones_like(weights)
    rate = _share(verdicts, even, codes, rated, level)
    sensitivity = _share(verdicts, weights, codes, positive, level)
    specificity = _share(1 - verdicts, weights, codes, negative, level)
    return BinaryTest(
        rate.value, rate.n_effective,
        sensitivity.value, sensitivity.n_effective,
        specificity.value, specificity.n_effective,
    )  # fmt: skip


def _share(values: Floats, weights: Floats, codes: Codes, mask: Mask, level: float) -> Share:
    share = design_share(values[mask], weights[mask], codes[mask], level=level)
    assert share is not None, "the cells were counted before"
    return share


def _uninformative(test: BinaryTest, level: float) -> str:
    primed = test.pseudo(normal_quantile(two_sided(level)))
    _, sensitivity, specificity = primed.variances()
    error = math.sqrt(sensitivity + specificity)
    figures = f"sensitivity {test.sensitivity:.2f} + specificity {test.specificity:.2f} - 1"
    if test.youden < MIN_YOUDEN:
        return f"{figures} is {test.youden:.2f}: the judge hardly knows good from bad"
    if primed.youden - normal_quantile(two_sided(level)) * error <= 0:
        return f"{figures} is {test.youden:.2f}, but with so few labels not told apart from 0"
    return ""
