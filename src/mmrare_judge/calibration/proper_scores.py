"""What a stated confidence is worth, by proper scores: Brier's with its parts, and the log loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.confidence import stated
from mmrare_judge.calibration.confidence_bins import bin_edges, bin_means, placed
from mmrare_judge.calibration.statistics.estimate import Estimate, count_clusters
from mmrare_judge.calibration.statistics.regression import clustered_mean, cut
from mmrare_judge.records import Record


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
    score = cut(clustered_mean("brier", (p - y) ** 2, codes, level=level).estimate, low=0, high=1)
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
    return cut(loss, low=0).model_copy(update={"missing": missing})
