"""Grades in columns: those of one judge, chosen and checked, and of others beside it.

A grade with its reasons and quotes takes tens of kilobytes as an object. `grades_of_judge` takes
each for a moment: what is counted goes into arrays, and its words are kept compressed.
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints
from mmrare_judge.errors import InputError, RubricError
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.records import Record, Signature, Signatures
from mmrare_judge.rubric.model import Rubric, load_rubric

PredictionKey = tuple[str, str]
"""Item and system, which name one prediction."""

NOWHERE = -1
"""The row of a prediction that was not graded."""


@dataclass(frozen=True, eq=False)
class VerdictColumns:
    """The verdicts on one criterion, a row a grade.

    Attributes:
        levels: The levels that were given.
        level: Of each row the index of its level; -1 where there is none.
        points: Its points; nan where there are none.
        confidence: Its confidence; nan where none was stated.
        judged: Whether the judge decided.
        contradicted: Whether level 2 contradicts it.
        known: Whether the grade has this criterion.
    """

    levels: tuple[str, ...]
    level: Ints
    points: Floats
    confidence: Floats
    judged: Bools
    contradicted: Bools
    known: Bools


@dataclass(frozen=True, eq=False)
class GradeColumns:
    """The grades of one judge, a prediction each: of several samples the first.

    Attributes:
        keys: Item and system of each prediction.
        rows: Where its first sample stands in the columns.
        samples: Where all its samples stand, a column each; -1 for none.
        blank: By row, whether the prediction was blank, so that the judge was not asked.
        score: By row the grade's score; nan where there is none.
        unscored: By row why the judge could not be asked; empty where it could.
        way: By row the number of the grade's signature; -1 where the judge was not asked.
        ways: The signatures.
        quotes: By row how many quotes there are, stand nowhere, and stand in another text.
        verdicts: By criterion.
        words: By row the verdicts in full, compressed.
    """

    keys: tuple[PredictionKey, ...]
    rows: Ints
    samples: Ints
    blank: Bools
    score: Floats
    unscored: tuple[str, ...]
    way: Ints
    ways: tuple[Signature, ...]
    quotes: Ints
    verdicts: Mapping[str, VerdictColumns]
    words: Words

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def row_of(self) -> Mapping[PredictionKey, int]:
        """The place of each prediction among `keys`."""
        return {key: place for place, key in enumerate(self.keys)}

    def only(self, places: Ints) -> GradeColumns:
        """Some of the predictions."""
        keys = tuple(self.keys[place] for place in places)
        return replace(self, keys=keys, rows=self.rows[places], samples=self.samples[places])

    @property
    def blank_first(self) -> Bools:
        """Which predictions were blank."""
        return self.blank[self.rows]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Why the judge could not be asked about each prediction; empty where it could."""
        return tuple(self.unscored[row] for row in self.rows)

    def verdict(self, place: int, criterion: str) -> Verdict:
        """One verdict with its words."""
        return self.words.verdict(int(self.rows[place]), criterion)

    def on(self, criterion: str) -> VerdictColumns | None:
        """The first samples' verdicts on a criterion; ``None`` where no grade has it."""
        whole = self.verdicts.get(criterion)
        if whole is None:
            return None
        arrays = {name: value[self.rows] for name, value in vars(whole).items() if name != "levels"}
        return replace(whole, **arrays)

    def shares(self, criterion: str, best: float, rows: Ints) -> Floats:
        """Points as a share of the best; nan without a verdict of the judge's own."""
        whole = self.verdicts.get(criterion)
        if whole is None:
            return np.full(rows.shape, np.nan)
        points = np.where(self.blank, np.nan, whole.points) / best
        return np.where(rows >= 0, points[rows], np.nan)


class _Said(Record):
    verdicts: tuple[Verdict, ...]


class Words:
    """Verdicts with their reasons and quotes, compressed against the first of them."""

    def __init__(self) -> None:
        self._first = b""
        self._rest: list[bytes] = []

    def add(self, grade: Grade) -> None:
        """Keep the verdicts of a grade."""
        text = grade.model_dump_json(include={"verdicts"}).encode()
        self._first = self._first or text
        packer = zlib.compressobj(level=1, zdict=self._first)
        self._rest.append(packer.compress(text) + packer.flush())

    def verdict(self, row: int, criterion: str) -> Verdict:
        """The verdict of a row on a criterion."""
        text = zlib.decompressobj(zdict=self._first).decompress(self._rest[row])
        said = _Said.model_validate_json(text).verdicts
        return next(one for one in said if one.criterion == criterion)


@dataclass(frozen=True)
class JudgeGrades:
    """One judge's grades, and those of the judges beside it.

    Attributes:
        judge: The judge's name.
        rubric: The rubric that all grades were made by.
        first: What is studied: the grades of the first samples.
        others: Those of further judges.
    """

    judge: str
    rubric: Rubric
    first: GradeColumns
    others: Mapping[str, GradeColumns]

    def only(self, keys: Iterable[PredictionKey]) -> JudgeGrades:
        """The grades of some predictions."""
        kept = set(keys)

        def some(graded: GradeColumns) -> GradeColumns:
            return graded.only(np.flatnonzero([key in kept for key in graded.keys]))

        others = {name: some(theirs) for name, theirs in self.others.items()}
        return replace(self, first=some(self.first), others=others)

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """The distinct signatures of grades in which the judge was asked; there should be one."""
        way = self.first.way[self.first.rows]
        return tuple(self.first.ways[one] for one in dict.fromkeys(way.tolist()) if one >= 0)

    @cached_property
    def unscored(self) -> Mapping[str, int]:
        """Predictions that the judge could not be asked about, by kind."""
        return Counter(kind for kind in self.first.kinds if kind)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The systems that were graded, sorted."""
        return tuple(sorted({system for _, system in self.first.keys}))


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
    mine: dict[str, dict[str, _Builder]] = {}
    strange: dict[str, dict[str, _Builder]] = {}
    for grade in grades:
        by = mine if rubric is None or grade.signature.rubric_hash == rubric.hash else strange
        builders = by.setdefault(grade.signature.judge, {})
        wanted = grade.signature.rubric_hash
        if wanted not in builders:
            builders[wanted] = _Builder(grade.signature)
        if by is mine:
            builders[wanted].add(grade)
    by_judge = mine or strange
    chosen = _chosen(by_judge, judge)
    found = _rubric_of([one.signature for one in by_judge[chosen].values()], rubric)
    graded = {
        name: builders[found.hash].graded() for name, builders in by_judge.items()
        if found.hash in builders
    }  # fmt: skip
    return JudgeGrades(chosen, found, graded.pop(chosen), graded)


def _chosen(by_judge: Mapping[str, object], judge: str | None) -> str:
    known = ", ".join(by_judge)
    if not by_judge:
        raise InputError("no grades", remedy="Grade first: `mmrare-judge grade`")
    if judge is None and len(by_judge) > 1:
        raise InputError("the grades are those of several judges", remedy=f"Name one of: {known}")
    if judge is not None and judge not in by_judge:
        raise InputError(f"no grade by judge {judge!r}", remedy=f"There are grades by: {known}")
    return judge or next(iter(by_judge))


def _rubric_of(made_by: list[Signature], rubric: Rubric | None) -> Rubric:
    if len(made_by) > 1:
        names = ", ".join(f"{one.rubric} {one.rubric_version}" for one in made_by)
        raise InputError(
            f"the grades were made by several rubrics: {names}",
            remedy="Study one track and one rubric at a time",
        )
    (signature,) = made_by
    found = load_rubric(signature.rubric) if rubric is None else rubric
    if found.hash != signature.rubric_hash:
        raise RubricError(
            f"the grades were made by {signature.rubric} {signature.rubric_version} "
            f"({signature.rubric_hash}), and this is {found.id} {found.version} ({found.hash})",
            remedy="Give the rubric file they were graded by, or grade anew",
        )
    return found


class _Builder:
    """Takes the grades of one judge by one rubric, and keeps them in columns."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._places: dict[PredictionKey, int] = {}
        self._systems: dict[str, str] = {}
        self._first: list[int] = []
        self._again: dict[int, list[int]] = {}
        self._sample, self._blank = array("q"), array("b")
        self._score, self._way = array("d"), array("i")
        self._kinds: list[str] = []
        self._ways = Signatures()
        self._numbers: dict[int, int] = {}
        self._last: tuple[Signature | None, int] = (None, NOWHERE)
        self._quotes = array("i")
        self._verdicts: dict[str, _VerdictBuilder] = {}
        self._words = Words()

    def add(self, grade: Grade) -> None:
        """Take a grade.

        Raises:
            InputError: The same prediction and sample came before.
        """
        row = len(self._sample)
        system = self._systems.setdefault(grade.system, grade.system)
        place = self._places.setdefault((grade.item_id, system), len(self._places))
        self._sample.append(grade.sample)
        if place == len(self._first):
            self._first.append(row)
        else:
            self._repeated(grade, place, row)
        self._blank.append(grade.empty)
        self._score.append(_known(grade.score))
        self._kinds.append("" if grade.unscored is None else grade.unscored.kind)
        self._way.append(self._number(grade.signature) if grade.asked else NOWHERE)
        self._quotes.extend(_quotes(grade))
        contradicted = {one.criterion for one in grade.disagreements}
        for verdict in grade.verdicts:
            column = self._verdicts.setdefault(verdict.criterion, _VerdictBuilder())
            column.add(row, verdict, contradicted=verdict.criterion in contradicted)
        self._words.add(grade)

    def _repeated(self, grade: Grade, place: int, row: int) -> None:
        rows = self._again.setdefault(place, [self._first[place]])
        if any(self._sample[one] == grade.sample for one in rows):
            raise InputError(
                f"item {grade.item_id!r}, system {grade.system!r}, sample {grade.sample} was "
                f"graded twice by {grade.signature.judge}",
                remedy="Take the grades of one run; `mmrare-judge grade` keeps one line a grade",
            )
        rows.append(row)
        self._first[place] = min(rows, key=self._sample.__getitem__)

    def _number(self, signature: Signature) -> int:
        """The number of a signature; mostly it is the one before again."""
        if signature != self._last[0]:
            self._ways.add(signature)
            number = next(at for at, one in enumerate(self._ways) if one == signature)
            self._last = (signature, number)
        return self._last[1]

    def graded(self) -> GradeColumns:
        """All of them."""
        rows = np.array(self._first, dtype=np.int64)
        width = max((len(some) for some in self._again.values()), default=1)
        samples = np.full((len(rows), width), NOWHERE)
        samples[:, 0] = rows
        for place, some in self._again.items():
            samples[place, : len(some)] = some
        count = len(self._sample)
        return GradeColumns(
            keys=tuple(self._places),
            rows=rows,
            samples=samples,
            blank=np.array(self._blank, dtype=bool),
            score=np.array(self._score, dtype=np.float64),
            unscored=tuple(self._kinds),
            way=np.array(self._way, dtype=np.int32),
            ways=tuple(self._ways),
            quotes=np.array(self._quotes, dtype=np.int64).reshape(count, 3),
            verdicts={name: one.columns(count) for name, one in self._verdicts.items()},
            words=self._words,
        )


class _VerdictBuilder:
    def __init__(self) -> None:
        self._levels: dict[str, int] = {}
        self._level, self._points, self._confidence = array("h"), array("d"), array("d")
        self._judged, self._contradicted, self._known = array("b"), array("b"), array("b")

    def add(self, row: int, verdict: Verdict, *, contradicted: bool) -> None:
        self._pad(row)
        level = verdict.level
        known = NOWHERE if level is None else self._levels.setdefault(level, len(self._levels))
        self._append(
            known, _known(verdict.points), _known(verdict.confidence), verdict.status == "judged",
            contradicted, True,
        )  # fmt: skip

    def _append(self, *values: Any) -> None:
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    @property
    def _columns(self) -> tuple[array[Any], ...]:
        return (self._level, self._points, self._confidence, self._judged, self._contradicted,
                self._known)  # fmt: skip

    def _pad(self, rows: int) -> None:
        while len(self._level) < rows:
            self._append(NOWHERE, np.nan, np.nan, False, False, False)

    def columns(self, rows: int) -> VerdictColumns:
        self._pad(rows)
        kinds = (np.int16, np.float64, np.float64, bool, bool, bool)
        made = [np.array(one, dtype=kind) for one, kind in zip(self._columns, kinds, strict=True)]
        return VerdictColumns(tuple(self._levels), *made)


def _quotes(grade: Grade) -> tuple[int, int, int]:
    found = Counter(
        evidence.match
        for verdict in grade.verdicts
        for one in (verdict, *verdict.elements)
        for evidence in one.evidence
    )
    return found.total(), found["not_found"], found["wrong_source"]


def _known(value: float | None) -> float:
    return float("nan") if value is None else float(value)
