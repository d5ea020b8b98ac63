"""Distinct rows of labels and sums over them: the arithmetic that all statistics share.

A statistic takes `Patterns` (P distinct rows of labels) and weights (B by P: how much of each row
there is, for B samples at a time) and returns B values, NaN where it is undefined. The sample at
hand is B = 1; a bootstrap is B = thousands, without a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmrare_judge.calibration.vectors import Floats

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TINY = 1e-12
"""A denominator below this is zero: what is left of one minus one after rounding."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """Distinct rows of labels.

    Attributes:
        codes: Patterns by raters: category indices, -1 for missing.
        numbers: The same cells as numbers, NaN for missing or without number.
        categories: How many categories the scale declares; 0 on a continuous scale.
        positive: Index of the positive category, where there is one.
    """

    codes: Ints
    numbers: Floats
    categories: int
    positive: int | None = None

    @cached_property
    def known(self) -> Bools:
        """Where there is a label."""
        return self.codes >= 0

    @cached_property
    def labels(self) -> Ints:
        """Labels in each pattern."""
        return np.asarray(self.known.sum(axis=1), dtype=np.int64)

    @cached_property
    def complete(self) -> Bools:
        """Patterns in which no label is missing."""
        return np.asarray(self.known.all(axis=1))

    @cached_property
    def one_hot(self) -> Floats:
        """Patterns by raters by categories: 1 where the rater gave the category."""
        grid = self.codes[:, :, None] == np.arange(self.categories)
        return np.asarray(grid, dtype=np.float64)

    @cached_property
    def counts(self) -> Floats:
        """Patterns by categories: how many raters gave the category."""
        return np.asarray(self.one_hot.sum(axis=1))

    @cached_property
    def cells(self) -> Floats:
        """Patterns by cells of the table of the first two raters: 1 in the pattern's cell."""
        first, second = self.one_hot[:, 0, :], self.one_hot[:, 1, :]
        table = np.einsum("pk,pl->pkl", first, second)
        return np.asarray(table.reshape(len(self.codes), self.categories**2))

    @cached_property
    def centred(self) -> Floats:
        """The numbers less their middle, against cancellation in sums of squares."""
        some = np.isfinite(self.numbers)
        return np.asarray(self.numbers - (self.numbers[some].mean() if some.any() else 0.0))


Compute = Callable[[Patterns, Floats], Floats]


def joint(patterns: Patterns, weights: Floats) -> Floats:
    """B tables of the first rater (rows) by the second (columns); incomplete pairs left out."""
    size = patterns.categories
    return (weights @ patterns.cells).reshape(len(weights), size, size)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Division that gives NaN, in silence, where the denominator is zero.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=np.abs(denominator) > TINY)
    return out


def beyond_chance(observed: Floats, expected: Floats) -> Floats:
    """``(observed - expected) / (1 - expected)``: agreement beyond chance, as a share."""
    return ratio(observed - expected, 1 - expected)


def similarity(size: int, kind: str) -> Floats:
    """How alike two categories count, 1 on the diagonal.

    ``identity``: 0 elsewhere; ``linear``: ``1 - |i - j| / (K - 1)``; ``quadratic``:
    ``1 - (i - j)² / (K - 1)²``, i and j being ranks.

    >>> similarity(3, "linear").tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]
    """
    ranks = np.arange(size)
    apart = np.abs(ranks[:, None] - ranks[None, :]) / (size - 1)
    match kind:
        case "identity":
            return np.eye(size)
        case "linear":
            return np.asarray(1 - apart)
        case "quadratic":
            return np.asarray(1 - apart**2)
    raise ValueError(f"unknown weights {kind!r}; known are identity, linear, quadratic")
