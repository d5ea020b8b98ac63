"""Who gave which label to what: the input of every agreement statistic.

`Ratings` are labels on a declared `Scale`. A statistic is computed from their `Patterns`, the
distinct rows of labels, and from weights over them: B rows of weights give B values at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record

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
        positive: Indices of the positive categories; empty where there are none.
    """

    codes: Ints
    numbers: Floats
    categories: int
    positive: tuple[int, ...] = ()

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


Level = Literal["nominal", "ordinal", "interval", "continuous"]
Label = str | float | None


class Scale(Record):
    """The labels raters may give, as declared; never inferred from the labels at hand.

    Attributes:
        level: ``nominal``; ``ordinal`` (categories worst first); ``interval`` (ordered categories
            whose points can be subtracted); ``continuous`` (any number, no categories).
        categories: The labels, worst first where they have an order.
        points: What each category counts as a number; for ordinal scales 0, 1, 2, ... if left out.
        positive: The category that positive agreement and sensitivity speak of; the last of two
            if left out.
        positive_and_worse: Whether all categories that are listed before it are positive as well.

    >>> Scale(level="ordinal", categories=("0", "1", "2")).points
    (0.0, 1.0, 2.0)
    """

    level: Level
    categories: tuple[str, ...] = ()
    points: tuple[float, ...] = ()
    positive: str | None = None
    positive_and_worse: bool = False

    @model_serializer(mode="wrap")
    def _unless_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Hashes of gold labels from before this field stay what they are.
        fields: dict[str, Any] = handler(self)
        if not self.positive_and_worse:
            fields.pop("positive_and_worse", None)
        return fields

    @model_validator(mode="after")
    def _consistent(self) -> Scale:
        count = len(self.categories)
        if self.level == "continuous":
            if count or self.points or self.positive:
                raise ValueError("a continuous scale has no categories")
            return self
        if count < 2 or len(set(self.categories)) < count:
            raise ValueError("give at least two different categories")
        if self.level == "ordinal" and not self.points:
            object.__setattr__(self, "points", tuple(float(rank) for rank in range(count)))
        if self.points and len(self.points) != count:
            raise ValueError("give one number of points a category")
        if self.level == "interval" and not self.points:
            raise ValueError("an interval scale needs points")
        if self.positive is None and count == 2:
            object.__setattr__(self, "positive", self.categories[-1])
        if self.positive not in (None, *self.categories):
            raise ValueError(f"positive {self.positive!r} is no category")
        return self

    @property
    def positives(self) -> tuple[int, ...]:
        """The indices of the positive categories."""
        if self.positive is None:
            return ()
        last = self.categories.index(self.positive)
        return tuple(range(last + 1)) if self.positive_and_worse else (last,)

    def read(self, label: Label) -> float:
        """The category's index, or the number on a continuous scale; NaN for a missing label.

        Raises:
            ValueError: The label is not on the scale.

        >>> Scale(level="nominal", categories=("NO", "YES")).read("YES")
        1.0
        """
        if label is None or label == "" or (isinstance(label, float) and np.isnan(label)):
            return float("nan")
        if self.level == "continuous":
            if isinstance(label, bool) or not np.isfinite(float(label)):
                raise ValueError(f"{label!r} is not a finite number")
            return float(label)
        return float(self.categories.index(_name(label)))


def _name(label: str | float) -> str:
    """A label as text: tables hand out 2.0 where the file says 2."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


@dataclass(frozen=True, eq=False)
class Ratings:
    """Labels of several raters on the same units.

    Attributes:
        codes: Units by raters: the category's index; on a continuous scale the rank of the number
            among those that occur; -1 where the label is missing.
        numbers: The same cells as numbers (points of the category); NaN where missing, and
            everywhere on a nominal scale.
        scale: The declared scale.
        raters: The raters' names, by column.
        clusters: The cluster (case) of each unit, as an index.
        weights: The weight of each unit; 1 unless units were sampled unequally.
    """

    codes: Ints
    numbers: Floats
    scale: Scale
    raters: tuple[str, ...]
    clusters: Ints
    weights: Floats

    @classmethod
    def from_labels(
        cls,
        rows: Sequence[Sequence[Label]],
        scale: Scale,
        *,
        raters: Sequence[str] | None = None,
        clusters: Sequence[Hashable] | None = None,
        weights: ArrayLike | None = None,
    ) -> Ratings:
        """Ratings from labels: a row a unit, a column a rater, ``None`` for a missing label.

        Raises:
            InputError: A label is not on the scale, or the lengths do not fit.

        >>> yes_no = Scale(level="nominal", categories=("NO", "YES"))
        >>> Ratings.from_labels([["YES", "NO"], ["YES", None]], yes_no).codes.tolist()
        [[1, 0], [1, -1]]
        """
        read = np.array([_read_row(row, scale, n) for n, row in enumerate(rows, 1)], dtype=float)
        width = len(raters or ()) if not rows else len(rows[0])
        names = tuple(raters) if raters else tuple(f"rater {n + 1}" for n in range(width))
        groups = list(range(len(rows))) if clusters is None else list(clusters)
        heavy = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=float)
        if not (len(names) == width and len(groups) == len(rows) == len(heavy)):
            raise InputError("raters, clusters or weights do not fit the rows")
        cells = read.reshape(len(rows), width)
        return cls.from_cells(cells, scale, raters=names, clusters=indexed(groups), weights=heavy)

    @classmethod
    def from_cells(
        cls,
        cells: Floats,
        scale: Scale,
        *,
        raters: tuple[str, ...],
        clusters: Ints,
        weights: Floats,
    ) -> Ratings:
        """Ratings from labels that the scale has read: units by raters, nan for a missing label.

        Raises:
            InputError: A weight is negative or not finite.
        """
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise InputError("a weight is negative or not finite")
        codes, numbers = _encoded(cells, scale)
        return cls(codes, numbers, scale, raters, clusters, weights)

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.codes)

    @property
    def weighted(self) -> bool:
        """Whether any unit has a weight other than 1."""
        return bool((self.weights != 1).any())

    def only(self, *raters: str) -> Ratings:
        """The same units with some raters, in the order given.

        Raises:
            InputError: There is no such rater.
        """
        unknown = [name for name in raters if name not in self.raters]
        if unknown:
            raise InputError(f"no rater {unknown[0]!r}; raters are {', '.join(self.raters)}")
        columns = [self.raters.index(name) for name in raters]
        codes, numbers = self.codes[:, columns], self.numbers[:, columns]
        return replace(self, codes=codes, numbers=numbers, raters=tuple(raters))

    def take(self, chosen: NDArray[np.bool_]) -> Ratings:
        """Some of the units, chosen by a mask."""
        return replace(
            self,
            codes=self.codes[chosen],
            numbers=self.numbers[chosen],
            clusters=self.clusters[chosen],
            weights=self.weights[chosen],
        )

    @cached_property
    def _distinct(self) -> tuple[Ints, Ints, Ints]:
        # A row of codes as one number: sorted alike, at a fraction of the time and memory.
        base, width = int(self.codes.max(initial=0)) + 2, self.codes.shape[1]
        if base**width >= 2**62:
            rows, first, inverse = np.unique(
                self.codes, axis=0, return_index=True, return_inverse=True
            )
            return rows, first, inverse.reshape(-1)
        place = base ** np.arange(width - 1, -1, -1, dtype=np.int64)
        _, first, inverse = np.unique(
            (self.codes + 1) @ place, return_index=True, return_inverse=True
        )
        return self.codes[first], first, inverse.reshape(-1)

    @cached_property
    def patterns(self) -> Patterns:
        """The distinct rows of labels: what statistics are computed from."""
        rows, first, _ = self._distinct
        scale = self.scale
        return Patterns(rows, self.numbers[first], len(scale.categories), scale.positives)

    @property
    def pattern_of_unit(self) -> Ints:
        """For each unit the row of `patterns` it shows."""
        return self._distinct[2]

    @property
    def pattern_weights(self) -> Floats:
        """The total weight of each pattern: one row, as statistics take it."""
        width = len(self.patterns.codes)
        totals = np.bincount(self.pattern_of_unit, self.weights, minlength=width)
        return totals[None, :].astype(np.float64)


def _read_row(row: Sequence[Label], scale: Scale, number: int) -> list[float]:
    cells = []
    for label in row:
        try:
            cells.append(scale.read(label))
        except ValueError as error:
            remedy = f"Labels are: {', '.join(scale.categories) or 'finite numbers'}"
            raise InputError(f"label {label!r}", remedy=remedy, row=number) from error
    return cells


def _encoded(cells: Floats, scale: Scale) -> tuple[Ints, Floats]:
    known = ~np.isnan(cells)
    codes = np.full(cells.shape, -1, dtype=np.int64)
    numbers = np.full(cells.shape, np.nan)
    if scale.level == "continuous":
        codes[known] = np.unique(cells[known], return_inverse=True)[1].reshape(-1)
        numbers = cells
    else:
        codes[known] = cells[known].astype(np.int64)
        if scale.points:
            numbers[known] = np.asarray(scale.points)[codes[known]]
    return codes, numbers


def indexed(names: Sequence[Hashable]) -> Ints:
    """Names as 0, 1, 2, ... in the order in which they first appear."""
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([index[name] for name in names], dtype=np.int64)
