"""When to let the judge decide: risk against coverage, and a threshold that is guaranteed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Codes,
    Floats,
    Mask,
    binary,
    cluster_codes,
    count_clusters,
    floats,
)
from mmrare_judge.calibration.statistics.proportions import design_share, upper_limit
from mmrare_judge.errors import ConfigError
from mmrare_judge.records import Record

STEPS = 100
"""Thresholds that are looked at, at most: evenly spread over the distinct confidences."""


class RiskCoverage(Record):
    """Risk among the verdicts that are kept, from the most confident to all.

    Attributes:
        thresholds: Distinct confidences, falling; verdicts at or above are kept.
        coverage: Share of verdicts kept.
        risk: Share of wrong ones among the kept.
        aurc: Area under the curve: the mean risk over all coverages.
        best_aurc: What a judge with the same errors but perfect order would have.
        n: Verdicts.
        reason: Why there is no curve.
    """

    thresholds: tuple[float, ...] = ()
    coverage: tuple[float, ...] = ()
    risk: tuple[float, ...] = ()
    aurc: float | None = None
    best_aurc: float | None = None
    n: int = 0
    reason: str = ""


class Threshold(Record):
    """A confidence from which the judge may decide alone.

    Attributes:
        value: The threshold; ``None`` where none can be guaranteed.
        max_risk: The share of wrong verdicts that was asked for at most.
        level: With which confidence it holds.
        bound: Upper limit of the risk on the held-out verdicts.
        risk: Risk seen there.
        coverage: Share of held-out verdicts kept.
        kept: Held-out verdicts kept.
        held_out: Held-out verdicts.
        reason: Why there is no threshold.
    """

    value: float | None
    max_risk: float
    level: float
    bound: float | None = None
    risk: float | None = None
    coverage: float | None = None
    kept: int = 0
    held_out: int = 0
    reason: str = ""


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """The risk-coverage curve and the area under it (Geifman, Uziel and El-Yaniv 2019).

    ``AURC = (1/n) sum_k (errors among the k most confident) / k``; verdicts with the same
    confidence are kept or left together, and within a tie the errors count as evenly spread, so
    that the order of the rows does not matter.

    >>> curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 1, 1, 0])
    >>> curve.coverage, curve.risk[-1], curve.aurc
    ((0.25, 0.5, 0.75, 1.0), 0.25, 0.0625)
    """
    p, wrong, _ = _known(confidence, correct, None)
    n = len(p)
    if n == 0:
        return RiskCoverage(reason="no unit has both a confidence and gold")
    values, place, counts = np.unique(-p, return_inverse=True, return_counts=True)
    kept = np.cumsum(counts)
    errors = np.cumsum(np.bincount(place, weights=wrong))
    steps = np.arange(1, n + 1)
    spread = np.interp(steps, np.append(0, kept), np.append(0, errors))
    best = np.maximum(0, steps - (n - wrong.sum()))
    return RiskCoverage(
        thresholds=tuple((-values).tolist()),
        coverage=tuple((kept / n).tolist()),
        risk=tuple((errors / kept).tolist()),
        aurc=float((spread / steps).mean()),
        best_aurc=float((best / steps).mean()),
        n=n,
    )


def guaranteed_threshold(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    max_risk: float,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    tuning_share: float = 0.5,
    seed: int = 0,
) -> Threshold:
    """A threshold above which at most ``max_risk`` of the verdicts are wrong, with confidence.

    Whole clusters are split at random. The first part only says where to begin: at the confidence
    whose one-sided Clopper-Pearson limit of the risk is least there. From it, going down, the
    second part is asked one threshold after another, until its own limit exceeds ``max_risk``; the
    last one before holds. Because the order was fixed without the second part, each question may
    be asked at the full level: the chance that the risk at the answer is higher than ``max_risk``
    stays below ``1 - level`` (fixed-sequence testing, as in Angelopoulos and others 2021; the limit
    and the split as in Geifman and El-Yaniv 2017). Clusters enter by the effective sample size,
    with which the level is kept about, not exactly.

    Args:
        confidence: Stated probability; nan where the judge stated none.
        correct: 1 where the verdict was that of the gold, 0 where not, nan without gold.
        max_risk: The largest share of wrong verdicts to accept.
        clusters: The case of each unit.
        level: Confidence of the guarantee, one-sided.
        tuning_share: Share of clusters by which the order is chosen.
        seed: Of the split.

    Returns:
        The threshold; its value is ``None``, with the reason, where the held-out part shows none.

    >>> sure = guaranteed_threshold([0.9] * 200, [1] * 200, max_risk=0.05)
    >>> sure.value, round(sure.bound, 3)
    (0.9, 0.03)
    """
    if not 0 < max_risk < 1 or not 0 < tuning_share < 1:
        raise ConfigError(f"max_risk {max_risk} and tuning_share {tuning_share} lie within 0..1")
    p, wrong, codes = _known(confidence, correct, clusters)
    tuning = _split(codes, tuning_share, seed)
    order = _order(p[tuning], wrong[tuning], codes[tuning], level)
    held = (p[~tuning], wrong[~tuning], codes[~tuning])
    blank = Threshold(value=None, max_risk=max_risk, level=level, held_out=len(held[0]))
    if not order or blank.held_out == 0:
        reason = f"{count_clusters(codes)} clusters with confidence and gold cannot be split"
        return blank.model_copy(update={"reason": reason})
    return _walked(held, order, blank)


def _walked(held: tuple[Floats, Floats, Codes], order: list[float], blank: Threshold) -> Threshold:
    """The last threshold in the order before the first that the held-out part does not confirm."""
    confirmed = None
    for value in order:
        seen = _seen(held, value, blank)
        if seen.bound is None or seen.bound > blank.max_risk:
            return confirmed or seen
        confirmed = seen.model_copy(update={"value": value, "reason": ""})
    return confirmed or blank


def _seen(held: tuple[Floats, Floats, Codes], value: float, blank: Threshold) -> Threshold:
    """What the held-out part shows at a threshold, with the reason should it not be enough."""
    p, wrong, codes = held
    kept = p >= value
    bound = _bound(wrong[kept], codes[kept], blank.level)
    if bound is None:
        reason = f"no held-out verdict has a confidence of {value:g} or more"
        return blank.model_copy(update={"reason": reason})
    found = {
        "bound": bound, "risk": float(wrong[kept].mean()), "kept": int(kept.sum()),
        "coverage": float(kept.mean()),
        "reason": f"at {value:g} the held-out part only shows a risk of at most {bound:.3f}",
    }  # fmt: skip
    return blank.model_copy(update=found)


def _known(
    confidence: ArrayLike, correct: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, Codes]:
    p = floats(confidence, "confidence")
    y = binary(correct, "correct", length=len(p))
    codes = cluster_codes(clusters, len(p))
    used = ~(np.isnan(p) | np.isnan(y))
    return p[used], 1 - y[used], codes[used]


def _split(codes: Codes, share: float, seed: int) -> Mask:
    ids = np.unique(codes)
    count = round(share * len(ids))
    chosen = np.random.default_rng(seed).permutation(ids)[:count]
    return np.isin(codes, chosen)


def _order(p: Floats, wrong: Floats, codes: Codes, level: float) -> list[float]:
    """Thresholds falling from the one with the least upper limit of the risk."""
    values = np.unique(p)
    places = np.linspace(0, len(values) - 1, min(len(values), STEPS)).round().astype(int)
    values = values[places]
    bounds = [_bound(wrong[kept], codes[kept], level) for kept in (p >= v for v in values)]
    if not bounds:
        return []
    limits = np.array(bounds, dtype=np.float64)
    start = len(limits) - 1 - int(np.argmin(limits[::-1]))
    return [float(value) for value in values[start::-1]]


def _bound(wrong: Floats, codes: Codes, level: float) -> float | None:
    share = design_share(wrong, np.ones_like(wrong), codes, level=level)
    if share is None:
        return None
    n = share.n_effective
    return upper_limit(min(share.value * n, n), n, level=level)
