"""A stated confidence beside what came true of it, checked and without what is missing."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Codes,
    Estimate,
    Floats,
    Interval,
    binary,
    cluster_codes,
    count_clusters,
    floats,
    two_sided,
)
from mmrare_judge.calibration.statistics.proportions import design_share, wilson
from mmrare_judge.calibration.statistics.regression import clustered_mean, without_column
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record


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


def stated(
    confidence: ArrayLike, correct: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, Codes, int]:
    """Confidences, outcomes and cluster codes of the units with both values, and how many have not.

    >>> p, y, codes, missing = stated([0.9, None, 0.2], [1, 1, 0], None)
    >>> p.tolist(), y.tolist(), missing
    ([0.9, 0.2], [1.0, 0.0], 1)
    """
    p = probabilities(confidence, "confidence")
    y = binary(correct, "correct", length=len(p))
    codes = cluster_codes(clusters, len(p))
    used = ~(np.isnan(p) | np.isnan(y))
    return p[used], y[used], codes[used], int((~used).sum())


# FOLDED calibration.confidence_bins: Bins of stated confidence, of equal width or equal mass.

Binning = Literal["width", "mass"]


def bin_edges(p: Floats, bins: int, binning: Binning) -> Floats:
    """The edges of the bins from 0 to 1; equal masses may give fewer bins where values are tied.

    Raises:
        InputError: There is no bin, or the way of binning is unknown.

    >>> bin_edges(np.array([0.1, 0.2, 0.6, 0.9]), 2, "mass").tolist()
    [0.0, 0.4, 1.0]
    """
    if bins < 1:
        raise InputError(f"bins must be at least 1, not {bins}")
    if binning == "width":
        # Divided, not added up: 0.3 is an edge, and 3 * 0.1 lies above it.
        return np.arange(bins + 1) / bins
    if binning == "mass":
        inner = np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1])
        return np.unique(np.concatenate([[0.0], inner, [1.0]]))
    raise InputError(f"binning {binning!r} is neither 'width' nor 'mass'")


def placed(p: Floats, edges: Floats) -> tuple[Codes, Codes]:
    """Dense bin codes and which edge each belongs to; a value on an edge is in the upper bin."""
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    kept, dense = np.unique(place, return_inverse=True)
    return dense.astype(np.int64), kept.astype(np.int64)


def bin_means(p: Floats, y: Floats, place: Codes) -> tuple[Floats, Floats, Floats]:
    """Of each bin: how many, their mean confidence, and the share of right ones among them."""
    n = np.bincount(place).astype(np.float64)
    return n, np.bincount(place, weights=p) / n, np.bincount(place, weights=y) / n


# FOLDED calibration.ece_interval: An interval for the expected calibration error, which chance alone keeps above 0.

_HALVINGS = 30


def bin_gaps(
    gaps: Floats, place: Codes, codes: Codes, *, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """Mean gap that each bin adds, ``n_k (p_k - y_k) / n``: of the sample, and of resamples.

    Args:
        gaps: Confidence minus outcome of each unit.
        place: The bin of each, 0, 1, 2, ... without gaps.
        codes: The cluster of each; clusters are resampled.
        resamples: How many resamples.
        seed: Of the draws.

    >>> gaps, place = np.array([0.1, -0.9, 0.2]), np.array([0, 0, 1])
    >>> bin_gaps(gaps, place, np.arange(3), resamples=10, seed=0)[0].round(4).tolist()
    [-0.2667, 0.0667]
    """
    dense = np.unique(codes, return_inverse=True)[1]
    groups = count_clusters(codes)
    table = np.zeros((groups, int(place.max()) + 1))
    np.add.at(table, (dense, place), gaps)
    sizes = np.bincount(dense).astype(np.float64)
    random, draws = np.random.default_rng(seed), []
    # A hundred resamples at a time keep the weights of 10,000 clusters within a few megabytes.
    for start in range(0, resamples, 100):
        count = min(100, resamples - start)
        times = random.multinomial(groups, np.full(groups, 1 / groups), size=count)
        draws.append((times @ table) / (times @ sizes)[:, None])
    return table.sum(axis=0) / len(gaps), np.concatenate(draws)


def ece_ends(seen: Floats, draws: Floats, level: float) -> tuple[float, float]:
    """Both ends of an interval for ``ECE = sum |g_k|``, g_k the gap that bin k adds.

    Noise z, the resampled gaps minus those seen, adds to every bin's absolute gap, the more the
    smaller the gap: percentiles of the resampled ECE never reach down to 0. So the lower end is
    found by asking which true error could show the one seen: the least t at which
    ``sum |t g_k / ECE + z_k|`` reaches ``ECE`` in more than ``(1 - level) / 2`` of the draws. The
    upper end is ``ECE`` plus the upper quantile of ``sum sign(g_k) z_k``: noise at fixed signs. As
    the error seen runs too high, this end is on the safe side.

    >>> ece_ends(np.array([0.3]), np.array([[0.2], [0.3], [0.4]]), 0.9)[1] <= 0.4
    True
    """
    error, noise = float(np.abs(seen).sum()), draws - seen
    tail = 1 - two_sided(level)
    high = error + float(np.quantile(noise @ np.sign(seen), 1 - tail))
    low, above = 0.0, error
    if error == 0 or _reaches(0.0, seen, noise, error) > tail:
        return 0.0, min(1.0, max(high, error))
    for _ in range(_HALVINGS):
        middle = (low + above) / 2
        if _reaches(middle / error, seen, noise, error) > tail:
            above = middle
        else:
            low = middle
    return above, min(1.0, max(high, error))


def _reaches(scale: float, seen: Floats, noise: Floats, error: float) -> float:
    """The share of draws in which gaps of that scale, with noise, show the error or more."""
    shown = np.abs(scale * seen + noise).sum(axis=1)
    return float((shown >= error * (1 - 1e-12)).mean())


# FOLDED calibration.calibration_error: Does a confidence of 0.8 mean right in eight of ten: the expected calibration error.


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
    p, y, codes, missing = stated(confidence, correct, clusters)
    groups = count_clusters(codes)
    if len(p) == 0:
        reason = "no unit has both values"
        return Estimate(name="ece", value=None, n=0, clusters=0, missing=missing, reason=reason)
    place, _ = placed(p, bin_edges(p, bins, binning))
    seen, draws = bin_gaps(p - y, place, codes, resamples=resamples, seed=seed)
    low, high = ece_ends(seen, draws, level)
    interval = Interval(low=low, high=high, level=level, method="inverted bootstrap")
    few = groups < FEW_CLUSTERS
    return Estimate(
        name="ece", value=float(np.abs(seen).sum()), interval=None if few else interval,
        n=len(p), clusters=groups, missing=missing,
        reason=f"no interval: {groups} clusters, and {FEW_CLUSTERS} are the least" * few,
    )  # fmt: skip


# FOLDED calibration.reliability: The points of a reliability diagram: how often verdicts of a stated confidence were right.


class ReliabilityBin(Record):
    """One point of the reliability diagram.

    Attributes:
        low: Lower edge of the bin.
        high: Its upper edge.
        n: Verdicts in it.
        confidence: Their mean confidence.
        share: The share of right ones among them.
        interval: Wilson's interval of that share.
    """

    low: float
    high: float
    n: int
    confidence: float
    share: float
    interval: Interval


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
    p, y, codes, _ = stated(confidence, correct, clusters)
    if len(p) == 0:
        return []
    edges = bin_edges(p, bins, binning)
    place, kept = placed(p, edges)
    n, conf, share = bin_means(p, y, place)
    return [
        ReliabilityBin(
            low=float(edges[k]), high=float(edges[k + 1]), n=int(n[i]), confidence=float(conf[i]),
            share=float(share[i]),
            interval=_share_interval(y[place == i], codes[place == i], level),
        )
        for i, k in enumerate(kept)
    ]  # fmt: skip


def _share_interval(y: Floats, codes: Codes, level: float) -> Interval:
    share = design_share(y, np.ones_like(y), codes, level=level)
    assert share is not None, "a bin that is shown holds a verdict"
    n = share.n_effective
    return wilson(min(share.value * n, n), n, level=level)


# FOLDED calibration.proper_scores: What a stated confidence is worth, by proper scores: Brier's with its parts, and the log loss.


class BrierScore(Record):
    """The Brier score and its parts: ``score = reliability - resolution + uncertainty + within``.

    Attributes:
        score: Mean squared difference of confidence and outcome, with its interval.
        reliability: How far the bins' confidence is from their share of right verdicts; 0 is best.
        resolution: How far the bins' shares are from the overall share; more is better.
        uncertainty: ``p (1 - p)`` of the overall share; no merit of the judge.
        within: What the bins hide; 0 where every confidence value has its own bin.
    """

    score: Estimate
    reliability: float | None = None
    resolution: float | None = None
    uncertainty: float | None = None
    within: float | None = None


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
    p, y, codes, missing = stated(confidence, correct, clusters)
    score = without_column(
        clustered_mean("brier", (p - y) ** 2, codes, level=level).estimate, low=0, high=1
    )
    score = score.model_copy(update={"missing": missing})
    if score.value is None:
        return BrierScore(score=score)
    place = np.unique(p, return_inverse=True)[1]
    if bins is not None:
        place = placed(p, bin_edges(p, bins, "width"))[0]
    n, conf, share = bin_means(p, y, place)
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
    p, y, codes, missing = stated(confidence, correct, clusters)
    given = np.where(y == 1, p, 1 - p)
    sure = int((given == 0).sum())
    if sure:
        reason = f"{sure} verdicts were certain and wrong: the log loss is infinite"
        groups = count_clusters(codes)
        return Estimate(
            name="log_loss", value=None, n=len(p), clusters=groups, missing=missing, reason=reason
        )
    loss = clustered_mean("log_loss", -np.log(given), codes, level=level).estimate
    return without_column(loss, low=0).model_copy(update={"missing": missing})
