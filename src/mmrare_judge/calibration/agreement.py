"""Agreement statistics with all that belongs to them: value, interval, n, clusters, missing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mmrare_judge.calibration.bootstrap import (
    RESAMPLING,
    Functional,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.estimate import Estimate, Interval
from mmrare_judge.calibration.patterns import Bools
from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.statistic import Statistic, Uses
from mmrare_judge.calibration.statistics_table import STATISTICS, statistic
from mmrare_judge.calibration.suitability import unsuited


def estimate(
    ratings: Ratings, name: str, *, resampling: Resampling | None = RESAMPLING
) -> Estimate:
    """One statistic; see `estimates`.

    >>> from mmrare_judge.calibration.ratings import Scale
    >>> scale = Scale(level="nominal", categories=("NO", "YES"))
    >>> pairs = [["YES", "YES"]] * 40 + [["YES", "NO"]] * 9 + [["NO", "YES"]] * 6
    >>> ratings = Ratings.from_labels(pairs + [["NO", "NO"]] * 45, scale)
    >>> round(estimate(ratings, "cohen_kappa").value, 2)
    0.7
    """
    return estimates(ratings, [name], resampling=resampling)[name]


def estimates(
    ratings: Ratings,
    names: Sequence[str] | None = None,
    *,
    resampling: Resampling | None = RESAMPLING,
) -> dict[str, Estimate]:
    """Several statistics of the same ratings, with intervals from the same resamples.

    Args:
        ratings: Who gave which label. Where order matters (sensitivity, leniency), the first
            rater is the judge and the second the reference.
        names: Statistics by their name in the table; all that suit the ratings if left out.
        resampling: How intervals are made; ``None`` for none.

    Raises:
        InputError: There is no statistic of that name.
    """
    if names is None:
        rows = [row for row in STATISTICS.values() if not unsuited(row, ratings)]
    else:
        rows = [statistic(name) for name in names]
    suited = [row for row in rows if not unsuited(row, ratings)]
    values = {row.name: point(row, ratings) for row in suited}
    found = _intervals(ratings, [r for r in suited if values[r.name] is not None], resampling)
    return {
        row.name: _estimate(row, ratings, values.get(row.name), found.get(row.name)) for row in rows
    }


def point(row: Statistic, ratings: Ratings) -> float | None:
    """The value of a statistic; ``None`` where it is undefined.

    Where a library has the statistic and the units carry no weights, the value is the library's.
    """
    value = float(row.compute(ratings.patterns, ratings.pattern_weights)[0])
    if np.isnan(value):
        return None
    if row.library is None or ratings.weighted:
        return value
    return row.library(ratings)


def used(row: Statistic, ratings: Ratings) -> Bools:
    """Which units a statistic is computed from."""
    known = ratings.codes >= 0
    if row.name == "pairwise_macro_f1":
        return np.asarray(known[:, 0] & known[:, 1:].any(axis=1))
    return np.asarray(known.all(axis=1) if row.uses == "complete" else known.sum(axis=1) >= 2)


def _intervals(
    ratings: Ratings, rows: Sequence[Statistic], resampling: Resampling | None
) -> dict[str, tuple[Interval | None, str]]:
    """Intervals from the clusters that have something to say: the others would add false weight."""
    if resampling is None:
        return {}
    known = ratings.codes >= 0
    found: dict[str, tuple[Interval | None, str]] = {}
    telling: dict[Uses, Bools] = {
        "complete": np.asarray(known.all(axis=1)),
        "pairable": np.asarray(known.any(axis=1)),
    }
    for uses, units in telling.items():
        chosen, part = [row for row in rows if row.uses == uses], ratings.take(units)
        functionals: dict[str, Functional] = {
            row.name: partial(row.compute, part.patterns) for row in chosen
        }
        if chosen:
            found |= intervals(functionals, cluster_table(part), resampling)
    return {row.name: (within(found[row.name][0], row), found[row.name][1]) for row in rows}


def within(interval: Interval | None, row: Statistic) -> Interval | None:
    """The interval cut at the least and the greatest value the statistic can have."""
    if interval is None:
        return None
    low, high = (float(np.clip(end, row.low, row.high)) for end in (interval.low, interval.high))
    return interval.model_copy(update={"low": low, "high": high})


def _estimate(
    row: Statistic,
    ratings: Ratings,
    value: float | None,
    found: tuple[Interval | None, str] | None,
) -> Estimate:
    interval, reason = found or (None, "")
    if value is None:
        reason = undefined(row, ratings)
    units = used(row, ratings) if not unsuited(row, ratings) else np.zeros(ratings.units, bool)
    return Estimate(
        name=row.name,
        value=value,
        interval=interval,
        n=int(units.sum()),
        clusters=len(np.unique(ratings.clusters[units])),
        missing=ratings.units - int(units.sum()),
        reason=reason,
    )


def undefined(row: Statistic, ratings: Ratings) -> str:
    """Why a statistic has no value."""
    why = unsuited(row, ratings)
    if why:
        return why
    units = used(row, ratings)
    if not (ratings.weights[units] > 0).any():
        return "no unit has the labels it needs"
    codes = ratings.codes[units]
    seen = np.unique(codes[codes >= 0])
    if len(seen) == 1 and ratings.scale.categories:
        return f"every label is {ratings.scale.categories[seen[0]]!r}: nothing varies"
    if len(seen) == 1:
        return "every label is the same number: nothing varies"
    return "its denominator is zero: a rater or a category it divides by never varies or occurs"
