"""A study as a file: what is studied, which gold, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError

from mmrare_judge.backends.base import judge_spec
from mmrare_judge.calibration.gold.exports import LONG, GoldColumns
from mmrare_judge.calibration.gold.judge import (
    JUDGE_COLUMNS,
    JudgeLabels,
    names_of,
    read_judge_labels,
    scales_of,
)
from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.study.options import GoldSource, Split, StudyOptions
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record, problem_in
from mmrare_judge.rubric.model import Rubric
from mmrare_judge.yaml import YamlError, read_settings


class GoldFile(GoldSource):
    """The gold labels of a study.

    Attributes:
        path: Their file.
        columns: Which column holds what.
        recode: What a label of the file is called in the rubric, such as ``Entailment: "YES"``;
            a label that is not listed stays as it is, and has to be a level of the rubric. A label
            that stands for nothing is missing.
        missing: Labels that stand for a missing one, such as ``99``.
    """

    path: str
    columns: GoldColumns = LONG
    recode: Mapping[str, str | None] = {}
    missing: tuple[str, ...] = ()


class JudgeFile(Record):
    """Labels that a judge gave elsewhere: their file, and how it is read (see `GoldFile`)."""

    path: str
    columns: GoldColumns = JUDGE_COLUMNS
    recode: Mapping[str, str | None] = {}
    missing: tuple[str, ...] = ()


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else () if value is None else value


Files = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class StudyFile(Record):
    """A study; paths are relative to its file.

    Attributes:
        gold: The gold labels.
        grades: The judge's grades, a run's folder or ``grades.jsonl``; without them the
            predictions are graded first.
        judge_labels: Labels that a judge gave elsewhere, in place of grades.
        levels: Without a rubric, the levels of every criterion of such labels, worst first; or
            those of each, by its name.
        judge: The judge: who grades, or whose grades are studied.
        items: The items: a file, or a list of files.
        predictions: The predictions: a file, or a list of files.
        track: The items' track, where the file does not say it.
        rubric: The rubric's name or file.
        plan: What was declared beforehand, by ``mmrare-judge plan study``.
        split: Which cases were used to make or to choose the judge.
        options: What was decided.
    """

    gold: GoldFile
    grades: str | None = None
    judge_labels: JudgeFile | None = None
    levels: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    judge: str | None = None
    items: Files = ()
    predictions: Files = ()
    track: str | None = None
    rubric: str | None = None
    plan: str | None = None
    split: Split | None = None
    options: StudyOptions = Field(default_factory=StudyOptions)

    def read_gold(self, rubric: Rubric) -> Gold:
        """The gold labels, on the rubric's scales.

        Raises:
            InputError: They cannot be read, or a label is no level of the rubric.
        """
        gold, columns = self.gold, self.gold.columns
        names = {**names_of(rubric), **columns.criterion_names}
        return read_gold(
            gold.path, scales_of(rubric), recode=gold.recode, missing=gold.missing,
            columns=columns.model_copy(update={"criterion_names": names}),
        )  # fmt: skip

    def read_judge_labels(self, rubric: Rubric | None) -> JudgeLabels | None:
        """The labels that a judge gave elsewhere, where the study names some.

        Raises:
            InputError: They cannot be read, or there is neither rubric nor levels.
        """
        given = self.judge_labels
        if given is None:
            return None
        return read_judge_labels(
            given.path, rubric=rubric, levels=self.levels, judge=self.judge,
            columns=given.columns, recode=given.recode, missing=given.missing,
        )  # fmt: skip

    def study_options(self) -> StudyOptions:
        """The options, with the judge and the gold's source in them."""
        judge = self.options.judge or self.judge
        name = None if judge is None else judge_spec(judge).model  # a file's grades bear its model
        source = GoldSource(**self.gold.model_dump(include=set(GoldSource.model_fields)))
        split = self.split or self.options.split
        return self.options.model_copy(update={"gold": source, "judge": name, "split": split})


def read_study_file(path: str | Path) -> StudyFile:
    """Read a study from YAML; its paths become relative to where we are.

    Raises:
        InputError: The file cannot be read, or a key is unknown or missing.
    """
    path = Path(path)
    try:
        data = read_settings(path).data
    except YamlError as error:
        raise InputError(str(error), file=str(path), row=error.line) from error
    try:
        study = StudyFile.model_validate(data)
    except ValidationError as error:
        raise refused(error, path) from error
    return _placed(study, path.parent)


def refused(error: ValidationError, path: Path | None = None) -> InputError:
    """What is wrong with a study, its file or its options: the field, the value and the remedy."""
    problem = problem_in(error)
    return InputError(
        problem.what,
        remedy=f"Keys of a study are {', '.join(StudyFile.model_fields)}" if path else "",
        file=None if path is None else str(path),
        field=problem.field or None,
    )


def _placed(study: StudyFile, folder: Path) -> StudyFile:
    """The study with its paths relative to where we are."""
    paths = {
        name: str(folder / path)
        for name in ("grades", "rubric", "judge", "plan")
        if (path := getattr(study, name)) is not None and _names_file(name, path)
    }
    files = {
        name: tuple(str(folder / path) for path in getattr(study, name))
        for name in ("items", "predictions")
    }
    tables = {
        name: table.model_copy(update={"path": str(folder / table.path)})
        for name in ("gold", "judge_labels")
        if (table := getattr(study, name)) is not None
    }
    return study.model_copy(update={**paths, **files, **tables})


def _names_file(field: str, value: str) -> bool:
    """A rubric or a judge may be a name as well."""
    return field not in ("rubric", "judge") or value.endswith((".yaml", ".yml"))
