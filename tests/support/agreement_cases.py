"""Published tables of labels, and small things that tests of agreement need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale

YES_NO = Scale(level="nominal", categories=("NO", "YES"), points=(0.0, 1.0))
FIVE = Scale(level="interval", categories=tuple("12345"), points=(1, 2, 3, 4, 5))
GRADED = Scale(level="interval", categories=("0", "1", "2", "3"), points=(0, 1, 2, 4))
NUMBERS = Scale(level="continuous")

OBSERVERS = [
    "1 2 3 3 2 1 4 1 2 . . .".split(),
    "1 2 3 3 2 2 4 1 2 5 . 3".split(),
    ". 3 3 3 2 3 4 2 2 5 1 .".split(),
    "1 2 3 3 2 4 4 1 2 5 1 .".split(),
]


def from_columns(columns: Sequence[Sequence[str]], scale: Scale) -> Ratings:
    """Labels from a column a rater; a dot is a missing label."""
    units = zip(*columns, strict=True)
    rows = [[None if cell == "." else cell for cell in row] for row in units]
    return Ratings.from_labels(rows, scale)


KRIPPENDORFF = from_columns(OBSERVERS, FIVE)
"""Krippendorff (2011), section C: 4 observers, 12 units, 41 labels."""

GWET = from_columns(
    [OBSERVERS[0], [*OBSERVERS[1][:11], "."], [*OBSERVERS[2][:11], "3"], OBSERVERS[3]], FIVE
)
"""Gwet's cac.raw4raters: the same, but for the rater of the last unit's only label (9, 10, 11 and
11 labels a rater in irrCAC's output); that matters to Conger's kappa alone."""

FLEISS = Ratings.from_labels(
    [
        list(row)
        for row in (
            "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 "
            "144444 124444 222333 144444 224445 333335 111455 111112 224444 133555 "
            "555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"
        ).split()
    ],
    Scale(level="nominal", categories=tuple("12345")),
)
"""Fleiss (1971), table 1: 30 patients, 6 psychiatrists each, 5 diagnoses."""

SHROUT_FLEISS = Ratings.from_labels(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], NUMBERS
)
"""Shrout and Fleiss (1979), table 2: 6 targets, 4 judges."""

WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
PEAK_FLOW = Ratings.from_labels(list(zip(WRIGHT, MINI, strict=True)), NUMBERS)
"""Bland and Altman (1986), table 1: peak flow by two meters, first readings, 17 people."""


def from_table(table: Sequence[Sequence[int]], scale: Scale) -> Ratings:
    """Two raters' labels from their cross table, first rater in rows."""
    rows: list[list[Label]] = []
    for first, counts in zip(scale.categories, table, strict=True):
        for second, count in zip(scale.categories, counts, strict=True):
            rows += [[first, second]] * count
    return Ratings.from_labels(rows, scale)


def random_labels(
    scale: Scale, *, raters: int, seed: int, units: int = 40, missing: float = 0.15
) -> Ratings:
    """Raters who agree about half of the time, some labels missing, five units a case."""
    random = np.random.default_rng(seed)
    choices: list[Label] = list(scale.categories) or [float(n) for n in range(12)]
    truth = random.integers(0, len(choices), (units, 1))
    guess = random.integers(0, len(choices), (units, raters))
    codes = np.where(random.random((units, raters)) < 0.5, truth, guess)
    absent = random.random((units, raters)) < missing
    rows = [
        [None if lost else choices[code] for code, lost in zip(*row, strict=True)]
        for row in zip(codes.tolist(), absent.tolist(), strict=True)
    ]
    return Ratings.from_labels(rows, scale, clusters=[unit // 5 for unit in range(units)])
