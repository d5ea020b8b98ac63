"""Two raters' numbers: differences, limits of agreement, rank correlations."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.patterns import Ints, Patterns, ratio
from mmrare_judge.calibration.vectors import Floats

_BLOCK = 1000


def _differences(patterns: Patterns) -> Floats:
    """First minus second; zero, to be given no weight, where a label is missing."""
    apart = patterns.numbers[:, 0] - patterns.numbers[:, 1]
    return np.where(patterns.complete, apart, 0.0)


def mean_absolute_error(patterns: Patterns, weights: Floats) -> Floats:
    """``mean |first - second|``; pairs with a missing label are left out."""
    return ratio(weights @ np.abs(_differences(patterns)), weights @ patterns.complete)


def leniency(patterns: Patterns, weights: Floats) -> Floats:
    """``mean (first - second)``: above zero, the first rater gives more than the second."""
    return ratio(weights @ _differences(patterns), weights @ patterns.complete)


def limit_of_agreement(patterns: Patterns, weights: Floats, *, side: int) -> Floats:
    """``mean difference + side * 1.96 SD``: between side -1 and 1 lie 95 % of differences.

    SD with ``n - 1``; undefined for fewer than two pairs. Holds as far as differences are roughly
    normal, alike over the range, and independent. Source: Bland and Altman (1986).
    """
    apart, n = _differences(patterns), weights @ patterns.complete
    mean = ratio(weights @ apart, n)
    square = weights @ apart**2 - n * mean**2
    return mean + side * 1.96 * np.sqrt(np.maximum(ratio(square, n - 1), 0))


def spearman(patterns: Patterns, weights: Floats) -> Floats:
    """Spearman's rho: Pearson's correlation of ranks, ties at their middle rank.

    Undefined where a rater's numbers do not vary. Source: Spearman (1904).
    """
    used = weights[:, patterns.complete]
    first, second = (_middle_ranks(used, codes) for codes in _ranked(patterns))
    n = used.sum(axis=1)[:, None]
    first = first - ratio((used * first).sum(axis=1)[:, None], n)
    second = second - ratio((used * second).sum(axis=1)[:, None], n)
    spread = (used * first**2).sum(axis=1) * (used * second**2).sum(axis=1)
    return ratio((used * first * second).sum(axis=1), np.sqrt(spread))


def kendall_tau_b(patterns: Patterns, weights: Floats) -> Floats:
    """Kendall's tau-b: concordant minus discordant pairs of units, corrected for ties.

    ``S / sqrt((n0 - n1) (n0 - n2))``: n0 pairs, n1 and n2 of them tied for one rater. Undefined
    where a rater's numbers do not vary. Source: Kendall (1945).
    """
    used = weights[:, patterns.complete]
    first, second = _ranked(patterns)
    n = used.sum(axis=1)
    untied = [n**2 - (_grouped(used, codes) ** 2).sum(axis=1) for codes in (first, second)]
    return ratio(_concordance(used, first, second), np.sqrt(untied[0] * untied[1]))


def _ranked(patterns: Patterns) -> list[Ints]:
    """Both raters' numbers, complete pairs only, as indices of the ordered distinct numbers."""
    numbers = patterns.numbers[patterns.complete]
    return [np.unique(numbers[:, k], return_inverse=True)[1].reshape(-1) for k in (0, 1)]


def _grouped(weights: Floats, codes: Ints) -> Floats:
    """Weights summed over equal codes; codes are 0, 1, 2, ... without gaps."""
    if not len(codes):
        return np.zeros((len(weights), 0))
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    return np.asarray(np.add.reduceat(weights[:, order], starts, axis=1))


def _middle_ranks(weights: Floats, codes: Ints) -> Floats:
    """The middle rank of each pattern, up to a constant."""
    groups = _grouped(weights, codes)
    return np.asarray((groups.cumsum(axis=1) - groups / 2)[:, codes])


def _concordance(weights: Floats, first: Ints, second: Ints) -> Floats:
    """``sum_ij w_i w_j sign(x_i - x_j) sign(y_i - y_j)``, a block of columns at a time."""
    total = np.zeros(len(weights))
    for start in range(0, len(first), _BLOCK):
        block = slice(start, start + _BLOCK)
        signs = np.sign(first[:, None] - first[None, block])
        signs = signs * np.sign(second[:, None] - second[None, block])
        total += ((weights @ signs.astype(np.float64)) * weights[:, block]).sum(axis=1)
    return total
