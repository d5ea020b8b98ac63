"""Intervals from what each case adds to a statistic, for labels on a scale with categories.

A percentile bootstrap knows only what it has seen: twenty cases without a dispute give an interval
of no width. Here one case of pure chance is added before the spread is measured, and the limit of a
difference is found by asking how much worse a judge could be and still show what it showed. What
this covers, and what was tried instead, is measured in ``benchmarks/soundness/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from mmrare_judge.calibration.statistics.bootstrap import (
    CELLS_AT_ONCE,
    ClusterTable,
    Functional,
    cluster_table,
)
from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Floats,
    Interval,
    library,
    t_quantile,
    two_sided,
)
from mmrare_judge.calibration.statistics.ratings import TINY, Ints, Patterns, Ratings

Slopes = Callable[[Floats], Floats]
"""From weights over patterns (one vector) to a statistic's derivative by each of them."""

LEAST_OFF = 5
"""Labels a rater off the most frequent level: with fewer, no chance-corrected value has limits."""

LEAST_DISPUTED = 4
"""Disputed cases: with fewer, perfect agreement beyond the sample cannot be excluded."""

LEAST_SHARED = 4
"""Cases in which raters agree on another level than the most frequent: with fewer, a value that is
corrected for chance can be far higher than the sample shows."""

_ROWS_AT_ONCE = 1000
_STEP = 1e-4
_MOST_SKEWED = -1.0


def off_mode(ratings: Ratings) -> float:
    """Labels off the most frequent level, a rater: how much a sample can tell of agreement.

    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> two = Scale(level="nominal", categories=("NO", "YES"))
    >>> off_mode(Ratings.from_labels([["NO", "YES"], ["NO", "NO"]], two))
    0.5
    """
    labels = ratings.codes[ratings.codes >= 0]
    if not len(labels):
        return 0.0
    return float((len(labels) - np.bincount(labels).max()) / len(ratings.raters))


def gradient(functional: Functional, weights: Floats) -> Floats:
    """The derivative of a statistic by each weight above 0, by differences; 0 for the others."""
    slopes = np.zeros(len(weights))
    used = np.flatnonzero(weights > 0)
    if not len(used):
        return slopes
    step = _STEP * max(float(weights.sum()) / len(weights), 1.0)
    value = functional(weights[None, :])
    rows = max(1, CELLS_AT_ONCE // len(weights))
    for start in range(0, len(used), rows):
        some = used[start : start + rows]
        moved = np.repeat(weights[None, :], len(some), axis=0)
        moved[np.arange(len(some)), some] += step
        slopes[some] = (functional(moved) - value) / step
    return slopes


def disputed(ratings: Ratings, pairs: Iterable[tuple[int, int]]) -> int:
    """Cases in which two raters, of the pairs of columns given, differ on some unit."""
    codes = ratings.codes
    apart = np.zeros(ratings.units, dtype=bool)
    for first, second in pairs:
        both = (codes[:, first] >= 0) & (codes[:, second] >= 0)
        apart |= both & (codes[:, first] != codes[:, second])
    return len(np.unique(ratings.clusters[apart]))


def shared_off_mode(ratings: Ratings) -> int:
    """Cases in which two raters agree on a level that is not the most frequent one."""
    counts = ratings.patterns.counts[ratings.pattern_of_unit]
    mode = int(counts.sum(axis=0).argmax())
    units = np.delete(counts, mode, axis=1).max(axis=1, initial=0) >= 2
    return len(np.unique(ratings.clusters[units]))


def shares_of(ratings: Ratings, column: int) -> Floats:
    """How often a rater gives each category, by the units' weights."""
    known = ratings.codes[:, column] >= 0
    size = len(ratings.scale.categories)
    counts = np.bincount(ratings.codes[known, column], ratings.weights[known], minlength=size)
    return np.asarray(counts / max(counts.sum(), TINY), dtype=np.float64)


def chance_rows(ratings: Ratings) -> tuple[Ints, Floats]:
    """Rows of labels that raters who guess would give, each by its own shares, and their chances.

    All rows there can be where they are few; else a thousand drawn with a fixed seed.
    """
    shares = [shares_of(ratings, column) for column in range(len(ratings.raters))]
    size = len(ratings.scale.categories)
    if size ** len(shares) <= _ROWS_AT_ONCE:
        rows = np.array(list(product(range(size), repeat=len(shares))), dtype=np.int64)
        chances = np.prod([share[rows[:, n]] for n, share in enumerate(shares)], axis=0)
        return rows, np.asarray(chances, dtype=np.float64)
    random = np.random.default_rng(0)
    columns = [random.choice(size, _ROWS_AT_ONCE, p=share / share.sum()) for share in shares]
    rows, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return rows.astype(np.int64), counts / _ROWS_AT_ONCE


@dataclass(frozen=True, eq=False)
class Sample:
    """Ratings ready for intervals: their patterns, and patterns that nobody showed.

    Attributes:
        patterns: The patterns of the ratings; behind them those of a case of pure chance; behind
            them, where there is a judge, each pattern with every label the judge might have given.
        table: The cases.
        chance: By pattern, the chance of each in the case of pure chance.
        judge: How often the judge gives each category; empty without a judge.
        guessed: For each pattern and category the place of the pattern with that label instead.
    """

    patterns: Patterns
    table: ClusterTable
    chance: Floats
    judge: Floats
    guessed: Ints

    @property
    def total(self) -> Floats:
        """The weight of each pattern in the sample: 0 for those nobody showed."""
        seen = self.table.total[0]
        return np.append(seen, np.zeros(len(self.chance) - len(seen)))

    @property
    def unit(self) -> float:
        """The weight of an average case."""
        return float(self.table.total.sum()) / self.table.clusters

    @property
    def guessing(self) -> Floats:
        """The weight of each pattern had the judge guessed everywhere."""
        guessed = np.zeros(len(self.chance))
        moved = self.table.total[0][:, None] * self.judge[None, :]
        np.add.at(guessed, self.guessed.reshape(-1), moved.reshape(-1))
        return guessed


def sample_of(ratings: Ratings, *, judge: bool = False) -> Sample:
    """Prepare ratings on a scale with categories; with a judge, it stands in column 0."""
    seen, size = ratings.patterns.codes, len(ratings.scale.categories)
    rows, chances = chance_rows(ratings)
    codes = np.concatenate([seen, rows])
    guessed = np.zeros((len(seen), 0), dtype=np.int64)
    shares = np.zeros(0)
    if judge:
        shares = shares_of(ratings, 0)
        other = np.repeat(seen, size, axis=0)
        # Where the judge gave no label it would have given none by guessing.
        given = other[:, 0] >= 0
        other[given, 0] = np.tile(np.arange(size), len(seen))[given]
        guessed = len(codes) + np.arange(len(other)).reshape(len(seen), size)
        codes = np.concatenate([codes, other])
    points = np.append(np.asarray(ratings.scale.points or [np.nan] * size), np.nan)
    positive = ratings.patterns.positive
    return Sample(
        patterns=Patterns(codes, points[codes], size, positive),
        table=cluster_table(ratings),
        chance=np.concatenate(
            [np.zeros(len(seen)), chances, np.zeros(len(codes) - len(seen) - len(chances))]
        ),
        judge=shares,
        guessed=guessed,
    )


@dataclass(frozen=True)
class InfluenceSpread:
    """How far chance moves a statistic: its value with one case of chance, error and freedom."""

    value: float
    error: float
    freedom: float


def spread_of(
    functional: Functional, slopes: Slopes, sample: Sample, *, disputes: int
) -> InfluenceSpread:
    """The infinitesimal jackknife over cases, with one case of pure chance among them.

    With influence ``u_g`` of case g (the derivative by its weight) the variance is
    ``G / (G - 1) sum (u_g - mean u)^2``. The case of chance is of average size, all of its units
    alike. Few large influences make a variance that is itself hardly known: the degrees of freedom
    are Satterthwaite's, ``2 V^2 / (sum (u_g - mean u)^4 - V^2 / G)`` with V the sum of squares, at
    most G - 1. With few disputes it is mainly the case of chance that varies, which is known and
    not drawn: its fourth power is left out then.
    """
    cases, unit = sample.table.clusters, sample.unit
    weights = sample.total + unit * sample.chance
    slope = slopes(weights)
    held = sample.table.kinds.shape[1]
    seen = sample.table.kinds @ slope[:held]
    each = np.concatenate([seen, unit * slope])
    times = np.concatenate([sample.table.multiplicity.astype(float), sample.chance])
    apart = each - times @ each / (cases + 1)
    second = float(times @ apart**2)
    drawn = slice(None) if disputes >= LEAST_DISPUTED else slice(len(seen))
    fourth, square = (
        float(times[drawn] @ apart[drawn] ** 4),
        float(times[drawn] @ apart[drawn] ** 2),
    )
    worth = 2 * second**2 / max(fourth - square**2 / cases, TINY**2)
    return InfluenceSpread(
        value=float(functional(weights[None, :])[0]),
        error=(second * cases / (cases - 1)) ** 0.5,
        freedom=float(np.clip(worth, 1, cases - 1)),
    )


def bounded_interval(
    functional: Functional,
    slopes: Slopes,
    sample: Sample,
    low: float,
    high: float,
    level: float,
    disputes: int,
    shared: int = LEAST_SHARED,
) -> tuple[Interval | None, str]:
    """An interval for a statistic between ``low`` and ``high``; or the reason why there is none.

    ``tanh(atanh s +- t error / (1 - s^2))``, with ``s`` the statistic of `spread_of` brought to
    -1..1 (Fisher's z, which for a share is the logit), and t on its degrees of freedom. With fewer
    than four disputed cases the upper end is the greatest value there can be; with fewer than four
    ``shared`` ones (`shared_off_mode`, asked of chance-corrected values) it reaches half as far
    again.
    """
    if sample.table.clusters < 2:
        return None, "fewer than two clusters: no interval"
    spread = spread_of(functional, slopes, sample, disputes=disputes)
    point = float(functional(sample.total[None, :])[0])
    if not np.isfinite(spread.error) or spread.error <= TINY:
        return None, "no interval: nothing varies in this sample"
    middle, half = (low + high) / 2, (high - low) / 2
    s = float(np.clip((spread.value - middle) / half, -1 + TINY, 1 - TINY))
    reach = t_quantile(two_sided(level), spread.freedom) * spread.error / half / (1 - s**2)
    few = shared < LEAST_SHARED
    above = 1.5 * reach if few else reach
    ends = middle + half * np.tanh(np.arctanh(s) + np.array([-reach, above]))
    reasons = []
    if few:
        reasons.append(
            f"in only {shared} cases two raters agree on another level than the most frequent "
            "one: the upper end is widened"
        )
    if sample.table.clusters < FEW_CLUSTERS:
        reasons.append(f"fewer than {FEW_CLUSTERS} clusters: the interval is approximate")
    if disputes < LEAST_DISPUTED:
        ends[1] = high
        reasons.append(f"only {disputes} disputed cases: perfect agreement cannot be excluded")
    interval = Interval(
        low=min(point, float(ends[0])), high=max(point, float(ends[1])), level=level, method="z"
    )
    return interval, "; ".join(reasons)


def difference_interval(
    functional: Functional,
    slopes: Slopes,
    sample: Sample,
    low: float,
    level: float,
    disputes: int,
) -> tuple[Interval | None, str]:
    """An interval for judge minus clinicians; or the reason why there is none.

    The lower end is `least_difference`, or ``low`` where there is no such limit. The upper end is
    ``difference + t error`` of `spread_of`: where the difference is low by chance its error is
    large, so that this end is on the safe side.
    """
    if sample.table.clusters < 2:
        return None, "fewer than two clusters: no interval"
    point = float(functional(sample.total[None, :])[0])
    spread = spread_of(functional, slopes, sample, disputes=disputes)
    if not np.isfinite(spread.error) or spread.error <= TINY:
        return None, "no interval: nothing varies in this sample"
    least = least_difference(functional, slopes, sample, level=level)
    high = point + t_quantile(two_sided(level), spread.freedom) * spread.error
    interval = Interval(low=low if least is None else least, high=high, level=level, method="score")
    if least is None:
        return interval, "a judge that guesses is not excluded: the lower end is the least value"
    few = sample.table.clusters < FEW_CLUSTERS
    reason = f"fewer than {FEW_CLUSTERS} clusters: the interval is approximate"
    return interval, reason if few else ""


def least_difference(
    functional: Functional, slopes: Slopes, sample: Sample, *, level: float
) -> float | None:
    """The lower limit of judge minus clinicians: the least difference that is not rejected.

    Had the judge guessed in a share of cases, the difference would be ``d0``. That is rejected if
    ``(d - d0) / error0 > t + skew0 (t^2 - 1) / 6``: error and skewness are those **at** that
    share, not those of the sample, so that a judge whose errors happened not to occur gains nothing
    by it (a score test; the right-hand side is Cornish and Fisher's). The limit is the ``d0`` at
    which the test turns; ``None`` where a judge that guesses throughout is not
    rejected.
    """
    cases = sample.table.clusters
    t = t_quantile(two_sided(level), cases - 1)
    point = float(functional(sample.total[None, :])[0])
    guessing = sample.guessing

    def tested(share: float) -> tuple[float, float]:
        weights = (1 - share) * sample.total + share * guessing
        value = float(functional(weights[None, :])[0])
        second, third = _moments(slopes(weights), sample, share)
        error = max((second * cases / (cases - 1)) ** 0.5, TINY)
        skew = min(max(third / max(second, TINY**2) ** 1.5, _MOST_SKEWED), 0.0)
        return value, (point - value) / error - t - skew * (t**2 - 1) / 6

    if not tested(1.0)[1] > 0:
        return None
    root = library("scipy.optimize").brentq(lambda share: tested(share)[1], 0.0, 1.0, xtol=1e-9)
    return tested(float(root))[0]


def _moments(slope: Floats, sample: Sample, share: float) -> tuple[float, float]:
    """Sums over cases of squared and cubed influences, were a share of cases guessed by the judge.

    Guesses of one case's units are independent: cumulants add.
    """
    kinds, times = sample.table.kinds, sample.table.multiplicity
    each = slope[sample.guessed]
    mean = each @ sample.judge
    apart = each - mean[:, None]
    seen = kinds @ slope[: kinds.shape[1]]
    guessed, spread, skew = (
        kinds @ values for values in (mean, apart**2 @ sample.judge, apart**3 @ sample.judge)
    )
    middle = float(times @ ((1 - share) * seen + share * guessed)) / sample.table.clusters
    seen, guessed = seen - middle, guessed - middle
    second = (1 - share) * seen**2 + share * (guessed**2 + spread)
    third = (1 - share) * seen**3 + share * (guessed**3 + 3 * guessed * spread + skew)
    return float(times @ second), float(times @ third)
