"""The human ceiling: how well clinicians agree, by the judge's own measure, judge beside them.

A judge is compared with every other clinician in turn, or with the others taken together. Judge and
clinicians are measured against the very same references on the very same units, so that the one
number can be read beside the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from mmrare_judge.calibration.statistics.bootstrap import (
    RESAMPLING,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats, Interval
from mmrare_judge.calibration.statistics.influence import (
    Sample,
    bounded_interval,
    difference_interval,
    disputed,
    gradient,
    off_mode,
    sample_of,
    shared_off_mode,
)
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Patterns, Ratings
from mmrare_judge.calibration.statistics.table import (
    Statistic,
    by_influence,
    statistic,
    too_few_off,
    unsuited,
)
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record

Versus = Literal["pairwise", "leave one out, ties dropped", "leave one out, ties split"]


class Side(Record):
    """Judge and clinicians, measured by one rule.

    Attributes:
        versus: The rule: ``pairwise`` against every other clinician, or each against the majority
            of the other clinicians with ties dropped or split.
        judge: The judge: the mean over clinicians j of its value against j, or against the
            majority without j.
        clinicians: The ceiling: the mean over pairs of clinicians, or over clinicians j of the
            value of j against the majority without j.
        difference: Judge minus clinicians, paired; above zero the judge is better, also for
            statistics of which less is better.
        each: The clinicians one by one.
    """

    versus: Versus
    judge: Estimate
    clinicians: Estimate
    difference: Estimate
    each: Mapping[str, Estimate]


class Ceiling(Record):
    """The judge beside the human ceiling, by all three rules.

    Attributes:
        statistic: What is measured.
        judge: The judge's name.
        sides: One entry a rule.
    """

    statistic: str
    judge: str
    sides: tuple[Side, ...]

    def side(self, versus: Versus) -> Side:
        """The values by one rule."""
        return next(side for side in self.sides if side.versus == versus)


# --- two columns made from rows of labels: someone's label, and the reference's

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

    def slopes(self, row: Statistic, weights: Floats) -> Floats:
        """The derivative of that statistic by the weight of each pattern they came from."""
        distinct, place = self._distinct
        held = np.bincount(
            place, weights[self.source] * self.fraction, minlength=len(distinct.codes)
        )
        found = gradient(partial(row.compute, distinct), held.astype(np.float64))
        slopes = np.bincount(self.source, self.fraction * found[place], minlength=len(weights))
        return slopes.astype(np.float64)

    @cached_property
    def _distinct(self) -> tuple[Patterns, Ints]:
        codes, numbers = self.patterns.codes, self.patterns.numbers
        rows, first, place = np.unique(codes, axis=0, return_index=True, return_inverse=True)
        categories, positive = self.patterns.categories, self.patterns.positive
        return Patterns(rows, numbers[first], categories, positive), place.reshape(-1)


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


# --- judge and clinicians side by side


def human_ceiling(
    ratings: Ratings,
    *,
    judge: str,
    name: str = "cohen_kappa",
    resampling: Resampling | None = RESAMPLING,
) -> Ceiling:
    """Measure the judge and every clinician by the same statistic, units and rule.

    The units are those with a label of the judge and two clinicians' or more: a judge that abstains
    from the hard ones would else be measured on easier units than the clinicians, and clinicians
    who were asked twice about the hard ones on harder units than the judge.

    Args:
        ratings: The labels of the judge and of two clinicians or more.
        judge: The judge's name among the raters; all others are clinicians.
        name: The statistic.
        resampling: How intervals are made; ``None`` for none.

    Raises:
        InputError: There are too few clinicians, or the statistic cannot be asked of them.

    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> scale = Scale(level="nominal", categories=("NO", "YES"))
    >>> rows = [["YES"] * 4, ["NO"] * 4, ["YES", "YES", "YES", "NO"], ["NO"] * 4]
    >>> ratings = Ratings.from_labels(rows, scale, raters=["judge", "a", "b", "c"])
    >>> found = human_ceiling(ratings, judge="judge", resampling=None).side("pairwise")
    >>> round(found.judge.value, 3), round(found.clinicians.value, 3)
    (0.833, 0.667)
    """
    sides = tuple(
        side_by(ratings, versus, judge=judge, name=name, resampling=resampling)
        for versus in rules_for(ratings)
    )
    return Ceiling(statistic=name, judge=judge, sides=sides)


def rules_for(ratings: Ratings) -> tuple[Versus, ...]:
    """The rules there are: the mean of numbers has no ties that could be split."""
    rules = get_args(Versus)
    return rules if ratings.scale.categories else rules[:2]


def side_by(
    ratings: Ratings, versus: Versus, *, judge: str, name: str, resampling: Resampling | None
) -> Side:
    """Judge and clinicians by one rule; arguments and errors as in `human_ceiling`."""
    clinicians = [rater for rater in ratings.raters if rater != judge]
    ordered, row = ratings.only(judge, *clinicians), statistic(name)
    _check(ordered, row)
    return _side(ordered, row, versus, resampling)


def _check(ratings: Ratings, row: Statistic) -> None:
    clinicians = ratings.raters[1:]
    if len(clinicians) < 2:
        problem = f"a human ceiling needs two clinicians or more, not {len(clinicians)}"
        raise InputError(problem, remedy="Have a second clinician label some of the units")
    why = unsuited(row, ratings.only(*clinicians[:2]))
    if row.higher_is_better is None:
        why = "it has no better and worse"
    if why:
        raise InputError(f"{row.name} cannot be compared with clinicians: {why}")


def _side(ratings: Ratings, row: Statistic, versus: Versus, resampling: Resampling | None) -> Side:
    known = ratings.codes >= 0
    shared = ratings.take(known[:, 0] & (known[:, 1:].sum(axis=1) > 1))
    # Whatever bootstrap is asked for: none keeps the level of the test that this is made for.
    inside = resampling is not None and by_influence(row, ratings) and shared.units > 0
    sample = sample_of(shared, judge=True) if inside else None
    patterns = sample.patterns if sample else shared.patterns
    parts = _comparisons(patterns, row, versus)
    parts |= {"difference": parts["judge"] + parts["human"]}
    measures = {name: _Measure(row, tuple(part)) for name, part in parts.items()}
    # Turned round where less is better: above zero is to the judge's credit.
    sign = 1 if row.higher_is_better else -1
    measures["difference"] = _Measure(row, tuple(parts["judge"]), tuple(parts["human"]), sign)
    values = {name: _value(measure, shared, sample) for name, measure in measures.items()}
    defined = {name: measures[name] for name, value in values.items() if value is not None}
    found: dict[str, tuple[Interval | None, str]] = {}
    if sample and resampling:
        found = _influences(shared, row, sample, defined, resampling.level)
    elif defined and resampling:
        found = intervals(defined, cluster_table(shared), resampling)
    estimates = {}
    for name, value in values.items():
        interval, reason = found.get(name, (None, ""))
        if value is None:
            reason = "undefined for at least one of the comparisons it is the mean of"
        if interval is not None and name != "difference":
            interval = interval.cut(row.low, row.high)
        sources = np.concatenate([comparison.source for comparison in parts[name]])
        units = np.isin(shared.pattern_of_unit, sources)
        estimates[name] = Estimate(
            name=row.name,
            value=value,
            interval=interval,
            n=int(units.sum()),
            clusters=len(np.unique(shared.clusters[units])),
            missing=ratings.units - int(units.sum()),
            reason=reason,
        )
    each = {name: estimates[f"each {n}"] for n, name in enumerate(ratings.raters) if n}
    judge, human, difference = (estimates[name] for name in ("judge", "human", "difference"))
    return Side(versus=versus, judge=judge, clinicians=human, difference=difference, each=each)


@dataclass(frozen=True)
class _Measure:
    """The mean of a statistic over comparisons, or that less the mean over others.

    Undefined where the statistic is for one of them.
    """

    row: Statistic
    comparisons: tuple[Comparison, ...]
    less: tuple[Comparison, ...] = ()
    sign: int = 1

    def __call__(self, weights: Floats) -> Floats:
        values = self._mean(self.comparisons, lambda one: one.value(self.row, weights))
        if not self.less:
            return values
        return self.sign * (values - self._mean(self.less, lambda o: o.value(self.row, weights)))

    def slopes(self, weights: Floats) -> Floats:
        """The derivative by the weight of each pattern."""
        values = self._mean(self.comparisons, lambda one: one.slopes(self.row, weights))
        if not self.less:
            return values
        return self.sign * (values - self._mean(self.less, lambda o: o.slopes(self.row, weights)))

    @staticmethod
    def _mean(comparisons: Sequence[Comparison], of: Callable[[Comparison], Floats]) -> Floats:
        return np.asarray(np.mean([of(comparison) for comparison in comparisons], axis=0))


def _value(measure: _Measure, ratings: Ratings, sample: Sample | None) -> float | None:
    weights = ratings.pattern_weights if sample is None else sample.total[None, :]
    value = float(measure(weights)[0])
    return None if np.isnan(value) else value


def _influences(
    ratings: Ratings,
    row: Statistic,
    sample: Sample,
    measures: Mapping[str, _Measure],
    level: float,
) -> dict[str, tuple[Interval | None, str]]:
    """The intervals of a side; see `bounded_interval` and `difference_interval`."""
    columns = range(1, len(ratings.raters))
    if why := too_few_off(row, off_mode(ratings.only(*ratings.raters[1:]))):
        return dict.fromkeys(measures, (None, why))
    pairs = {f"each {mine}": [(mine, other) for other in columns] for mine in columns}
    pairs |= {"judge": [(0, column) for column in columns], "human": [*combinations(columns, 2)]}
    found: dict[str, tuple[Interval | None, str]] = {}
    pairs["difference"] = pairs["judge"] + pairs["human"]
    shared = (shared_off_mode(ratings),) if row.one_class is None else ()
    for name, measure in measures.items():
        of, options = (measure, measure.slopes, sample), (level, disputed(ratings, pairs[name]))
        if name == "difference":
            found[name] = difference_interval(*of, row.low - row.high, *options)
        else:
            found[name] = bounded_interval(*of, row.low, row.high, *options, *shared)
    return found


def _comparisons(patterns: Patterns, row: Statistic, versus: Versus) -> dict[str, list[Comparison]]:
    """The comparisons that each number of a side is the mean of; the judge is in column 0."""
    columns = range(1, patterns.codes.shape[1])
    if versus == "pairwise":
        shared = patterns.known[:, 0] & (patterns.known[:, 1:].sum(axis=1) > 1)
        compare = partial(against, patterns, among=shared)
        judge = [compare(0, column) for column in columns]
        each = [[compare(mine, other) for other in columns if other != mine] for mine in columns]
    else:
        others = {mine: [other for other in columns if other != mine] for mine in columns}
        beside = partial(against_others, patterns, ties=_TIES[versus], also=0)
        judge = [beside(0, column, others[column]) for column in columns]
        each = [[beside(column, column, others[column])] for column in columns]
    human = [found for mine in each for found in mine]
    if versus == "pairwise" and row.symmetric:
        human = [compare(first, second) for first, second in combinations(columns, 2)]
    named = {f"each {column}": found for column, found in zip(columns, each, strict=True)}
    return {"judge": judge, "human": human, **named}


_TIES: Mapping[Versus, Ties] = {
    "leave one out, ties dropped": "drop",
    "leave one out, ties split": "split",
}
