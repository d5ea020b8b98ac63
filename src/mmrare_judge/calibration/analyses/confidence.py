"""A stated confidence beside what came true of it.

Does 0.8 mean right in eight of ten (calibration error, reliability diagram); what is the confidence
worth (Brier score, log loss); and from which confidence on may the judge decide alone (risk against
coverage, a guaranteed threshold). Throughout ``confidence`` is a stated probability, nan where the
judge stated none; ``correct`` is 1 where the verdict was that of the gold, 0 where not, nan without
gold; ``clusters`` names the case of each unit, and ``level`` is nominal coverage. Units without
confidence or gold are left out and counted.
"""

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
from mmrare_judge.calibration.statistics.proportions import design_share, upper_limit, wilson
from mmrare_judge.calibration.statistics.regression import clustered_mean
from mmrare_judge.errors import ConfigError, InputError
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
    return _complete(probabilities(confidence, "confidence"), correct, clusters)


def _complete(
    p: Floats, correct: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, Codes, int]:
    y = binary(correct, "correct", length=len(p))
    codes = cluster_codes(clusters, len(p))
    used = ~(np.isnan(p) | np.isnan(y))
    return p[used], y[used], codes[used], int((~used).sum())


# --- bins of stated confidence, of equal width or equal mass

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


# --- the expected calibration error, and an interval for it, which chance keeps above 0

_HALVINGS = 30


def bin_gaps(
    gaps: Floats, place: Codes, codes: Codes, *, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """Mean gap that each bin adds, ``n_k (p_k - y_k) / n``: of the sample, and of resamples.

    ``gaps`` is confidence minus outcome, ``place`` the bin of each unit, 0, 1, 2, ... without gaps.

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
    error seen may be chance alone. Clusters are resampled. Bins of equal mass may end up fewer than
    ``bins`` where values are tied.

    >>> result = expected_calibration_error([0.9] * 10, [1] * 7 + [0] * 3)
    >>> round(result.value, 4)
    0.2
    """
    p, y, codes, missing = stated(confidence, correct, clusters)
    groups = count_clusters(codes)
    blank = Estimate(name="ece", value=None, n=len(p), clusters=groups, missing=missing)
    if len(p) == 0:
        return blank.model_copy(update={"reason": "no unit has both values"})
    place, _ = placed(p, bin_edges(p, bins, binning))
    seen, draws = bin_gaps(p - y, place, codes, resamples=resamples, seed=seed)
    found = blank.model_copy(update={"value": float(np.abs(seen).sum())})
    if groups < FEW_CLUSTERS:
        reason = f"no interval: {groups} clusters, and {FEW_CLUSTERS} are the least"
        return found.model_copy(update={"reason": reason})
    low, high = ece_ends(seen, draws, level)
    interval = Interval(low=low, high=high, level=level, method="inverted bootstrap")
    return found.model_copy(update={"interval": interval})


# --- the reliability diagram: how often verdicts of a stated confidence were right


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
    return wilson(share.events, share.n_effective, level=level)


# --- proper scores: Brier's with its parts, and the log loss


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

    >>> result = brier_score([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 1])
    >>> round(result.score.value, 4), round(result.uncertainty, 4)
    (0.21, 0.1875)
    """
    p, y, codes, missing = stated(confidence, correct, clusters)
    score = clustered_mean(
        "brier", (p - y) ** 2, codes, low=0, high=1, level=level, missing=missing
    ).estimate
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
    return clustered_mean(
        "log_loss", -np.log(given), codes, low=0, level=level, missing=missing
    ).estimate


# --- risk against coverage, and a threshold that is guaranteed

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
    p, right, _, _ = _complete(floats(confidence, "confidence"), correct, None)
    n, wrong = len(p), 1 - right
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
    p, right, codes, _ = _complete(floats(confidence, "confidence"), correct, clusters)
    wrong = 1 - right
    shuffled = np.random.default_rng(seed).permutation(np.unique(codes))
    tuning = np.isin(codes, shuffled[: round(tuning_share * len(shuffled))])
    order = _order(p[tuning], wrong[tuning], codes[tuning], level)
    held = ~tuning
    blank = Threshold(value=None, max_risk=max_risk, level=level, held_out=int(held.sum()))
    if not order or blank.held_out == 0:
        reason = f"{count_clusters(codes)} clusters with confidence and gold cannot be split"
        return blank.model_copy(update={"reason": reason})
    confirmed = None
    for value in order:
        seen = _seen(p[held], wrong[held], codes[held], value, blank)
        if seen.bound is None or seen.bound > max_risk:
            return confirmed or seen
        confirmed = seen.model_copy(update={"value": value, "reason": ""})
    return confirmed or blank


def _seen(p: Floats, wrong: Floats, codes: Codes, value: float, blank: Threshold) -> Threshold:
    """What the held-out part shows at a threshold, with the reason should it not be enough."""
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


def _order(p: Floats, wrong: Floats, codes: Codes, level: float) -> list[float]:
    """Thresholds falling from the one with the least upper limit of the risk."""
    values = np.unique(p)
    places = np.linspace(0, len(values) - 1, min(len(values), STEPS)).round().astype(int)
    values = values[places]
    limits = [_bound(wrong[kept], codes[kept], level) for kept in (p >= v for v in values)]
    if not limits:
        return []
    start = len(limits) - 1 - int(np.argmin(np.array(limits[::-1], dtype=np.float64)))
    return [float(value) for value in values[start::-1]]


def _bound(wrong: Floats, codes: Codes, level: float) -> float | None:
    share = design_share(wrong, np.ones_like(wrong), codes, level=level)
    if share is None:
        return None
    return upper_limit(share.events, share.n_effective, level=level)
