"""The human ceiling: how well clinicians agree, by the judge's own measure, judge beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from mmrare_judge.calibration.ceiling_sides import Ceiling, Side, Versus
from mmrare_judge.calibration.ceiling_study import Study, study_of
from mmrare_judge.calibration.references import Comparison
from mmrare_judge.calibration.statistics.bootstrap import (
    RESAMPLING,
    Functional,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ratings
from mmrare_judge.calibration.statistics.table import Statistic, within


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
    study = study_of(ratings, judge, name)
    # The mean of numbers has no ties, so that both rules would say the same.
    rules = get_args(Versus) if ratings.scale.categories else get_args(Versus)[:2]
    sides = tuple(_side(study, versus, resampling) for versus in rules)
    return Ceiling(statistic=name, judge=judge, sides=sides)


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
