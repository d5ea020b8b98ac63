"""When to let the judge decide: risk against coverage, and a threshold that is guaranteed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from mmrare_judge.calibration.proportions import design_share, upper_limit
from mmrare_judge.calibration.vectors import (
    Codes,
    Floats,
    Mask,
    binary,
    cluster_codes,
    count_clusters,
    floats,
)
from mmrare_judge.errors import ConfigError


class RiskCoverage(BaseModel):
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: tuple[float, ...] = ()
    coverage: tuple[float, ...] = ()
    risk: tuple[float, ...] = ()
    aurc: float | None = None
    best_aurc: float | None = None
    n: int = 0
    reason: str = ""


class Threshold(BaseModel):
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

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    Whole clusters are split at random. On the first part the lowest confidence is chosen at which
    the one-sided Clopper-Pearson limit of the risk is at most ``max_risk``. The second part, which
    had no say in the choice, is asked once: the guarantee is its Clopper-Pearson limit (Geifman and
    El-Yaniv 2017, with a held-out part instead of a correction for the search). Clusters enter by
    the effective sample size.

    Args:
        confidence: Stated probability; nan where the judge stated none.
        correct: 1 where the verdict was that of the gold, 0 where not, nan without gold.
        max_risk: The largest share of wrong verdicts to accept.
        clusters: The case of each unit.
        level: Confidence of the guarantee, one-sided.
        tuning_share: Share of clusters on which the threshold is chosen.
        seed: Of the split.

    Returns:
        The threshold; its value is ``None``, with the reason, where either part does not allow it.

    >>> sure = guaranteed_threshold([0.9] * 200, [1] * 200, max_risk=0.05)
    >>> sure.value, round(sure.bound, 3)
    (0.9, 0.03)
    """
    if not 0 < max_risk < 1 or not 0 < tuning_share < 1:
        raise ConfigError(f"max_risk {max_risk} and tuning_share {tuning_share} lie within 0..1")
    p, wrong, codes = _known(confidence, correct, clusters)
    tuning = _split(codes, tuning_share, seed)
    chosen = _lowest(p[tuning], wrong[tuning], codes[tuning], max_risk, level)
    blank = Threshold(value=None, max_risk=max_risk, level=level, held_out=int((~tuning).sum()))
    if chosen is None:
        reason = f"on the tuning part no threshold keeps the risk below {max_risk:g}"
        return blank.model_copy(update={"reason": reason})
    kept = ~tuning & (p >= chosen)
    bound = _bound(wrong[kept], codes[kept], level)
    if bound is None:
        reason = f"no held-out verdict has a confidence of {chosen:g} or more"
        return blank.model_copy(update={"reason": reason})
    found = {
        "bound": bound, "risk": float(wrong[kept].mean()), "kept": int(kept.sum()),
        "coverage": float(kept.sum() / (~tuning).sum()),
    }  # fmt: skip
    if bound > max_risk:
        reason = f"at {chosen:g} the held-out part only shows a risk of at most {bound:.3f}"
        return blank.model_copy(update={**found, "reason": reason})
    return blank.model_copy(update={**found, "value": chosen})


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


def _lowest(p: Floats, wrong: Floats, codes: Codes, max_risk: float, level: float) -> float | None:
    for value in np.unique(p):
        kept = p >= value
        bound = _bound(wrong[kept], codes[kept], level)
        if bound is not None and bound <= max_risk:
            return float(value)
    return None


def _bound(wrong: Floats, codes: Codes, level: float) -> float | None:
    share = design_share(wrong, np.ones_like(wrong), codes, level=level)
    if share is None:
        return None
    independent = count_clusters(codes) == len(codes)
    n = float(share.n) if independent else share.n_effective
    return upper_limit(min(share.value * n, n), n, level=level)
