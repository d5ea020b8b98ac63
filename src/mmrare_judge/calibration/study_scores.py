"""Whole rubric scores in a study: how far they agree, and what they are once corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from mmrare_judge.calibration.correct import (
    CorrectedScore,
    corrected_rubric_score,
    corrected_score,
)
from mmrare_judge.calibration.patterns import Floats
from mmrare_judge.calibration.ratings import Ratings, Scale
from mmrare_judge.calibration.study_grades import Place
from mmrare_judge.calibration.study_table import Sources, Table
from mmrare_judge.rubric import Rubric
from mmrare_judge.scoring import score_shares

NUMBERS = Scale(level="continuous")
EVERYONE = "all systems"


def score_ratings(sources: Sources) -> tuple[Ratings, Ratings] | None:
    """The scores that judge and clinicians give whole predictions, from 0 to 1.

    A rater's score exists where they labelled every criterion of the rubric.

    Returns:
        The judge with every clinician, and the judge with the clinicians' mean; ``None`` where no
        clinician labelled all criteria of any prediction, or the rubric has one criterion only.
    """
    rubric, raters = sources.grades.rubric, sources.raters
    scores = _clinicians_scores(sources)
    places = [place for place in scores if place in sources.grades.first]
    if not places or len(rubric.criteria) < 2:
        return None
    judge = [sources.grades.first[place].score for place in places]
    theirs = [[scores[place].get(rater) for rater in raters] for place in places]
    cases = [sources.clusters[item] for item, _ in places]
    name = sources.grades.judge
    means = [_mean(row) for row in theirs]
    whole = [[mine, *row] for mine, row in zip(judge, theirs, strict=True)]
    pair = [[mine, mean] for mine, mean in zip(judge, means, strict=True)]
    return (
        Ratings.from_labels(whole, NUMBERS, raters=[name, *raters], clusters=cases),
        Ratings.from_labels(pair, NUMBERS, raters=[name, "clinicians"], clusters=cases),
    )


def corrected_criteria(tables: Sequence[Table], level: float) -> dict[str, CorrectedScore]:
    """The mean share of points on each criterion over all graded predictions, corrected."""
    return {
        table.criterion.id: corrected_score(
            table.judge, _whole(table), clusters=list(table.clusters), inclusion=table.inclusion,
            binary=len(table.criterion.levels) == 2, level=level,
        )
        for table in tables
    }  # fmt: skip


def corrected_systems(
    sources: Sources, tables: Sequence[Table], level: float
) -> dict[str, CorrectedScore]:
    """The rubric score of each system over all its graded predictions, corrected.

    By criterion, where the rubric is a weighted mean and every criterion has gold; a cascade is
    corrected as a whole, from predictions of which every criterion has gold.
    """
    systems = sources.grades.systems
    rubric = sources.grades.rubric
    if len(tables) < len(rubric.criteria):
        return {}
    # With one criterion its own row says what a row for everyone would.
    everyone = [EVERYONE] if len(tables) > 1 else []
    wanted = [*everyone, *(systems if len(systems) > 1 else [])]
    found = {}
    for name in wanted:
        chosen = np.array([name in (EVERYONE, system) for system in tables[0].systems])
        found[name] = _corrected(sources, tables, chosen, level)
    return found


def _corrected(
    sources: Sources, tables: Sequence[Table], chosen: np.ndarray, level: float
) -> CorrectedScore:
    rubric, first = sources.grades.rubric, tables[0]
    clusters = [case for case, mine in zip(first.clusters, chosen, strict=True) if mine]
    if rubric.scoring.rule != "weighted_mean":
        judge, gold = _cascade(sources, tables)
        chances = _joint_inclusion(tables)
        return corrected_score(
            judge[chosen], np.where(np.isnan(chances), np.nan, gold)[chosen], clusters=clusters,
            inclusion=None if first.inclusion is None else chances[chosen], level=level,
        )  # fmt: skip
    return corrected_rubric_score(
        {table.criterion.id: table.judge[chosen] for table in tables},
        {table.criterion.id: table.gold[chosen] for table in tables},
        weights={table.criterion.id: float(table.criterion.weight) for table in tables},
        clusters=clusters, inclusion=_inclusions(tables, chosen), level=level,
    )  # fmt: skip


def _inclusions(tables: Sequence[Table], chosen: np.ndarray) -> dict[str, Floats] | None:
    known = {t.criterion.id: t.inclusion[chosen] for t in tables if t.inclusion is not None}
    return known or None


def _joint_inclusion(tables: Sequence[Table]) -> Floats:
    """With which probability a prediction got labels on all criteria; NaN where that is not known.

    Predictions that were chosen as a whole have one probability. Where criteria were chosen one by
    one, the probability of having all of them is not recorded, and such predictions cannot be used.
    """
    chances = [table.inclusion for table in tables if table.inclusion is not None]
    if not chances:
        return np.ones(len(tables[0].places))
    alike = np.all([chance == chances[0] for chance in chances], axis=0)
    return np.where(alike, chances[0], np.nan)


def _whole(table: Table) -> Floats:
    """The gold points; of a criterion with two levels only those that are one of them.

    A tied majority is half a point, which the correction of a yes-or-no criterion cannot use.
    """
    if len(table.criterion.levels) > 2:
        return table.gold
    decided = np.isin(table.gold, (0.0, 1.0))
    return np.where(decided, table.gold, np.nan)


def _cascade(sources: Sources, tables: Sequence[Table]) -> tuple[Floats, Floats]:
    rubric, first = sources.grades.rubric, sources.grades.first
    judge = [first[place].score for place in tables[0].places]
    shares = [
        {t.criterion.id: Fraction(float(t.gold[row])).limit_denominator(1000) for t in tables}
        if not any(np.isnan(t.gold[row]) for t in tables)
        else {}
        for row in range(len(judge))
    ]
    gold = [_score(rubric, found) for found in shares]
    return _floats(judge), _floats(gold)


def _score(rubric: Rubric, shares: Mapping[str, Fraction]) -> float | None:
    if len(shares) < len(rubric.criteria):
        return None
    found = score_shares(rubric, shares)
    return None if found is None else float(found)


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
        place: {rater: _score(rubric, one) for rater, one in by_rater.items()}
        for place, by_rater in shares.items()
    }
    return {place: one for place, one in scored.items() if any(s is not None for s in one.values())}


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
