"""What ``mmrare-judge grade`` does, without the command line: callable as functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmrare_judge.backends.base import EMBEDDED
from mmrare_judge.backends.limits import Limits
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cli.output import Outcome, print_grades, print_report, shown_progress
from mmrare_judge.data.items import Item, read_items
from mmrare_judge.data.predictions import Pairing, Prediction, pair_up, read_predictions
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.files import make_folder, write_whole
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.judge import CacheChoice
from mmrare_judge.level2.terms import Terms
from mmrare_judge.run.estimate import total_line
from mmrare_judge.run.folder import GRADES, RUN, SUMMARY, input_file
from mmrare_judge.run.run import Run

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
    with shown_progress(run, total, quiet=job.quiet):
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


# FOLDED demo: The packaged examples, graded by the embedded judge and printed.


def run_demo(folder: Path) -> None:
    """Grade the packaged examples with the embedded judge, write them and print them."""
    print("Grading real published cases with the embedded judge: no model, no network.")
    with resources.as_file(resources.files("mmrare_judge") / "examples") as path:
        pairs = pair_up(
            read_predictions(path / "predictions.jsonl"), read_items(path / "items.jsonl")
        ).pairs
    for name in (GRADES, SUMMARY, RUN):
        (folder / name).unlink(missing_ok=True)
    report = Run(folder, EMBEDDED, limits=Limits(concurrency=1)).grade(pairs)
    print_grades(folder, "table")
    print_report(Outcome(report, ()))
    print(f"Written to {folder / GRADES} and {folder / SUMMARY}.")


# FOLDED regrade_cli: ``mmrare-judge regrade``: the grades of a run scored again, from the replies that were kept.


def regrade_command(
    grades: Annotated[Path, typer.Option(help="Grades of a run: its folder or grades.jsonl.")],
    items: Annotated[Path, typer.Option(help="The items that were graded.")],
    predictions: Annotated[Path, typer.Option(help="The predictions that were graded.")],
    out: Annotated[Path, typer.Option(help="New folder for grades.jsonl and summary.json.")],
    rubric: Annotated[str | None, typer.Option(help="Rubric to score by: name or file.")] = None,
    track: Annotated[str | None, typer.Option(help="The track of the items.")] = None,
    cache_dir: Annotated[Path | None, typer.Option(help="Where the replies are kept.")] = None,
    system: Annotated[str | None, typer.Option(help="The system that answered.")] = None,
    system_column: Annotated[str | None, typer.Option(help="Column of the system.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column of the prediction.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of the item id.")] = None,
) -> None:
    """Score stored replies again under another rubric scoring or a newer version, without a call.

    The rubric has to ask the same criteria and elements with the same labels as before.
    """
    from mmrare_judge.data.items import read_items
    from mmrare_judge.data.predictions import pair_up, read_predictions
    from mmrare_judge.run.folder import iter_grades
    from mmrare_judge.run.regrade import regrade

    answers = read_predictions(
        predictions,
        system=system,
        system_column=system_column,
        text_column=text_column,
        id_column=id_column,
    )
    pairs = pair_up(answers, read_items(items, track=track)).pairs
    count = write_grades(out, regrade(iter_grades(grades), pairs, rubric=rubric, cache=cache_dir))
    typer.echo(f"{count} grades written to {out}")


def write_grades(folder: Path, grades: Iterable[Grade]) -> int:
    """Write grades and their summary to a folder that has none yet; return how many.

    Raises:
        OutputError: It has grades already, or cannot be written.
    """
    from mmrare_judge.run.folder import Ledger
    from mmrare_judge.run.summary import Tally

    ledger, tally = Ledger(folder), Tally()
    count = 0
    if ledger.path.exists():
        raise OutputError(f"{ledger.path} exists already; name another folder")
    make_folder(folder, private=True)
    ledger.open()
    try:
        for grade in grades:
            ledger.write(grade)
            tally.add(grade)
            count += 1
    except BaseException:
        ledger.path.unlink()  # half a regrading would look like a whole one
        raise
    finally:
        ledger.close()
    summaries = [summary.model_dump(mode="json") for summary in tally.summaries()]
    content = {"summaries": summaries}
    write_whole(folder / SUMMARY, json.dumps(content, indent=2, ensure_ascii=False), private=True)
    return count


# FOLDED panel_cli: ``mmrare-judge panel``: what the judges and repeats of a run decided together.

if TYPE_CHECKING:
    pass

Rule = StrEnum("Rule", ["majority", "mean", "median"])
PanelFormat = StrEnum("PanelFormat", ["table", "jsonl", "json"])


def panel_command(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    rule: Annotated[Rule, typer.Option(help="How votes become a decision.")] = Rule.majority,
    rubric: Annotated[
        str | None, typer.Option(help="Rubric name or file; by default the run's own.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Gradings a prediction; by default the run's own.")
    ] = None,
    format: Annotated[
        PanelFormat, typer.Option(help="A table, a panel a line, or all figures as one object.")
    ] = PanelFormat.table,
) -> None:
    """Join the gradings of each prediction, by several judges or repeats, into one decision."""
    from mmrare_judge.cli.output import print_panels
    from mmrare_judge.panels.report import figure_lines
    from mmrare_judge.run.panels import read_panel_figures, read_panels

    way: Any = {"rule": rule.value, "rubric": rubric, "size": size}
    if format is PanelFormat.jsonl:
        for panel in read_panels(run, **way):
            typer.echo(panel.model_dump_json())
        return
    figures = read_panel_figures(run, **way)
    if format is PanelFormat.json:
        typer.echo(figures.model_dump_json(indent=2))
        return
    print_panels(read_panels(run, **way))
    for line in figure_lines(figures):
        typer.echo(line)
