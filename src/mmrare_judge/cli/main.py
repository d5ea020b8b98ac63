"""The command line: `mmrare-judge`.

Exit codes: 0 all graded; 1 a fault of this package; 2 a wrong option, input or rubric, or an extra
that is not installed; 3 finished, but some predictions have no grading or no partner, or items no
prediction (`--partial`: on purpose), or the address of the judge does not answer, or entries of a
cache or bundle are bad; 4 the judge cannot work (key, model, setting, a reply the replayed cache
does not hold), or its certificate cannot be read; 5 a result could not be written, or the folder
holds another run or is in use; 6 a judge does not pass the gate; 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer  # noqa: TID251  the command line is the door
from pydantic import BaseModel

from mmrare_judge import errors
from mmrare_judge._version import __version__
from mmrare_judge.backends.base import JudgeSpec
from mmrare_judge.cli.calibrate import calibrate_command, gate_command
from mmrare_judge.cli.grade import demo_command, grade_command, panel_command, regrade_command
from mmrare_judge.cli.output import say, say_json, say_lines
from mmrare_judge.cli.plan import plan_app
from mmrare_judge.cli.serve import serve_command
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.judging.grade import Grade
from mmrare_judge.rubric.model import Rubric

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
cache_app = typer.Typer(
    no_args_is_help=True, help="Look into the cache of replies; export and import it."
)

app.add_typer(rubrics_app, name="rubrics")
app.add_typer(cache_app, name="cache")
app.add_typer(plan_app, name="plan")
app.command("grade")(grade_command)
app.command("demo")(demo_command)
app.command("regrade")(regrade_command)
app.command("panel")(panel_command)
app.command("calibrate")(calibrate_command)
app.command("gate")(gate_command)
app.command("serve")(serve_command)


def _say_version(wanted: bool) -> None:
    if wanted:
        say(f"mmrare-judge {__version__}")
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
def schema(
    what: Annotated[
        Literal["grade", "item", "prediction", "rubric", "judge"],
        typer.Argument(help="Which record."),
    ],
) -> None:
    """Print the JSON schema of a record."""
    records: dict[str, type[BaseModel]] = {
        "grade": Grade,
        "item": Item,
        "prediction": Prediction,
        "rubric": Rubric,
        "judge": JudgeSpec,
    }
    mode: Literal["serialization", "validation"]
    mode = "serialization" if what == "grade" else "validation"
    schema = records[what].model_json_schema(mode=mode)
    say_json(json.dumps(schema, indent=2, ensure_ascii=False))


@rubrics_app.command("list")
def list_command() -> None:
    """List the rubrics that come with the package."""
    from mmrare_judge.rubric.model import list_rubrics, load_rubric

    for name in list_rubrics():
        rubric = load_rubric(name)
        say(f"{name:22} {rubric.track:12} {rubric.version:5} {rubric.title}")


@rubrics_app.command("show")
def show_command(rubric: Annotated[str, typer.Argument(help="Name or YAML file.")]) -> None:
    """Show a rubric's criteria and levels."""
    from mmrare_judge.rubric.model import describe_rubric

    say_lines(describe_rubric(rubric))


@rubrics_app.command("validate")
def validate_command(
    rubric: Annotated[list[str], typer.Argument(help="Names or YAML files.")],
) -> None:
    """Check rubrics, all of them, and fail if one is wrong."""
    from mmrare_judge.rubric.model import load_rubric

    wrong = 0
    for name in rubric:
        try:
            loaded = load_rubric(name)
        except errors.RubricError as error:
            wrong += 1
            say_lines(f"wrong  {error}", err=True)
        else:
            say(f"valid  {name}: {len(loaded.criteria)} criteria, {loaded.hash}")
    raise typer.Exit(2 if wrong else 0)


# --- cache: what it holds, whether it is sound, and as a bundle

CacheDir = Annotated[
    Path | None, typer.Option(help="The cache's folder; by default the user's cache.")
]


@cache_app.command("export")
def export_command(
    bundle: Annotated[Path, typer.Argument(help="File to write: .jsonl or .jsonl.gz.")],
    cache_dir: CacheDir = None,
    hashes_only: Annotated[
        bool, typer.Option("--hashes-only", help="Leave the requests, with the cases, out.")
    ] = False,
    created_from: Annotated[str, typer.Option(help="What the replies were bought for.")] = "",
) -> None:
    """Write the cache to one portable file; equal caches give equal files."""
    from mmrare_judge.cache.bundle import export_bundle
    from mmrare_judge.cache.read_only import Replay

    done = export_bundle(
        Replay(cache_dir),
        bundle,
        requests="none" if hashes_only else "all",
        created_from=created_from,
    )
    say(f"{done.count} entries written to {bundle}, {done.with_request} with their request")
    _end(done.faults)


@cache_app.command("import")
def import_command(
    bundle: Annotated[Path, typer.Argument(help="File to read: .jsonl or .jsonl.gz.")],
    cache_dir: CacheDir = None,
) -> None:
    """Add a bundle's entries to the cache; what is there already stays as it is."""
    from mmrare_judge.cache.bundle import import_bundle
    from mmrare_judge.cache.store import default_cache_dir

    done = import_bundle(bundle, cache_dir or default_cache_dir())
    say(
        f"{done.added} entries added, {done.known} were there already; "
        f"{len(done.faults)} faults, {done.requests_added} requests added to known entries"
    )
    _end(done.faults)


@cache_app.command("stats")
def stats_command(cache_dir: CacheDir = None) -> None:
    """Print what the cache holds and what was paid for it."""
    from mmrare_judge.cache.bundle import cache_stats
    from mmrare_judge.cache.read_only import Replay

    replay = Replay(cache_dir)
    say(f"cache             {replay.directory}")
    for line in cache_stats(replay).lines():
        say(line)


@cache_app.command("verify")
def verify_command(cache_dir: CacheDir = None) -> None:
    """Check every entry; list the bad ones and fail if there are any."""
    from mmrare_judge.cache.bundle import cache_faults
    from mmrare_judge.cache.read_only import Replay

    replay = Replay(cache_dir)
    faults = list(cache_faults(replay))
    say(f"{len(replay)} entries, {len(faults)} faults in {replay.directory}")
    _end(faults)


def _end(faults: Iterable[object]) -> None:
    faults = list(faults)
    for fault in faults:
        say(f"bad  {fault}", err=True)
    raise typer.Exit(3 if faults else 0)


def main() -> NoReturn:
    """Run the command line: errors as one paragraph, a traceback only with ``--debug``."""
    if sys.argv[1:] == ["--version"]:
        say(f"mmrare-judge {__version__}")
        sys.exit(0)
    log, warnings = logging.getLogger("mmrare_judge"), _Warnings()
    log.addHandler(warnings)
    try:
        app()
    except errors.MMRareJudgeError as error:
        if "--debug" in sys.argv:
            raise
        say_lines(f"mmrare-judge: {error}", err=True)
        sys.exit(next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1))
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        log.removeHandler(warnings)
    sys.exit(0)


class _Warnings(logging.Handler):
    """Prints what the library warns of, whose texts come from data too."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            say_lines(record.getMessage(), err=True)
