"""What a prediction-powered mean is made of: two weighted means and each case's share in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Codes,
    Floats,
    Mask,
    cluster_codes,
    count_clusters,
    floats,
    group_sums,
    sampling_weights,
)

ROUNDING = 1e-10
"""A case's share in an error below this part of what one unit weighs is taken to be rounding."""


@dataclass(frozen=True)
class Parts:
    """A prediction-powered mean, taken apart: ``mean = gold_mean - lam * judge_gap``.

    Attributes:
        gold_mean: Weighted mean of the gold labels.
        judge_gap: The judge's weighted mean on the labelled units minus its mean on all units.
        gold_sums: Each cluster's share in the error of ``gold_mean``; exactly 0 where the clusters
            do not differ.
        judge_sums: Each cluster's share in the error of ``judge_gap``, in the same way.
        labelled: How many units have gold.
        labelled_clusters: How many clusters have some.
        effective_clusters: What they are worth where they weigh unequally (Kish's
            ``(sum w)^2 / sum w^2`` over the clusters' weights).
        off_mode: Gold labels other than the most frequent one.
        abstained: Units without a verdict of the judge.
        flawless: The judge gave the gold points wherever there are some.
    """

    gold_mean: float
    judge_gap: float
    gold_sums: Floats
    judge_sums: Floats
    labelled: int
    labelled_clusters: int
    effective_clusters: float
    off_mode: int
    abstained: int
    flawless: bool

    def tuned(self) -> float:
        """The weight on the judge that makes the variance least; 0 for a judge that never varies.

        Regression through the origin of the clusters' gold parts on their judge parts. Not below
        0: a judge that errs the wrong way round is left out, not turned around.
        """
        spread = float(self.judge_sums @ self.judge_sums)
        if spread == 0:
            return 0.0
        return max(0.0, float(self.gold_sums @ self.judge_sums) / spread)

    def errors(self, lam: float) -> Floats:
        """Each cluster's share in the error of the corrected mean."""
        return self.gold_sums - lam * self.judge_sums


def mean_parts(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
) -> tuple[Parts | None, Codes]:
    """The two means and each cluster's share in their errors; no parts without gold.

    With ``w`` the normalised weights of the labelled, a unit's share in the error of the gold mean
    is ``w (y - mean_w y)``. Its share in that of the gap is ``w (f - mean_w f) - (f - mean f) / N``
    or, for a uniform gold sample, where the gap is ``(N-n)/N`` times that of labelled and
    unlabelled, each unit's deviation from its own side's mean.

    >>> parts, codes = mean_parts([1, 0, 1, 1], [1, 0, None, None])
    >>> parts.gold_mean, parts.judge_gap
    (0.5, -0.25)
    """
    labels = floats(gold, "gold")
    points = floats(judge, "judge", length=len(labels))
    codes = cluster_codes(clusters, len(labels))
    labelled = ~np.isnan(labels)
    weights = sampling_weights(inclusion, labelled)
    if not labelled.any():
        return None, codes
    shares = weights / weights.sum()
    filled = _without_gaps(points)
    gold_mean = float(weights[labelled] @ labels[labelled] / weights.sum())
    judge_mean = float(weights @ filled / weights.sum())
    overall = float(filled.mean())
    gold_error = shares * (np.where(labelled, labels, 0.0) - gold_mean)
    if inclusion is None:
        judge_error = _two_sample_error(filled, labelled)
    else:
        judge_error = shares * (filled - judge_mean) - (filled - overall) / len(filled)
    weight = float(shares.max())
    return Parts(
        gold_mean=gold_mean,
        judge_gap=judge_mean - overall,
        gold_sums=_sums(gold_error, codes, weight * float(np.abs(labels[labelled]).max())),
        judge_sums=_sums(judge_error, codes, weight * float(np.abs(filled).max())),
        labelled=int(labelled.sum()),
        labelled_clusters=count_clusters(codes[labelled]),
        effective_clusters=float(1 / (group_sums(shares, codes) ** 2).sum()),
        off_mode=_off_mode(labels[labelled]),
        abstained=int(np.isnan(points).sum()),
        flawless=bool((points[labelled] == labels[labelled]).all()),
    ), codes


def _two_sample_error(points: Floats, labelled: Mask) -> Floats:
    errors = np.zeros_like(points)
    if labelled.all():
        return errors
    for side, sign in ((labelled, 1.0), (~labelled, -1.0)):
        errors[side] = sign * (points[side] - points[side].mean()) / side.sum()
    return np.asarray(errors * (~labelled).mean())


def _sums(errors: Floats, codes: Codes, scale: float) -> Floats:
    # Labels that are all alike leave sums of some 1e-17, and an interval of that width.
    sums = group_sums(errors, codes)
    return np.where(np.abs(sums) > ROUNDING * scale, sums, 0.0)


def _without_gaps(points: Floats) -> Floats:
    known = ~np.isnan(points)
    return np.where(known, points, points[known].mean() if known.any() else 0.0)


def _off_mode(labels: Floats) -> int:
    return len(labels) - int(np.unique(labels, return_counts=True)[1].max())
