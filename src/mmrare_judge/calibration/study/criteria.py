"""What a study finds about one criterion, and about all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mmrare_judge.calibration.analyses.alt_test import alt_test
from mmrare_judge.calibration.analyses.ceiling import (
    Ceiling,
    NonInferiority,
    human_ceiling,
    non_inferiority,
)
from mmrare_judge.calibration.report.blocks import CriterionFindings, Kind
from mmrare_judge.calibration.report.plots import Limits
from mmrare_judge.calibration.statistics.coefficients import confusion
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import marginal_homogeneity
from mmrare_judge.calibration.statistics.ratings import Ratings, Scale, indexed
from mmrare_judge.calibration.statistics.table import estimates, statistic, unsuited
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.table import Table
from mmrare_judge.errors import InputError

POOLED = "all criteria"
"""The name of what is put together from all criteria with the same levels."""

Result = TypeVar("Result")


def criterion_findings(table: Table, options: StudyOptions) -> CriterionFindings:
    """Everything a study finds about one criterion."""
    name, kind = table.criterion.id, table.criterion.kind
    found = _findings(name, kind, table.ratings, table.pair, options.statistic, options)
    return replace(found, coverage=table.coverage)


def pooled_findings(tables: Sequence[Table], options: StudyOptions) -> CriterionFindings | None:
    """The same over all criteria together; ``None`` for one criterion or different levels.

    A unit is then a prediction and a criterion; all units of a case are still one cluster.
    """
    scales = {(t.ratings.scale.categories, t.ratings.scale.points) for t in tables}
    if len(tables) < 2 or len(scales) > 1:
        return None
    raters = _in_common(tables)
    cases = [case for table in tables for case in table.cases]
    whole = stacked([table.ratings.only(*raters) for table in tables], cases)
    pair = stacked([table.pair for table in tables], cases)
    return _findings(POOLED, "overall", whole, pair, options.statistic, options)


def score_findings(ratings: Ratings, pair: Ratings, options: StudyOptions) -> CriterionFindings:
    """The same about whole rubric scores, which are numbers from 0 to 1."""
    return _findings("score", "overall", ratings, pair, options.score_statistic, options)


def _findings(
    name: str, kind: Kind, ratings: Ratings, pair: Ratings, main: str, options: StudyOptions
) -> CriterionFindings:
    resampling = options.resampling
    clinicians = ratings.only(*ratings.raters[1:])
    found = estimates(pair, resampling=resampling)
    human = estimates(clinicians, resampling=resampling) if len(clinicians.raters) > 1 else {}
    ceiling = _tried(lambda: human_ceiling(
        ratings, judge=ratings.raters[0], name=main, resampling=resampling
    ))  # fmt: skip
    judge, theirs = _forest(main, pair, found, ceiling)
    return CriterionFindings(
        name=name, judge=judge, clinicians=theirs, statistics=found, human=human,
        ceiling=ceiling,
        confusion=confusion(pair) if pair.scale.categories else None,
        homogeneity=_tried(lambda: marginal_homogeneity(pair)),
        points=_points(pair), limits=_limits(found),
        non_inferiority=_tested(ratings, main, options),
        alternative=_tried(lambda: alt_test(
            ratings, judge=ratings.raters[0], scoring=options.scoring,
            min_units=options.min_units, resampling=resampling,
        )) if kind != "overall" or name == POOLED else None,
        kind=kind,
    )  # fmt: skip


def _forest(
    main: str, pair: Ratings, found: dict[str, Estimate], ceiling: Ceiling | None
) -> tuple[Estimate, Estimate | None]:
    """What the forest plot shows: judge and clinicians by the same rule; else the judge alone."""
    side = None if ceiling is None else ceiling.side("pairwise")
    if side is not None and side.judge.value is not None and side.clinicians.value is not None:
        return side.judge, side.clinicians
    theirs = None if side is None or side.clinicians.value is not None else side.clinicians
    if main in found:
        return found[main], theirs
    reason = unsuited(statistic(main), pair) or "it was not computed"
    return Estimate(name=main, value=None, n=0, clusters=0, reason=reason), theirs


def _tested(ratings: Ratings, main: str, options: StudyOptions) -> NonInferiority | None:
    margin = options.margin
    if margin is None or main != options.statistic:
        return None
    return _tried(lambda: non_inferiority(
        ratings, judge=ratings.raters[0], margin=margin, name=main, resampling=options.resampling
    ))  # fmt: skip


def _tried(make: Callable[[], Result]) -> Result | None:
    """What is made, or ``None`` where these labels do not allow it: one clinician, weights."""
    try:
        return make()
    except InputError:
        return None


def _points(pair: Ratings) -> tuple[tuple[float, float], ...]:
    numbers = pair.numbers[~np.isnan(pair.numbers).any(axis=1)]
    return tuple((float(a + b) / 2, float(a - b)) for a, b in numbers)


def _limits(found: dict[str, Estimate]) -> Limits | None:
    names = ("leniency", "agreement_limit_low", "agreement_limit_high")
    values = [found[name].value for name in names if name in found]
    known = [value for value in values if value is not None]
    return Limits(*known) if len(known) == len(names) else None


def _in_common(tables: Sequence[Table]) -> tuple[str, ...]:
    """The raters that every criterion has, the judge first."""
    shared = set.intersection(*(set(table.ratings.raters) for table in tables))
    return tuple(rater for rater in tables[0].ratings.raters if rater in shared)


def stacked(parts: Sequence[Ratings], cases: Sequence[str]) -> Ratings:
    """Ratings of the same raters below each other; ``cases`` has the case of each row."""
    first = parts[0].scale
    return Ratings(
        codes=np.concatenate([part.codes for part in parts]),
        numbers=np.concatenate([part.numbers for part in parts]),
        scale=Scale(level=first.level, categories=first.categories, points=first.points),
        raters=parts[0].raters,
        clusters=indexed(cases),
        weights=np.concatenate([part.weights for part in parts]),
    )
