"""One prediction, from text to `Grade`: `Judge`, and `grade`, `agrade`, `grade_many` over it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from mmrare_judge.backends.own import ChatClient, JudgeFunction, OwnBackend, OwnJudge
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.cache.read_only import Peek, Replay
from mmrare_judge.cache.store import ReplyCache, default_cache_dir
from mmrare_judge.certificate import CertificateLike, read_certificate
from mmrare_judge.data.items import Item, as_item
from mmrare_judge.data.predictions import NO_ANSWER, Prediction
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.judging.embedded_judge import EmbeddedJudge
from mmrare_judge.judging.evidence import Sources, is_blank
from mmrare_judge.judging.grade import Grade, Grades, Unscored
from mmrare_judge.judging.grading import (
    Grading,
    blank_grade,
    finish,
    open_questions,
    settings_hash,
    unscored_grade,
    verdicts_of,
)
from mmrare_judge.judging.kept_grades import KeptGrades
from mmrare_judge.judging.model_judge import ModelJudge
from mmrare_judge.judging.questions import Answerer, Questions
from mmrare_judge.level2.terms import Terms
from mmrare_judge.records import by_identity
from mmrare_judge.rubric.model import Rubric, load_rubric

JUDGE_VARIABLE = "MMRARE_JUDGE"
"""The environment variable that names the default judge."""

JudgeLike = (
    str | Path | JudgeSpec | Mapping[str, Any] | OwnJudge | JudgeFunction | ChatClient | None
)
"""A model name, a judge YAML file, a spec or its settings, a function or client of your own;
``None`` for the default judge."""

RubricLike = Rubric | str | Path | None
"""A rubric, its name or its file; ``None`` for the one of the item's track."""

CacheChoice = Literal["default", "off", "replay"] | str | Path | ReplyCache | Replay | Peek
"""Which cache: by name, by folder, or ready-made; ``"replay"`` replays the user's own."""

log = logging.getLogger("mmrare_judge")


class Judge:
    """Grades predictions, one after another or many at once.

    Args:
        judge: The model's name as litellm writes it, ``"embedded"``, a judge YAML file, a
            `JudgeSpec`, a function ``(messages, schema) -> text``, asynchronous or not, or a client
            with ``chat.completions.create``. ``None`` takes the environment variable
            ``MMRARE_JUDGE``, else the embedded judge.
        model: What the model of a function or client is called; a client is asked for it.
        rubric: A `Rubric`, the name of one that comes with the package, or the path of your own;
            by default each item's track decides. It decides the track of items that name none.
        cache: ``"default"`` for the user's cache directory, ``"off"``, a directory, or a
            `ReplyCache`.
        backend: Where requests go: ``"litellm"``, ``"direct"`` for an OpenAI-compatible endpoint of
            your own, or a `Backend`.
        limits: Adaptive concurrency, ceilings a minute and a budget, over all this judge does; by
            default none.
        limiter: The limiter for every attempt, instead of ``limits``; a run's judges share one.
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
        model: str | None = None,
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
        own = _own_judge(named, model, name)
        if own is not None:
            self.spec = judge_spec(own.settings(), **settings)
        else:
            self.spec = addressed(judge_spec(named, backend=name, **settings))  # type: ignore[arg-type]  # not one of its own
        self.rubric = rubric if isinstance(rubric, Rubric | None) else load_rubric(rubric)
        self.terms = terms or Terms.default()
        self.certificate = None if certificate is None else read_certificate(certificate)
        self._answerer: Answerer
        self._kept: KeptGrades | None = None
        if self.spec.model == EMBEDDED:
            _refuse_model_settings(self.spec)
            self._answerer = EmbeddedJudge(self.terms)
            return
        if limiter is None and limits is not None:
            limiter = limits.limiter()
        replies = open_cache(cache)
        chosen = backend or _backend(self.spec, own, limiter, backoff)
        self._answerer = ModelJudge(self.spec, chosen, replies)
        if isinstance(replies, ReplyCache) and replies.keep_grades:
            self._kept = KeptGrades(self.spec, replies)

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
        item = as_item(item, default_track=self.rubric.track if self.rubric else None)
        given = _as_prediction(prediction, item, system)
        rubric = self.rubric_for(item)
        return Grading(
            questions=Questions(rubric, item, given.text, sample),
            spec=self.spec,
            terms=self.terms,
            settings=_settings_hash(self.spec, rubric, self.terms),
            system=given.system,
            notes=given.notes,
            missing=given.missing,
            certificate=self.certificate,
        )

    async def complete(self, grading: Grading) -> Grade:
        """Grade what `prepare` made."""
        text, limit = grading.questions.prediction, self.spec.max_prediction_chars
        if grading.missing:
            message = f"{NO_ANSWER}: in its place is {grading.missing}"
            return unscored_grade(grading, Unscored(kind="no_answer", message=message))
        if is_blank(text):
            return blank_grade(grading)
        if len(text) > limit:
            message = f"{len(text)} characters; the limit max_prediction_chars is {limit}"
            return unscored_grade(grading, Unscored(kind="too_long", message=message))
        return await self._judge(grading)

    async def _judge(self, grading: Grading) -> Grade:
        questions, sources = grading.questions, Sources(grading.questions)
        deadline = asyncio.get_running_loop().time() + self.spec.item_timeout
        requests = self._answerer.requests(questions)
        kept = self._kept.find(grading, requests) if self._kept is not None else None
        if kept is not None:
            return kept
        meter = Meter()
        attempts = [
            await self._answerer.answer(questions, requests, deadline=deadline, meter=meter)
        ]
        verdicts = verdicts_of(questions, attempts[0].answers, sources)
        while len(attempts) <= self.spec.verify_reask:
            still_open = open_questions(questions, verdicts)
            if not still_open:
                break
            requests = self._answerer.requests(questions, still_open)
            again = await self._answerer.answer(
                questions, requests, deadline=deadline, meter=meter, again=True
            )
            settled = verdicts_of(questions, again.answers, sources)
            verdicts |= {key: verdict for key, verdict in settled.items() if key in again.answers}
            attempts.append(again)
        grade = finish(grading, attempts, verdicts)
        if self._kept is not None:
            await self._kept.keep(grading, attempts, grade)
        return grade

    def write_kept(self) -> None:
        """Write the finished grades that wait to be kept beside the replies.

        Some tens are written at a time; the last ones at the end of a run, of `grade_many`, or of
        the process, if this judge is still there.
        """
        if self._kept is not None:
            self._kept.write()

    def grade_many(
        self, pairs: Iterable[tuple[str | Prediction, Any]], *, concurrency: int = 8
    ) -> Grades:
        """Grade many predictions and return the grades in the order of the pairs.

        All grades are held in memory, and an error loses those that are not cached. What must not
        be lost, or has a budget, is the work of a `mmrare_judge.run.run.Run`.
        """

        async def collect() -> Grades:
            stream = self.agrade_many(pairs, concurrency=concurrency)
            numbered = [pair async for pair in stream]
            return Grades(grade for _, grade in sorted(numbered, key=lambda pair: pair[0]))

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
    if system and not prediction.system:
        return prediction.model_copy(update={"system": system})
    return prediction


# --- Which judge: model, backend and cache


def default_judge() -> str:
    """The judge where none is named: ``MMRARE_JUDGE``, else the embedded one."""
    chosen = os.environ.get(JUDGE_VARIABLE)
    if chosen:
        return chosen
    _warn_of_default()
    return EMBEDDED


@cache
def _warn_of_default() -> None:
    log.warning(
        "no judge was named: the embedded judge grades, a baseline without a model. "
        "Name one with judge=... or the environment variable %s",
        JUDGE_VARIABLE,
    )


_OPENAI_MODELS = ("gpt-", "chatgpt-", "o1", "o3", "o4")


def addressed(spec: JudgeSpec) -> JudgeSpec:
    """The spec with the address that the environment gives its provider, where it names none.

    The variables are ``<PROVIDER>_API_BASE``, and for OpenAI and Anthropic ``<PROVIDER>_BASE_URL``
    before it. A model without a provider in its name is OpenAI's if it is called like that.
    """
    # litellm would take the address from there by itself, unseen: replies of two servers would
    # share a key in the cache, and their grades a signature.
    if spec.api_base is not None or spec.model == EMBEDDED:
        return spec
    given = (os.environ.get(variable) for variable in _address_variables(spec.model))
    address = next(filter(None, given), None)
    return spec if address is None else spec.model_copy(update={"api_base": address})


def _address_variables(model: str) -> tuple[str, ...]:
    named, _, rest = model.partition("/")
    provider = named if rest else "openai" if model.startswith(_OPENAI_MODELS) else ""
    if not provider:
        return ()
    stem = provider.upper().replace("-", "_")
    first = (f"{stem}_BASE_URL",) if provider in ("openai", "anthropic") else ()
    return (*first, f"{stem}_API_BASE")


def _refuse_model_settings(spec: JudgeSpec) -> None:
    odd = sorted(spec.model_fields_set - {"model", "max_prediction_chars"})
    if odd:
        raise ConfigError(
            f"the embedded judge has no setting {', '.join(odd)}; leave it out, or name a model"
        )


def _own_judge(
    judge: str | Path | JudgeSpec | Mapping[str, Any] | OwnJudge | JudgeFunction | ChatClient,
    model: str | None,
    backend: str | None,
) -> OwnJudge | None:
    if isinstance(judge, str | Path | JudgeSpec | Mapping):
        if model is not None:
            problem = f"model={model!r} names the model of a function or client"
            raise ConfigError(f"{problem}; name the model in judge=")
        return None
    if backend is not None:
        raise ConfigError(f"a function or client is asked itself; leave out backend={backend!r}")
    own = judge if isinstance(judge, OwnJudge) else OwnJudge(judge)
    return own if model is None else OwnJudge(own.ask, model)


def _backend(
    spec: JudgeSpec, own: OwnJudge | None, limiter: Limiter | None, backoff: Backoff | None
) -> Backend:
    if spec.backend == "own":
        return OwnBackend(spec, own, limiter=limiter, backoff=backoff)
    if spec.backend == "direct":
        from mmrare_judge.backends.direct import DirectBackend

        return DirectBackend(spec, limiter=limiter, backoff=backoff)
    from mmrare_judge.backends.litellm import LLMBackend

    return LLMBackend(spec, limiter=limiter, backoff=backoff)


def open_cache(choice: CacheChoice) -> ReplyCache | Replay | Peek | None:
    """The cache of a choice; ``None`` for ``"off"``."""
    if isinstance(choice, ReplyCache | Replay | Peek):
        return choice
    if choice == "off":
        return None
    if choice == "replay":
        return Replay()
    return ReplyCache(default_cache_dir() if choice == "default" else choice)


def peek_cache(choice: CacheChoice) -> Peek | None:
    """The cache of a choice, to be read and never filled; ``None`` for ``"off"``.

    Raises:
        OutputError: It cannot be opened.
    """
    if isinstance(choice, Peek) or choice == "off":
        return choice if isinstance(choice, Peek) else None
    if isinstance(choice, ReplyCache | Replay):
        return Peek(choice.directory)
    return Peek(default_cache_dir() if choice in ("default", "replay") else Path(choice))


# --- Asynchronous work from synchronous code

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None
_loop_lock = threading.Lock()


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return what it returns.

    Works in a plain script, in a notebook and inside a running event loop, which it blocks.
    """
    future = asyncio.run_coroutine_threadsafe(work, _background_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _background_loop() -> asyncio.AbstractEventLoop:
    # One for the life of the process, so that connections opened by one call serve the next.
    global _loop
    with _loop_lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="mmrare-judge", daemon=True).start()
        return _loop


# --- Grading in one call


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
    with _writing(Judge(judge, rubric=rubric, **options)) as chosen:
        return chosen.grade(prediction, item, system=system)


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
    with _writing(Judge(judge, rubric=rubric, **options)) as chosen:
        return await chosen.agrade(prediction, item, system=system)


@contextmanager
def _writing(judge: Judge) -> Iterator[Judge]:
    try:
        yield judge
    finally:
        judge.write_kept()


def grade_many(
    pairs: Iterable[tuple[str | Prediction, Any]],
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    concurrency: int = 8,
    limits: Limits | None = None,
    **options: Any,
) -> Grades:
    """Grade many predictions at once and return the grades in the order of the pairs.

    As in a run, as many requests are sent at a time as the provider takes, fewer after a 429.
    Nothing is written but the reply cache; see `Judge.grade_many`.

    Args:
        pairs: Prediction and item.
        rubric: See `Judge`.
        judge: See `Judge`.
        concurrency: Requests in flight at most, where no ``limits`` are given.
        limits: As for a run; a budget that is used up raises `BudgetError`.
        **options: Everything `Judge` takes.
    """
    chosen = limits or Limits(concurrency=concurrency)
    many = Judge(judge, rubric=rubric, limits=chosen, **options)
    return many.grade_many(pairs, concurrency=chosen.workers)
