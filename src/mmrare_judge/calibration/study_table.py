"""Grades, gold labels and what is known of items joined into one table a criterion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mmrare_judge.calibration.consensus import Consensus, consensus
from mmrare_judge.calibration.gold import Gold, labels_of
from mmrare_judge.calibration.patterns import Floats, Ints
from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.study_grades import JudgeGrades, Place
from mmrare_judge.calibration.study_options import StudyOptions
from mmrare_judge.errors import InputError
from mmrare_judge.grade import Verdict
from mmrare_judge.item import Item
from mmrare_judge.prediction import Prediction
from mmrare_judge.rubric import Criterion


@dataclass(frozen=True)
class Sources:
    """What a study is made from.

    Attributes:
        grades: The judge's grades.
        gold: The clinicians' labels.
        options: What was decided beforehand.
        items: Items by id, for subgroups and reports; may be empty.
        texts: Predictions by item and system, for lengths and reports; may be empty.
    """

    grades: JudgeGrades
    gold: Gold
    options: StudyOptions
    items: Mapping[str, Item] = field(default_factory=dict)
    texts: Mapping[Place, str] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """The case of each item that has gold; an item without is a case of its own."""
        return {label.item: label.cluster for label in self.gold.labels}

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """The clinicians, without the adjudicator."""
        return tuple(rater for rater in self.gold.raters if rater != self.options.adjudicator)


@dataclass(frozen=True, eq=False)
class Table:
    """One criterion over all graded predictions, gold or not.

    Attributes:
        criterion: The criterion.
        places: Item and system of each row.
        clusters: The case of each row.
        judge: The judge's points as a share of the best level's, 0 to 1; NaN without a verdict.
        gold: The clinicians', taken together; NaN without gold.
        judge_codes: The judge's level as an index; -1 without a verdict.
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
    """A table for every criterion of the rubric that has gold.

    Raises:
        InputError: No gold label belongs to a grade.
    """
    rubric = sources.grades.rubric
    labelled = [one for one in rubric.criteria if one.id in sources.gold.criteria]
    units = {unit[:2] for unit in sources.gold.units}
    if not units & sources.grades.first.keys():
        raise InputError(
            "no gold label belongs to a graded prediction; gold has items such as "
            f"{_named(units)}, grades have {_named(sources.grades.first)}",
            remedy="Compare the ids of items and the names of systems",
        )
    return tuple(_table(sources, criterion) for criterion in labelled)


def _table(sources: Sources, criterion: Criterion) -> Table:
    grades, options = sources.grades, sources.options
    gold = sources.gold.about(criterion=criterion.id)
    weights = {unit: 1 / chance for unit, chance in gold.inclusion.items()} or None
    labels = labels_of(grades.first.values())
    joined = gold.with_rater(grades.judge, labels).ratings(weights=weights)
    ratings = joined.only(grades.judge, *(r for r in joined.raters if r != grades.judge))
    clinicians = ratings.only(*(rater for rater in ratings.raters if rater != grades.judge))
    together = consensus(clinicians, rule=options.consensus, adjudicator=options.adjudicator)
    places = tuple(grades.first)
    verdicts = [grades.first[place].verdict(criterion.id) for place in places]
    row_of = {unit[:2]: row for row, unit in enumerate(gold.units)}
    rows = np.array([row_of.get(place, -1) for place in places])
    best = float(criterion.max_points)
    levels = {label: code for code, label in enumerate(ratings.scale.categories)}
    return Table(
        criterion=criterion,
        places=places,
        clusters=tuple(sources.clusters.get(item, item) for item, _ in places),
        judge=np.array([_points(verdict) / best for verdict in verdicts]),
        gold=_taken(together.points / best, rows, np.nan),
        judge_codes=np.array([levels.get(v.level or "", -1) for v in verdicts], dtype=np.int64),
        gold_codes=_taken(together.codes, rows, -1).astype(np.int64),
        confidence=np.array([_confidence(verdict) for verdict in verdicts]),
        inclusion=_inclusion(gold, places, criterion.id),
        ratings=ratings.only(*(r for r in ratings.raters if r != options.adjudicator)),
        together=together,
        cases=tuple(sources.clusters[item] for item, *_ in gold.units),
    )  # fmt: skip


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


def texts_of(predictions: Iterable[Prediction]) -> dict[Place, str]:
    """Predictions by item and system."""
    return {(one.item_id, one.system): one.text for one in predictions}
