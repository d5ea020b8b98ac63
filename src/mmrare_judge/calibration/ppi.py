"""Prediction-powered means: the judge's points on all items, mended by gold labels on some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.estimate import Estimate, Interval
from mmrare_judge.calibration.proportions import rule_of_three
from mmrare_judge.calibration.quantiles import t_quantile, two_sided
from mmrare_judge.calibration.vectors import (
    Codes,
    Floats,
    Mask,
    cluster_codes,
    count_clusters,
    floats,
    group_sums,
    sampling_weights,
)
from mmrare_judge.errors import InputError

MIN_CLUSTERS = 5
"""Below so many labelled clusters no variance is worth printing."""


@dataclass(frozen=True)
class Parts:
    """A prediction-powered mean, taken apart: ``mean = gold_mean - lam * judge_gap``.

    Attributes:
        gold_mean: Weighted mean of the gold labels.
        judge_gap: The judge's weighted mean on the labelled units minus its mean on all units.
        gold_sums: Each cluster's share in the error of ``gold_mean``.
        judge_sums: Each cluster's share in the error of ``judge_gap``.
        labelled: How many units have gold.
        labelled_clusters: How many clusters have some.
        abstained: Units without a verdict of the judge.
        flawless: The judge gave the gold points wherever there are some.
    """

    gold_mean: float
    judge_gap: float
    gold_sums: Floats
    judge_sums: Floats
    labelled: int
    labelled_clusters: int
    abstained: int
    flawless: bool

    def tuned(self) -> float:
        """The weight on the judge that makes the variance least; 0 for a judge that never varies.

        Regression through the origin of the clusters' gold parts on their judge parts. Not below
        0: a judge that errs the wrong way round is left out, not turned around.
        """
        spread = float(self.judge_sums @ self.judge_sums)
        if spread < 1e-18:
            return 0.0
        return max(0.0, float(self.gold_sums @ self.judge_sums) / spread)

    def errors(self, lam: float) -> Floats:
        """Each cluster's share in the error of the corrected mean."""
        return self.gold_sums - lam * self.judge_sums


@dataclass(frozen=True)
class CorrectedMean:
    """A mean corrected by gold labels.

    Attributes:
        estimate: The mean with its interval.
        lam: The weight on the judge: 0 is the labelled-only mean.
        standard_error: Of the mean; ``None`` where it cannot be told.
    """

    estimate: Estimate
    lam: float | None
    standard_error: float | None


def ppi_mean(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    lam: float | None = None,
    level: float = 0.95,
) -> CorrectedMean:
    """The mean gold label of all units, from gold on some and the judge on all (PPI++).

    ``mean(lam f) over all + weighted mean(y - lam f) over labelled`` (Angelopoulos, Duchi and
    Zrnic 2023). All units stand in the first term, the labelled too; with a uniform gold sample
    this is the published estimator, whose lambda is ``lam (N - n) / N``. ``lam`` is tuned to the
    least variance. Unequal inclusion probabilities enter as normalised inverse weights. The
    variance sums the errors within clusters; the interval is Student's t on the labelled clusters,
    less one degree of freedom for a tuned ``lam``. It is the interval for new cases of the same
    kind, not only for these N.

    A unit without a verdict of the judge stays in, and carries the judge's mean: the labels mend
    that like any other error of the judge, and the target stays whole.

    Args:
        judge: The judge's points; nan where it gave no verdict.
        gold: The gold points; nan where there are none.
        clusters: The case of each unit (several systems answer one case).
        inclusion: The probability with which each unit was chosen for gold labels.
        lam: A fixed weight on the judge instead of the tuned one; 0 ignores the judge.
        level: Nominal coverage.

    Returns:
        The corrected mean. No value without gold; no interval with fewer than 5 labelled clusters,
        or where all labels are alike.

    >>> mended = ppi_mean([1, 1, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 1] + [None] * 3, lam=1)
    >>> round(mended.estimate.value, 4)
    0.55
    """
    parts, codes = mean_parts(judge, gold, clusters=clusters, inclusion=inclusion)
    if parts is None:
        n, groups = len(codes), count_clusters(codes)
        missing = Estimate(
            name="ppi", value=None, n=n, clusters=groups, reason="no unit has a gold label"
        )
        return CorrectedMean(missing, None, None)
    weight = parts.tuned() if lam is None else lam
    return combine(
        [parts], [weight], [1.0], name="ppi" if weight else "labelled", tuned=lam is None,
        n=len(codes), clusters=count_clusters(codes), level=level,
    )  # fmt: skip


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
    gold_mean = float(shares[labelled] @ labels[labelled])
    judge_mean = float(shares @ filled)
    overall = float(filled.mean())
    gold_error = shares * (np.where(labelled, labels, 0.0) - gold_mean)
    if inclusion is None:
        judge_error = _two_sample_error(filled, labelled)
    else:
        judge_error = shares * (filled - judge_mean) - (filled - overall) / len(filled)
    return Parts(
        gold_mean=gold_mean,
        judge_gap=judge_mean - overall,
        gold_sums=group_sums(gold_error, codes),
        judge_sums=group_sums(judge_error, codes),
        labelled=int(labelled.sum()),
        labelled_clusters=count_clusters(codes[labelled]),
        abstained=int(np.isnan(points).sum()),
        flawless=bool((points[labelled] == labels[labelled]).all()),
    ), codes


def combine(
    parts: list[Parts],
    lams: list[float],
    weights: list[float],
    *,
    name: str,
    tuned: bool,
    n: int,
    clusters: int,
    level: float,
) -> CorrectedMean:
    """A weighted sum of corrected means over the same units, with one clustered variance."""
    value = sum(
        weight * (part.gold_mean - lam * part.judge_gap)
        for part, lam, weight in zip(parts, lams, weights, strict=True)
    )
    errors = np.sum(
        [w * part.errors(lam) for part, lam, w in zip(parts, lams, weights, strict=True)], axis=0
    )
    groups = min(part.labelled_clusters for part in parts)
    freedom = groups - 1 - int(tuned and any(lams))
    reason, error = _refusal(parts, freedom), None
    if not reason:
        error = float(np.sqrt(groups / freedom * (errors @ errors)))
    interval = None if error is None else _interval(value, error, freedom, level)
    estimate = Estimate(
        name=name, value=float(value), interval=interval, n=n, clusters=clusters,
        missing=max(part.abstained for part in parts), reason=reason or _caveat(parts, lams, name),
    )  # fmt: skip
    return CorrectedMean(estimate, lams[0] if len(lams) == 1 else None, error)


def _interval(value: float, error: float, freedom: int, level: float) -> Interval:
    half = t_quantile(two_sided(level), freedom) * error
    return Interval(low=value - half, high=value + half, level=level, method="clustered t")


def _two_sample_error(points: Floats, labelled: Mask) -> Floats:
    errors = np.zeros_like(points)
    if labelled.all():
        return errors
    for side, sign in ((labelled, 1.0), (~labelled, -1.0)):
        errors[side] = sign * (points[side] - points[side].mean()) / side.sum()
    return np.asarray(errors * (~labelled).mean())


def _without_gaps(points: Floats) -> Floats:
    known = ~np.isnan(points)
    if not known.any():
        raise InputError("the judge gave no verdict on any unit")
    return np.where(known, points, points[known].mean())


def _refusal(parts: list[Parts], freedom: int) -> str:
    groups = min(part.labelled_clusters for part in parts)
    if groups < MIN_CLUSTERS or freedom < 1:
        return f"no interval: {groups} labelled clusters, and {MIN_CLUSTERS} are the least"
    if all(not part.gold_sums.any() for part in parts):
        return f"no interval: all {parts[0].labelled} gold labels are alike"
    return ""


def _caveat(parts: list[Parts], lams: list[float], name: str) -> str:
    groups = min(part.labelled_clusters for part in parts)
    notes = []
    if groups < 20:
        notes.append(f"only {groups} labelled clusters: the interval is rough")
    if name != "labelled" and not any(lams):
        notes.append("the judge's points do not help; this is the labelled-only mean")
    if any(lams) and any(part.flawless for part in parts):
        count = min(part.labelled for part in parts if part.flawless)
        notes.append(
            f"the judge agreed with all {count} labels, so the interval takes its error to be "
            f"zero; up to {rule_of_three(count):.1%} wrong verdicts cannot be excluded"
        )
    return "; ".join(notes)
