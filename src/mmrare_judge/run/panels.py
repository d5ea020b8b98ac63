"""The gradings of a run made into panels, one prediction after another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import IO

from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.panels.panel import Panel, Rule, aggregate
from mmrare_judge.panels.report import PanelFigures, panel_figures
from mmrare_judge.rubric.model import Rubric, load_rubric
from mmrare_judge.run.folder import GRADES, RunRecord, grade_of_line, read_record

Place = tuple[str, str, str]


def read_panels(
    folder: str | Path,
    *,
    rule: Rule = "majority",
    rubric: Rubric | str | Path | None = None,
    size: int | None = None,
) -> Iterator[Panel]:
    """The panels of a run's folder, in the order in which their predictions first appear.

    A grading that failed or has not come yet is a missing vote.

    Args:
        folder: The run's folder, or another one with a ``grades.jsonl``.
        rule: How votes become a decision.
        rubric: The rubric the grades were made with; by default the one kept in ``run.json``, or
            where there is none, that of the track.
        size: Gradings that each prediction is to have; by default as the run was told: judges times
            repeats.

    Raises:
        InputError: There is no run in the folder and no ``size``, a line is no grade, or the
            gradings of one prediction cannot be joined: see `aggregate`.
        RubricError: The rubric is wrong.
        OutputError: ``run.json`` cannot be read.
    """
    record = read_record(Path(folder))
    chosen = rubric if isinstance(rubric, Rubric | None) else load_rubric(rubric)
    known = panel_size(folder) if size is None else size
    kept = _kept_rubrics(record)
    return (
        aggregate(grades, chosen or kept(grades[0].track), size=known, rule=rule)
        for grades in by_prediction(Path(folder))
    )


def read_panel_figures(
    folder: str | Path,
    *,
    rule: Rule = "majority",
    rubric: Rubric | str | Path | None = None,
    size: int | None = None,
) -> PanelFigures:
    """The panels of a run's folder in few numbers; see `read_panels`."""
    known = panel_size(folder) if size is None else size
    panels = read_panels(folder, rule=rule, rubric=rubric, size=known)
    return panel_figures(panels, rule=rule, size=known)


def panel_size(folder: str | Path) -> int:
    """Gradings that each prediction of a run is to have.

    Raises:
        InputError: There is no run in the folder.
    """
    record = read_record(Path(folder))
    if record is None:
        remedy = "Name the folder of a run, or give the panel's size"
        raise InputError(f"there is no run in {folder}", remedy=remedy)
    return len(record.judges) * record.repeats


def _kept_rubrics(record: RunRecord | None) -> Callable[[str], Rubric]:
    """Rubrics by track out of ``run.json``, else the package's; `aggregate` sees if they fit."""
    contents = {} if record is None else record.rubric_contents

    @cache
    def kept(track: str) -> Rubric:
        known = track in contents
        return Rubric.model_validate(contents[track]) if known else load_rubric(track)

    return kept


def by_prediction(folder: Path) -> Iterator[list[Grade]]:
    """The grades of each prediction together, whatever their order in the file.

    The file is read twice; in memory are the offsets of its lines and the grades of one prediction.

    Raises:
        InputError: There is no such file, or a line is no grade.
    """
    path = folder / GRADES
    places: dict[Place, list[tuple[int, int]]] = {}
    try:
        with path.open("rb") as lines:
            offset = 0
            for number, line in enumerate(lines, start=1):
                places.setdefault(_place(line, number, path), []).append((offset, number))
                offset += len(line)
        with path.open("rb") as lines:
            for group in places.values():
                yield [_at(lines, offset, number, path) for offset, number in group]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error


def _place(line: bytes, number: int, path: Path) -> Place:
    try:
        grade = json.loads(line)
        return grade["system"], grade["track"], grade["item_id"]
    except (ValueError, KeyError, TypeError):
        parsed = grade_of_line(line, number, path)  # which says what is wrong
        return parsed.system, parsed.track, parsed.item_id


def _at(lines: IO[bytes], offset: int, number: int, path: Path) -> Grade:
    lines.seek(offset)
    return grade_of_line(lines.readline(), number, path)
