"""A resumable run over a data set: `Run`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrare_judge.backends.limits import AdaptiveLimiter, Limits
from mmrare_judge.certificate import Calibration, calibration_of
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import BudgetError, InputError, OutputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.grading import Grading
from mmrare_judge.judging.judge import CacheChoice, Judge, JudgeLike, run_sync
from mmrare_judge.records import today
from mmrare_judge.run.folder import InputFile, Ledger, RunFolder, Standing, iter_grades, record_of
from mmrare_judge.run.summary import Progress, RunReport, Tally

if TYPE_CHECKING:
    from mmrare_judge.panels.panel import Rule
    from mmrare_judge.panels.report import PanelFigures
    from mmrare_judge.run.estimate import JudgeEstimate


# FOLDED crew: Several workers at once, each of which ends by itself: `work_together`.


async def work_together(worker: Callable[[], Coroutine[Any, Any, None]], *, size: int) -> None:
    """Await ``worker()`` as often as ``size`` says, all at once.

    When one of them raises, the others go on until they end, and then it is raised. When the crew
    is cancelled, so are all of them.

    >>> async def count_down() -> list[int]:
    ...     left, done = iter(range(3)), []
    ...     async def worker() -> None:
    ...         done.extend(left)
    ...     await work_together(worker, size=2)
    ...     return done
    >>> asyncio.run(count_down())
    [0, 1, 2]
    """
    crew = [asyncio.create_task(worker()) for _ in range(size)]
    try:
        ended = await asyncio.gather(*crew, return_exceptions=True)
    finally:
        for questions in crew:
            questions.cancel()
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome


Pair = tuple[Prediction, Item]


class Run:
    """Grades a data set into a folder, and goes on where an earlier start left off.

    A prediction counts as done if a grade with the same `Grade.key` stands in the folder and the
    judge could be asked; everything else is graded.

    Args:
        folder: Where ``run.json``, ``grades.jsonl`` and ``summary.json`` are written.
        judge: A judge as `Judge` takes it, or several: then each grades everything.
        repeats: Independent samples each judge gives.
        rule: How the votes of several judges or repeats become a decision in the summary:
            ``majority``, ``mean`` or ``median``. Grades do not depend on it.
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
        rule: Rule = "majority",
        limits: Limits | None = None,
        inputs: Mapping[str, InputFile] | None = None,
        fork: str | Path | None = None,
        **options: Any,
    ) -> None:
        self.limits = limits or Limits()
        self.repeats = repeats
        self.rule = rule
        self._cache: CacheChoice = options.get("cache", "default")
        self.progress = Progress()
        self._budget = self.limits.budget()
        self._limiters: list[AdaptiveLimiter] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        several = judge if isinstance(judge, list | tuple) else (judge,)
        self.judges = tuple(Judge(one, limiter=self._limiter(), **options) for one in several)
        if self._is_panel:
            from mmrare_judge.panels.panel import check_rule

            check_rule(rule)  # now, and not when everything is paid for
        self._folder = RunFolder(Path(folder), record_of(self.judges, repeats, inputs or {}), fork)
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
            if self._folder.took_over and self.progress.stopped is None:
                standing.drop_unasked()  # they may be of the specification that was left
            if standing.overtaken:
                tally = _without(ledger, standing.overtaken)
            if canonical:
                ledger.sort()
            panel, entry = self._panel()
            self._sum_up(ledger, tally, {**(unmatched or {}), **entry})
        return RunReport(self.progress, tally.summaries(), self._calibration(tally), panel)

    def stop(self) -> None:
        """Begin nothing more; `agrade` returns when what is in flight is done and written.

        In flight is a prediction for which something was sent. One that waits for its turn under a
        limit is left for the next start.
        """
        self.stopping = True
        self.progress.stopped = self.progress.stopped or "interrupted"
        loop = self._loop
        if loop is not None and not loop.is_closed():  # from another thread or a signal as well
            for limiter in self._limiters:
                loop.call_soon_threadsafe(limiter.close)

    def estimate(
        self, pairs: Iterable[Pair], *, cache: CacheChoice | None = None
    ) -> tuple[JudgeEstimate, ...]:
        """What `grade` would ask for and cost now, one entry a judge; nothing is sent or written.

        What stands in the folder or in the cache costs nothing. Neither key nor network is needed.

        Args:
            pairs: As for `grade`.
            cache: The cache to look into; by default the run's own.

        Raises:
            OutputError: The folder or cache cannot be read, or the folder holds a run of another
                specification.
            ConfigError: A judge can never answer: its provider is unknown.
        """
        from mmrare_judge.run.estimate import Estimator

        looked_into = self._cache if cache is None else cache
        estimators = {judge: Estimator(judge, looked_into) for judge in self.judges}
        standing = Standing()
        for grade in filter(standing.keep, self._folder.peek()):
            for estimator in estimators.values():
                estimator.learn(grade)

        async def add_all() -> None:
            for judge, grading, done in self._wanted(pairs, standing):
                await estimators[judge].add(grading, done=done)

        run_sync(add_all())
        return tuple(estimator.result() for estimator in estimators.values())

    def _sum_up(self, ledger: Ledger, tally: Tally, unmatched: Mapping[str, Any]) -> None:
        self.progress.lost = self._budget.beyond(self.progress.usage)
        more = {
            "this_start": self.progress.totals(),
            "calibration": self._calibration(tally).model_dump(),
        }
        self._folder.write_summary(ledger, tally, self.progress.lost, **more, **unmatched)

    def _calibration(self, tally: Tally) -> Calibration:
        return calibration_of(self.judges[0].certificate, tally.signatures(), today())

    @property
    def _is_panel(self) -> bool:
        return len(self.judges) * self.repeats > 1

    def _panel(self) -> tuple[PanelFigures | None, dict[str, Any]]:
        """The panel's figures, and what the summary says of it: nothing of single gradings."""
        if not self._is_panel:
            return None, {}
        from mmrare_judge.run.panels import read_panel_figures

        try:
            figures = read_panel_figures(self._folder.path, rule=self.rule)
        except InputError as error:  # such as two predictions of one system for one item
            return None, {"panel": {"problem": str(error)}}
        return figures, {"panel": figures.model_dump(mode="json")}

    def _limiter(self) -> AdaptiveLimiter:
        limiter = self.limits.limiter(self._budget)
        self._limiters.append(limiter)
        return limiter

    def _todo(self, pairs: Iterable[Pair], standing: Standing) -> Iterator[tuple[Judge, Grading]]:
        for judge, grading, done in self._wanted(pairs, standing):
            if done:
                self.progress.resumed += 1
            else:
                yield judge, grading

    def _wanted(
        self, pairs: Iterable[Pair], standing: Standing
    ) -> Iterator[tuple[Judge, Grading, bool]]:
        """Every grading there is to be, and whether it is done."""
        for prediction, item in pairs:
            wanted = [
                (judge, judge.prepare(prediction, item, sample=sample))
                for judge in self.judges
                for sample in range(self.repeats)
            ]
            place = (prediction.system, item.track, item.id)
            to_do = standing.to_do(place, [grading.key for _, grading in wanted])
            for (judge, grading), missing in zip(wanted, to_do, strict=True):
                yield judge, grading, not missing

    async def _work_off(
        self, work: Iterator[tuple[Judge, Grading]], ledger: Ledger, tally: Tally
    ) -> None:
        async def worker() -> None:
            # A generator is shared by all workers: each takes the next piece when it is free.
            while not self.stopping and (piece := next(work, None)) is not None:
                judge, grading = piece
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
        try:
            await work_together(guarded, size=self.limits.workers)
        finally:
            for judge in self.judges:
                judge.write_kept()


def _without(ledger: Ledger, overtaken: set[str]) -> Tally:
    """Move grades aside, and sum up the others anew."""
    ledger.retire(overtaken)
    tally = Tally()
    for grade in iter_grades(ledger.path):
        tally.add(grade)
    return tally
