"""Prediction-powered means: the judge's points on all items, mended by gold labels on some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.ppi_parts import Parts, mean_parts
from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Estimate,
    Interval,
    count_clusters,
    t_quantile,
    two_sided,
)
from mmrare_judge.calibration.statistics.proportions import rule_of_three
from mmrare_judge.errors import InputError

MIN_CLUSTERS = 5
"""Below so many labelled clusters no variance is worth printing."""

MIN_OFF_MODE = 5
"""Nor where fewer gold labels differ from the most frequent one: the t interval is too short."""


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
    variance sums the errors within clusters; the interval is Student's t on the labelled clusters
    (what they are worth, where they weigh unequally), less one degree of freedom for a tuned
    ``lam``. It is the interval for new cases of the same kind, not only for these N.

    A unit without a verdict of the judge stays in, and carries the judge's mean: the labels mend
    that like any other error of the judge, and the target stays whole.

    Args:
        judge: The judge's points; nan where it gave no verdict.
        gold: The gold points; nan where there are none.
        clusters: The case of each unit (several systems answer one case).
        inclusion: The probability with which each unit was chosen for gold labels.
        lam: A fixed weight on the judge instead of the tuned one; 0 ignores the judge, and the
            estimate is then named ``labelled`` and counts the labelled units only.
        level: Nominal coverage.

    Returns:
        The corrected mean. No value without gold. No interval with fewer than 5 labelled clusters,
        where fewer than 5 labels differ from the most frequent one, or where no cluster differs
        from another: at two or three events among forty labels a t interval covers far too seldom.

    Raises:
        InputError: ``lam`` is negative or no number.

    >>> mended = ppi_mean([1, 1, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 1] + [None] * 3, lam=1)
    >>> round(mended.estimate.value, 4)
    0.55
    """
    if lam is not None and not 0 <= lam < float("inf"):
        raise InputError(f"lam {lam} must be 0 or more")
    name = "labelled" if lam == 0 else "ppi"
    parts, codes = mean_parts(judge, gold, clusters=clusters, inclusion=inclusion)
    n, groups = len(codes), count_clusters(codes)
    if parts is None:
        missing = Estimate(
            name=name, value=None, n=n, clusters=groups, reason="no unit has a gold label"
        )
        return CorrectedMean(missing, None, None)
    weight = parts.tuned() if lam is None else lam
    return combine(
        [parts], [weight], [1.0], name=name, tuned=lam is None, n=n, clusters=groups, level=level
    )


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
    """A weighted sum of corrected means over the same units, with one clustered variance.

    Named ``labelled`` it counts the labelled units and clusters (the fewest, where the parts
    differ) in place of ``n`` and ``clusters``.
    """
    value = sum(
        weight * (part.gold_mean - lam * part.judge_gap)
        for part, lam, weight in zip(parts, lams, weights, strict=True)
    )
    errors = np.sum(
        [w * part.errors(lam) for part, lam, w in zip(parts, lams, weights, strict=True)], axis=0
    )
    groups = min(part.labelled_clusters for part in parts)
    spent = 1 + int(tuned and any(lams))
    freedom = groups - spent
    reason, error = _refusal(parts, freedom), None
    if not reason:
        error = float(np.sqrt(groups / freedom * (errors @ errors)))
    worth = max(1.0, min(part.effective_clusters for part in parts) - spent)
    interval = None if error is None else _interval(value, error, worth, level)
    missing = max(part.abstained for part in parts)
    if name == "labelled":
        n, clusters, missing = min(part.labelled for part in parts), groups, 0
    estimate = Estimate(
        name=name, value=float(value), interval=interval, n=n, clusters=clusters, missing=missing,
        reason="; ".join(filter(None, [reason, *_caveats(parts, lams, name, reason)])),
    )  # fmt: skip
    return CorrectedMean(estimate, lams[0] if len(lams) == 1 else None, error)


def _interval(value: float, error: float, freedom: float, level: float) -> Interval:
    half = t_quantile(two_sided(level), freedom) * error
    return Interval(low=value - half, high=value + half, level=level, method="clustered t")


def _refusal(parts: list[Parts], freedom: int) -> str:
    groups = min(part.labelled_clusters for part in parts)
    if groups < MIN_CLUSTERS or freedom < 1:
        return f"no interval: {groups} labelled clusters, and {MIN_CLUSTERS} are the least"
    best = max(parts, key=lambda part: part.off_mode)
    if best.off_mode == 0:
        return f"no interval: all {best.labelled} gold labels are alike"
    if best.off_mode < MIN_OFF_MODE:
        return f"no interval: {_rare(best)}; {MIN_OFF_MODE} are the least"
    if not any(part.gold_sums.any() for part in parts):
        return f"no interval: the {best.labelled} gold labels differ within clusters only"
    return ""


def _rare(part: Parts) -> str:
    return f"only {part.off_mode} of {part.labelled} gold labels differ from the others"


def _caveats(parts: list[Parts], lams: list[float], name: str, refusal: str) -> Iterator[str]:
    groups = min(part.labelled_clusters for part in parts)
    if groups < FEW_CLUSTERS and not refusal:
        yield f"only {groups} labelled clusters: the interval is rough"
    if name != "labelled" and not any(lams):
        yield "the judge's points do not help; this is the labelled-only mean"
    rare = [part for part in parts if part.off_mode < MIN_OFF_MODE]
    if rare and not refusal:
        yield (
            f"on {len(rare)} of {len(parts)} criteria "
            f"{_rare(min(rare, key=lambda part: part.off_mode))}, so the interval is too short"
        )
    if any(lams) and any(part.flawless for part in parts) and not refusal:
        yield _flawless(min(part.labelled_clusters for part in parts if part.flawless))


def _flawless(clusters: int) -> str:
    return (
        "the judge agreed with every label, so the interval takes its error to be zero; by the "
        f"rule of three in {clusters} clusters up to {rule_of_three(clusters):.1%} wrong verdicts "
        "cannot be excluded"
    )
