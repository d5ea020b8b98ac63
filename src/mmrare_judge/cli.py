"""The command line: `mmrare-judge`; the one door to typer.

Exit codes: 0 all graded; 1 a fault of this package; 2 a wrong option, input or rubric, or an extra
that is not installed; 3 finished, but some predictions have no grading or no partner, or entries of
a cache or bundle are bad; 4 the judge cannot work (key, model, setting, a reply the replayed cache
does not hold), or its certificate cannot be read; 5 a result could not be written, or the folder
holds another run or is in use; 6 a judge does not pass the gate; 130 interrupted.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer  # noqa: TID251  this is the door

from mmrare_judge import errors
from mmrare_judge._version import __version__
from mmrare_judge.cache_cli import cache_app
from mmrare_judge.calibrate_cli import calibrate_command
from mmrare_judge.data.items import TRACKS
from mmrare_judge.gate_cli import gate_command
from mmrare_judge.panel_cli import Rule, panel_command
from mmrare_judge.plan_cli import plan_app
from mmrare_judge.regrade_cli import regrade_command

EXIT_CODES: tuple[tuple[type[errors.MMRareJudgeError], int], ...] = (
    (errors.InputError, 2),
    (errors.RubricError, 2),
    (errors.MissingExtraError, 2),
    (errors.ConfigError, 4),
    (errors.CacheMissError, 4),
    (errors.OutputError, 5),
)
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Grade free-text treatment plans and work-ups with rubric-driven judges.",
)
rubrics_app = typer.Typer(no_args_is_help=True, help="List, show and check rubrics.")
app.add_typer(rubrics_app, name="rubrics")
app.add_typer(cache_app, name="cache")
app.add_typer(plan_app, name="plan")
app.command("regrade")(regrade_command)
app.command("panel")(panel_command)
app.command("calibrate")(calibrate_command)
app.command("gate")(gate_command)

Format = StrEnum("Format", ["table", "jsonl", "summary"])
Backend = StrEnum("Backend", ["litellm", "direct"])
Mode = StrEnum("Mode", ["auto", "json_schema", "json", "tools"])
Confidence = StrEnum("Confidence", ["none", "logprobs"])
Printable = StrEnum("Printable", ["grade", "item", "prediction", "rubric", "judge"])


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mmrare-judge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    """Grade free-text treatment plans and work-ups with rubric-driven judges."""


@app.command()
def grade(
    items: Annotated[Path, typer.Option(help="Items: .jsonl, .json, .tsv, .csv or .xlsx.")],
    predictions: Annotated[Path, typer.Option(help="Predictions, joined by item id.")],
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
    ] = Rule.majority,
    cache_dir: Annotated[Path | None, typer.Option(help="Where replies are kept.")] = None,
    replay: Annotated[bool, typer.Option(help="Answer from the cache alone.")] = False,
    format: Annotated[Format, typer.Option(help="What is printed.")] = Format.table,
    system: Annotated[str | None, typer.Option(help="The system that answered.")] = None,
    system_column: Annotated[str | None, typer.Option(help="Column of the system.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column of the prediction.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column of the item id.")] = None,
    api_base: Annotated[str | None, typer.Option(help="Address of your own endpoint.")] = None,
    backend: Annotated[Backend | None, typer.Option(help="Client of your own endpoint.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="How structure is asked for.")] = None,
    criteria_per_call: Annotated[int | None, typer.Option(min=1, help="All by default.")] = None,
    confidence: Annotated[Confidence | None, typer.Option(help="From log probabilities.")] = None,
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
    canonical: Annotated[bool, typer.Option(help="Sort grades.jsonl at the end.")] = False,
    quiet: Annotated[bool, typer.Option(help="Show no progress.")] = False,
) -> None:
    """Grade predictions against items, into a folder that can be resumed."""
    from mmrare_judge.backends.limits import Limits
    from mmrare_judge.grade_command import (
        Columns,
        GradeJob,
        cache_choice,
        estimate_lines,
        own_terms,
        run_grade,
    )
    from mmrare_judge.grade_printing import print_results
    from mmrare_judge.outcome import exit_code

    settings = {
        "rubric": rubric,
        "cache": cache_choice(cache_dir, replay=replay),
        "fork": fork,
        "repeats": repeats,
        "rule": rule.value,
        "api_base": api_base,
        "backend": backend,
        "temperature": temperature,
        "mode": mode,
        "criteria_per_call": criteria_per_call,
        "confidence": confidence,
        "certificate": certificate,
        "terms": own_terms(terms),
    }
    job = GradeJob(
        items=items,
        predictions=predictions,
        out=out,
        judges=tuple(judge or ()),
        track=track,
        limit=limit,
        columns=Columns(system, system_column, text_column, id_column),
        run={name: value for name, value in settings.items() if value is not None},
        limits=Limits(concurrency, rpm, tpm, max_cost, max_calls),
        canonical=canonical,
        quiet=quiet,
    )
    if estimate:
        for line in estimate_lines(job):
            typer.echo(line)
        return
    outcome = run_grade(job)
    print_results(fork or out, format.value, outcome)
    raise typer.Exit(exit_code(outcome))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/demo"),
) -> None:
    """Grade the real examples in this package with the embedded judge, without a network."""
    from mmrare_judge.demo import run_demo

    run_demo(out)


@app.command()
def schema(what: Annotated[Printable, typer.Argument(help="Which record.")]) -> None:
    """Print the JSON schema of a record."""
    from mmrare_judge.record_schemas import json_schema

    typer.echo(json_schema(what.value))


@rubrics_app.command("list")
def list_command() -> None:
    """List the rubrics that come with the package."""
    from mmrare_judge.rubric.load import list_rubrics, load_rubric

    for name in list_rubrics():
        rubric = load_rubric(name)
        typer.echo(f"{name:22} {rubric.track:12} {rubric.version:5} {rubric.title}")


@rubrics_app.command("show")
def show_command(rubric: Annotated[str, typer.Argument(help="Name or YAML file.")]) -> None:
    """Show a rubric's criteria and levels."""
    from mmrare_judge.rubric.load import describe_rubric

    typer.echo(describe_rubric(rubric))


@rubrics_app.command("validate")
def validate_command(
    rubric: Annotated[list[str], typer.Argument(help="Names or YAML files.")],
) -> None:
    """Check rubrics, all of them, and fail if one is wrong."""
    from mmrare_judge.rubric.load import load_rubric

    wrong = 0
    for name in rubric:
        try:
            loaded = load_rubric(name)
        except errors.RubricError as error:
            wrong += 1
            typer.echo(f"wrong  {error}", err=True)
        else:
            typer.echo(f"valid  {name}: {len(loaded.criteria)} criteria, {loaded.hash}")
    raise typer.Exit(2 if wrong else 0)


def main() -> NoReturn:
    """Run the command line: errors as one paragraph, a traceback only with ``--debug``."""
    if sys.argv[1:] == ["--version"]:
        print(f"mmrare-judge {__version__}")
        sys.exit(0)
    try:
        app()
    except errors.MMRareJudgeError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"mmrare-judge: {error}", err=True)
        sys.exit(next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
