"""Commands that grade: ``grade``, ``demo``, ``regrade`` and ``panel``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer  # noqa: TID251  the command line is the door

from mmrare_judge.backends.base import EMBEDDED, Mode
from mmrare_judge.backends.limits import Limits
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cli.output import (
    Format,
    exit_code,
    figure_lines,
    print_grades,
    print_panels,
    print_report,
    print_results,
    say,
    say_json,
    shown_progress,
)
from mmrare_judge.data.items import TRACKS, read_items
from mmrare_judge.data.predictions import (
    Pairing,
    PredictionColumns,
    pair_up,
    predictions_in,
    read_predictions,
)
from mmrare_judge.errors import InputError
from mmrare_judge.judging.judge import CacheChoice
from mmrare_judge.level2.terms import Terms
from mmrare_judge.panels.panel import Rule
from mmrare_judge.rubric.model import track_of
from mmrare_judge.run.estimate import total_line
from mmrare_judge.run.folder import GRADES, SUMMARY, iter_grades
from mmrare_judge.run.regrade import regrade, write_regraded
from mmrare_judge.run.run import Run
from mmrare_judge.run.specification import RUN, input_files
from mmrare_judge.run.summary import RunReport, read_panel_figures, read_panels

SystemOption = Annotated[str | None, typer.Option(help="The system that answered.")]
SystemColumn = Annotated[str | None, typer.Option(help="Column of the system.")]
TextColumn = Annotated[str | None, typer.Option(help="Column of the prediction.")]
IdColumn = Annotated[str | None, typer.Option(help="Column of the item id.")]


def grade_command(
    items: Annotated[
        list[Path], typer.Option(help="Items: .jsonl, .json, .tsv, .csv or .xlsx; repeatable.")
    ],
    predictions: Annotated[
        list[Path],
        typer.Option(
            help="Predictions, joined by item id; repeatable: a file that names no system is one."
        ),
    ],
    track: Annotated[str | None, typer.Option(help=f"One of {', '.join(TRACKS)}.")] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(help="Model name, judge YAML file, or 'embedded'; repeatable."),
    ] = None,
    rubric: Annotated[str | None, typer.Option(help="Rubric name or YAML file.")] = None,
    out: Annotated[Path, typer.Option(help="The run's folder; start again to go on.")] = Path(
        "run"
    ),
    fork: Annotated[Path | None, typer.Option(help="Go on there with a changed setting.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Tell calls, tokens and cost; send nothing.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Grade only the first N predictions.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Independent samples a judge.")] = 1,
    rule: Annotated[
        Rule, typer.Option(help="How several judges or repeats decide together.")
    ] = "majority",
    cache_dir: Annotated[Path | None, typer.Option(help="Where replies are kept.")] = None,
    replay: Annotated[bool, typer.Option(help="Answer from the cache alone.")] = False,
    format: Annotated[Format, typer.Option(help="What is printed.")] = "table",
    system: SystemOption = None,
    system_column: SystemColumn = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    api_base: Annotated[str | None, typer.Option(help="Address of your own endpoint.")] = None,
    backend: Annotated[
        Literal["litellm", "direct"] | None, typer.Option(help="Client of your own endpoint.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="How structure is asked for.")] = None,
    criteria_per_call: Annotated[int | None, typer.Option(min=1, help="All by default.")] = None,
    confidence: Annotated[
        Literal["none", "logprobs"] | None, typer.Option(help="From log probabilities.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests on the wire at most.")] = 64,
    rpm: Annotated[int | None, typer.Option(min=1, help="Requests a minute at most.")] = None,
    tpm: Annotated[int | None, typer.Option(min=1, help="Tokens a minute at most.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="US dollars.")] = None,
    max_calls: Annotated[int | None, typer.Option(min=0, help="Requests.")] = None,
    terms: Annotated[
        Path | None, typer.Option(help="Names and abbreviations of your own, for level 2.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="calibration.json of a study of this judge.")
    ] = None,
    store: Annotated[
        Literal["texts", "hashes"],
        typer.Option(help="Keep prediction, question and reference with each grade, or hashes."),
    ] = "texts",
    partial: Annotated[
        bool, typer.Option("--partial", help="Predictions are missing on purpose: exit code 0.")
    ] = False,
    canonical: Annotated[bool, typer.Option(help="Sort grades.jsonl at the end.")] = False,
    quiet: Annotated[bool, typer.Option(help="Show no progress.")] = False,
) -> None:
    """Grade predictions against items, into a folder that can be resumed."""
    columns = PredictionColumns(system, text_column, system_column, id_column)
    pairing = read_pairs(items, predictions, columns, track, rubric)
    pairing = replace(pairing, pairs=pairing.pairs[:limit])
    cache = _cache(cache_dir, replay=replay)
    run = Run(
        out,
        judge,
        rubric=rubric,
        cache="off" if estimate else cache,  # opening a cache would make its folder
        backend=backend,
        terms=None if terms is None else Terms.default().with_file(terms),
        certificate=certificate,
        repeats=repeats,
        rule=rule,
        limits=Limits(concurrency, rpm, tpm, max_cost, max_calls),
        inputs=input_files(items=items, predictions=predictions),
        fork=fork,
        keep=store,
        api_base=api_base,
        temperature=temperature,
        mode=mode,
        criteria_per_call=criteria_per_call,
        confidence=confidence,
    )
    if estimate:
        _print_estimate(run, pairing, cache)
        return
    report = grade_shown(run, pairing, canonical=canonical, quiet=quiet)
    print_results(fork or out, format, report)
    raise typer.Exit(exit_code(report, partial=partial))


def _cache(folder: Path | None, *, replay: bool) -> CacheChoice:
    if replay:
        return Replay(folder)
    return "default" if folder is None else folder


def read_pairs(
    items: Sequence[Path],
    predictions: Sequence[Path],
    columns: PredictionColumns,
    track: str | None,
    rubric: str | Path | None = None,
) -> Pairing:
    """The predictions of files with their items, of the rubric's track where they name none.

    Raises:
        InputError: A file cannot be read, or no prediction belongs to an item.
    """
    read = read_items(*items, track=track, default_track=track_of(rubric))
    pairing = pair_up(predictions_in(predictions, columns), read)
    if not pairing.pairs:
        answers, asked = (" and ".join(map(str, files)) for files in (predictions, items))
        raise InputError(
            f"no prediction of {answers} belongs to an item of {asked}",
            remedy="\n".join(pairing.problems()),
        )
    return pairing


def grade_shown(
    run: Run, pairing: Pairing, *, canonical: bool = False, quiet: bool = False
) -> RunReport:
    """Grade, and show how far it is meanwhile."""
    total = len(pairing.pairs) * len(run.judges) * run.repeats
    with shown_progress(run, total, quiet=quiet):
        return run.grade(pairing, canonical=canonical)


def _print_estimate(run: Run, pairing: Pairing, cache: CacheChoice) -> None:
    run.check(pairing.pairs)
    estimates = run.estimate(pairing.pairs, cache=cache)
    for estimate in estimates:
        for line in estimate.lines():
            say(line)
    if len(estimates) > 1:
        say(f"all together: {total_line(estimates)}")
    for line in pairing.problems():
        say(line)
    if isinstance(cache, Replay) and any(estimate.calls for estimate in estimates):
        say("A replay asks nobody: it would end with an error at the first of them.")
    say("Nothing was sent.")


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/demo"),
) -> None:
    """Grade the real examples in this package with the embedded judge, without a network."""
    say("Grading real published cases with the embedded judge: no model, no network.")
    with resources.as_file(resources.files("mmrare_judge") / "examples") as path:
        predictions = read_predictions(path / "predictions.jsonl")
        pairs = pair_up(predictions, read_items(path / "items.jsonl")).pairs
    for name in (GRADES, SUMMARY, RUN):
        (out / name).unlink(missing_ok=True)
    report = Run(out, EMBEDDED, limits=Limits(concurrency=1)).grade(pairs)
    print_grades(out, "table")
    print_report(report)
    say(f"Written to {out / GRADES} and {out / SUMMARY}.")


def regrade_command(
    grades: Annotated[Path, typer.Option(help="Grades of a run: its folder or grades.jsonl.")],
    items: Annotated[list[Path], typer.Option(help="The items that were graded; repeatable.")],
    predictions: Annotated[
        list[Path], typer.Option(help="The predictions that were graded; repeatable.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for grades.jsonl and summary.json.")],
    rubric: Annotated[str | None, typer.Option(help="Rubric to score by: name or file.")] = None,
    track: Annotated[str | None, typer.Option(help="The track of the items.")] = None,
    cache_dir: Annotated[Path | None, typer.Option(help="Where the replies are kept.")] = None,
    system: SystemOption = None,
    system_column: SystemColumn = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
) -> None:
    """Score stored replies again under another rubric scoring or a newer version, without a call.

    The rubric has to ask the same criteria and elements with the same labels as before.
    """
    columns = PredictionColumns(system, text_column, system_column, id_column)
    pairs = read_pairs(items, predictions, columns, track, rubric).pairs
    again = regrade(iter_grades(grades), pairs, rubric=rubric, cache=cache_dir)
    say(f"{write_regraded(out, again)} grades written to {out}")


def panel_command(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    rule: Annotated[Rule, typer.Option(help="How votes become a decision.")] = "majority",
    rubric: Annotated[
        str | None, typer.Option(help="Rubric name or file; by default the run's own.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Gradings a prediction; by default the run's own.")
    ] = None,
    format: Annotated[
        Literal["table", "jsonl", "json"],
        typer.Option(help="A table, a panel a line, or all figures as one object."),
    ] = "table",
) -> None:
    """Join the gradings of each prediction, by several judges or repeats, into one decision."""
    if format == "jsonl":
        for panel in read_panels(run, rule=rule, rubric=rubric, size=size):
            say_json(panel.model_dump_json())
        return
    figures = read_panel_figures(run, rule=rule, rubric=rubric, size=size)
    if format == "json":
        say_json(figures.model_dump_json(indent=2))
        return
    print_panels(read_panels(run, rule=rule, rubric=rubric, size=size))
    for line in figure_lines(figures):
        say(line)
