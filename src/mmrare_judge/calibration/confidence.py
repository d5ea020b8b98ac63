"""Does a confidence of 0.8 mean right in eight of ten: Brier, log loss, ECE, reliability."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from mmrare_judge.calibration.ece_interval import bin_gaps, ece_ends
from mmrare_judge.calibration.estimate import FEW_CLUSTERS, Estimate, Interval
from mmrare_judge.calibration.proportions import design_share, wilson
from mmrare_judge.calibration.regression import clustered_mean, cut
from mmrare_judge.calibration.vectors import (
    Codes,
    Floats,
    binary,
    cluster_codes,
    count_clusters,
    floats,
)
from mmrare_judge.errors import InputError

Binning = Literal["width", "mass"]


class BrierScore(BaseModel):
    """The Brier score and its parts: ``score = reliability - resolution + uncertainty + within``.

    Attributes:
        score: Mean squared difference of confidence and outcome, with its interval.
        reliability: How far the bins' confidence is from their share of right verdicts; 0 is best.
        resolution: How far the bins' shares are from the overall share; more is better.
        uncertainty: ``p (1 - p)`` of the overall share; no merit of the judge.
        within: What the bins hide; 0 where every confidence value has its own bin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: Estimate
    reliability: float | None = None
    resolution: float | None = None
    uncertainty: float | None = None
    within: float | None = None


class ReliabilityBin(BaseModel):
    """One point of the reliability diagram.

    Attributes:
        low: Lower edge of the bin.
        high: Its upper edge.
        n: Verdicts in it.
        confidence: Their mean confidence.
        share: The share of right ones among them.
        interval: Wilson's interval of that share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    n: int
    confidence: float
    share: float
    interval: Interval


def probabilities(values: ArrayLike, name: str) -> Floats:
    """The values as a vector of numbers from 0 to 1; nan is missing.

    Raises:
        InputError: One lies outside.

    >>> probabilities([0.5, None], "confidence").tolist()
    [0.5, nan]
    """
    vector = floats(values, name)
    odd = vector[(vector < 0) | (vector > 1)]
    if len(odd):
        remedy = "Divide percentages by 100"
        raise InputError(f"{name} must lie between 0 and 1, not {odd[0]:g}", remedy=remedy)
    return vector


def brier_score(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> BrierScore:
    """``mean((p - y)^2)`` with Murphy's decomposition (Murphy 1973).

    Over bins k of ``n_k`` verdicts with mean confidence ``p_k`` and share right ``y_k``::

        reliability = sum n_k (p_k - y_k)^2 / n
        resolution  = sum n_k (y_k - y)^2 / n
        uncertainty = y (1 - y)

    By default every distinct confidence is its own bin, and the three add up exactly; with
    ``bins`` of equal width the rest is ``within`` (Stephenson and others 2008).

    Args:
        confidence: Stated probability, 0 to 1; nan where the judge stated none.
        correct: 1 where the verdict was that of the gold, 0 where not, nan without gold.
        bins: Bins of equal width, instead of one for every distinct value.
        clusters: The case of each unit.
        level: Nominal coverage.

    >>> result = brier_score([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 1])
    >>> round(result.score.value, 4), round(result.uncertainty, 4)
    (0.21, 0.1875)
    """
    p, y, codes, missing = _stated(confidence, correct, clusters)
    score = cut(clustered_mean("brier", (p - y) ** 2, codes, level=level).estimate, low=0, high=1)
    score = score.model_copy(update={"missing": missing})
    if score.value is None:
        return BrierScore(score=score)
    place = np.unique(p, return_inverse=True)[1]
    if bins is not None:
        place = _bin(p, _edges(p, bins, "width"))[0]
    n, conf, share = _bin_means(p, y, place)
    overall = float(y.mean())
    reliability = float((n * (conf - share) ** 2).sum() / len(y))
    resolution = float((n * (share - overall) ** 2).sum() / len(y))
    uncertainty = overall * (1 - overall)
    within = score.value - (reliability - resolution + uncertainty)
    return BrierScore(
        score=score, reliability=reliability, resolution=resolution, uncertainty=uncertainty,
        within=0.0 if bins is None else within,
    )  # fmt: skip


def log_loss(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """``-mean(y ln p + (1 - y) ln(1 - p))``, in nats.

    No value where a verdict was certain and wrong: the loss is infinite, and cutting the
    confidence off somewhere would make up a number.

    >>> round(log_loss([0.5, 0.5, 0.5], [1, 0, 1]).value, 4)
    0.6931
    """
    p, y, codes, missing = _stated(confidence, correct, clusters)
    given = np.where(y == 1, p, 1 - p)
    sure = int((given == 0).sum())
    if sure:
        reason = f"{sure} verdicts were certain and wrong: the log loss is infinite"
        groups = count_clusters(codes)
        return Estimate(
            name="log_loss", value=None, n=len(p), clusters=groups, missing=missing, reason=reason
        )
    loss = clustered_mean("log_loss", -np.log(given), codes, level=level).estimate
    return cut(loss, low=0).model_copy(update={"missing": missing})


def expected_calibration_error(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "width",
    clusters: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """``ECE = sum n_k |y_k - p_k| / n`` over bins of equal width or of equal mass.

    The estimate is never below 0, so that it runs too high: a judge in perfect order shows some
    error by chance. The interval takes that into account (`ece_ends`): it begins at 0 where the
    error seen may be chance alone. Clusters are resampled.

    Args:
        confidence: Stated probability, 0 to 1; nan where the judge stated none.
        correct: 1 where the verdict was that of the gold, 0 where not, nan without gold.
        bins: How many; equal masses may end up fewer where values are tied.
        binning: ``width`` or ``mass``.
        clusters: The case of each unit.
        resamples: Bootstrap resamples.
        seed: Of the resampling.
        level: Nominal coverage.

    >>> result = expected_calibration_error([0.9] * 10, [1] * 7 + [0] * 3)
    >>> round(result.value, 4)
    0.2
    """
    p, y, codes, missing = _stated(confidence, correct, clusters)
    groups = count_clusters(codes)
    if len(p) == 0:
        reason = "no unit has both values"
        return Estimate(name="ece", value=None, n=0, clusters=0, missing=missing, reason=reason)
    place, _ = _bin(p, _edges(p, bins, binning))
    seen, draws = bin_gaps(p - y, place, codes, resamples=resamples, seed=seed)
    low, high = ece_ends(seen, draws, level)
    interval = Interval(low=low, high=high, level=level, method="inverted bootstrap")
    few = groups < FEW_CLUSTERS
    return Estimate(
        name="ece", value=float(np.abs(seen).sum()), interval=None if few else interval,
        n=len(p), clusters=groups, missing=missing,
        reason=f"no interval: {groups} clusters, and {FEW_CLUSTERS} are the least" * few,
    )  # fmt: skip


def reliability_diagram(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "width",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> list[ReliabilityBin]:
    """The points of a reliability diagram: for every bin that holds verdicts.

    The interval is Wilson's at the effective sample size: verdicts of one case that err together
    count for less.

    >>> [(b.low, b.high, b.n) for b in reliability_diagram([0.1, 0.9, 0.95], [0, 1, 1], bins=2)]
    [(0.0, 0.5, 1), (0.5, 1.0, 2)]
    """
    p, y, codes, _ = _stated(confidence, correct, clusters)
    if len(p) == 0:
        return []
    edges = _edges(p, bins, binning)
    place, kept = _bin(p, edges)
    n, conf, share = _bin_means(p, y, place)
    return [
        ReliabilityBin(
            low=float(edges[k]), high=float(edges[k + 1]), n=int(n[i]), confidence=float(conf[i]),
            share=float(share[i]),
            interval=_share_interval(y[place == i], codes[place == i], level),
        )
        for i, k in enumerate(kept)
    ]  # fmt: skip


def _stated(
    confidence: ArrayLike, correct: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, Codes, int]:
    p = probabilities(confidence, "confidence")
    y = binary(correct, "correct", length=len(p))
    codes = cluster_codes(clusters, len(p))
    used = ~(np.isnan(p) | np.isnan(y))
    return p[used], y[used], codes[used], int((~used).sum())


def _edges(p: Floats, bins: int, binning: Binning) -> Floats:
    if bins < 1:
        raise InputError(f"bins must be at least 1, not {bins}")
    if binning == "width":
        # Divided, not added up: 0.3 is an edge, and 3 * 0.1 lies above it.
        return np.arange(bins + 1) / bins
    if binning == "mass":
        inner = np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1])
        return np.unique(np.concatenate([[0.0], inner, [1.0]]))
    raise InputError(f"binning {binning!r} is neither 'width' nor 'mass'")


def _bin(p: Floats, edges: Floats) -> tuple[Codes, Codes]:
    """Dense bin codes and which edge each belongs to; a value on an edge is in the upper bin."""
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    kept, dense = np.unique(place, return_inverse=True)
    return dense.astype(np.int64), kept.astype(np.int64)


def _bin_means(p: Floats, y: Floats, place: Codes) -> tuple[Floats, Floats, Floats]:
    n = np.bincount(place).astype(np.float64)
    return n, np.bincount(place, weights=p) / n, np.bincount(place, weights=y) / n


def _share_interval(y: Floats, codes: Codes, level: float) -> Interval:
    share = design_share(y, np.ones_like(y), codes, level=level)
    assert share is not None, "a bin that is shown holds a verdict"
    n = share.n_effective
    return wilson(min(share.value * n, n), n, level=level)
