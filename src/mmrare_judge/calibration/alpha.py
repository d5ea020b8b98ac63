"""Krippendorff's alpha: nominal, ordinal, interval; any raters, missing labels allowed."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.patterns import Patterns, ratio
from mmrare_judge.calibration.vectors import Floats


def coincidences(patterns: Patterns, weights: Floats) -> Floats:
    """B tables of values paired within units.

    ``o_ck = sum_u n_uc (n_uk - [c = k]) / (m_u - 1)`` over units u with m_u >= 2 labels. Units
    with one label count for nothing, neither here nor in the margins n_c.
    """
    counts, labels = patterns.counts, patterns.labels
    pairs = np.einsum("pc,pk->pck", counts, counts)
    pairs -= counts[:, :, None] * np.eye(patterns.categories)
    pairs /= np.maximum(labels - 1, 1)[:, None, None]
    pairs[labels < 2] = 0
    size = patterns.categories
    return np.asarray((weights @ pairs.reshape(len(counts), size**2)).reshape(-1, size, size))


def alpha_nominal(patterns: Patterns, weights: Floats) -> Floats:
    """Krippendorff's alpha where categories are equal or not.

    ``1 - D_o / D_e``, ``D_o = sum o_ck d_ck / n``, ``D_e = sum n_c n_k d_ck / (n (n - 1))``,
    ``d_ck = [c != k]``. Undefined where all pairable labels are the same.

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability.
    """
    table = coincidences(patterns, weights)
    apart = np.broadcast_to(1 - np.eye(patterns.categories), table.shape)
    return _alpha(table, apart)


def alpha_ordinal(patterns: Patterns, weights: Floats) -> Floats:
    """Krippendorff's alpha where only the order of categories counts.

    As `alpha_nominal`, with ``d_ck = (sum_{g=c..k} n_g - (n_c + n_k) / 2)²``: how many labels
    stand between two categories. Source: Krippendorff (2011).
    """
    table = coincidences(patterns, weights)
    margin = table.sum(axis=2)
    middle = margin.cumsum(axis=1) - margin / 2
    return _alpha(table, (middle[:, :, None] - middle[:, None, :]) ** 2)


def _alpha(table: Floats, apart: Floats) -> Floats:
    margin = table.sum(axis=2)
    chance = margin[:, :, None] * margin[:, None, :]
    observed = (table * apart).sum(axis=(1, 2))
    expected = (chance * apart).sum(axis=(1, 2))
    return 1 - ratio((margin.sum(axis=1) - 1) * observed, expected)


def alpha_interval(patterns: Patterns, weights: Floats) -> Floats:
    """Krippendorff's alpha where differences of points count.

    As `alpha_nominal`, with ``d_ck = (v_c - v_k)²``; computed from sums and sums of squares, so
    that it serves continuous labels too. Source: Krippendorff (2011).
    """
    used = patterns.known & (patterns.labels >= 2)[:, None]
    numbers = np.where(used, patterns.centred, 0.0)
    count, total, square = used.sum(axis=1), numbers.sum(axis=1), (numbers**2).sum(axis=1)
    within = 2 * (count * square - total**2) / np.maximum(count - 1, 1)
    n, first, second = weights @ count, weights @ total, weights @ square
    return 1 - ratio((n - 1) * (weights @ within), 2 * (n * second - first**2))
