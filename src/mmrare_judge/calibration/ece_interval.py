"""An interval for the expected calibration error, which chance alone keeps above 0."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Codes, Floats, count_clusters, two_sided

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
