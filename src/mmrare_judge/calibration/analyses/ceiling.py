"""The human ceiling: how well clinicians agree, by the judge's own measure, judge beside them.

A judge is compared with every other clinician in turn, or with the others taken together. Judge and
clinicians are measured against the very same references on the very same units, so that the one
number can be read beside the other. At the end: is the judge at most a margin worse?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import inf
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from mmrare_judge.calibration.statistics.bootstrap import (
    RESAMPLING,
    Functional,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Patterns, Ratings
from mmrare_judge.calibration.statistics.table import Statistic, statistic, unsuited
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
        difference: Judge minus clinicians, from the same resamples; above zero the judge is
            better, also for statistics of which less is better.
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
    clinicians = [rater for rater in ratings.raters if rater != judge]
    ordered, row = ratings.only(judge, *clinicians), statistic(name)
    _check(ordered, row)
    # The mean of numbers has no ties, so that both rules would say the same.
    rules = get_args(Versus) if ratings.scale.categories else get_args(Versus)[:2]
    sides = tuple(_side(ordered, row, versus, resampling) for versus in rules)
    return Ceiling(statistic=name, judge=judge, sides=sides)


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
    parts = _comparisons(ratings, row, versus)
    means = {name: partial(_mean_value, row, part) for name, part in parts.items()}
    # Turned round where less is better: above zero is to the judge's credit.
    sign = 1 if row.higher_is_better else -1
    functionals: dict[str, Functional] = {
        **means,
        "difference": lambda weights: sign * (means["judge"](weights) - means["human"](weights)),
    }
    parts["difference"] = parts["judge"] + parts["human"]
    found = _estimates(ratings, row, functionals, parts, resampling)
    each = {name: found[f"each {name}"] for name in ratings.raters[1:]}
    judge, human, difference = (found[name] for name in ("judge", "human", "difference"))
    return Side(versus=versus, judge=judge, clinicians=human, difference=difference, each=each)


def _comparisons(ratings: Ratings, row: Statistic, versus: Versus) -> dict[str, list[Comparison]]:
    """The comparisons that each number of a side is the mean of; the judge is in column 0."""
    patterns, columns = ratings.patterns, range(1, len(ratings.raters))
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
    named = {f"each {name}": found for name, found in zip(ratings.raters[1:], each, strict=True)}
    return {"judge": judge, "human": human, **named}


_TIES: Mapping[Versus, Ties] = {
    "leave one out, ties dropped": "drop",
    "leave one out, ties split": "split",
}


def _mean_value(row: Statistic, comparisons: Sequence[Comparison], weights: Floats) -> Floats:
    """The mean of a statistic over comparisons; undefined where it is for one of them."""
    values = [comparison.value(row, weights) for comparison in comparisons]
    return np.asarray(np.mean(values, axis=0))


def _estimates(
    ratings: Ratings,
    row: Statistic,
    functionals: Mapping[str, Functional],
    parts: Mapping[str, Sequence[Comparison]],
    resampling: Resampling | None,
) -> dict[str, Estimate]:
    values = {name: float(f(ratings.pattern_weights)[0]) for name, f in functionals.items()}
    defined = {name: f for name, f in functionals.items() if not np.isnan(values[name])}
    found = intervals(defined, cluster_table(ratings), resampling) if resampling else {}
    estimates = {}
    for name, value in values.items():
        sources = np.concatenate([comparison.source for comparison in parts[name]])
        units = np.isin(ratings.pattern_of_unit, sources)
        interval, reason = found.get(name, (None, ""))
        if np.isnan(value):
            reason = "undefined for at least one of the comparisons it is the mean of"
        if interval is not None and name != "difference":
            interval = interval.cut(row.low, row.high)
        estimates[name] = Estimate(
            name=row.name,
            value=None if np.isnan(value) else value,
            interval=interval,
            n=int(units.sum()),
            clusters=len(np.unique(ratings.clusters[units])),
            missing=ratings.units - int(units.sum()),
            reason=reason,
        )
    return estimates


# --- is the judge at most a margin worse than a clinician

Verdict = Literal["non-inferior", "inferior", "inconclusive", "undefined"]


class NonInferiority(Record):
    """The outcome of a non-inferiority test.

    Attributes:
        statistic: What is measured.
        margin: By how much the judge may be worse, as declared beforehand.
        verdict: ``non-inferior``: the whole interval of the difference lies above ``-margin``;
            ``inferior``: it lies below; ``inconclusive``: it straddles; ``undefined``.
        side: Judge, clinicians and their difference.
        sentence: The verdict in words.
    """

    statistic: str
    margin: float = Field(gt=0)
    verdict: Verdict
    side: Side
    sentence: str


def non_inferiority(
    ratings: Ratings,
    *,
    judge: str,
    margin: float,
    name: str = "cohen_kappa",
    versus: Versus = "pairwise",
    resampling: Resampling = RESAMPLING,
) -> NonInferiority:
    """Test whether the judge agrees with clinicians as well as they do, up to a margin.

    ``difference = (judge against clinicians) - (clinicians against clinicians)``, each replicate
    of a bootstrap over clusters giving both terms; non-inferior if the interval's lower end is
    above ``-margin``. With a 95 % interval the one-sided level of the test is 2.5 %.

    Args:
        ratings: The labels of the judge and of two clinicians or more.
        judge: The judge's name among the raters.
        margin: The greatest loss that would be acceptable, in units of the statistic; to be fixed
            before the labels are seen.
        name: The statistic.
        versus: By which rule it is compared.
        resampling: How the interval is made.

    Raises:
        InputError: The margin is not positive or not finite, or the ratings do not allow the
            comparison.

    Source: Piaggio et al. (2012), CONSORT extension for non-inferiority trials.
    """
    if not 0 < margin < inf:
        raise InputError(
            f"margin {margin}", remedy="A margin of non-inferiority is finite and above zero"
        )
    ceiling = human_ceiling(ratings, judge=judge, name=name, resampling=resampling)
    if versus not in [side.versus for side in ceiling.sides]:
        known = ", ".join(side.versus for side in ceiling.sides)
        raise InputError(f"no comparison {versus!r}", remedy=f"For this scale there are: {known}")
    side = ceiling.side(versus)
    verdict = _verdict(side, margin)
    sentence = _sentence(side, margin, verdict)
    return NonInferiority(
        statistic=name, margin=margin, verdict=verdict, side=side, sentence=sentence
    )


def _verdict(side: Side, margin: float) -> Verdict:
    interval = side.difference.interval
    if interval is None:
        return "undefined"
    if interval.low > -margin:
        return "non-inferior"
    return "inferior" if interval.high < -margin else "inconclusive"


def _sentence(side: Side, margin: float, verdict: Verdict) -> str:
    interval, difference = side.difference.interval, side.difference.value
    if interval is None or difference is None:
        return f"No verdict: {side.difference.reason}."
    head = f"The judge differs from clinicians by {difference:+.3f}"
    ends = f"{interval.low:+.3f} to {interval.high:+.3f}"
    return f"{head} ({ends}); with a margin of {margin:g} it is {verdict}."
