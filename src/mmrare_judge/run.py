"""A resumable run over a data set: `Run`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any, Literal

from mmrare_judge.errors import BudgetError, OutputError
from mmrare_judge.gate import AdaptiveGate, Budget, Piece, piece_of_work
from mmrare_judge.grade import Grade, Usage
from mmrare_judge.grading import Grading
from mmrare_judge.item import TRACKS, Item
from mmrare_judge.judge import Judge, JudgeLike
from mmrare_judge.ledger import Ledger, iter_grades
from mmrare_judge.loop import run_sync
from mmrare_judge.prediction import Prediction
from mmrare_judge.prompt import PROMPT_HASH
from mmrare_judge.rubric import load_rubric
from mmrare_judge.run_folder import RunFolder, Standing
from mmrare_judge.run_record import InputFile, RunRecord
from mmrare_judge.summary import Summary, Tally

Pair = tuple[Prediction, Item]
Stopped = Literal["budget", "interrupted"]


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        concurrency: Requests on the wire at most; the run finds out how many of them the provider
            stands.
        requests_per_minute: Ceiling over any 60 seconds.
        tokens_per_minute: Ceiling over any 60 seconds.
        max_cost: US dollars; the run stops before it would be passed.
        max_calls: Requests; likewise.
    """

    concurrency: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_cost: float | None = None
    max_calls: int | None = None

    @property
    def workers(self) -> int:
        """Predictions worked on at once: no more than a ceiling lets through in ten minutes.

        Who waits longer runs out of ``item_timeout``, 30 minutes, without ever having been asked.

        >>> Limits(concurrency=64, requests_per_minute=2).workers
        20
        """
        if self.requests_per_minute is None:
            return self.concurrency
        return min(self.concurrency, 10 * self.requests_per_minute)


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        graded: Grades made by this start.
        resumed: Grades that were there already.
        faults: Grades in which the judge could not be asked, by kind.
        usage: What the grades made by this start cost.
        lost: What it spent on predictions that it was stopped before it could grade.
        saved: What the cache spared it.
        stopped: Why it ended before the end.
    """

    graded: int = 0
    resumed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    lost: Usage = field(default_factory=Usage)
    saved: Usage = field(default_factory=Usage)
    stopped: Stopped | None = None

    def add(self, grade: Grade) -> None:
        """Count a grade that was just made."""
        self.graded += 1
        self.usage = self.usage + grade.usage
        self.saved = self.saved + grade.saved
        if grade.unscored is not None:
            self.faults[grade.unscored.kind] += 1


@dataclass(frozen=True)
class RunReport:
    """How a start of a run ended.

    Attributes:
        progress: What was done.
        summaries: All grades of the folder, earlier ones included.
    """

    progress: Progress
    summaries: tuple[Summary, ...]


class Run:
    """Grades a data set into a folder, and goes on where an earlier start left off.

    A prediction counts as done if a grade with the same `Grade.key` stands in the folder and the
    judge could be asked; everything else is graded.

    Args:
        folder: Where ``run.json``, ``grades.jsonl`` and ``summary.json`` are written.
        judge: A judge as `Judge` takes it, or several: then each grades everything.
        repeats: Independent samples each judge gives.
        limits: Concurrency, rates and budget.
        inputs: The files the pairs come from, for the record.
        fork: A folder to start in with a changed specification, taking over what still counts.
        **options: What `Judge` takes: ``rubric``, ``cache``, ``backend``, ``terms``, settings.

    Attributes:
        progress: How far it is.
        stopping: Nothing more is begun.
        watch: Called with the progress after every grade; set it to show one.

    Raises:
        ConfigError: A judge or a setting is wrong.
        RubricError: The rubric is wrong.
    """

    def __init__(
        self,
        folder: str | Path,
        judge: JudgeLike | Sequence[JudgeLike] = None,
        *,
        repeats: int = 1,
        limits: Limits | None = None,
        inputs: Mapping[str, InputFile] | None = None,
        fork: str | Path | None = None,
        **options: Any,
    ) -> None:
        self.limits = limits or Limits()
        self.repeats = repeats
        self.progress = Progress()
        self._budget = Budget(self.limits.max_cost, self.limits.max_calls)
        self._gates: list[AdaptiveGate] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        several = judge if isinstance(judge, list | tuple) else (judge,)
        self.judges = tuple(Judge(one, gate=self._gate(), **options) for one in several)
        self._folder = RunFolder(Path(folder), self._record(inputs or {}), fork)
        self.watch: Callable[[Progress], None] = lambda progress: None
        self.stopping = False

    def grade(self, pairs: Iterable[Pair], **options: Any) -> RunReport:
        """Grade pairs from synchronous code; see `agrade`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # In the main thread an interrupt reaches the run, and the run still writes its summary.
            return asyncio.run(self.agrade(pairs, **options))
        return run_sync(self.agrade(pairs, **options))

    async def agrade(
        self,
        pairs: Iterable[Pair],
        *,
        unmatched: Mapping[str, Any] | None = None,
        canonical: bool = False,
    ) -> RunReport:
        """Grade all pairs that are not done, and sum the folder up.

        Args:
            pairs: Prediction and item; read only as fast as they are graded.
            unmatched: What had no partner, for ``summary.json``.
            canonical: Sort ``grades.jsonl`` by system, item, judge and sample at the end.

        Raises:
            OutputError: The folder cannot be written, another process runs in it, or it holds a
                run of another specification.
            ConfigError: A judge can never answer. What was graded before stays written.
        """
        tally, standing = Tally(), Standing()

        def keep(grade: Grade) -> bool:
            counts = standing.keep(grade)
            if counts:
                tally.add(grade)
            return counts

        with self._folder.opened(keep) as ledger:
            try:
                await self._work_off(self._todo(pairs, standing), ledger, tally)
            except BaseException:
                with suppress(OutputError):  # what ended the run is what has to be told
                    self._sum_up(ledger, tally, unmatched or {})
                raise
            if standing.overtaken:
                tally = _without(ledger, standing.overtaken)
            if canonical:
                ledger.sort()
            self._sum_up(ledger, tally, unmatched or {})
        return RunReport(self.progress, tally.summaries())

    def stop(self) -> None:
        """Begin nothing more; `agrade` returns when what is in flight is done and written.

        In flight is a prediction for which something was sent. One that waits for its turn under a
        limit is left for the next start.
        """
        self.stopping = True
        self.progress.stopped = self.progress.stopped or "interrupted"
        loop = self._loop
        if loop is not None and not loop.is_closed():  # from another thread or a signal as well
            for gate in self._gates:
                loop.call_soon_threadsafe(gate.close)

    def _sum_up(self, ledger: Ledger, tally: Tally, unmatched: Mapping[str, Any]) -> None:
        self.progress.lost = self._budget.beyond(self.progress.usage)
        self._folder.write_summary(
            ledger, tally, self.progress.lost, this_start=self._totals(), **unmatched
        )

    def _totals(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "graded": progress.graded,
            "resumed": progress.resumed,
            "faults": dict(progress.faults),
            "incurred": (progress.usage + progress.lost).model_dump(),
            "without_grade": progress.lost.model_dump(),
            "saved_by_cache": progress.saved.model_dump(),
            "stopped": progress.stopped,
        }

    def _gate(self) -> AdaptiveGate:
        limits = self.limits
        gate = AdaptiveGate(
            limits.concurrency,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            budget=self._budget,
        )
        self._gates.append(gate)
        return gate

    def _record(self, inputs: Mapping[str, InputFile]) -> RunRecord:
        first = self.judges[0]
        rubrics = [first.rubric] if first.rubric else [load_rubric(track) for track in TRACKS]
        return RunRecord(
            judges=tuple(judge.spec.decisive() for judge in self.judges),
            rubrics={rubric.track: rubric.hash for rubric in rubrics},
            prompt=PROMPT_HASH,
            terms=first.terms.hash,
            repeats=self.repeats,
            inputs=inputs,
        )

    def _todo(self, pairs: Iterable[Pair], standing: Standing) -> Iterator[tuple[Judge, Grading]]:
        for prediction, item in pairs:
            wanted = [
                (judge, judge.prepare(prediction, item, sample=sample))
                for judge in self.judges
                for sample in range(self.repeats)
            ]
            place = (prediction.system, item.track, item.id)
            to_do = standing.to_do(place, [grading.key for _, grading in wanted])
            self.progress.resumed += to_do.count(False)
            yield from compress(wanted, to_do)

    async def _work_off(
        self, work: Iterator[tuple[Judge, Grading]], ledger: Ledger, tally: Tally
    ) -> None:
        async def worker() -> None:
            # A generator is shared by all workers: each takes the next piece when it is free.
            while not self.stopping and (piece := next(work, None)) is not None:
                judge, grading = piece
                piece_of_work.set(Piece())
                grade = await judge.complete(grading)
                ledger.write(grade)
                tally.add(grade)
                self.progress.add(grade)
                self.watch(self.progress)

        async def guarded() -> None:
            try:
                await worker()
            except BudgetError:
                self.stopping = True
                self.progress.stopped = self.progress.stopped or "budget"
            except Exception:
                self.stopping = True  # the others finish what they have paid for
                raise

        self._loop = asyncio.get_running_loop()
        crew = [asyncio.create_task(guarded()) for _ in range(self.limits.workers)]
        try:
            ended = await asyncio.gather(*crew, return_exceptions=True)
        finally:
            for task in crew:
                task.cancel()
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome


def _without(ledger: Ledger, overtaken: set[str]) -> Tally:
    """Move grades aside, and sum up the others anew."""
    ledger.retire(overtaken)
    tally = Tally()
    for grade in iter_grades(ledger.path):
        tally.add(grade)
    return tally
