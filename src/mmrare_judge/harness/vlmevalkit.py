"""VLMEvalKit: a finished result file graded, from a dataset class or by hand.

In a dataset class::

    def evaluate(self, eval_file, **judge_kwargs):
        from mmrare_judge.harness.vlmevalkit import evaluate

        return evaluate(eval_file, track="treatment", **judge_kwargs)

VLMEvalKit itself is not imported: its result tables are files. `RecordedJudge` keeps the replies of
its own judges.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from mmrare_judge.backends.base import EMBEDDED, Reply, Request
from mmrare_judge.cache.store import ReplyCache, default_cache_dir
from mmrare_judge.data.items import Item, read_items
from mmrare_judge.data.predictions import pair_up, read_predictions
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.files import write_whole
from mmrare_judge.judging.grade import Grade, Grades
from mmrare_judge.judging.judge import JudgeLike, grade_many
from mmrare_judge.run.summary import summarise

_OF_VLMEVALKIT = ("verbose", "use_azure", "fail_msg", "wait", "system_prompt", "img_detail")
"""What a dataset class is handed besides, for judges of VLMEvalKit's own."""


_OF_MODELS = ("timeout", "retries", "api_base", "api_key")


def evaluate(
    eval_file: str | Path,
    *,
    model: JudgeLike = None,
    nproc: int = 8,
    retry: int | None = None,
    api_base: str | None = None,
    key: str | None = None,
    track: str | None = None,
    items: str | Path | Iterable[Item] | None = None,
    **options: Any,
) -> dict[str, float | int | None]:
    """Grade a result file, and write three files beside it.

    ``<name>_mmrare.csv`` has a row for each answer, ``<name>_mmrare_grades.jsonl`` the whole grades
    with verdicts, quotes and signatures, ``<name>_mmrare_metrics.json`` what is returned.

    Args:
        eval_file: The table that VLMEvalKit wrote: ``.xlsx``, ``.tsv``, ``.csv``, ``.json`` or
            ``.jsonl``. A pickle is refused: reading one runs what is in it.
        model: The judge; see `mmrare_judge.Judge`.
        nproc: How many answers are graded at once.
        retry: How often a failed request is repeated.
        api_base: The judge's address, with or without VLMEvalKit's ``/chat/completions``.
        key: The judge's key.
        track: The track, where no column says it.
        items: The items, where the table does not hold the dataset's columns.
        **options: Everything `mmrare_judge.Judge` takes. What is meant for VLMEvalKit's own judges
            is left out.

    Returns:
        The mean ``score`` of the answers that have one (``None`` if none has), beside it how many
        those are, the coverage and the bounds over all; and the mean points of each
        criterion.

    Raises:
        InputError: The table cannot be read, or an answer has no item.
        ConfigError: No judge was named.
    """
    if model in (None, "exact_matching"):  # what VLMEvalKit says where nobody named a judge
        raise ConfigError("no judge was named; run VLMEvalKit with --judge MODEL, or embedded")
    path = Path(eval_file)
    pairing = pair_up(read_predictions(path), _items(path if items is None else items, track))
    if pairing.predictions_without_item:
        raise InputError(
            pairing.problems()[0], file=str(path), remedy="Give their items: items=..."
        )
    settings = {name: value for name, value in options.items() if name not in _OF_VLMEVALKIT}
    base = None if api_base is None else api_base.removesuffix("/chat/completions")
    settings |= {"retries": retry, "api_base": base, "api_key": key}
    if model == EMBEDDED:  # it is handed what is meant for a model all the same
        settings = {name: given for name, given in settings.items() if name not in _OF_MODELS}
    grades = grade_many(pairing.pairs, judge=model, concurrency=nproc, **settings)
    write_whole(path.with_name(f"{path.stem}_mmrare.csv"), _table(grades))
    lines = "".join(f"{grade.model_dump_json()}\n" for grade in grades)
    write_whole(path.with_name(f"{path.stem}_mmrare_grades.jsonl"), lines)
    metrics = _metrics(grades)
    write_whole(path.with_name(f"{path.stem}_mmrare_metrics.json"), json.dumps(metrics, indent=4))
    return metrics


def _items(source: str | Path | Iterable[Item], track: str | None) -> list[Item]:
    return read_items(source, track=track) if isinstance(source, str | Path) else list(source)


def _table(grades: Iterable[Grade]) -> str:
    rows = [grade.to_row() for grade in grades]
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return stream.getvalue()


def _metrics(grades: Grades) -> dict[str, float | int | None]:
    mean = grades.mean()
    assert mean is not None  # a table without rows is refused
    found: dict[str, float | int | None] = {
        "score": mean.value,
        "scored": mean.scored,
        "n": mean.n,
        "coverage": mean.coverage,
        "worst": mean.bounds.worst,
        "best": mean.bounds.best,
    }
    for summary in summarise(grades):
        for name, criterion in summary.criteria.items():
            found[f"{summary.track}/{name}"] = criterion.mean
    return found


# --- The official protocol, recorded


class VLMEvalKitJudge(Protocol):
    """A judge as VLMEvalKit's ``build_judge`` makes it."""

    def generate(self, message: Any, **kwargs: Any) -> str:
        """The reply to a prompt, or a text that says it failed."""
        ...

    def working(self) -> bool:
        """Whether it answers."""
        ...


class RecordedJudge:
    """Stands in for a judge of VLMEvalKit, and records its raw replies in the reply cache.

    Each reply is kept with its prompt, and is taken from there the next time. The same prompt asked
    again by this object is a repeat of its own: a protocol that asks again after a reply it cannot
    read gets another one. What the judge says when it failed is handed on, and is not kept.

    Args:
        judge: The judge that is asked.
        model: What it is called in the cache.
        cache: The cache's folder; by default the user's.
        failed: What the judge's text begins with when it failed.
    """

    def __init__(
        self,
        judge: VLMEvalKitJudge,
        model: str,
        *,
        cache: str | Path | None = None,
        failed: str = "Failed to obtain answer",
    ) -> None:
        self._judge = judge
        self._model = f"vlmevalkit/{model}"
        self._cache = ReplyCache(cache or default_cache_dir())
        self._failed = failed
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def generate(self, prompt: str, **options: Any) -> str:
        """The reply to a prompt.

        Args:
            prompt: The text.
            **options: What the judge takes besides, such as ``temperature``.
        """
        request = self._request(prompt, options)
        known = self._cache.get(request.hash)
        if known is not None:
            return known.text
        text = self._judge.generate(prompt, **options)
        if not text.startswith(self._failed):
            self._cache.put(request, Reply(text=text))
        return text

    def working(self) -> bool:
        """Whether the judge answers."""
        return self._judge.working()

    def _request(self, prompt: str, options: dict[str, Any]) -> Request:
        said = json.dumps([prompt, options], sort_keys=True)
        with self._lock:
            sample = self._asked[said]
            self._asked[said] += 1
        message = {"role": "user", "content": prompt}
        return Request(self._model, (message,), options, schema={}, sample=sample)  # type: ignore[arg-type]  # the role is one of the words
