"""Whole rubric scores in a study: how far they agree, and what they are once corrected."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from mmrare_judge.calibration.analyses.correction import (
    CorrectedScore,
    corrected_rubric_score,
    corrected_score,
    rogan_gladen,
)
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ratings, Scale
from mmrare_judge.calibration.study.cascade import Cascade, cascade_points, full_score
from mmrare_judge.calibration.study.grades import Place
from mmrare_judge.calibration.study.sources import Sources
from mmrare_judge.calibration.study.table import Table

NUMBERS = Scale(level="continuous")
EVERYONE, UNNAMED = "all systems", "not stated"


def score_ratings(sources: Sources) -> tuple[Ratings, Ratings] | None:
    """The scores that judge and clinicians give whole predictions, from 0 to 1.

    A rater's score exists where they labelled every criterion of the rubric. Predictions weigh by
    the inverse of their inclusion probability where there are such; one whose criteria were chosen
    with different ones is left out, since that of having them all is not recorded.

    Returns:
        The judge with every clinician, and the judge with the clinicians' mean; ``None`` where no
        clinician labelled all criteria of any prediction, or the rubric has one criterion only.
    """
    rubric, raters, first = sources.grades.rubric, sources.raters, sources.grades.first
    scores = _clinicians_scores(sources)
    chances = {place: _chance(sources, place) for place in scores if place in first}
    places = [place for place, chance in chances.items() if chance is not None]
    if not places or len(rubric.criteria) < 2:
        return None
    judge = [None if first[place].empty else first[place].score for place in places]
    theirs = [[scores[place].get(rater) for rater in raters] for place in places]
    cases = [sources.clusters[item] for item, _ in places]
    weights = [1 / (chances[place] or 1.0) for place in places]
    name = sources.grades.judge
    whole = [[mine, *row] for mine, row in zip(judge, theirs, strict=True)]
    pair = [[mine, _mean(row)] for mine, row in zip(judge, theirs, strict=True)]
    more: dict[str, Any] = {"clusters": cases, "weights": weights}
    return (
        Ratings.from_labels(whole, NUMBERS, raters=[name, *raters], **more),
        Ratings.from_labels(pair, NUMBERS, raters=[name, "clinicians"], **more),
    )


def _chance(sources: Sources, place: Place) -> float | None:
    """With which probability a prediction was chosen as a whole; ``None`` where it was not."""
    inclusion = sources.gold.inclusion
    if not inclusion:
        return 1.0
    found = {inclusion.get((*place, one.id)) for one in sources.grades.rubric.criteria}
    return found.pop() if len(found) == 1 else None


def corrected_criteria(tables: Sequence[Table], level: float) -> dict[str, CorrectedScore]:
    """The mean share of points on each criterion over all graded predictions, corrected."""
    return {table.criterion.id: _corrected_criterion(table, level) for table in tables}


def _corrected_criterion(table: Table, level: float) -> CorrectedScore:
    score = corrected_score(
        table.scored, table.gold, clusters=list(table.clusters), inclusion=table.inclusion,
        level=level,
    )  # fmt: skip
    if len(table.criterion.levels) > 2:
        return score
    return score.model_copy(update={"rogan_gladen": _by_rates(table, level)})


def _by_rates(table: Table, level: float) -> Estimate:
    """Rogan and Gladen's correction, which needs levels: a unit that is split is left out.

    It must not stay as one without gold either: the judge's rate is taken from those.
    """
    kept = ~np.isnan(table.decided) | np.isnan(table.gold)
    return rogan_gladen(
        table.scored[kept], table.decided[kept], clusters=np.array(table.clusters)[kept],
        inclusion=None if table.inclusion is None else table.inclusion[kept], level=level,
    )  # fmt: skip


def corrected_systems(
    sources: Sources, tables: Sequence[Table], level: float
) -> dict[str, CorrectedScore]:
    """The rubric score of each system over all its graded predictions, corrected.

    By criterion, where the rubric is a weighted mean and every criterion has gold; a cascade is
    corrected as a whole, from predictions of which every criterion has gold.
    """
    rubric, systems = sources.grades.rubric, sources.grades.systems
    if len(tables) < len(rubric.criteria):
        return {}
    cascade = None if rubric.scoring.rule == "weighted_mean" else cascade_points(sources, tables)
    of_row = tables[0].systems
    # With one criterion its own row says what a row for everyone would.
    parts = {EVERYONE: np.ones(len(of_row), dtype=bool)} if len(tables) > 1 else {}
    if len(systems) > 1:
        parts |= {one or UNNAMED: np.array([one == row for row in of_row]) for one in systems}
    return {name: _corrected(tables, cascade, chosen, level) for name, chosen in parts.items()}


def _corrected(
    tables: Sequence[Table], cascade: Cascade | None, chosen: Bools, level: float
) -> CorrectedScore:
    clusters = [case for case, mine in zip(tables[0].clusters, chosen, strict=True) if mine]
    if cascade is not None:
        return corrected_score(
            cascade.judge[chosen], cascade.gold[chosen], clusters=clusters, level=level,
            inclusion=None if cascade.inclusion is None else cascade.inclusion[chosen],
        )  # fmt: skip
    return corrected_rubric_score(
        {table.criterion.id: table.scored[chosen] for table in tables},
        {table.criterion.id: table.gold[chosen] for table in tables},
        weights={table.criterion.id: float(table.criterion.weight) for table in tables},
        clusters=clusters, inclusion=_inclusions(tables, chosen), level=level,
    )  # fmt: skip


def _inclusions(tables: Sequence[Table], chosen: np.ndarray) -> dict[str, Floats] | None:
    known = {t.criterion.id: t.inclusion[chosen] for t in tables if t.inclusion is not None}
    return known or None


def _clinicians_scores(sources: Sources) -> dict[Place, dict[str, float | None]]:
    """By prediction and clinician the rubric score; ``None`` where a criterion has no label."""
    rubric = sources.grades.rubric
    shares: dict[Place, dict[str, dict[str, Fraction]]] = {}
    for label in sources.gold.labels:
        if label.label is None or label.rater not in sources.raters:
            continue
        criterion = rubric.criterion(label.criterion)
        scale = sources.gold.scales[label.criterion]
        level = criterion.levels[scale.categories[int(scale.read(label.label))]]
        by_rater = shares.setdefault((label.item, label.system), {})
        by_rater.setdefault(label.rater, {})[criterion.id] = level.points / criterion.max_points
    scored = {
        place: {rater: full_score(rubric, one) for rater, one in by_rater.items()}
        for place, by_rater in shares.items()
    }
    return {place: one for place, one in scored.items() if any(s is not None for s in one.values())}


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None
