"""A language model as judge: prompt, cache, backend, and the reply made into drafts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from pydantic import JsonValue, ValidationError

from mmrare_judge.backends.base import Backend, Meter, Reply, Request
from mmrare_judge.cache import ReplyCache
from mmrare_judge.cache_miss import cache_miss
from mmrare_judge.drafting import drafts_of
from mmrare_judge.errors import (
    BackendError,
    ContentFilterError,
    FormatError,
    OutputError,
    RefusalError,
    ReplyError,
    TransportError,
    TruncatedError,
)
from mmrare_judge.flights import Claims, Flights
from mmrare_judge.grade import Unscored, UnscoredKind, Usage
from mmrare_judge.prompt import messages
from mmrare_judge.replay import Peek, Replay
from mmrare_judge.schema import longest_reply, reply_model, reply_schema, shape
from mmrare_judge.spec import JudgeSpec
from mmrare_judge.task import Assessment, Question, Task

log = logging.getLogger("mmrare_judge")

_REPLY_FAULTS: Mapping[type[ReplyError], UnscoredKind] = {
    FormatError: "format",
    RefusalError: "refusal",
    ContentFilterError: "content_filter",
    TruncatedError: "truncated",
}
_MIN_MAX_TOKENS = 8192
_TOP_LOGPROBS = 20  # the most that OpenAI and vLLM give
_CHARS_PER_TOKEN = 2  # on the safe side for English, where a token is about four characters


class LanguageModelJudge:
    """Judges a task by asking a language model.

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

    async def assess(
        self,
        task: Task,
        *,
        doubts: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Assessment:
        """Answer the task's questions, all in one request or so many a request as the spec says.

        A reply that cannot be had is a ``failure``, and its questions have no draft.

        Raises:
            ConfigError: The request can never work: key, model name, parameter.
            BudgetError: The run's budget is used up.
            CacheMissError: The cache is a `Replay`, and does not hold a reply.
            OutputError: The reply before could not be kept in the cache.
        """
        if doubts is None:  # a second look belongs to a first one that is paid for
            self._tell_cache_fault()
        asked = tuple(q for q in task.questions if doubts is None or q.key in doubts)
        requests = [
            make_request(self.spec, task, part, doubts)
            for part in _parts(asked, self.spec.criteria_per_call)
        ]
        if len(requests) == 1:
            return await self._answer(requests[0], task.item.id, deadline)
        # All of them are awaited, also when one raises: the others are being paid for.
        answers = (self._answer(request, task.item.id, deadline) for request in requests)
        return _merged(_all(await asyncio.gather(*answers, return_exceptions=True)))

    async def _answer(self, request: Request, item_id: str, deadline: float | None) -> Assessment:
        known = self._look_up(request, item_id)
        if known is not None:
            return known
        end = _now() + self.spec.item_timeout if deadline is None else deadline
        return await self._flights.share(request.hash, lambda: self._claim(request, item_id, end))

    async def _claim(self, request: Request, item_id: str, deadline: float) -> Assessment:
        """Buy the reply, unless another process is doing so and it comes through the cache."""
        if not isinstance(self.cache, ReplyCache):
            return await self._buy(request, deadline)
        patience = min(self.spec.timeout, deadline - _now())
        async with self._claims.held(request.hash, patience=patience) as waited:
            known = self._look_up(request, item_id) if waited else None
            return await self._buy(request, deadline) if known is None else known

    async def _buy(self, request: Request, deadline: float) -> Assessment:
        meter = Meter()
        try:
            async with asyncio.timeout_at(deadline):
                reply = await self.backend.complete(request, meter)
        except TimeoutError:
            message = f"no reply within item_timeout, {self.spec.item_timeout} seconds"
            failure = Unscored(kind="timeout", message=message)
            return Assessment(failure=failure, usage=meter.usage, requests=(request.hash,))
        except BackendError as error:
            await self._keep_fault(request, error)
            return Assessment(failure=_failure(error), usage=meter.usage, requests=(request.hash,))
        await self._keep(request, reply)
        return _assessment(self.spec, request, reply, usage=meter.usage)

    def _look_up(self, request: Request, item_id: str) -> Assessment | None:
        if isinstance(self.cache, Replay):
            return _replayed(self.spec, request, item_id, self.cache)
        reply = None if self.cache is None else self.cache.get(request.hash)
        if reply is None or (reply.finish != "complete" and self.spec.store == "complete"):
            return None
        try:
            return _assessment(self.spec, request, reply, cached=True)
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
        kind = _reply_fault(error)
        if self.spec.store == "all" and kind not in (None, "format"):
            raw = getattr(error, "raw", "") or str(error)
            await self._keep(request, Reply.model_validate({"text": raw, "finish": kind}))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _replayed(spec: JudgeSpec, request: Request, item_id: str, cache: Replay) -> Assessment:
    """The assessment of a kept reply; a refused or cut one, where kept, is replayed as well.

    Raises:
        CacheMissError: There is none, or it is no grading.
    """
    reply = cache.get(request.hash)
    if reply is None:
        raise cache_miss(request, item_id, cache)
    try:
        return _assessment(spec, request, reply, cached=True)
    except ValidationError as error:
        raise cache_miss(request, item_id, cache, "no grading in the reply to") from error


def make_request(
    spec: JudgeSpec,
    task: Task,
    asked: tuple[Question, ...],
    doubts: Mapping[str, str] | None = None,
) -> Request:
    """The request for some questions of a task, complete and ready to be hashed."""
    wanted = shape(asked)
    return Request(
        model=spec.model,
        messages=messages(task, asked, doubts),
        sampling=_sampling(spec, longest_reply(wanted)),
        schema=reply_schema(wanted),
        mode=spec.mode,
        endpoint=spec.api_base,
        sample=task.sample,
        reply_model=reply_model(wanted),
    )


def _parts(asked: tuple[Question, ...], size: int | None) -> Iterator[tuple[Question, ...]]:
    """Questions of ``size`` criteria at a time; the elements of a criterion stay together."""
    if size is None:
        yield asked
        return
    criteria = list(dict.fromkeys(question.criterion.id for question in asked))
    for start in range(0, len(criteria), size):
        chosen = criteria[start : start + size]
        yield tuple(question for question in asked if question.criterion.id in chosen)


def _all(ended: list[Assessment | BaseException]) -> list[Assessment]:
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in ended if isinstance(outcome, Assessment)]


def _merged(parts: list[Assessment]) -> Assessment:
    failure = next((part.failure for part in parts if part.failure), None)
    answered = next((part for part in parts if part.failure is None), parts[0])
    return Assessment(
        drafts={key: draft for part in parts for key, draft in part.drafts.items()},
        failure=failure,
        usage=sum((part.usage for part in parts), Usage()),
        saved=sum((part.saved for part in parts), Usage()),
        cached=all(part.cached for part in parts),
        requests=tuple(hash for part in parts for hash in part.requests),
        replies=tuple(reply for part in parts for reply in part.replies),
        made_by=answered.made_by,
    )


def _sampling(spec: JudgeSpec, longest: int) -> dict[str, JsonValue]:
    chosen: dict[str, JsonValue] = {
        "temperature": spec.temperature,
        "top_p": spec.top_p,
        "seed": spec.seed,
        "max_tokens": spec.max_tokens or max(_MIN_MAX_TOKENS, longest // _CHARS_PER_TOKEN),
    }
    if spec.confidence == "logprobs":
        chosen |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    return {k: v for k, v in chosen.items() if v is not None} | dict(spec.extra)


def _limit_is_set(spec: JudgeSpec) -> bool:
    return spec.max_tokens is not None or "max_tokens" in spec.extra


def _sampling_said(spec: JudgeSpec, reply: Reply) -> dict[str, JsonValue]:
    """What the signature says of the sampling: a limit that follows from the item is left out."""
    left_out = () if _limit_is_set(spec) else ("max_tokens",)
    return {name: value for name, value in reply.sampling.items() if name not in left_out}


def _assessment(
    spec: JudgeSpec,
    request: Request,
    reply: Reply,
    *,
    usage: Usage | None = None,
    cached: bool = False,
) -> Assessment:
    answered = Assessment(
        usage=usage or Usage(),
        saved=reply.usage if cached else Usage(),
        cached=cached,
        requests=(request.hash,),
        replies=(reply,),
        made_by={
            "reported_model": reply.model,
            "mode": reply.mode,
            "sampling": _sampling_said(spec, reply),
        },
    )
    if reply.finish != "complete":
        failure = Unscored(kind=reply.finish, message="kept from an earlier call", raw=reply.text)
        return replace(answered, failure=failure)
    return replace(answered, drafts=drafts_of(request, reply))


def _failure(error: BackendError) -> Unscored:
    if isinstance(error, TransportError):
        return Unscored.model_validate({"kind": error.kind, "message": str(error)})
    kind = _reply_fault(error)
    if kind is None:
        raise error
    return Unscored(kind=kind, message=str(error), raw=getattr(error, "raw", ""))


def _reply_fault(error: BackendError) -> UnscoredKind | None:
    return next((kind for fault, kind in _REPLY_FAULTS.items() if isinstance(error, fault)), None)


def public_endpoint(address: str | None) -> str | None:
    """An address without user name, password and query, fit to be printed.

    >>> public_endpoint("http://me:secret@gpu1:8000/v1?key=1")
    'http://gpu1:8000/v1'
    """
    if address is None:
        return None
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
