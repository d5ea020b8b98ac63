"""``mmrare-judge regrade``: the grades of a run scored again, from the replies that were kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer  # noqa: TID251  the command is written in the command line's own terms

from mmrare_judge.errors import OutputError
from mmrare_judge.judging.grade import Grade


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
    from mmrare_judge.data.predictions import pair_up, read_predictions
    from mmrare_judge.data.tables import read_items
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
    from mmrare_judge.run.folder import SUMMARY, Ledger, write_whole
    from mmrare_judge.run.summary import Tally

    ledger, tally = Ledger(folder), Tally()
    count = 0
    _make_folder(folder, ledger.path)
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
    write_whole(folder / SUMMARY, json.dumps(content, indent=2, ensure_ascii=False))
    return count


def _make_folder(folder: Path, grades: Path) -> None:
    if grades.exists():
        raise OutputError(f"{grades} exists already; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error}; name another folder") from error
