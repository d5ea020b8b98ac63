"""What the commands do, without the command line: callable and testable as functions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mmrare_judge.assessors import CacheChoice
from mmrare_judge.display import (
    GRADE_COLUMNS,
    calibration_line,
    grade_row,
    print_table,
    summary_lines,
)
from mmrare_judge.errors import InputError
from mmrare_judge.estimate import total_line
from mmrare_judge.grade import Grade
from mmrare_judge.item import Item
from mmrare_judge.ledger import GRADES, iter_grades
from mmrare_judge.lexical.terms import Terms
from mmrare_judge.limits import Limits
from mmrare_judge.pairing import Pairing, pair_up
from mmrare_judge.panel_display import print_panels
from mmrare_judge.panel_summary import figure_lines
from mmrare_judge.panels import read_panels
from mmrare_judge.prediction import Prediction, read_predictions
from mmrare_judge.progress import cost_line, shown
from mmrare_judge.reading import read_items
from mmrare_judge.replay import Replay
from mmrare_judge.rubric import Rubric, load_rubric
from mmrare_judge.run import Run
from mmrare_judge.run_folder import SUMMARY
from mmrare_judge.run_record import RUN, input_file
from mmrare_judge.run_report import RunReport
from mmrare_judge.spec import EMBEDDED, JudgeSpec

Pair = tuple[Prediction, Item]


@dataclass(frozen=True)
class Columns:
    """Where the predictions' table holds what; ``None`` for the usual names."""

    system: str | None = None
    system_column: str | None = None
    text_column: str | None = None
    id_column: str | None = None


@dataclass(frozen=True)
class GradeJob:
    """The options of ``mmrare-judge grade``.

    Attributes:
        items: The items' file.
        predictions: The predictions' file.
        out: The run's folder.
        judges: Judges; none for the default one.
        track: The items' track.
        limit: Grade only the first so many predictions.
        columns: Columns of the predictions' file.
        run: What `Run` takes beside folder, judge and limits.
        limits: Concurrency, rates and budget.
        canonical: Sort ``grades.jsonl`` at the end.
        quiet: Show no progress.
    """

    items: Path
    predictions: Path
    out: Path
    judges: tuple[str, ...] = ()
    track: str | None = None
    limit: int | None = None
    columns: Columns = Columns()
    run: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    canonical: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a grading command did: its report, and the lines about missing partners."""

    report: RunReport
    unmatched: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every prediction has an item and could be judged."""
        progress = self.report.progress
        return not (self.unmatched or progress.faults or progress.stopped)


def exit_code(outcome: Outcome) -> int:
    """0 if all was graded, 130 if it was interrupted, else 3: see `mmrare_judge.cli`."""
    if outcome.complete:
        return 0
    return 130 if outcome.report.progress.stopped == "interrupted" else 3


def cache_choice(folder: Path | None, *, replay: bool) -> CacheChoice:
    """The cache two options name: a folder or the user's own, asked again or only replayed.

    >>> cache_choice(None, replay=False)
    'default'
    """
    if replay:
        return Replay(folder)
    return "default" if folder is None else folder


def own_terms(file: Path | None) -> Terms | None:
    """The names of a file of one's own over those of the package; ``None`` for the latter alone.

    Raises:
        InputError: The file cannot be read.
    """
    return None if file is None else Terms.default().with_file(file)


def prepare_grade(job: GradeJob) -> tuple[Run, tuple[Pair, ...], Pairing]:
    """Read the files, set the run up, and check every item against the rubric.

    Raises:
        InputError: A file cannot be read, or no prediction belongs to an item.
        RubricError: The rubric is wrong or does not fit an item.
        ConfigError: A judge is wrong.
    """
    pairing = _read(job)
    pairs = pairing.pairs[: job.limit]
    inputs = {"items": input_file(job.items), "predictions": input_file(job.predictions)}
    run = Run(job.out, job.judges or None, limits=job.limits, inputs=inputs, **job.run)
    for judge in run.judges:
        for _, item in pairs:
            judge.rubric_for(item)
    return run, pairs, pairing


def run_grade(job: GradeJob) -> Outcome:
    """Grade what the job names, into its folder, and tell how far it is on the way."""
    run, pairs, pairing = prepare_grade(job)
    total = len(pairs) * len(run.judges) * run.repeats
    with shown(run, total, quiet=job.quiet):
        report = run.grade(pairs, unmatched=_unmatched(pairing), canonical=job.canonical)
    return Outcome(report, pairing.problems() if pairing.predictions_without_item else ())


def estimate_lines(job: GradeJob) -> Iterator[str]:
    """What a job would ask for and cost, for people to read; nothing is sent or written."""
    blind = replace(job, run={**job.run, "cache": "off"})  # opening a cache would make its folder
    run, pairs, pairing = prepare_grade(blind)
    estimates = run.estimate(pairs, cache=job.run.get("cache", "default"))
    for estimate in estimates:
        yield from estimate.lines()
    if len(estimates) > 1:
        yield f"all together: {total_line(estimates)}"
    yield from pairing.problems() if pairing.predictions_without_item else ()
    if isinstance(job.run.get("cache"), Replay) and any(estimate.calls for estimate in estimates):
        yield "A replay asks nobody: it would end with an error at the first of them."
    yield "Nothing was sent."


def _unmatched(pairing: Pairing) -> dict[str, Any]:
    strangers: dict[str, list[str]] = {}
    for prediction in pairing.predictions_without_item:
        strangers.setdefault(prediction.system, []).append(prediction.item_id)
    return {
        "predictions_without_item": strangers,
        "items_without_prediction": {
            system: list(ids) for system, ids in pairing.items_without_prediction.items()
        },
    }


def _read(job: GradeJob) -> Pairing:
    items = read_items(job.items, track=job.track)
    columns = job.columns
    predictions = read_predictions(
        job.predictions,
        system=columns.system,
        system_column=columns.system_column,
        text_column=columns.text_column,
        id_column=columns.id_column,
    )
    pairing = pair_up(predictions, items)
    if not pairing.pairs:
        raise InputError(
            f"no prediction of {job.predictions} belongs to an item of {job.items}",
            remedy="\n".join(["Their ids have to be equal as text", *pairing.problems()]),
        )
    return pairing


def print_grades(folder: Path, format: str) -> None:
    """Print the grades of a folder: ``table``, ``jsonl`` or ``summary``."""
    grades = iter_grades(folder)
    if format == "jsonl":
        for grade in grades:
            print(grade.model_dump_json())
    elif format == "table":
        rows = map(grade_row, grades)
        print_table("Grades", GRADE_COLUMNS, rows, rest_in=", in the folder")


def print_results(folder: Path, format: str, outcome: Outcome) -> None:
    """Print what `run_grade` made: its grades, or its panels where the table is of them."""
    if format == "table" and outcome.report.panel is not None:
        print_panels(read_panels(folder, rule=outcome.report.panel.rule))
    else:
        print_grades(folder, format)
    if format != "jsonl":
        print_report(outcome)


def print_report(outcome: Outcome) -> None:
    """Print what the means are and how much of them was judged; problems go to stderr."""
    panel = outcome.report.panel
    summaries = summary_lines(outcome.report.summaries)
    for line in summaries if panel is None else figure_lines(panel):
        print(line)
    print(cost_line(outcome.report.progress))
    print(calibration_line(outcome.report.calibration))
    for line in outcome.unmatched:
        print(line, file=sys.stderr)
    progress = outcome.report.progress
    for kind, count in progress.faults.items():
        what = "prediction" if count == 1 else "predictions"
        print(f"{count} {what} could not be judged: {kind}", file=sys.stderr)
    if progress.stopped is not None:
        print(f"stopped: {progress.stopped}; start again to go on", file=sys.stderr)


def run_demo(folder: Path) -> None:
    """Grade the packaged examples with the embedded judge, write them and print them."""
    print("Grading real published cases with the embedded judge: no model, no network.")
    with resources.as_file(resources.files("mmrare_judge.examples")) as path:
        pairs = pair_up(
            read_predictions(path / "predictions.jsonl"), read_items(path / "items.jsonl")
        ).pairs
    for name in (GRADES, SUMMARY, RUN):
        (folder / name).unlink(missing_ok=True)
    report = Run(folder, EMBEDDED, limits=Limits(concurrency=1)).grade(pairs)
    print_grades(folder, "table")
    print_report(Outcome(report, ()))
    print(f"Written to {folder / GRADES} and {folder / SUMMARY}.")


_RECORDS: dict[str, type[BaseModel]] = {
    "grade": Grade,
    "item": Item,
    "prediction": Prediction,
    "rubric": Rubric,
    "judge": JudgeSpec,
}


def json_schema(what: str) -> str:
    """The JSON schema of a record, as text.

    >>> json.loads(json_schema("grade"))["title"]
    'Grade'
    """
    mode: Any = "serialization" if what == "grade" else "validation"
    return json.dumps(_RECORDS[what].model_json_schema(mode=mode), indent=2, ensure_ascii=False)


def describe_rubric(name: str) -> str:
    """A rubric as readable text.

    >>> describe_rubric("diagnosis").splitlines()[0]
    'diagnosis 1.0: Diagnosis, three yes-or-no criteria with a cascade'
    """
    rubric = load_rubric(name)
    lines = [f"{rubric.id} {rubric.version}: {rubric.title}", f"track {rubric.track}", rubric.hash]
    lines += ["", rubric.source, "", rubric.instructions]
    for criterion in rubric.criteria:
        share = criterion.weight / rubric.total_weight
        lines.append(f"{criterion.id} ({criterion.kind}, weight {share} of the score)")
        lines.append(f"  {criterion.question}")
        lines.append(f"  reads: {', '.join(criterion.needs)}")
        for label, level in criterion.levels.items():
            quote = ", quote needed" if level.quote else ""
            lines.append(f"  {label} ({level.points} points{quote}): {level.meaning}")
        if criterion.for_each:
            lines.append(f"  one verdict for each entry of {criterion.for_each}")
        lines.append("")
    return "\n".join(lines)
