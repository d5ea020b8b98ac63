"""What a study is made from, and whether its parts fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mmrare_judge.calibration.gold.consensus import Consensus, consensus
from mmrare_judge.calibration.gold.judge import labels_of
from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Ratings
from mmrare_judge.calibration.study.options import StudyOptions, StudyPlan
from mmrare_judge.data.items import Item
from mmrare_judge.errors import InputError, RubricError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.records import Signature, Signatures
from mmrare_judge.rubric.model import Criterion, Rubric, load_rubric

PredictionKey = tuple[str, str]
"""Item and system, which name one prediction."""


@dataclass(frozen=True)
class JudgeGrades:
    """One judge's grades, and those of the judges beside it.

    Attributes:
        judge: The judge's name.
        rubric: The rubric that all grades were made by.
        first: By prediction, the grade of the first sample: what is studied.
        repeats: By prediction, the grades of all samples.
        others: By further judge and prediction, the grade of the first sample.
    """

    judge: str
    rubric: Rubric
    first: Mapping[PredictionKey, Grade]
    repeats: Mapping[PredictionKey, tuple[Grade, ...]]
    others: Mapping[str, Mapping[PredictionKey, Grade]]

    def only(self, keys: Iterable[PredictionKey]) -> JudgeGrades:
        """The grades of some predictions."""
        kept = set(keys)
        return replace(
            self,
            first={key: one for key, one in self.first.items() if key in kept},
            repeats={key: some for key, some in self.repeats.items() if key in kept},
            others={
                name: {key: one for key, one in theirs.items() if key in kept}
                for name, theirs in self.others.items()
            },
        )

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """The distinct signatures of grades in which the judge was asked; there should be one."""
        found = Signatures()
        for grade in self.first.values():
            if grade.asked:
                found.add(grade.signature)
        return tuple(found)

    @cached_property
    def unscored(self) -> Mapping[str, int]:
        """Grades in which the judge could not be asked, by kind."""
        kinds = (g.unscored.kind for g in self.first.values() if g.unscored is not None)
        return dict(Counter(kinds))

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that were graded, sorted."""
        return tuple(sorted({system for _, system in self.first}))


def grades_of_judge(
    grades: Iterable[Grade], *, judge: str | None = None, rubric: Rubric | None = None
) -> JudgeGrades:
    """Sort grades by judge, and check that one rubric made them all.

    Args:
        grades: The grades, of one judge or several.
        judge: The judge to study; may be left out where there is one only.
        rubric: The rubric they were made by; may be left out for a built-in one.

    Raises:
        InputError: There is no grade, several judges of whom none is named, or one prediction was
            graded twice under one sample.
        RubricError: The rubric is not the one that the grades were made by.
    """
    by_judge: dict[str, dict[PredictionKey, dict[int, Grade]]] = {}
    for grade in _of_rubric(rubric, grades):
        samples = by_judge.setdefault(grade.signature.judge, {}).setdefault(_key(grade), {})
        if grade.sample in samples:
            raise InputError(
                f"item {grade.item_id!r}, system {grade.system!r}, sample {grade.sample} was "
                f"graded twice by {grade.signature.judge}",
                remedy="Take the grades of one run; `mmrare-judge grade` keeps one line a grade",
            )
        samples[grade.sample] = grade
    chosen = _chosen(by_judge, judge)
    first = {
        name: {key: samples[min(samples)] for key, samples in given.items()}
        for name, given in by_judge.items()
    }
    mine = first.pop(chosen)
    found = _rubric_of(mine.values(), rubric)
    others = {
        name: {k: one for k, one in theirs.items() if one.signature.rubric_hash == found.hash}
        for name, theirs in first.items()
    }
    return JudgeGrades(
        judge=chosen,
        rubric=found,
        first=mine,
        repeats={key: tuple(samples.values()) for key, samples in by_judge[chosen].items()},
        others={name: theirs for name, theirs in others.items() if theirs},
    )


def _key(grade: Grade) -> PredictionKey:
    return grade.item_id, grade.system


def _of_rubric(rubric: Rubric | None, grades: Iterable[Grade]) -> list[Grade]:
    """The grades made by a rubric; all of them where none is named, or none was made by it."""
    given = list(grades)
    mine = [grade for grade in given if rubric and grade.signature.rubric_hash == rubric.hash]
    return mine or given


def _chosen(by_judge: Mapping[str, object], judge: str | None) -> str:
    known = ", ".join(by_judge)
    if not by_judge:
        raise InputError("no grades", remedy="Grade first: `mmrare-judge grade`")
    if judge is None and len(by_judge) > 1:
        raise InputError("the grades are those of several judges", remedy=f"Name one of: {known}")
    if judge is not None and judge not in by_judge:
        raise InputError(f"no grade by judge {judge!r}", remedy=f"There are grades by: {known}")
    return judge or next(iter(by_judge))


def _rubric_of(grades: Iterable[Grade], rubric: Rubric | None) -> Rubric:
    made_by = {grade.signature.rubric_hash: grade.signature for grade in grades}
    if len(made_by) > 1:
        names = ", ".join(f"{one.rubric} {one.rubric_version}" for one in made_by.values())
        raise InputError(
            f"the grades were made by several rubrics: {names}",
            remedy="Study one track and one rubric at a time",
        )
    (wanted, signature), *_ = made_by.items()
    found = load_rubric(signature.rubric) if rubric is None else rubric
    if found.hash != wanted:
        raise RubricError(
            f"the grades were made by {signature.rubric} {signature.rubric_version} ({wanted}), "
            f"and this is {found.id} {found.version} ({found.hash})",
            remedy="Give the rubric file they were graded by, or grade anew",
        )
    return found


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
        return {label.item: label.cluster for label in self.gold.labels}

    @cached_property
    def unasked(self) -> Counter[str]:
        """Predictions with gold that the judge could not be asked about, by kind of failure."""
        graded = [self.grades.first.get(key) for key in self.with_gold]
        return Counter(one.unscored.kind for one in graded if one and one.unscored)

    @cached_property
    def with_gold(self) -> Mapping[PredictionKey, None]:
        """The graded predictions that were labelled."""
        first = self.grades.first
        return {unit[:2]: None for unit in self.gold.units if unit[:2] in first}

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
    cases: dict[str, str] = {}
    for label in gold.labels:
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
    scales, graded = inputs.gold.scales, inputs.grades.first.keys()
    return {
        one.criterion
        for one in inputs.gold.labels
        if (one.item, one.system) in graded
        and one.rater in inputs.raters
        and not np.isnan(scales[one.criterion].read(one.label))
    }


def _table(inputs: StudyInputs, criterion: Criterion) -> UnitTable:
    grades, gold = inputs.grades, inputs.gold.about(criterion=criterion.id)
    ratings = _ratings(grades, gold)
    clinicians = ratings.only(*ratings.raters[1:])
    together = _together(clinicians, inputs.options)
    predictions = tuple(grades.first)
    given = [grades.first[key] for key in predictions]
    verdicts = [grade.verdict(criterion.id) for grade in given]
    asked = np.array([not grade.empty for grade in given])
    row_of = {unit[:2]: row for row, unit in enumerate(gold.units)}
    rows = np.array([row_of.get(key, -1) for key in predictions])
    best = float(criterion.max_points)
    scored = np.array([_known(verdict.points) / best for verdict in verdicts])
    levels = {label: code for code, label in enumerate(ratings.scale.categories)}
    codes = np.array([levels.get(v.level or "", -1) for v in verdicts], dtype=np.int64)
    return UnitTable(
        criterion=criterion,
        predictions=predictions,
        clusters=tuple(inputs.clusters.get(item, item) for item, _ in predictions),
        scored=scored,
        judge=np.where(asked, scored, np.nan),
        gold=_taken(together.points / best, rows, np.nan),
        judge_codes=np.where(asked, codes, -1),
        gold_codes=_taken(together.codes, rows, -1).astype(np.int64),
        confidence=np.array(
            [_known(one.confidence if one.status == "judged" else None) for one in verdicts]
        ),
        inclusion=_inclusion(gold, predictions, criterion.id),
        ratings=ratings.only(*(r for r in ratings.raters if r != inputs.options.adjudicator)),
        together=together,
        cases=tuple(inputs.clusters[item] for item, *_ in gold.units),
    )


def _ratings(grades: JudgeGrades, gold: Gold) -> Ratings:
    """The judge first, and everyone who labelled; of blank predictions the judge said nothing."""
    weights = {unit: 1 / chance for unit, chance in gold.inclusion.items()} or None
    blank = {key for key, grade in grades.first.items() if grade.empty}
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


def _inclusion(gold: Gold, keys: Sequence[PredictionKey], criterion: str) -> Floats | None:
    if not gold.inclusion:
        return None
    return np.array([gold.inclusion.get((*key, criterion), np.nan) for key in keys])


def _known(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _taken(values: Floats | Ints, rows: Ints, missing: float) -> Floats:
    return np.where(rows >= 0, np.asarray(values, dtype=np.float64)[rows], missing)
