"""The human ceiling: how well clinicians agree, by the judge's own measure, judge beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from mmrare_judge.calibration.agreement import within
from mmrare_judge.calibration.bootstrap import (
    RESAMPLING,
    Functional,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.estimate import Estimate
from mmrare_judge.calibration.patterns import Bools, Floats
from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.references import Comparison, Ties, against, against_others
from mmrare_judge.calibration.statistics_table import Statistic, statistic, unsuited
from mmrare_judge.errors import InputError

Versus = Literal["pairwise", "leave one out, ties dropped", "leave one out, ties split"]

TIES: Mapping[str, Ties] = {
    "leave one out, ties dropped": "drop",
    "leave one out, ties split": "split",
}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Side(_Record):
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


class Ceiling(_Record):
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

    >>> from mmrare_judge.calibration.ratings import Scale
    >>> scale = Scale(level="nominal", categories=("NO", "YES"))
    >>> rows = [["YES"] * 4, ["NO"] * 4, ["YES", "YES", "YES", "NO"], ["NO"] * 4]
    >>> ratings = Ratings.from_labels(rows, scale, raters=["judge", "a", "b", "c"])
    >>> found = human_ceiling(ratings, judge="judge", resampling=None).side("pairwise")
    >>> round(found.judge.value, 3), round(found.clinicians.value, 3)
    (0.833, 0.667)
    """
    study = study_of(ratings, judge, name)
    # The mean of numbers has no ties, so that both rules would say the same.
    rules = get_args(Versus) if ratings.scale.categories else get_args(Versus)[:2]
    sides = tuple(_side(study, versus, resampling) for versus in rules)
    return Ceiling(statistic=name, judge=judge, sides=sides)


@dataclass(frozen=True)
class Study:
    """Ratings with the judge in column 0 and clinicians behind, and what is asked of them."""

    ratings: Ratings
    row: Statistic

    @cached_property
    def clinicians(self) -> dict[str, int]:
        """The clinicians' columns by name."""
        return {name: column for column, name in enumerate(self.ratings.raters) if column}

    @cached_property
    def shared(self) -> Bools:
        """The rows that show both sides: a label of the judge, and two clinicians' or more."""
        known = self.ratings.patterns.known
        return np.asarray(known[:, 0] & (known[:, 1:].sum(axis=1) > 1))

    def judged(self, versus: Versus, clinician: int) -> list[Comparison]:
        """The judge's comparisons that stand beside one clinician's."""
        patterns = self.ratings.patterns
        if versus == "pairwise":
            return [against(patterns, 0, clinician, among=self.shared)]
        return [self._others(0, clinician, TIES[versus])]

    def human(self, versus: Versus, clinician: int) -> list[Comparison]:
        """One clinician's comparisons with the other clinicians."""
        patterns = self.ratings.patterns
        if versus == "pairwise":
            others = [column for column in self.clinicians.values() if column != clinician]
            return [against(patterns, clinician, o, among=self.shared) for o in others]
        return [self._others(clinician, clinician, TIES[versus])]

    def _others(self, rater: int, clinician: int, ties: Ties) -> Comparison:
        others = [column for column in self.clinicians.values() if column != clinician]
        return against_others(self.ratings.patterns, rater, clinician, others, ties=ties, also=0)

    def all_human(self, versus: Versus) -> list[Comparison]:
        """The clinicians' comparisons: a pair counts once, both ways where the order matters."""
        columns, patterns = self.clinicians.values(), self.ratings.patterns
        if versus != "pairwise" or not self.row.symmetric:
            return [found for column in columns for found in self.human(versus, column)]
        return [against(patterns, a, b, among=self.shared) for a, b in combinations(columns, 2)]

    def all_judged(self, versus: Versus) -> list[Comparison]:
        """The judge's comparisons."""
        return [found for c in self.clinicians.values() for found in self.judged(versus, c)]


def study_of(ratings: Ratings, judge: str, name: str) -> Study:
    """Check and order what a comparison with clinicians needs.

    Raises:
        InputError: There are too few clinicians, or the statistic cannot be asked of them.
    """
    clinicians = [rater for rater in ratings.raters if rater != judge]
    ordered = ratings.only(judge, *clinicians)
    if len(clinicians) < 2:
        problem = f"a human ceiling needs two clinicians or more, not {len(clinicians)}"
        raise InputError(problem, remedy="Have a second clinician label some of the units")
    row = statistic(name)
    why = unsuited(row, ordered.only(*clinicians[:2]))
    if row.higher_is_better is None:
        why = "it has no better and worse"
    if why:
        raise InputError(f"{name} cannot be compared with clinicians: {why}")
    return Study(ordered, row)


def mean_value(row: Statistic, comparisons: Sequence[Comparison]) -> Functional:
    """The mean of a statistic over comparisons; undefined where it is for one of them."""

    def functional(weights: Floats) -> Floats:
        values = [comparison.value(row, weights) for comparison in comparisons]
        return np.asarray(np.mean(values, axis=0))

    return functional


def _side(study: Study, versus: Versus, resampling: Resampling | None) -> Side:
    row = study.row
    judge, human = study.all_judged(versus), study.all_human(versus)
    parts: dict[str, list[Comparison]] = {"judge": judge, "clinicians": human}
    parts |= {f"each {c}": study.human(versus, n) for c, n in study.clinicians.items()}
    functionals = {name: mean_value(row, part) for name, part in parts.items()}
    functionals["difference"] = difference(row, functionals["judge"], functionals["clinicians"])
    parts["difference"] = judge + human
    found = _estimates(study, functionals, parts, resampling)
    each = {name: found[f"each {name}"] for name in study.clinicians}
    return Side(
        versus=versus,
        judge=found["judge"],
        clinicians=found["clinicians"],
        difference=found["difference"],
        each=each,
    )


def difference(row: Statistic, judge: Functional, clinicians: Functional) -> Functional:
    """Judge minus clinicians, turned round where less is better: above zero is to its credit."""
    sign = 1 if row.higher_is_better else -1
    return lambda weights: sign * (judge(weights) - clinicians(weights))


def _estimates(
    study: Study,
    functionals: Mapping[str, Functional],
    parts: Mapping[str, Sequence[Comparison]],
    resampling: Resampling | None,
) -> dict[str, Estimate]:
    ratings = study.ratings
    values = {name: float(f(ratings.pattern_weights)[0]) for name, f in functionals.items()}
    defined = {name: f for name, f in functionals.items() if not np.isnan(values[name])}
    found = intervals(defined, cluster_table(ratings), resampling) if resampling else {}
    estimates = {}
    for name, value in values.items():
        units = _units(ratings, parts[name])
        interval, reason = found.get(name, (None, ""))
        if np.isnan(value):
            reason = "undefined for at least one of the comparisons it is the mean of"
        estimates[name] = Estimate(
            name=study.row.name,
            value=None if np.isnan(value) else value,
            interval=interval if name == "difference" else within(interval, study.row),
            n=int(units.sum()),
            clusters=len(np.unique(ratings.clusters[units])),
            missing=ratings.units - int(units.sum()),
            reason=reason,
        )
    return estimates


def _units(ratings: Ratings, comparisons: Sequence[Comparison]) -> Bools:
    """The units that any of the comparisons uses."""
    sources = np.concatenate([comparison.source for comparison in comparisons])
    return np.isin(ratings.pattern_of_unit, sources)
