"""What a rater is compared with: every other rater in turn, or the others taken together.

The judge and each clinician are measured against the very same references on the very same units,
so that the one number can be read beside the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Patterns
from mmrare_judge.calibration.statistics.table import Statistic

Ties = Literal["drop", "split"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two columns made from rows of labels: someone's label, and the reference's.

    Attributes:
        patterns: The two columns.
        source: For each row the pattern it came from.
        fraction: How much of that pattern's weight it carries.
    """

    patterns: Patterns
    source: Ints
    fraction: Floats

    def value(self, row: Statistic, weights: Floats) -> Floats:
        """A statistic of the two columns, from weights over the patterns they came from."""
        return row.compute(self.patterns, weights[:, self.source] * self.fraction)


def against(
    patterns: Patterns, rater: int, other: int, *, among: Bools | None = None
) -> Comparison:
    """One rater against another, both by column; only ``among`` some of the rows, if given."""
    both = patterns.known[:, rater] & patterns.known[:, other]
    rows = np.flatnonzero(both if among is None else both & among)
    return Comparison(_columns(patterns, rows, rater, other), rows, np.ones(len(rows)))


def against_others(
    patterns: Patterns, rater: int, left_out: int, others: Sequence[int], *, ties: Ties, also: int
) -> Comparison:
    """One rater against the others taken together.

    Categories: the majority of the others' labels. A tie between the most frequent categories is
    left out (``drop``), or counts in equal parts for each of them (``split``). Dropping favours
    everyone: what stays are the easy units. Numbers on a continuous scale: the others' mean.

    Args:
        patterns: The rows of labels.
        rater: The rater that is measured, by column.
        left_out: The clinician who is not part of the reference.
        others: The columns that form the reference.
        ties: What is done with a tie.
        also: A column that must have a label too, so that two raters share their units.
    """
    needed = patterns.known[:, rater] & patterns.known[:, left_out] & patterns.known[:, also]
    rows = np.flatnonzero(needed & patterns.known[:, others].any(axis=1))
    if not patterns.categories:
        return _against_mean(patterns, rows, rater, others)
    counts = patterns.one_hot[rows][:, others, :].sum(axis=1)
    leading = counts == counts.max(axis=1, keepdims=True, initial=0)
    tied = leading.sum(axis=1)
    if ties == "drop":
        leading &= (tied == 1)[:, None]
    place, category = np.nonzero(leading)
    numbers = _points(patterns)[category]
    codes = np.column_stack([patterns.codes[rows[place], rater], category])
    values = np.column_stack([patterns.numbers[rows[place], rater], numbers])
    made = Patterns(codes, values, patterns.categories, patterns.positive)
    return Comparison(made, rows[place], 1.0 / tied[place])


def _against_mean(patterns: Patterns, rows: Ints, rater: int, others: Sequence[int]) -> Comparison:
    mean = np.nanmean(patterns.numbers[rows][:, others], axis=1)
    values = np.column_stack([patterns.numbers[rows, rater], mean])
    # Codes only say where a label is: statistics of numbers rank the numbers themselves.
    codes = np.zeros(values.shape, dtype=np.int64)
    return Comparison(Patterns(codes, values, 0), rows, np.ones(len(rows)))


def _columns(patterns: Patterns, rows: Ints, rater: int, other: int) -> Patterns:
    codes, numbers = patterns.codes[rows], patterns.numbers[rows]
    columns = [rater, other]
    return Patterns(codes[:, columns], numbers[:, columns], patterns.categories, patterns.positive)


def _points(patterns: Patterns) -> Floats:
    """The number each category counts as, read off the labels; NaN for one that never occurs."""
    points = np.full(patterns.categories, np.nan)
    points[patterns.codes[patterns.known]] = patterns.numbers[patterns.known]
    return points
