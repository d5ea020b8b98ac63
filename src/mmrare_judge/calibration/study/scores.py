"""Whole scores in a study: how far they agree, and what they are once corrected.

A score that is corrected for a system needs gold of that system. One for all systems needs gold of
all of them, or the probabilities with which the units were chosen; else it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import compress
from typing import Any

import numpy as np

from mmrare_judge.calibration.analyses import correction
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ratings, Scale, indexed
from mmrare_judge.calibration.study.grades import PredictionKey
from mmrare_judge.calibration.study.inputs import StudyInputs, UnitTable
from mmrare_judge.judging.grading import score_shares
from mmrare_judge.rubric.model import Criterion, Rubric

NUMBERS = Scale(level="continuous")
EVERYONE, UNNAMED = "all systems", "not stated"


def score_ratings(inputs: StudyInputs) -> tuple[Ratings, Ratings] | None:
    """The scores that judge and clinicians give whole predictions, from 0 to 1.

    A rater's score exists where they labelled every criterion of the rubric. Predictions weigh by
    the inverse of their inclusion probability where there are such; one whose criteria were chosen
    with different ones is left out, since that of having them all is not recorded.

    Returns:
        The judge with every clinician, and the judge with the clinicians' mean; ``None`` where no
        clinician labelled all criteria of any prediction, or the rubric has one criterion only.
    """
    name, first = inputs.grades.judge, inputs.grades.first
    scores = _clinicians_scores(inputs)
    chances = {key: _chance(inputs, key) for key in scores if key in first.row_of}
    weights = {key: 1 / chance for key, chance in chances.items() if chance is not None}
    if not weights or len(inputs.grades.rubric.criteria) < 2:
        return None
    given = np.where(first.blank, np.nan, first.score)[first.rows].tolist()
    whole, pair = [], []
    for key in weights:
        judge = given[first.row_of[key]]
        theirs = [scores[key].get(rater) for rater in inputs.raters]
        known = [score for score in theirs if score is not None]
        whole.append([judge, *theirs])
        pair.append([judge, sum(known) / len(known) if known else None])
    cases = [inputs.clusters[item] for item, _ in weights]
    more: dict[str, Any] = {"clusters": cases, "weights": list(weights.values())}
    return (
        Ratings.from_labels(whole, NUMBERS, raters=[name, *inputs.raters], **more),
        Ratings.from_labels(pair, NUMBERS, raters=[name, "clinicians"], **more),
    )


def _clinicians_scores(inputs: StudyInputs) -> dict[PredictionKey, dict[str, float | None]]:
    """By prediction and clinician the rubric score; ``None`` where a criterion has no label."""
    rubric, labels = inputs.grades.rubric, inputs.gold.labels
    given = labels.columns["label"].where(lambda label: label is not None)
    labels = labels.take(given & labels.columns["rater"].where(inputs.raters.__contains__))
    criterion, label = labels.columns["criterion"], labels.columns["label"]
    place = {one.id: number for number, one in enumerate(rubric.criteria)}
    sheets = labels.grouped("item", "system", "rater")
    sheet = np.full((len(sheets), len(place)), -1, dtype=np.int32)
    where = np.array([place[name] for name in criterion.values])[criterion.codes]
    sheet[sheets.of, where] = label.codes

    @cache  # there are far fewer ways to fill a sheet than sheets
    def score(codes: tuple[int, ...]) -> float | None:
        if min(codes) < 0:
            return None
        return _full_score(rubric, {
            one.id: _share(inputs, one, label.values[code])
            for one, code in zip(rubric.criteria, codes, strict=True)
        })  # fmt: skip

    scores: dict[PredictionKey, dict[str, float | None]] = {}
    for (item, system, rater), codes in zip(sheets, sheet.tolist(), strict=True):
        scores.setdefault((item, system), {})[rater] = score(tuple(codes))
    return {key: one for key, one in scores.items() if any(s is not None for s in one.values())}


def _share(inputs: StudyInputs, criterion: Criterion, label: str | float) -> Fraction:
    scale = inputs.gold.scales[criterion.id]
    level = criterion.levels[scale.categories[int(scale.read(label))]]
    return level.points / criterion.max_points


def _chance(inputs: StudyInputs, key: PredictionKey) -> float | None:
    """With which probability a prediction was chosen as a whole; ``None`` where it was not."""
    inclusion = inputs.gold.inclusion
    if not inclusion:
        return 1.0
    found = {inclusion.get((*key, one.id)) for one in inputs.grades.rubric.criteria}
    return found.pop() if len(found) == 1 else None


def corrected(
    inputs: StudyInputs, tables: Sequence[UnitTable], level: float
) -> dict[str, CorrectedScore]:
    """Whole scores first; with one criterion that is the criterion's own."""
    criteria = {table.criterion.id: _of_criterion(table, level) for table in tables}
    systems = _of_systems(inputs, tables, level)
    return {**criteria, **systems} if len(criteria) == 1 else {**systems, **criteria}


def _of_criterion(table: UnitTable, level: float) -> CorrectedScore:
    """The mean share of points on a criterion over all graded predictions."""
    known = ~np.isnan(table.gold)
    inclusion = _inclusion(table.systems, known, table.inclusion)
    score = correction.corrected_score(
        table.scored, table.gold, clusters=list(table.clusters), inclusion=inclusion, level=level
    )
    if len(table.criterion.levels) == 2:
        # Rogan and Gladen need levels, so that a unit that is split is left out. It must not stay
        # as one without gold either: the judge's rate is taken from those.
        kept = ~np.isnan(table.decided) | ~known
        by_rates = correction.rogan_gladen(
            table.scored[kept], table.decided[kept], clusters=np.array(table.clusters)[kept],
            inclusion=None if inclusion is None else inclusion[kept], level=level,
        )  # fmt: skip
        score = score.model_copy(update={"rogan_gladen": by_rates})
    without = _without(table.systems, known)
    return _refused(score, without, table.systems) if table.inclusion is None else score


def _of_systems(
    inputs: StudyInputs, tables: Sequence[UnitTable], level: float
) -> dict[str, CorrectedScore]:
    """The rubric score of each system, and of all, over all their graded predictions.

    By criterion, where the rubric is a weighted mean and every criterion has gold; a cascade is
    corrected as a whole, from predictions of which every criterion has gold.
    """
    rubric, systems = inputs.grades.rubric, inputs.grades.systems
    if len(tables) < len(rubric.criteria):
        return {}
    whole = None if rubric.scoring.rule == "weighted_mean" else _cascade(inputs, tables)
    of_row, golds = tables[0].systems, [table.gold for table in tables]
    known = [~np.isnan(gold) for gold in (golds if whole is None else [whole[1]])]
    without = set().union(*(_without(of_row, each) for each in known))
    found = {}
    if len(tables) > 1:  # with one criterion its own row says what a row for everyone would
        score = _part(tables, whole, np.ones(len(of_row), dtype=bool), level)
        sampled = all(table.inclusion is not None for table in tables)
        found[EVERYONE] = score if sampled else _refused(score, without, of_row)
    for one in systems if len(systems) > 1 else ():
        score = _part(tables, whole, np.array([one == row for row in of_row]), level)
        found[one or UNNAMED] = _withheld(score, NO_GOLD) if one in without else score
    return found


NO_GOLD = "no gold of this system: what the judge gets wrong there is not known"


def _without(systems: Sequence[str], known: Bools) -> set[str]:
    """The systems that have no gold."""
    return set(systems) - set(compress(systems, known))


def _refused(score: CorrectedScore, without: set[str], systems: Sequence[str]) -> CorrectedScore:
    """The score for all systems; without a value where some of them have no gold."""
    total = len(set(systems))
    if not without or len(without) == total:
        return score
    return _withheld(
        score,
        f"gold covers {total - len(without)} of {total} systems: what the judge gets wrong on the "
        "others is not known. Label some of each, or sample with known probabilities",
    )


def _withheld(score: CorrectedScore, reason: str) -> CorrectedScore:
    def bare(estimate: Estimate) -> Estimate:
        return estimate.model_copy(update={"value": None, "interval": None, "reason": reason})

    rates = score.rogan_gladen
    return score.model_copy(
        update={"ppi": bare(score.ppi), "rogan_gladen": None if rates is None else bare(rates)}
    )


def _inclusion(systems: Sequence[str], known: Bools, inclusion: Floats | None) -> Floats | None:
    """With which probability each row got gold; ``None`` where it is the same for all.

    Where it is not recorded it is the share of the row's system that has gold: a system with more
    gold than others must not count more.
    """
    if inclusion is not None:
        return inclusion
    codes = indexed(systems)
    shares = np.bincount(codes, known) / np.bincount(codes)
    alike = (shares == shares[0]).all() if len(shares) else True
    return None if alike else np.where(known, shares[codes], np.nan)


def _part(
    tables: Sequence[UnitTable], cascade: _Cascade | None, chosen: Bools, level: float
) -> CorrectedScore:
    """The score of some predictions."""
    clusters = list(compress(tables[0].clusters, chosen))
    systems = list(compress(tables[0].systems, chosen))

    def inclusion(gold: Floats, recorded: Floats | None) -> Floats | None:
        return _inclusion(systems, ~np.isnan(gold), None if recorded is None else recorded[chosen])

    if cascade is not None:
        judge, gold, recorded = cascade
        return correction.corrected_score(
            judge[chosen], gold[chosen], clusters=clusters, level=level,
            inclusion=inclusion(gold[chosen], recorded),
        )  # fmt: skip
    golds = {table.criterion.id: table.gold[chosen] for table in tables}
    chances = {t.criterion.id: inclusion(golds[t.criterion.id], t.inclusion) for t in tables}
    known = any(one is not None for one in chances.values())
    return correction.corrected_rubric_score(
        {table.criterion.id: table.scored[chosen] for table in tables}, golds,
        weights={table.criterion.id: float(table.criterion.weight) for table in tables},
        clusters=clusters, level=level,
        inclusion={
            name: np.ones(len(clusters)) if one is None else one for name, one in chances.items()
        } if known else None,
    )  # fmt: skip


_Cascade = tuple[Floats, Floats, Floats | None]
"""A prediction's score by the judge, by the clinicians, and its inclusion probability."""


def _cascade(inputs: StudyInputs, tables: Sequence[UnitTable]) -> _Cascade:
    """What every prediction scores by the judge, and by the clinicians taken together.

    A prediction whose criteria were chosen for gold one by one has no known probability of having
    all of them, and counts as one without gold.
    """
    first, rows = inputs.grades.first, range(len(tables[0].predictions))
    judge = first.score[first.rows]
    gold = _floats(_cascade_gold(inputs.grades.rubric, tables, row) for row in rows)
    chances = [table.inclusion for table in tables if table.inclusion is not None]
    if not chances:
        return judge, gold, None
    alike = np.all([chance == chances[0] for chance in chances], axis=0)
    return judge, np.where(alike, gold, np.nan), np.where(alike, chances[0], np.nan)


def _cascade_gold(rubric: Rubric, tables: Sequence[UnitTable], row: int) -> float | None:
    """What a prediction scores by the clinicians taken together.

    Where they are split on a deciding criterion of two levels, its share of points s is the chance
    that it is met: ``s`` times the score with it met, and ``1 - s`` times that without. One of more
    levels has to be decided.
    """
    values = {table.criterion.id: float(table.gold[row]) for table in tables}
    deciding = next(table for table in tables if table.criterion.id == rubric.scoring.gate)
    name, several = deciding.criterion.id, len(deciding.criterion.levels) > 2
    if several:
        values[name] = float(deciding.decided[row])
    if np.isnan(list(values.values())).any():
        return None
    shares = {one: Fraction(value) for one, value in values.items()}
    if several:
        return _full_score(rubric, shares)
    met, unmet = (_full_score(rubric, {**shares, name: Fraction(end)}) for end in (1, 0))
    return values[name] * (met or 0.0) + (1 - values[name]) * (unmet or 0.0)


def _full_score(rubric: Rubric, shares: Mapping[str, Fraction]) -> float | None:
    """The rubric's score; ``None`` unless every criterion has a share of its points."""
    found = score_shares(rubric, shares) if len(shares) == len(rubric.criteria) else None
    return None if found is None else float(found)


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
