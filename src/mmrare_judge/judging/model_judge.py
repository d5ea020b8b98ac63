"""A language model as judge: each request is looked up, or bought and kept."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from mmrare_judge.backends.base import Backend, JudgeSpec, Meter, Reply, Request, Usage
from mmrare_judge.cache.read_only import Peek, Replay, cache_miss
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.errors import BackendError, OutputError
from mmrare_judge.judging.grade import Unscored
from mmrare_judge.judging.prompt import requests_for
from mmrare_judge.judging.questions import Answers, Questions
from mmrare_judge.judging.reply import assessment, failure_of, merged, reply_fault

# FOLDED flights: Identical requests on the wire at the same time are sent once. `Flights` sees to it within a process, `Claims` between processes that share a cache.

_Key = tuple[asyncio.AbstractEventLoop, str]


class Flights:
    """Requests on the wire, by their hash; each event loop has its own."""

    def __init__(self) -> None:
        self._flying: dict[_Key, asyncio.Future[Answers]] = {}

    async def share(self, request_hash: str, buy: Callable[[], Awaitable[Answers]]) -> Answers:
        """Await ``buy()``, or what an identical request that is under way brings.

        Who waits for another's request is charged nothing. If that one is cancelled or raises, the
        next one sends it again.
        """
        loop = asyncio.get_running_loop()
        key = (loop, request_hash)
        while key in self._flying:
            other = self._flying[key]
            await asyncio.wait([other])
            if not other.cancelled():
                answer = other.result()
                saved = answer.usage + answer.saved
                return replace(answer, usage=Usage(), saved=saved, cached=True)
        landing: asyncio.Future[Answers] = loop.create_future()
        self._flying[key] = landing
        try:
            answer = await buy()
            landing.set_result(answer)
            return answer
        finally:
            del self._flying[key]
            landing.cancel()


_FIRST_LOOK, _LAST_LOOK = 0.02, 0.5
"""Seconds between two looks at another process's claim: they double from the one to the other."""


class Claims:
    """Requests that this process is buying, as other processes with the same cache see them.

    A claim is a lock on one byte of the file ``claims.lock``. The operating system takes it back
    with the process, however that ends. Where there are no such locks (Windows), nothing is
    claimed, and two processes may buy the same reply.

    Args:
        directory: The cache's directory; ``None`` claims nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    @asynccontextmanager
    async def held(self, request_hash: str, *, patience: float) -> AsyncIterator[bool]:
        """Hold the claim on a request, after another process has let go of it.

        Args:
            request_hash: The request's hash, which ends in hexadecimal digits.
            patience: Seconds to wait at most: a process that is suspended must not suspend us.

        Yields:
            Whether there was anything to wait for, so that the cache may hold the reply by now.
        """
        place = int(request_hash[-15:], 16)
        give_up, pause, waited = time.monotonic() + patience, _FIRST_LOOK, False
        while not _lock(self._directory, place) and time.monotonic() < give_up:
            waited = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
        try:
            yield waited
        finally:
            _lock(self._directory, place, release=True)


def _lock(directory: Path | None, place: int, *, release: bool = False) -> bool:
    """Take or release the lock on a byte; ``False`` if another process has it."""
    file = None if directory is None else _claims_file(directory)
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


log = logging.getLogger("mmrare_judge")


class ModelJudge:
    """Judges the questions by asking a language model.

    Args:
        spec: Which model, and how it is asked.
        backend: Where requests go.
        cache: Where replies are kept; ``None`` keeps none, a `Replay` is never missed, a `Peek`
            is only read.
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
        self._flights = Flights()
        self._claims = Claims(cache.directory if isinstance(cache, ReplyCache) else None)
        self._cache_fault: OutputError | None = None

    async def answer(
        self,
        questions: Questions,
        *,
        open_questions: Mapping[str, str] | None = None,
        deadline: float | None = None,
        meter: Meter | None = None,
    ) -> Answers:
        """Answer the questions, all in one request or so many a request as the spec says.

        A reply that cannot be had is a ``failure``, and its questions have no draft.

        Raises:
            ConfigError: The request can never work: key, model name, parameter.
            BudgetError: The run's budget is used up.
            CacheMissError: The cache is a `Replay`, and does not hold a reply.
            OutputError: The reply before could not be kept in the cache.
        """
        if open_questions is None:  # a second look belongs to a first one that is paid for
            self._tell_cache_fault()
        requests = requests_for(self.spec, questions, open_questions)
        if len(requests) == 1:
            return await self._answer(requests[0], questions.item.id, deadline, meter)
        # All of them are awaited, also when one raises: the others are being paid for.
        answers = (
            self._answer(request, questions.item.id, deadline, meter) for request in requests
        )
        return merged(_all(await asyncio.gather(*answers, return_exceptions=True)))

    async def _answer(
        self, request: Request, item_id: str, deadline: float | None, whole: Meter | None
    ) -> Answers:
        known = self._look_up(request, item_id)
        if known is not None:
            return known
        end = _now() + self.spec.item_timeout if deadline is None else deadline
        meter = Meter(whole)
        return await self._flights.share(
            request.hash, lambda: self._claim(request, item_id, end, meter)
        )

    async def _claim(
        self, request: Request, item_id: str, deadline: float, meter: Meter
    ) -> Answers:
        """Buy the reply, unless another process is doing so and it comes through the cache."""
        if not isinstance(self.cache, ReplyCache):
            return await self._buy(request, deadline, meter)
        patience = min(self.spec.timeout, deadline - _now())
        async with self._claims.held(request.hash, patience=patience) as waited:
            known = self._look_up(request, item_id) if waited else None
            return await self._buy(request, deadline, meter) if known is None else known

    async def _buy(self, request: Request, deadline: float, meter: Meter) -> Answers:
        try:
            async with asyncio.timeout_at(deadline):
                reply = await self.backend.complete(request, meter)
        except TimeoutError:
            message = f"no reply within item_timeout, {self.spec.item_timeout} seconds"
            failure = Unscored(kind="timeout", message=message)
            return Answers(failure=failure, usage=meter.usage, requests=(request.hash,))
        except BackendError as error:
            await self._keep_fault(request, error)
            return Answers(failure=failure_of(error), usage=meter.usage, requests=(request.hash,))
        await self._keep(request, reply)
        return assessment(self.spec, request, reply, usage=meter.usage)

    def _look_up(self, request: Request, item_id: str) -> Answers | None:
        if isinstance(self.cache, Replay):
            return _replayed(self.spec, request, item_id, self.cache)
        reply = None if self.cache is None else self.cache.get(request.hash)
        if reply is None or (reply.finish != "complete" and self.spec.store == "complete"):
            return None
        try:
            return assessment(self.spec, request, reply, cached=True)
        except ValidationError as error:
            log.warning("cached reply %s is no grading and is asked again: %s", request.hash, error)
            return None

    async def _keep(self, request: Request, reply: Reply) -> None:
        if isinstance(self.cache, ReplyCache):
            try:
                await asyncio.to_thread(self.cache.put, request, reply)
            except OutputError as error:
                log.warning("%s; this reply is graded, but not kept", error)
                self._cache_fault = error

    def _tell_cache_fault(self) -> None:
        """Raise what kept an earlier reply out of the cache.

        Not at once: that reply was paid for and is graded. Only what comes after it is refused.
        """
        fault, self._cache_fault = self._cache_fault, None
        if fault is not None:
            raise fault

    async def _keep_fault(self, request: Request, error: BackendError) -> None:
        kind = reply_fault(error)
        if self.spec.store == "all" and kind not in (None, "format"):
            raw = getattr(error, "raw", "") or str(error)
            await self._keep(request, Reply.model_validate({"text": raw, "finish": kind}))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _replayed(spec: JudgeSpec, request: Request, item_id: str, cache: Replay) -> Answers:
    """The assessment of a kept reply; a refused or cut one, where kept, is replayed as well.

    Raises:
        CacheMissError: There is none, or it is no grading.
    """
    reply = cache.get(request.hash)
    if reply is None:
        raise cache_miss(request, item_id, cache)
    try:
        return assessment(spec, request, reply, cached=True)
    except ValidationError as error:
        raise cache_miss(request, item_id, cache, "no grading in the reply to") from error


def _all(ended: list[Answers | BaseException]) -> list[Answers]:
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in ended if isinstance(outcome, Answers)]
