"""The grades of one judge, chosen and checked for a calibration study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from mmrare_judge.errors import InputError, RubricError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.records import Signature, Signatures
from mmrare_judge.rubric.load import load_rubric
from mmrare_judge.rubric.model import Rubric

Place = tuple[str, str]
"""Item and system: one prediction."""


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
    first: Mapping[Place, Grade]
    repeats: Mapping[Place, tuple[Grade, ...]]
    others: Mapping[str, Mapping[Place, Grade]]

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
    by_judge: dict[str, dict[Place, dict[int, Grade]]] = {}
    for grade in _by(rubric, grades):
        places = by_judge.setdefault(grade.signature.judge, {})
        samples = places.setdefault((grade.item_id, grade.system), {})
        if grade.sample in samples:
            raise InputError(
                f"item {grade.item_id!r}, system {grade.system!r}, sample {grade.sample} was "
                f"graded twice by {grade.signature.judge}",
                remedy="Take the grades of one run; `mmrare-judge grade` keeps one line a grade",
            )
        samples[grade.sample] = grade
    chosen = _chosen(by_judge, judge)
    mine = by_judge.pop(chosen)
    first = {place: samples[min(samples)] for place, samples in mine.items()}
    found = _rubric_of(first.values(), rubric)
    return JudgeGrades(
        judge=chosen,
        rubric=found,
        first=first,
        repeats={place: tuple(samples.values()) for place, samples in mine.items()},
        others={name: theirs for name, given in by_judge.items()
                if (theirs := _first_by(found, given))},
    )  # fmt: skip


def _first_by(rubric: Rubric, given: Mapping[Place, Mapping[int, Grade]]) -> dict[Place, Grade]:
    """The grades of the first sample, of those made by this rubric."""
    first = {place: samples[min(samples)] for place, samples in given.items()}
    return {
        place: grade for place, grade in first.items()
        if grade.signature.rubric_hash == rubric.hash
    }  # fmt: skip


def _by(rubric: Rubric | None, grades: Iterable[Grade]) -> list[Grade]:
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
    return next(iter(by_judge)) if judge is None else judge


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
