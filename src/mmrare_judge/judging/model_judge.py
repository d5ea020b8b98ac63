"""The judge that asks a language model: each request is found in the cache, or sent and kept."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from pydantic import BaseModel, JsonValue, ValidationError

from mmrare_judge.backends.base import (
    Backend,
    JudgeSpec,
    Meter,
    Reply,
    Request,
    TokenRecord,
    Usage,
)
from mmrare_judge.backends.replies import token_text
from mmrare_judge.cache.read_only import Peek, Replay, cache_miss
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.errors import (
    BackendError,
    ContentFilterError,
    FormatError,
    OutputError,
    RefusalError,
    RequestRefusedError,
    TransportError,
    TruncatedError,
)
from mmrare_judge.judging.confidence import Token, label_confidences
from mmrare_judge.judging.grade import Unscored, UnscoredKind
from mmrare_judge.judging.prompt import requests_for
from mmrare_judge.judging.questions import Answer, Answers, Questions, answers_in, shape_of

log = logging.getLogger("mmrare_judge")


class ModelJudge:
    """Answers questions by asking a language model.

    Args:
        spec: Which model, and how it is asked.
        backend: Where requests go.
        cache: Where replies are kept: ``None`` keeps none, a `Replay` raises where one is missing,
            a `Peek` is only read.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        backend: Backend,
        cache: ReplyCache | Replay | Peek | None = None,
    ) -> None:
        self.spec = spec
        self.backend = backend
        self.cache = cache
        self._in_flight = InFlight()
        self._claims = Claims(cache.directory if isinstance(cache, ReplyCache) else None)
        self._cache_fault: OutputError | None = None

    def requests(
        self, questions: Questions, open_questions: Mapping[str, str] | None = None
    ) -> tuple[Request, ...]:
        """The requests for the questions; see `requests_for`."""
        return requests_for(self.spec, questions, open_questions)

    async def answer(
        self,
        questions: Questions,
        requests: tuple[Request, ...],
        *,
        deadline: float,
        meter: Meter | None = None,
        again: bool = False,
    ) -> Answers:
        """The model's answers; see `Answerer.answer`.

        Raises:
            ConfigError: The request can never work: key, model name, parameter.
            BudgetError: The run's budget is used up.
            CacheMissError: The cache is a `Replay` and does not hold a reply.
            OutputError: An earlier reply could not be kept in the cache.
        """
        if not again:  # a second look belongs to a first one that is paid for
            self._tell_cache_fault()
        item_id = questions.item.id
        if len(requests) == 1:
            return await self._answer(requests[0], item_id, deadline, meter)
        # All of them are awaited, also when one raises: the others are being paid for.
        ended = await asyncio.gather(
            *(self._answer(request, item_id, deadline, meter) for request in requests),
            return_exceptions=True,
        )
        return _merged(_all(ended))

    async def _answer(
        self, request: Request, item_id: str, deadline: float, whole: Meter | None
    ) -> Answers:
        known = self._look_up(request, item_id)
        if known is not None:
            return known

        async def buy() -> Answers:
            patience = min(self.spec.timeout, deadline - asyncio.get_running_loop().time())
            async with self._claims.held(request.hash, patience=patience) as waited:
                known = self._look_up(request, item_id) if waited else None
                return await self._send(request, deadline, Meter(whole)) if known is None else known

        return await self._in_flight.share(request.hash, buy)

    async def _send(self, request: Request, deadline: float, meter: Meter) -> Answers:
        try:
            async with asyncio.timeout_at(deadline):
                reply = await self.backend.complete(request, meter)
        except TimeoutError:
            message = f"no reply within item_timeout, {self.spec.item_timeout} seconds"
            failure = Unscored(kind="timeout", message=message)
            return Answers(failure=failure, usage=meter.usage, requests=(request.hash,))
        except BackendError as error:
            await self._keep_fault(request, error)
            return Answers(failure=_failure(error), usage=meter.usage, requests=(request.hash,))
        await self._keep(request, reply)
        return _answers(self.spec, request, reply, usage=meter.usage)

    def _look_up(self, request: Request, item_id: str) -> Answers | None:
        if self.cache is None:
            return None
        reply = self.cache.get(request.hash)
        if isinstance(self.cache, Replay):
            return _replayed(self.spec, request, reply, item_id, self.cache)
        if reply is None or (reply.finish != "complete" and self.spec.store == "complete"):
            return None
        try:
            return _answers(self.spec, request, reply, cached=True)
        except ValidationError as error:
            log.warning(
                "the cached reply %s does not match the schema and is asked again: %s",
                request.hash,
                error,
            )
            return None

    async def _keep(self, request: Request, reply: Reply) -> None:
        if isinstance(self.cache, ReplyCache):
            try:
                await asyncio.to_thread(self.cache.put, request, reply)
            except OutputError as error:
                log.warning("%s; this reply is graded, but not kept", error)
                self._cache_fault = error

    async def _keep_fault(self, request: Request, error: BackendError) -> None:
        kind = _reply_fault(error)
        if self.spec.store == "all" and kind not in (None, "format", "refused_request"):
            raw = getattr(error, "raw", "") or str(error)
            await self._keep(request, Reply.model_validate({"text": raw, "finish": kind}))

    def _tell_cache_fault(self) -> None:
        """Raise what kept an earlier reply out of the cache.

        Not at once: that reply was paid for and is graded. Only what comes after it is refused.
        """
        fault, self._cache_fault = self._cache_fault, None
        if fault is not None:
            raise fault


def _replayed(
    spec: JudgeSpec, request: Request, reply: Reply | None, item_id: str, cache: Replay
) -> Answers:
    """The answers of a kept reply; one that was refused or cut is replayed as well."""
    if reply is None:
        raise cache_miss(request, item_id, cache)
    try:
        return _answers(spec, request, reply, cached=True)
    except ValidationError as error:
        raise cache_miss(request, item_id, cache, "no grading in the reply to") from error


def _all(ended: list[Answers | BaseException]) -> list[Answers]:
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in ended if isinstance(outcome, Answers)]


# --- From a reply to answers


def answers_of(reply: Reply, said: BaseModel) -> dict[str, Answer]:
    """The answers of a reply, by question key, with confidences where it has log probabilities.

    Args:
        reply: The reply.
        said: Its text, read by the reply model.
    """
    answers = answers_in(said)
    if reply.logprobs is None:
        return answers
    found = label_confidences(reply.text, list(_tokens(reply.logprobs)), shape_of(type(said)))
    return {key: answer._replace(confidence=found[key]) for key, answer in answers.items()}


def _tokens(records: tuple[TokenRecord, ...]) -> Iterator[Token]:
    for text, logprob, top in records:
        yield Token(token_text(text), logprob, tuple((token_text(t), p) for t, p in top))


def _answers(
    spec: JudgeSpec,
    request: Request,
    reply: Reply,
    *,
    usage: Usage | None = None,
    cached: bool = False,
) -> Answers:
    """What a reply says, or why it says nothing: one from the cache may be a refusal.

    Raises:
        ValidationError: The reply does not match the schema.
    """
    failure, answers = None, {}
    if reply.finish == "complete":
        answers = answers_of(reply, request.read(reply.text))
    else:
        failure = Unscored(kind=reply.finish, message="kept from an earlier call", raw=reply.text)
    return Answers(
        answers=answers,
        failure=failure,
        usage=usage or Usage(),
        saved=reply.usage if cached else Usage(),
        cached=cached,
        requests=(request.hash,),
        replies=(reply,),
        made_by={
            "reported_model": reply.model,
            "mode": reply.mode,
            "sampling": _signed_sampling(spec, reply),
        },
    )


def _signed_sampling(spec: JudgeSpec, reply: Reply) -> dict[str, JsonValue]:
    """What the signature says of the sampling: a limit that follows from the item is left out."""
    limit_is_set = spec.max_tokens is not None or "max_tokens" in spec.extra
    left_out = () if limit_is_set else ("max_tokens",)
    return {name: value for name, value in reply.sampling.items() if name not in left_out}


def _merged(parts: list[Answers]) -> Answers:
    """The answers to several requests about the same prediction, as one."""
    failure = next((part.failure for part in parts if part.failure), None)
    answered = next((part for part in parts if part.failure is None), parts[0])
    return Answers(
        answers={key: answer for part in parts for key, answer in part.answers.items()},
        failure=failure,
        usage=sum((part.usage for part in parts), Usage()),
        saved=sum((part.saved for part in parts), Usage()),
        cached=all(part.cached for part in parts),
        requests=tuple(hash for part in parts for hash in part.requests),
        replies=tuple(reply for part in parts for reply in part.replies),
        made_by=answered.made_by,
    )


_REPLY_FAULTS: Mapping[type[BackendError], UnscoredKind] = {
    RequestRefusedError: "refused_request",
    FormatError: "format",
    RefusalError: "refusal",
    ContentFilterError: "content_filter",
    TruncatedError: "truncated",
}


def _failure(error: BackendError) -> Unscored:
    """Why there is no reply; an error that is about no single reply is raised again."""
    if isinstance(error, TransportError):
        return Unscored.model_validate({"kind": error.kind, "message": str(error)})
    kind = _reply_fault(error)
    if kind is None:
        raise error
    return Unscored(kind=kind, message=str(error), raw=getattr(error, "raw", ""))


def _reply_fault(error: BackendError) -> UnscoredKind | None:
    """What was wrong with the reply itself; ``None`` where it was something else."""
    return next((kind for fault, kind in _REPLY_FAULTS.items() if isinstance(error, fault)), None)


# --- Identical requests are sent once


class InFlight:
    """Deduplicates identical requests that are in flight, for each event loop by itself."""

    def __init__(self) -> None:
        self._pending: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[Answers]] = {}

    async def share(self, request_hash: str, buy: Callable[[], Awaitable[Answers]]) -> Answers:
        """Await ``buy()``, or the answers to an identical request that is in flight.

        Who waits for another's request is charged nothing. If that one is cancelled or raises, the
        next one sends it again.
        """
        loop = asyncio.get_running_loop()
        key = (loop, request_hash)
        while key in self._pending:
            other = self._pending[key]
            await asyncio.wait([other])
            if not other.cancelled():
                answers = other.result()
                saved = answers.usage + answers.saved
                return replace(answers, usage=Usage(), saved=saved, cached=True)
        pending = self._pending[key] = loop.create_future()
        try:
            answers = await buy()
            pending.set_result(answers)
            return answers
        finally:
            del self._pending[key]
            pending.cancel()


_FIRST_PAUSE, _LAST_PAUSE = 0.02, 0.5
"""Seconds between two tries to get a claim: they double from the one to the other."""

_held_here: set[tuple[Path, int]] = set()
_held_here_lock = threading.Lock()


class Claims:
    """Locks on the requests that are being bought, for all processes that share a cache.

    A claim is a lock on one byte of the file ``claims.lock``. The operating system releases it when
    the process ends. Where there are no such locks (Windows), two processes may buy the same reply.

    Args:
        directory: The cache's directory; ``None`` claims nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    @asynccontextmanager
    async def held(self, request_hash: str, *, patience: float) -> AsyncIterator[bool]:
        """Hold the claim on a request, once nobody else holds it.

        Args:
            request_hash: The request's hash, which ends in hexadecimal digits.
            patience: Seconds to wait at most: a process that is suspended must not suspend us.

        Yields:
            Whether it had to be waited for, so that the cache may hold the reply by now.
        """
        if self._directory is None:
            yield False
            return
        claim = (self._directory, int(request_hash[-15:], 16))
        give_up, pause, waited = time.monotonic() + patience, _FIRST_PAUSE, False
        while not (taken := _take(*claim)) and time.monotonic() < give_up:
            waited = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
        try:
            yield waited
        finally:
            if taken:
                _release(*claim)


def _take(directory: Path, place: int) -> bool:
    # The lock of the operating system belongs to the process, which would get it twice: two event
    # loops, or two judges, of one process are kept apart by the set.
    with _held_here_lock:
        if (directory, place) in _held_here or not _lock(directory, place):
            return False
        _held_here.add((directory, place))
        return True


def _release(directory: Path, place: int) -> None:
    with _held_here_lock:
        _held_here.discard((directory, place))
        _lock(directory, place, release=True)


def _lock(directory: Path, place: int, *, release: bool = False) -> bool:
    """Take or release the lock on a byte; ``False`` if another process has it."""
    file = _claims_file(directory)
    if file is None or sys.platform == "win32":
        return True
    import fcntl

    how = fcntl.LOCK_UN if release else fcntl.LOCK_EX | fcntl.LOCK_NB
    try:
        fcntl.lockf(file, how, 1, place)
    except (BlockingIOError, PermissionError):  # which of them, differs between systems
        return False
    except OSError:
        return True  # a file system without locks
    return True


@cache
def _claims_file(directory: Path) -> int | None:
    # Opened once a process and never closed: closing it anywhere would give all claims back.
    try:
        return os.open(directory / "claims.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
