"""A resumable run over a data set: `Run`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from mmrare_judge.backends.base import Backend, JudgeSettings, JudgeSpec
from mmrare_judge.backends.faults import public_endpoint
from mmrare_judge.backends.limits import Limits
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.certificate import Calibration, CertificateLike, calibration_of
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Pairing, Prediction
from mmrare_judge.errors import BudgetError, ConfigError, InputError, OutputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.grading import Grading
from mmrare_judge.judging.judge import CacheChoice, Judge, JudgeLike, RubricLike, run_sync
from mmrare_judge.level2.terms import Terms
from mmrare_judge.panels.panel import Rule, check_rule
from mmrare_judge.panels.report import PanelFigures
from mmrare_judge.records import today
from mmrare_judge.run.folder import (
    EarlierGrades,
    Ledger,
    RunFolder,
    iter_grades,
)
from mmrare_judge.run.specification import InputFile, record_of
from mmrare_judge.run.summary import (
    Missing,
    Progress,
    RunReport,
    Summariser,
    read_panel_figures,
    write_summary,
)

if TYPE_CHECKING:
    from mmrare_judge.run.estimate import JudgeEstimate

Pair = tuple[Prediction, Item]


class Run:
    """Grades a data set into a folder, and goes on where an earlier start left off.

    A prediction counts as done if a grade with the same `Grade.key` stands in the folder and the
    judge could be asked; everything else is graded.

    Args:
        folder: Where ``run.json``, ``grades.jsonl`` and ``summary.json`` are written.
        judge: A judge as `Judge` takes it, or several: then each grades everything.
        rubric: See `Judge`.
        cache: See `Judge`.
        backend: See `Judge`.
        backoff: See `Judge`.
        terms: See `Judge`.
        certificate: See `Judge`.
        repeats: Independent samples each judge gives.
        rule: How the votes of several judges or repeats become a decision in the summary:
            ``majority``, ``mean`` or ``median``. Grades do not depend on it.
        limits: Concurrency, rates and budget.
        inputs: The files the pairs come from, for the record.
        fork: A folder to start in with a changed specification, taking over what still counts.
        keep: ``texts`` keeps prediction, question and reference in every line of
            ``grades.jsonl``; ``hashes`` only the hash of them that a grade's key is.
        **settings: Settings of the judges, see `JudgeSpec`; they go before a judge's own.

    Attributes:
        progress: How far it is.
        stopping: Nothing more is begun.
        watch: Called with the progress after every grade; set it to show one.

    Raises:
        ConfigError: A judge, a setting or an option is wrong.
        RubricError: The rubric is wrong.
    """

    def __init__(
        self,
        folder: str | Path,
        judge: JudgeLike | Sequence[JudgeLike] = None,
        *,
        rubric: RubricLike = None,
        cache: CacheChoice = "default",
        backend: Backend | Literal["litellm", "direct"] | None = None,
        backoff: Backoff | None = None,
        terms: Terms | None = None,
        certificate: CertificateLike | None = None,
        repeats: int = 1,
        rule: Rule = "majority",
        limits: Limits | None = None,
        inputs: Mapping[str, InputFile] | None = None,
        fork: str | Path | None = None,
        keep: Literal["texts", "hashes"] = "texts",
        **settings: Unpack[JudgeSettings],
    ) -> None:
        several = judge if isinstance(judge, list | tuple) else (judge,)
        _check(several, repeats, keep, settings)
        check_rule(rule)  # now, and not when everything is paid for
        self.limits = limits or Limits()
        self.repeats = repeats
        self.rule = rule
        self.keep = keep
        self.progress = Progress()
        self.stopping = False
        self.watch: Callable[[Progress], None] = lambda progress: None
        self._cache = cache
        self._budget = self.limits.budget()
        self._limiters = [self.limits.limiter(self._budget) for _ in several]
        self._loop: asyncio.AbstractEventLoop | None = None
        self.judges = tuple(
            Judge(
                one,
                rubric=rubric,
                cache=cache,
                backend=backend,
                limiter=limiter,
                backoff=backoff,
                terms=terms,
                certificate=certificate,
                **settings,
            )
            for one, limiter in zip(several, self._limiters, strict=True)
        )
        self._folder = RunFolder(Path(folder), record_of(self.judges, repeats, inputs or {}), fork)

    def grade(
        self,
        pairs: Iterable[Pair] | Pairing,
        *,
        unmatched: Mapping[str, Any] | None = None,
        canonical: bool = False,
    ) -> RunReport:
        """Grade pairs from synchronous code; see `agrade`."""
        work = self.agrade(pairs, unmatched=unmatched, canonical=canonical)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # In the main thread an interrupt reaches the run, and the run still writes its summary.
            return asyncio.run(work)
        return run_sync(work)

    async def agrade(
        self,
        pairs: Iterable[Pair] | Pairing,
        *,
        unmatched: Mapping[str, Any] | None = None,
        canonical: bool = False,
    ) -> RunReport:
        """Grade all pairs that are not done, and sum the folder up.

        Args:
            pairs: Prediction and item; read only as fast as they are graded. A `Pairing` also
                tells what had no partner, and all of it is checked before anything is asked.
            unmatched: What had no partner, for ``summary.json``; a `Pairing` says it by itself.
            canonical: Sort ``grades.jsonl`` by system, item, judge and sample at the end.

        Raises:
            OutputError: The folder cannot be written, another process runs in it, or it holds a
                run of another specification.
            ConfigError: A judge can never answer. What was graded before stays written.
            RubricError: The rubric does not fit an item.
            InputError: A prediction without a system would replace another one.
        """
        pairing = pairs if isinstance(pairs, Pairing) else None
        if isinstance(pairs, Pairing):
            self.check(pairs.pairs)
            unmatched = _unmatched(pairs)
            pairs = pairs.pairs
        counted, earlier = Summariser(), EarlierGrades(self.judges)

        def keep(grade: Grade) -> bool:
            counts = earlier.keep(grade)
            if counts:
                counted.add(grade)
            return counts

        with self._folder.opened(keep) as ledger:
            earlier.same_file = self._folder.same_file
            try:
                await self._grade_all(self._to_do(_told_apart(pairs), earlier), ledger, counted)
            except BaseException:
                with suppress(OutputError):  # what ended the run is what has to be told
                    _restore_failures(earlier, ledger, counted)
                    self._sum_up(ledger, counted, unmatched or {})
                raise
            if self._folder.took_over and self.progress.stopped is None:
                earlier.drop_unasked()  # they may be of the specification that was left
            if earlier.superseded:
                ledger.retire(earlier.superseded)
                counted = Summariser(iter_grades(ledger.path))
            _restore_failures(earlier, ledger, counted)
            counted.missing = _missing(pairing, earlier)
            if canonical:
                ledger.sort()
            panel, entry = self._panel(counted.missing)
            self._sum_up(ledger, counted, {**(unmatched or {}), **entry})
        return RunReport(
            progress=self.progress,
            summaries=counted.summaries(),
            calibration=self._calibration(counted),
            panel=panel,
            missing=counted.missing,
            strangers=0 if pairing is None else len(pairing.predictions_without_item),
            problems=_problems(pairing, counted.missing),
            superseded=earlier.lines(),
        )

    def check(self, pairs: Iterable[Pair]) -> None:
        """Check pairs before anything is asked.

        Raises:
            RubricError: The rubric is made for another track, or an item lacks a field it needs.
            InputError: Two predictions for one item have no system.
        """
        for (_, item), judge in product(_told_apart(pairs), self.judges):
            judge.rubric_for(item)

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
        earlier = EarlierGrades(self.judges)
        for grade in filter(earlier.keep, self._folder.peek()):
            for estimator in estimators.values():
                estimator.learn(grade)

        async def add_all() -> None:
            for judge, grading, done in self._wanted(pairs, earlier):
                await estimators[judge].add(grading, done=done)

        run_sync(add_all())
        return tuple(estimator.result() for estimator in estimators.values())

    def _sum_up(self, ledger: Ledger, counted: Summariser, more: Mapping[str, Any]) -> None:
        self.progress.lost = self._budget.beyond(self.progress.usage)
        write_summary(
            self._folder.path,
            counted.summaries(),
            self.progress,
            self._calibration(counted),
            superseded=ledger.superseded_usage(),
            lost=self._folder.lost_before + self.progress.lost,
            **more,
        )

    def _calibration(self, counted: Summariser) -> Calibration:
        return calibration_of(self.judges[0].certificate, counted.signatures(), today())

    @property
    def _is_panel(self) -> bool:
        return len(self.judges) * self.repeats > 1

    def _panel(self, missing: Missing) -> tuple[PanelFigures | None, dict[str, Any]]:
        """The panel's figures, and what the summary says of it: nothing of single gradings."""
        if not self._is_panel:
            return None, {}
        try:
            figures = read_panel_figures(self._folder.path, rule=self.rule, missing=missing)
        except InputError as error:  # such as two predictions of one system for one item
            return None, {"panel": {"problem": str(error)}}
        return figures, {"panel": figures.model_dump(mode="json")}

    def _to_do(
        self, pairs: Iterable[Pair], earlier: EarlierGrades
    ) -> Iterator[tuple[Judge, Grading]]:
        for judge, grading, done in self._wanted(pairs, earlier):
            if done:
                self.progress.resumed += 1
            else:
                yield judge, grading

    def _wanted(
        self, pairs: Iterable[Pair], earlier: EarlierGrades
    ) -> Iterator[tuple[Judge, Grading, bool]]:
        """Every grading there is to be, and whether it is done."""
        for prediction, item in pairs:
            wanted = [
                (judge, judge.prepare(prediction, item, sample=sample))
                for judge in self.judges
                for sample in range(self.repeats)
            ]
            id, keys = (prediction.system, item.track, item.id), [one.key for _, one in wanted]
            missing = earlier.missing(id, wanted[0][1].questions.prediction, keys)
            for (judge, grading), to_do in zip(wanted, missing, strict=True):
                yield judge, grading, not to_do

    def _kept(self, grade: Grade, grading: Grading) -> Grade:
        if self.keep == "hashes":
            return grade
        item = grading.questions.item
        texts = {"question": item.question, "reference": item.reference}
        return grade.model_copy(update={"prediction": grading.questions.prediction, **texts})

    async def _grade_all(
        self, work: Iterator[tuple[Judge, Grading]], ledger: Ledger, counted: Summariser
    ) -> None:
        in_flight: dict[asyncio.Task[None], Judge] = {}
        reach = {judge: _Reach(judge.spec) for judge in self.judges}

        async def grade_until_done(me: asyncio.Task[None]) -> None:
            # A generator is shared by all workers: each takes the next grading when it is free.
            while not self.stopping and (wanted := next(work, None)) is not None:
                judge, grading = wanted
                in_flight[me] = judge
                grade = await judge.complete(grading)
                ledger.write(self._kept(grade, grading))
                counted.add(grade)
                self.progress.add(grade)
                self.watch(self.progress)
                if reach[judge].lost_with(grade) and not self.stopping:
                    give_up(judge)

        def give_up(judge: Judge) -> None:
            self.stopping = True
            self.progress.stopped = "unreachable"
            self.progress.unreachable = reach[judge].sentence
            asyncio.get_running_loop().call_later(_GRACE, cancel, judge)

        def cancel(judge: Judge) -> None:
            for task, whose in in_flight.items():
                if whose is judge:  # it would only go on knocking
                    task.cancel()

        async def worker() -> None:
            me = asyncio.current_task()
            assert me is not None
            try:
                await grade_until_done(me)
            except BudgetError:
                self.stopping = True
                self.progress.stopped = self.progress.stopped or "budget"
            except Exception:
                self.stopping = True  # the others finish what they have paid for
                raise

        self._loop = asyncio.get_running_loop()
        workers = [asyncio.create_task(worker()) for _ in range(self.limits.workers)]
        try:
            ended = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            for task in workers:
                task.cancel()
            for judge in self.judges:
                judge.write_kept()
        for fault in filter(None, ended):
            if not (self.progress.unreachable and isinstance(fault, asyncio.CancelledError)):
                raise fault


_GRACE = 5.0  # seconds in which what knocks at a dead address may end by itself


class _Reach:
    """Whether a judge's address answers, by how its gradings end one after another.

    Args:
        spec: The judge.

    Attributes:
        sentence: Which address does not answer, and how that showed.
    """

    # An address that has answered before is given a little more time.
    LOST_AT_FIRST, LOST_LATER = 3, 5

    def __init__(self, spec: JudgeSpec) -> None:
        self.sentence = ""
        self._address = public_endpoint(spec.api_base) or f"the endpoint of {spec.model}"
        self._in_a_row = 0
        self._most = self.LOST_AT_FIRST

    def lost_with(self, grade: Grade) -> bool:
        """Whether the address is to be given up after this grade."""
        fault = grade.unscored
        if fault is None or fault.kind not in ("connection", "timeout") or grade.coverage:
            if grade.usage.calls:
                self._in_a_row, self._most = 0, self.LOST_LATER
        elif fault.kind == "connection":
            self._in_a_row += 1
            silent = f"{self._address} does not answer"
            why = fault.message.partition(f"{silent}: ")[2] or fault.message
            self.sentence = f"{silent} ({self._in_a_row} predictions in a row: {why})"
        return self._in_a_row >= self._most


def _restore_failures(earlier: EarlierGrades, ledger: Ledger, counted: Summariser) -> None:
    failures = earlier.failures()
    if failures:
        ledger.restore(failures)
    for grade in failures:
        counted.add(grade)


def _told_apart(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The pairs; two predictions for one item are an error where neither has a system."""
    texts: dict[tuple[str, str], int] = {}
    for prediction, item in pairs:
        text = hash(prediction.text)
        if not prediction.system and texts.setdefault((item.track, item.id), text) != text:
            raise InputError(
                f"two predictions for item {item.id!r} have no system: one would replace the other",
                remedy="Say which system made which: a column, or one file a system",
            )
        yield prediction, item


def _missing(pairing: Pairing | None, earlier: EarlierGrades) -> Missing:
    """By system and track, the items without a prediction and without an earlier grade."""
    missing: dict[tuple[str, str], list[str]] = {}
    tracks = {} if pairing is None else {item.id: item.track for item in pairing.items}
    for system, ids in () if pairing is None else pairing.items_without_prediction.items():
        for id in ids:
            if not earlier.stands((system, tracks[id], id)):
                missing.setdefault((system, tracks[id]), []).append(id)
    return {where: tuple(ids) for where, ids in missing.items()}


def _problems(pairing: Pairing | None, missing: Missing) -> tuple[str, ...]:
    if pairing is None:
        return ()
    left: dict[str, tuple[str, ...]] = {}
    for (system, _), ids in missing.items():
        left[system] = (*left.get(system, ()), *ids)
    return replace(pairing, items_without_prediction=left).problems()


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


def _check(
    judges: Sequence[JudgeLike], repeats: int, keep: str, settings: Mapping[str, Any]
) -> None:
    if not judges:
        raise ConfigError(
            "a run without a judge grades nothing; name at least one, or none at all "
            "for the default judge"
        )
    if repeats < 1:
        raise ConfigError(f"repeats={repeats} grades nothing; it is at least 1")
    if keep not in ("texts", "hashes"):
        raise ConfigError(f"keep is texts or hashes, not {keep!r}")
    unknown = settings.keys() - JudgeSettings.__annotations__.keys()
    if unknown:
        *options, _ = inspect.signature(Run).parameters
        raise ConfigError(
            f"Run has no option {', '.join(sorted(unknown))}; its options are "
            f"{', '.join(options)}, and the settings of a judge: "
            f"{', '.join(JudgeSettings.__annotations__)}"
        )
