"""What a study is made from, and whether its parts fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mmrare_judge.calibration.gold.columns import Indices
from mmrare_judge.calibration.gold.consensus import Consensus, consensus
from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Ratings
from mmrare_judge.calibration.study.grades import JudgeGrades, PredictionKey
from mmrare_judge.calibration.study.options import StudyOptions, StudyPlan
from mmrare_judge.data.items import Item
from mmrare_judge.errors import InputError
from mmrare_judge.rubric.model import Criterion


@dataclass(frozen=True)
class StudyInputs:
    """What a study is made from.

    Attributes:
        grades: The judge's grades.
        gold: The clinicians' labels.
        options: What was decided.
        plan: Where it was declared beforehand.
        items: Items by id, for subgroups and reports; may be empty.
        texts: Predictions by item and system, for lengths and reports; may be empty.
    """

    grades: JudgeGrades
    gold: Gold
    options: StudyOptions
    plan: StudyPlan | None = None
    items: Mapping[str, Item] = field(default_factory=dict)
    texts: Mapping[PredictionKey, str] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """The case of each item that has gold; an item without is a case of its own."""
        return self.gold.labels.pairs("item", "cluster")

    @cached_property
    def cases(self) -> tuple[str, ...]:
        """The case of each graded prediction."""
        return tuple(self.clusters.get(item, item) for item, _ in self.grades.first.keys)

    @cached_property
    def place_of_label(self) -> Indices:
        """For each label the place of its prediction among the graded ones; -1 for none."""
        places, predictions = self.grades.first.row_of, self.gold.labels.predictions
        found = [places.get((item, system), -1) for item, system in predictions]
        return np.array(found, dtype=np.int32)[predictions.of]

    @cached_property
    def with_gold(self) -> Indices:
        """The places of the graded predictions that were labelled."""
        return np.unique(self.place_of_label[self.place_of_label >= 0])

    @property
    def unasked(self) -> Counter[str]:
        """Predictions with gold that the judge could not be asked about, by kind of failure."""
        kinds = self.grades.first.kinds
        return Counter(kinds[place] for place in self.with_gold if kinds[place])

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """The clinicians, without the adjudicator."""
        return tuple(rater for rater in self.gold.raters if rater != self.options.adjudicator)


@dataclass(frozen=True, eq=False)
class UnitTable:
    """One criterion over all graded predictions, gold or not.

    Attributes:
        criterion: The criterion.
        predictions: Item and system of each row.
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
    predictions: tuple[PredictionKey, ...]
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
        return tuple(system for _, system in self.predictions)

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


def tables_of(inputs: StudyInputs) -> tuple[UnitTable, ...]:
    """A table for every criterion of the rubric of which a graded prediction has gold.

    Raises:
        InputError: An item is in two cases, or the adjudicator labelled nothing.
    """
    _check_cases(inputs.gold)
    _check_adjudicator(inputs)
    labelled = _labelled(inputs)
    if not labelled:
        raise InputError(
            "no graded prediction has a clinician's label: all their cells are empty",
            remedy="Look at the column of the labels",
        )
    return tuple(_table(inputs, one) for one in inputs.grades.rubric.criteria if one.id in labelled)


def _check_cases(gold: Gold) -> None:
    labels = gold.labels
    if len(labels.grouped("item", "cluster")) == len(labels.columns["item"].used):
        return
    cases: dict[str, str] = {}
    for label in labels:
        if cases.setdefault(label.item, label.cluster) != label.cluster:
            raise InputError(
                f"item {label.item!r} is in two cases, {cases[label.item]!r} and {label.cluster!r}",
                remedy="Give an item one case on all its rows",
                row=label.row,
                field="cluster",
            )


def _check_adjudicator(inputs: StudyInputs) -> None:
    name, raters = inputs.options.adjudicator, inputs.gold.raters
    if name is not None and name not in raters:
        remedy = f"Raters are: {', '.join(raters)}"
        raise InputError(f"no rater {name!r} to adjudicate", remedy=remedy)
    if not inputs.raters:
        raise InputError("an adjudicator alone is no panel", remedy="Name no adjudicator")


def _labelled(inputs: StudyInputs) -> set[str]:
    """The criteria on which a clinician labelled a graded prediction."""
    columns = inputs.gold.labels.columns
    given = columns["label"].where(lambda label: label is not None)
    given &= columns["rater"].where(inputs.raters.__contains__) & (inputs.place_of_label >= 0)
    return set(inputs.gold.labels.take(given).columns["criterion"].used)


def _table(inputs: StudyInputs, criterion: Criterion) -> UnitTable:
    graded, options, best = inputs.grades.first, inputs.options, float(criterion.max_points)
    gold = inputs.gold.about(criterion=criterion.id)
    weights = {unit: 1 / chance for unit, chance in gold.inclusion.items()} or None
    clinicians = gold.ratings(weights=weights)
    together = _together(clinicians, options)
    about = inputs.gold.labels.columns["criterion"].where(criterion.id.__eq__)
    places = inputs.place_of_label[about][gold.labels.units.first]
    rows = np.full(len(graded), -1)
    rows[places[places >= 0]] = np.flatnonzero(places >= 0)
    verdicts, blank = graded.on(criterion.id), graded.blank_first
    if verdicts is None:
        raise InputError(f"no grade has a verdict on {criterion.id!r}")
    scored = verdicts.points / best
    levels = {label: code for code, label in enumerate(clinicians.scale.categories)}
    known = np.array([*(levels.get(level, -1) for level in verdicts.levels), -1])
    codes = np.where(blank, -1, known[verdicts.level])
    cases = gold.labels.columns["cluster"]
    return UnitTable(
        criterion=criterion,
        predictions=graded.keys,
        clusters=inputs.cases,
        scored=scored,
        judge=np.where(blank, np.nan, scored),
        gold=_taken(together.points / best, rows, np.nan),
        judge_codes=codes,
        gold_codes=_taken(together.codes, rows, -1).astype(np.int64),
        confidence=np.where(verdicts.judged, verdicts.confidence, np.nan),
        inclusion=_inclusion(gold, graded.keys, criterion.id),
        ratings=_with_judge(inputs, clinicians, _taken(codes, places, -1).astype(np.int64)),
        together=together,
        cases=tuple(cases.values[code] for code in cases.codes[gold.labels.units.first]),
    )


def _with_judge(inputs: StudyInputs, clinicians: Ratings, codes: Ints) -> Ratings:
    """The judge first, and every clinician but the adjudicator, on the units that have gold."""
    judge, scale = inputs.grades.judge, clinicians.scale
    if judge in inputs.gold.raters:
        raise InputError(f"there is a rater {judge!r} already", remedy="Call one of them otherwise")
    others = clinicians.only(*(r for r in clinicians.raters if r != inputs.options.adjudicator))
    numbers = np.append(np.asarray(scale.points or np.full(len(scale.categories), np.nan)), np.nan)
    return replace(
        others,
        codes=np.column_stack([codes, others.codes]),
        numbers=np.column_stack([numbers[codes], others.numbers]),
        raters=(judge, *others.raters),
    )


def _together(clinicians: Ratings, options: StudyOptions) -> Consensus:
    """The clinicians taken together; an adjudicator is asked where they labelled the criterion."""
    known = options.adjudicator in clinicians.raters
    return consensus(
        clinicians, rule=options.consensus, adjudicator=options.adjudicator if known else None
    )


def _inclusion(gold: Gold, keys: Sequence[PredictionKey], criterion: str) -> Floats | None:
    if not gold.inclusion:
        return None
    return np.array([gold.inclusion.get((*key, criterion), np.nan) for key in keys])


def _taken(values: Floats | Ints, rows: Ints, missing: float) -> Floats:
    return np.where(rows >= 0, np.asarray(values, dtype=np.float64)[rows], missing)
