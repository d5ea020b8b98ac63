"""Grades, gold labels and what is known of items joined into one table a criterion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmrare_judge.calibration.gold.consensus import Consensus, consensus
from mmrare_judge.calibration.gold.labels import Gold, labels_of
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Ratings
from mmrare_judge.calibration.study.grades import JudgeGrades, Place
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.sources import (
    Sources,
    check_adjudicator,
    check_cases,
    labelled_criteria,
)
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Verdict
from mmrare_judge.rubric.model import Criterion


@dataclass(frozen=True, eq=False)
class Table:
    """One criterion over all graded predictions, gold or not.

    Attributes:
        criterion: The criterion.
        places: Item and system of each row.
        clusters: The case of each row.
        scored: The points that a benchmark counts, as a share of the best level's, 0 to 1; NaN
            without a verdict. A blank prediction has 0 by rule.
        judge: Those that the judge gave itself: NaN for a blank prediction, which it never saw.
        gold: The clinicians', taken together; NaN without gold.
        judge_codes: The judge's level as an index; -1 without a verdict of its own.
        gold_codes: The clinicians'; -1 without one.
        confidence: The judge's confidence; NaN where none was stated.
        inclusion: With which probability each row was chosen for gold; ``None`` if alike for all.
        ratings: The judge first, and every clinician, on the units that have gold.
        together: The clinicians taken together, on the same units.
        cases: The case of each of those units.
    """

    criterion: Criterion
    places: tuple[Place, ...]
    clusters: tuple[str, ...]
    scored: Floats
    judge: Floats
    gold: Floats
    judge_codes: Ints
    gold_codes: Ints
    confidence: Floats
    inclusion: Floats | None
    ratings: Ratings
    together: Consensus
    cases: tuple[str, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """The system of each row."""
        return tuple(system for _, system in self.places)

    @property
    def with_gold(self) -> int:
        """How many rows have gold."""
        return int((~np.isnan(self.gold)).sum())

    @cached_property
    def decided(self) -> Floats:
        """The points of the level that clinicians decided on, as a share; NaN where there is none.

        Unlike ``gold`` it has no soft labels: a tie, or a probability, is no level.
        """
        shares = np.asarray(self.ratings.scale.points) / float(self.criterion.max_points)
        return np.where(self.gold_codes >= 0, shares[self.gold_codes], np.nan)

    @property
    def asked(self) -> Bools:
        """Where the judge was asked: everywhere but at blank predictions, scored 0 by rule."""
        return np.asarray(np.isnan(self.scored) | ~np.isnan(self.judge))

    @property
    def coverage(self) -> float | None:
        """Share of the units with gold on which the judge was asked that have a verdict."""
        wanted = ~np.isnan(self.gold) & self.asked
        return float((~np.isnan(self.judge[wanted])).mean()) if wanted.any() else None

    @cached_property
    def pair(self) -> Ratings:
        """The judge and the clinicians taken together, as two raters."""
        judge = self.ratings.only(self.ratings.raters[0])
        codes = np.column_stack([judge.codes, self.together.codes])
        points = np.asarray(self.ratings.scale.points)
        second = np.where(self.together.codes >= 0, points[self.together.codes], np.nan)
        numbers = np.column_stack([judge.numbers, second])
        names = (self.ratings.raters[0], "clinicians")
        return Ratings(
            codes, numbers, self.ratings.scale, names, self.ratings.clusters, self.ratings.weights
        )


def tables_of(sources: Sources) -> tuple[Table, ...]:
    """A table for every criterion of the rubric of which a graded prediction has gold.

    Raises:
        InputError: No gold label belongs to a grade, an item is in two cases, or the adjudicator
            labelled nothing.
    """
    check_cases(sources.gold)
    check_adjudicator(sources)
    units = {unit[:2] for unit in sources.gold.units}
    if not units & sources.grades.first.keys():
        raise InputError(
            "no gold label belongs to a graded prediction; gold has items such as "
            f"{_named(units)}, grades have {_named(sources.grades.first)}",
            remedy="Compare the ids of items and the names of systems",
        )
    labelled = labelled_criteria(sources)
    if not labelled:
        raise InputError(
            "no graded prediction has a clinician's label: all their cells are empty",
            remedy="Look at the column of the labels",
        )
    criteria = [one for one in sources.grades.rubric.criteria if one.id in labelled]
    return tuple(_table(sources, criterion) for criterion in criteria)


def _table(sources: Sources, criterion: Criterion) -> Table:
    grades, gold = sources.grades, sources.gold.about(criterion=criterion.id)
    ratings = _ratings(grades, gold)
    clinicians = ratings.only(*ratings.raters[1:])
    together = _together(clinicians, sources.options)
    places = tuple(grades.first)
    given = [grades.first[place] for place in places]
    verdicts = [grade.verdict(criterion.id) for grade in given]
    asked = np.array([not grade.empty for grade in given])
    row_of = {unit[:2]: row for row, unit in enumerate(gold.units)}
    rows = np.array([row_of.get(place, -1) for place in places])
    best = float(criterion.max_points)
    scored = np.array([_points(verdict) / best for verdict in verdicts])
    levels = {label: code for code, label in enumerate(ratings.scale.categories)}
    codes = np.array([levels.get(v.level or "", -1) for v in verdicts], dtype=np.int64)
    return Table(
        criterion=criterion,
        places=places,
        clusters=tuple(sources.clusters.get(item, item) for item, _ in places),
        scored=scored,
        judge=np.where(asked, scored, np.nan),
        gold=_taken(together.points / best, rows, np.nan),
        judge_codes=np.where(asked, codes, -1),
        gold_codes=_taken(together.codes, rows, -1).astype(np.int64),
        confidence=np.array([_confidence(verdict) for verdict in verdicts]),
        inclusion=_inclusion(gold, places, criterion.id),
        ratings=ratings.only(*(r for r in ratings.raters if r != sources.options.adjudicator)),
        together=together,
        cases=tuple(sources.clusters[item] for item, *_ in gold.units),
    )


def _ratings(grades: JudgeGrades, gold: Gold) -> Ratings:
    """The judge first, and everyone who labelled; of blank predictions the judge said nothing."""
    weights = {unit: 1 / chance for unit, chance in gold.inclusion.items()} or None
    blank = {place for place, grade in grades.first.items() if grade.empty}
    labels = {
        unit: None if unit[:2] in blank else level
        for unit, level in labels_of(grades.first.values()).items()
    }
    joined = gold.with_rater(grades.judge, labels).ratings(weights=weights)
    return joined.only(grades.judge, *(r for r in joined.raters if r != grades.judge))


def _together(clinicians: Ratings, options: StudyOptions) -> Consensus:
    """The clinicians taken together; an adjudicator is asked where they labelled the criterion."""
    known = options.adjudicator in clinicians.raters
    return consensus(
        clinicians, rule=options.consensus, adjudicator=options.adjudicator if known else None
    )


def _inclusion(gold: Gold, places: Sequence[Place], criterion: str) -> Floats | None:
    if not gold.inclusion:
        return None
    return np.array([gold.inclusion.get((*place, criterion), np.nan) for place in places])


def _points(verdict: Verdict) -> float:
    return float("nan") if verdict.points is None else verdict.points


def _confidence(verdict: Verdict) -> float:
    stated = verdict.status == "judged" and verdict.confidence is not None
    return float(verdict.confidence or 0.0) if stated else float("nan")


def _taken(values: Floats | Ints, rows: Ints, missing: float) -> Floats:
    return np.where(rows >= 0, np.asarray(values, dtype=np.float64)[rows], missing)


def _named(places: Iterable[tuple[str, ...]]) -> str:
    return ", ".join(repr(" / ".join(filter(None, place))) for place in sorted(places)[:2])
