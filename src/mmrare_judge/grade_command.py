"""What ``mmrare-judge grade`` does, without the command line: callable as functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmrare_judge.backends.limits import Limits
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Pairing, Prediction, pair_up, read_predictions
from mmrare_judge.data.tables import read_items
from mmrare_judge.errors import InputError
from mmrare_judge.judging.judge import CacheChoice
from mmrare_judge.level2.terms import Terms
from mmrare_judge.outcome import Outcome
from mmrare_judge.progress import shown
from mmrare_judge.run.estimate import total_line
from mmrare_judge.run.folder import input_file
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
