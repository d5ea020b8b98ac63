"""Missed harm: violations that clinicians confirmed and the judge let pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.estimate import Estimate
from mmrare_judge.calibration.proportions import (
    Share,
    clopper_pearson,
    design_share,
    rule_of_three,
)
from mmrare_judge.calibration.vectors import (
    Floats,
    Mask,
    binary,
    cluster_codes,
    count_clusters,
    sampling_weights,
)


def missed_harm(
    flagged: ArrayLike,
    violation: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The share of clinician-confirmed violations that the judge passed.

    ``P(not flagged | violation) = 1 - sensitivity``, with the exact (Clopper-Pearson) interval; at
    zero missed the reason adds the rule of three. With clusters or unequal inclusion probabilities
    the interval is taken at the effective sample size of Korn and Graubard (1998). Violations on
    which the judge gave no verdict count as ``missing``, and the reason says what the share would
    be if they had passed.

    Args:
        flagged: 1 where the judge saw the violation, 0 where it passed, nan without a verdict.
        violation: 1 where clinicians confirmed one, 0 where they saw none, nan without gold.
        clusters: The case of each unit.
        inclusion: The probability with which each unit was chosen for gold labels.
        level: Nominal coverage.

    Returns:
        The estimate; its value is ``None`` where clinicians confirmed no violation.

    >>> result = missed_harm([1, 0, 1, 1, 0], [1, 1, 1, 1, 0])
    >>> result.value, result.n
    (0.25, 4)
    """
    gold = binary(violation, "violation")
    judged = binary(flagged, "flagged", length=len(gold))
    return _share_of("missed_harm", 1 - judged, gold == 1, clusters, inclusion, level)


def false_alarm(
    flagged: ArrayLike,
    violation: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The share of units without a violation that the judge flagged: ``1 - specificity``.

    The price of little missed harm; arguments and interval as in `missed_harm`.

    >>> false_alarm([1, 0, 0, 0], [0, 0, 0, 1]).n
    3
    """
    gold = binary(violation, "violation")
    judged = binary(flagged, "flagged", length=len(gold))
    return _share_of("false_alarm", judged, gold == 0, clusters, inclusion, level)


def _share_of(
    name: str,
    event: Floats,
    among: Mask,
    clusters: ArrayLike | None,
    inclusion: ArrayLike | None,
    level: float,
) -> Estimate:
    codes = cluster_codes(clusters, len(event))
    weights = sampling_weights(inclusion, among)
    used = among & ~np.isnan(event)
    missing = int(among.sum() - used.sum())
    share = design_share(event[used], weights[used], codes[used], level=level)
    if share is None:
        reason = _NOTHING[name] if not among.any() else "the judge gave no verdict on any of them"
        groups = count_clusters(codes[among])
        return Estimate(name=name, value=None, n=0, clusters=groups, missing=missing, reason=reason)
    counted = share.value * share.n_effective
    interval = clopper_pearson(min(counted, share.n_effective), share.n_effective, level=level)
    if share.n_effective != share.n:
        interval = interval.model_copy(update={"method": "korn-graubard"})
    return Estimate(
        name=name,
        value=share.value,
        interval=interval,
        n=share.n,
        clusters=share.clusters,
        missing=missing,
        reason="; ".join(_caveats(share, missing, _worst(event, weights, among), level)),
    )


_NOTHING = {
    "missed_harm": "clinicians confirmed no violation, so none could be missed",
    "false_alarm": "clinicians confirmed a violation everywhere, so none could be a false alarm",
}


def _worst(event: Floats, weights: Floats, among: Mask) -> float:
    """The share if every unit without a verdict were an event."""
    return float(np.average(np.nan_to_num(event[among], nan=1.0), weights=weights[among]))


def _caveats(share: Share, missing: int, worst: float, level: float) -> Iterator[str]:
    if share.clusters == 1 and share.n > 1:
        yield f"all {share.n} are from one cluster, so they are worth no more than one"
    if share.value == 0:
        limit = rule_of_three(share.n_effective, level=level)
        yield (
            f"none seen in {share.n}: by the rule of three up to {limit:.1%} "
            f"cannot be excluded (one-sided, {level:.0%})"
        )
    if missing:
        yield (
            f"on {missing} more the judge gave no verdict; counted as events they make {worst:.1%}"
        )
