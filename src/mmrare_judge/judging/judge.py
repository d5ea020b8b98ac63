"""One prediction, from text to `Grade`: `Judge`."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

from mmrare_judge.backends.base import (
    EMBEDDED,
    Backend,
    JudgeSettings,
    JudgeSpec,
    Meter,
    judge_spec,
)
from mmrare_judge.backends.limits import Limiter, Limits
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.cache.read_only import Peek, Replay
from mmrare_judge.cache.store import ReplyCache, default_cache_dir
from mmrare_judge.certificate import CertificateLike, read_certificate
from mmrare_judge.data.items import Item, as_item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.judging.embedded_judge import EmbeddedJudge
from mmrare_judge.judging.evidence import Sources, is_blank
from mmrare_judge.judging.grade import Grade, Unscored, Verdict
from mmrare_judge.judging.grading import Grading, blank_grade, finish, settings_hash, unscored_grade
from mmrare_judge.judging.kept_grades import kept_grades
from mmrare_judge.judging.model_judge import ModelJudge
from mmrare_judge.judging.questions import Answerer, Questions
from mmrare_judge.judging.verdicts import open_questions, verdicts_of
from mmrare_judge.level2.terms import Terms
from mmrare_judge.records import by_identity
from mmrare_judge.rubric.model import Rubric, load_rubric

# FOLDED assessors: Which judge answers: from a `JudgeSpec` to something that can `answer`.

JUDGE_VARIABLE = "MMRARE_JUDGE"
"""The environment variable that names the default judge."""

CacheChoice = Literal["default", "off", "replay"] | str | Path | ReplyCache | Replay | Peek
"""Which cache: by name, by folder, or ready-made; ``"replay"`` replays the user's own."""

_FOR_ALL_JUDGES = {"model", "max_prediction_chars"}

log = logging.getLogger("mmrare_judge")


def default_judge() -> str:
    """The judge taken where none is named: ``MMRARE_JUDGE``, else the embedded one."""
    chosen = os.environ.get(JUDGE_VARIABLE)
    if chosen:
        return chosen
    _say_once()
    return EMBEDDED


def addressed(spec: JudgeSpec) -> JudgeSpec:
    """The spec with the address that the environment gives its provider, where it names none.

    litellm would take it from there by itself, unseen: replies of two servers would share a key in
    the cache, and their grades a signature. The variables are ``<PROVIDER>_API_BASE``, and for
    OpenAI and Anthropic ``<PROVIDER>_BASE_URL`` before it.

    Args:
        spec: The judge; one without a provider in its name is OpenAI's if it is called like that.
    """
    if spec.api_base is not None or spec.model == EMBEDDED:
        return spec
    given = (os.environ.get(variable) for variable in _variables(spec.model))
    address = next(filter(None, given), None)
    return spec if address is None else spec.model_copy(update={"api_base": address})


def _variables(model: str) -> tuple[str, ...]:
    named, _, rest = model.partition("/")
    provider = named if rest else "openai" if model.startswith(_OPENAI_MODELS) else ""
    if not provider:
        return ()
    stem = provider.upper().replace("-", "_")
    first = (f"{stem}_BASE_URL",) if provider in ("openai", "anthropic") else ()
    return (*first, f"{stem}_API_BASE")


_OPENAI_MODELS = ("gpt-", "chatgpt-", "o1", "o3", "o4")


@cache
def _say_once() -> None:
    log.warning(
        "no judge was named: the embedded judge grades, a baseline without a model. "
        "Name one with judge=... or the environment variable %s",
        JUDGE_VARIABLE,
    )


def make_answerer(
    spec: JudgeSpec,
    terms: Terms,
    cache: CacheChoice,
    *,
    backend: Backend | None = None,
    limiter: Limiter | None = None,
    backoff: Backoff | None = None,
) -> Answerer:
    """The assessor of a spec.

    Raises:
        ConfigError: A setting has no meaning for this judge.
    """
    if spec.model == EMBEDDED:
        _refuse_model_settings(spec)
        return EmbeddedJudge(terms)
    chosen = make_backend(spec, limiter, backoff) if backend is None else backend
    return ModelJudge(spec, chosen, open_cache(cache))


def make_backend(
    spec: JudgeSpec, limiter: Limiter | None = None, backoff: Backoff | None = None
) -> Backend:
    """The backend a spec names.

    Raises:
        ConfigError: A setting has no meaning for it, or is missing.
    """
    if spec.backend == "direct":
        from mmrare_judge.backends.direct import DirectBackend

        return DirectBackend(spec, limiter=limiter, backoff=backoff)
    from mmrare_judge.backends.litellm import LLMBackend

    return LLMBackend(spec, limiter=limiter, backoff=backoff)


def _refuse_model_settings(spec: JudgeSpec) -> None:
    odd = sorted(spec.model_fields_set - _FOR_ALL_JUDGES)
    if odd:
        raise ConfigError(
            f"the embedded judge has no setting {', '.join(odd)}; leave it out, or name a model"
        )


def open_cache(choice: CacheChoice) -> ReplyCache | Replay | Peek | None:
    """The cache of a choice; ``None`` for ``"off"``.

    Raises:
        InputError: There is no cache to replay.
        OutputError: The directory cannot be made or written.
    """
    if isinstance(choice, ReplyCache | Replay | Peek):
        return choice
    if choice == "off":
        return None
    if choice == "replay":
        return Replay()
    return ReplyCache(default_cache_dir() if choice == "default" else choice)


def peek_cache(choice: CacheChoice) -> Peek | None:
    """The cache of a choice, to be looked into and nothing else; ``None`` for ``"off"``.

    Raises:
        OutputError: It cannot be opened.
    """
    if isinstance(choice, Peek) or choice == "off":
        return choice if isinstance(choice, Peek) else None
    if isinstance(choice, ReplyCache | Replay):
        return Peek(choice.directory)
    return Peek(default_cache_dir() if choice in ("default", "replay") else Path(choice))


# FOLDED loop: Asynchronous work from synchronous code, also where a loop is already running. One daemon thread holds one event loop for the life of the process, so that connections opened by one call serve the next.

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return what it returns.

    Works in a plain script, in a notebook and inside a running event loop, which it blocks.
    """
    future = asyncio.run_coroutine_threadsafe(work, background_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop of the background thread, started on first use."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="mmrare-judge", daemon=True).start()
        return _loop


JudgeLike = str | Path | JudgeSpec | Mapping[str, Any] | None
"""A model name, a judge YAML file, a spec or its settings; ``None`` for the default judge."""

RubricLike = Rubric | str | Path | None
"""A rubric, its name or its file; ``None`` for the one of the item's track."""


class Judge:
    """Grades predictions, one after another or many at once.

    Args:
        judge: The model's name as litellm writes it, ``"embedded"``, a judge YAML file, or a
            `JudgeSpec`. ``None`` takes the environment variable ``MMRARE_JUDGE``, else the
            embedded judge.
        rubric: A `Rubric`, the name of one that comes with the package, or the path of your own;
            by default each item's track decides.
        cache: ``"default"`` for the user's cache directory, ``"off"``, a directory, or a
            `ReplyCache`.
        backend: Where requests go: ``"litellm"``, ``"direct"`` for an OpenAI-compatible endpoint of
            your own, or a `Backend`.
        limits: Adaptive concurrency, ceilings a minute and a budget, over all this judge does; by
            default none.
        limiter: What every attempt on the wire has to pass, in the place of ``limits``; a run hands
            one to each of its judges.
        backoff: How to wait between repeats after transport faults.
        terms: Abbreviations and other names for level 2 and the embedded judge.
        certificate: A certificate, or its file: grades then say whether it holds for them.
        **settings: Settings of `JudgeSpec` (``api_base``, ``temperature``, ``timeout``, ...), which
            go before those of ``judge``.

    Raises:
        ConfigError: The judge or one of its settings is wrong.
        RubricError: The rubric is wrong.
    """

    def __init__(
        self,
        judge: JudgeLike = None,
        *,
        rubric: RubricLike = None,
        cache: CacheChoice = "default",
        backend: Backend | Literal["litellm", "direct"] | None = None,
        limits: Limits | None = None,
        limiter: Limiter | None = None,
        backoff: Backoff | None = None,
        terms: Terms | None = None,
        certificate: CertificateLike | None = None,
        **settings: Unpack[JudgeSettings],
    ) -> None:
        named = default_judge() if judge is None else judge
        name, backend = (backend, None) if isinstance(backend, str) else (None, backend)
        self.spec = addressed(judge_spec(named, backend=name, **settings))
        self.rubric = rubric if isinstance(rubric, Rubric | None) else load_rubric(rubric)
        self.terms = terms or Terms.default()
        self.certificate = None if certificate is None else read_certificate(certificate)
        if limiter is None and limits is not None:
            limiter = limits.limiter()
        self._answerer = make_answerer(
            self.spec, self.terms, cache, backend=backend, limiter=limiter, backoff=backoff
        )
        self._kept = kept_grades(self.spec, self._answerer)

    def rubric_for(self, item: Item) -> Rubric:
        """The rubric this judge applies to an item.

        Raises:
            RubricError: It is made for another track, or the item lacks a field it needs.
        """
        rubric = self.rubric or load_rubric(item.track)
        rubric.check_item(item)
        return rubric

    def grade(
        self, prediction: str | Prediction, item: Any, *, system: str = "", sample: int = 0
    ) -> Grade:
        """Grade one prediction; see `agrade`."""
        return run_sync(self.agrade(prediction, item, system=system, sample=sample))

    async def agrade(
        self, prediction: str | Prediction, item: Any, *, system: str = "", sample: int = 0
    ) -> Grade:
        """Grade one prediction.

        Args:
            prediction: The text, or a `Prediction`.
            item: An `Item`, or a dict or table row that can be read as one.
            system: The model that answered, where the prediction does not say it.
            sample: Index among independent repeats; each is asked, and cached, by itself.

        Raises:
            InputError: The item or the prediction cannot be read.
            RubricError: The rubric does not fit the item.
            ConfigError: The judge can never answer: key, model name, parameter.
        """
        grading = self.prepare(prediction, item, system=system, sample=sample)
        return await self.complete(grading)

    def prepare(
        self, prediction: str | Prediction, item: Any, *, system: str = "", sample: int = 0
    ) -> Grading:
        """What `complete` grades; its ``key`` tells whether that was done before."""
        item = as_item(item)
        given = _as_prediction(prediction, item, system)
        rubric = self.rubric_for(item)
        return Grading(
            questions=Questions(rubric, item, given.text, sample),
            spec=self.spec,
            terms=self.terms,
            settings=_settings_hash(self.spec, rubric, self.terms),
            system=given.system,
            notes=given.notes,
            certificate=self.certificate,
        )

    async def complete(self, grading: Grading) -> Grade:
        """Grade what `prepare` made."""
        text, limit = grading.questions.prediction, self.spec.max_prediction_chars
        if is_blank(text):
            return blank_grade(grading)
        if len(text) > limit:
            message = f"{len(text)} characters; the limit max_prediction_chars is {limit}"
            return unscored_grade(grading, Unscored(kind="too_long", message=message))
        return await self._judge(grading)

    async def _judge(self, grading: Grading) -> Grade:
        questions, sources = grading.questions, Sources(grading.questions)
        deadline = asyncio.get_running_loop().time() + self.spec.item_timeout
        kept = self._kept.find(grading) if self._kept is not None else None
        if kept is not None:
            return kept
        meter = Meter()
        attempts = [await self._answerer.answer(questions, deadline=deadline, meter=meter)]
        verdicts = verdicts_of(questions, attempts[0].answers, sources)
        while len(attempts) <= self.spec.verify_reask:
            still_open = open_questions(questions, verdicts)
            if not still_open:
                break
            again = await self._answerer.answer(
                questions, open_questions=still_open, deadline=deadline, meter=meter
            )
            verdicts |= _settled(questions, again.answers, sources)
            attempts.append(again)
        grade = finish(grading, attempts, verdicts)
        if self._kept is not None:
            await self._kept.keep(grading, attempts, grade)
        return grade

    def write_kept(self) -> None:
        """Write the finished grades that wait to be kept beside the replies, if any do.

        Some tens are written at a time, and the last ones at the end of a run or of the process.
        """
        if self._kept is not None:
            self._kept.write()

    def grade_many(
        self, pairs: Iterable[tuple[str | Prediction, Any]], *, concurrency: int = 8
    ) -> list[Grade]:
        """Grade many predictions and return the grades in the order of the pairs.

        All grades are held in memory, and an error loses those that are not cached. What must not
        be lost, or has a budget, is the work of a `mmrare_judge.run.run.Run`.
        """

        async def collect() -> list[Grade]:
            stream = self.agrade_many(pairs, concurrency=concurrency)
            numbered = [pair async for pair in stream]
            return [grade for _, grade in sorted(numbered, key=lambda pair: pair[0])]

        return run_sync(collect())

    async def agrade_many(
        self, pairs: Iterable[tuple[str | Prediction, Any]], *, concurrency: int = 8
    ) -> AsyncIterator[tuple[int, Grade]]:
        """Grade many predictions at once.

        Args:
            pairs: Prediction and item; read only as fast as they are graded.
            concurrency: How many are in flight at most.

        Yields:
            The pair's position, from 0, and its grade, as each is done.
        """
        waiting: dict[asyncio.Task[Grade], int] = {}
        try:
            for position, (prediction, item) in enumerate(pairs):
                waiting[asyncio.create_task(self.agrade(prediction, item))] = position
                if len(waiting) >= concurrency:
                    for done in await _some(waiting):
                        yield waiting.pop(done), done.result()
            while waiting:
                for done in await _some(waiting):
                    yield waiting.pop(done), done.result()
        finally:
            for task in waiting:
                task.cancel()
            self.write_kept()


_settings_hash = by_identity(settings_hash)


async def _some(waiting: Iterable[asyncio.Task[Grade]]) -> set[asyncio.Task[Grade]]:
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    return done


def _settled(
    questions: Questions, answers: Mapping[str, Any], sources: Sources
) -> dict[str, Verdict]:
    verdicts = verdicts_of(questions, answers, sources)
    return {key: verdict for key, verdict in verdicts.items() if key in answers}


def _as_prediction(prediction: str | Prediction, item: Item, system: str) -> Prediction:
    if isinstance(prediction, str):
        return Prediction(item_id=item.id, text=prediction, system=system)
    if not isinstance(prediction, Prediction):
        raise InputError(
            f"a prediction is text, not {type(prediction).__name__}",
            remedy='If the system gave no answer, pass ""; it scores 0 by rule',
        )
    if prediction.item_id != item.id:
        raise InputError(f"prediction of item {prediction.item_id!r} given for item {item.id!r}")
    return prediction


# FOLDED shortcuts: Grading in one call, without a `Judge` to keep: `grade`, `agrade` and `grade_many`.


def grade(
    prediction: str | Prediction,
    item: Any,
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    **options: Any,
) -> Grade:
    """Grade one prediction: ``Judge(judge, rubric=rubric, **options).grade(prediction, item)``.

    Args:
        prediction: The text, or a `Prediction`.
        item: An `Item`, or a dict or table row that can be read as one.
        rubric: See `Judge`.
        judge: See `Judge`.
        **options: ``system``, and everything `Judge` takes.

    >>> item = {
    ...     "id": "1",
    ...     "track": "treatment",
    ...     "question": "Plan?",
    ...     "reference": {"answer": "Prednisone 40 mg daily.", "must_include": ["prednisone"]},
    ... }
    >>> grade("Start prednisone 40 mg daily.", item, judge="embedded").verdicts[0].level
    'YES'
    """
    system = options.pop("system", "")
    return Judge(judge, rubric=rubric, **options).grade(prediction, item, system=system)


async def agrade(
    prediction: str | Prediction,
    item: Any,
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    **options: Any,
) -> Grade:
    """Grade one prediction inside asynchronous code; see `grade`."""
    system = options.pop("system", "")
    return await Judge(judge, rubric=rubric, **options).agrade(prediction, item, system=system)


def grade_many(
    pairs: Iterable[tuple[str | Prediction, Any]],
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    concurrency: int = 8,
    limits: Limits | None = None,
    **options: Any,
) -> list[Grade]:
    """Grade many predictions at once and return the grades in the order of the pairs.

    The wire is used as in a run: as many requests at a time as the provider stands, fewer after a
    429. Nothing is written but the reply cache; see `Judge.grade_many`.

    Args:
        pairs: Prediction and item.
        rubric: See `Judge`.
        judge: See `Judge`.
        concurrency: Requests on the wire at most, where no ``limits`` are given.
        limits: As for a run; a budget that is used up raises `BudgetError`.
        **options: Everything `Judge` takes.
    """
    chosen = limits or Limits(concurrency=concurrency)
    many = Judge(judge, rubric=rubric, limits=chosen, **options)
    return many.grade_many(pairs, concurrency=chosen.workers)
