"""Does a confidence of 0.8 mean right in eight of ten: the expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.confidence import stated
from mmrare_judge.calibration.confidence_bins import Binning, bin_edges, placed
from mmrare_judge.calibration.ece_interval import bin_gaps, ece_ends
from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Estimate,
    Interval,
    count_clusters,
)


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
