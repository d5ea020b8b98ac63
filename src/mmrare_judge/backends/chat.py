"""`ChatBackend`: one request from its first attempt to its last re-ask, on any way to a model.

Three loops, from the outside in: re-asks after a reply of the wrong form (`reask`), repeats after
transport faults (`with_retries`), and attempts without what the endpoint does not take (`Habits`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mmrare_judge.backends.base import (
    JudgeSpec,
    Meter,
    Payload,
    Price,
    Reply,
    Request,
    TokenRecord,
    Usage,
    WireMode,
    is_self_hosted,
    plain_key,
    structure,
)
from mmrare_judge.backends.faults import as_fault, hidden_in, presentable, response_headers
from mmrare_judge.backends.limits import Limiter, NoLimiter, UpperBound, upper_bound
from mmrare_judge.backends.replies import (
    checked_completion,
    read_completion,
    text_of,
    token_records,
)
from mmrare_judge.backends.retry import Backoff, with_retries
from mmrare_judge.errors import ConfigError, FormatError, MMRareJudgeError

_NAMES_A_LIMIT = re.compile(r"(?:min|max)(?:Length|Items)\b")


@dataclass
class Habits:
    """What is sent without having been asked for, until an endpoint turns out not to take it.

    Attributes:
        temperature: A temperature of 0 where none is set.
        limits: Length limits in the schema, for endpoints of one's own.
    """

    temperature: bool = True
    limits: bool = True

    def give_up(self, problem: str, *, temperature: bool) -> bool:
        """Give up the habit that a refusal names; ``False`` if it names none that is left.

        Args:
            problem: What the endpoint said.
            temperature: Whether the temperature in the request was sent by habit.
        """
        if temperature and "temperature" in problem:
            self.temperature = False
            return True
        if self.limits and _NAMES_A_LIMIT.search(problem):
            self.limits = False
            return True
        return False


class ChatBackend(ABC):
    """A judge's model that chats; a subclass is a way to it.

    Some things are sent without having been asked for: a temperature of 0, and length limits in
    the schema for endpoints of one's own. Where an endpoint refuses one of them, the request is
    sent without it, and so are all later ones.

    Args:
        spec: The judge's model and settings.
        limiter: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.
    """

    def __init__(
        self, spec: JudgeSpec, *, limiter: Limiter | None = None, backoff: Backoff | None = None
    ) -> None:
        self.spec = spec
        self.limiter = NoLimiter() if limiter is None else limiter
        self.backoff = Backoff() if backoff is None else backoff
        self.habits = Habits()
        self._modes: dict[tuple[str, str | None], WireMode] = {}

    # What a way to a model has to know. What `auto_mode` and `post` raise may be the vendor's own.

    @abstractmethod
    async def post(self, payload: Payload) -> Any:
        """One attempt, never repeated in here; the response looks like the openai SDK's."""

    @abstractmethod
    def auto_mode(self, request: Request) -> WireMode:
        """How structure is asked for where that is left to the backend."""

    @abstractmethod
    def key_names(self, model: str) -> tuple[str, ...]:
        """Environment variables that a key for this model could be set in."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the running loop's connections; a loop that shuts down does so by itself."""

    def cost(self, response: Any) -> float | None:
        """What a response cost in US dollars; ``None`` where that is not known."""
        return None

    def price(self, model: str) -> Price | None:
        """The most that tokens of a model may cost; ``None`` where that is not known."""
        return None

    # What all ways share.

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return a reply whose text satisfies ``request.reply_model``; see `Backend.complete`.

        Every completed reply but the one returned counts as extra in ``meter``; when this raises,
        every one.
        """
        exchange = _Exchange(self, request, meter)
        try:
            return await exchange.reply()
        except BaseException:
            exchange.write_off()
            raise

    def mode(self, request: Request) -> WireMode:
        """How structure is asked for.

        Raises:
            ConfigError: The model's provider is not known.
        """
        where = (request.model, request.endpoint)
        if where not in self._modes:
            try:
                self._modes[where] = self.auto_mode(request)
            except Exception as error:
                raise self.fault(error, request.model) from self.presentable(error)
        return self._modes[where] if request.mode == "auto" else request.mode

    def payload(self, request: Request, messages: list[Any]) -> Payload:
        """What is sent for a request."""
        default = {"temperature": 0.0} if self.habits.temperature else {}
        own = request.endpoint is not None or is_self_hosted(request.model)
        return Payload(
            body={**default, **request.sampling, "model": request.model, "messages": messages},
            structure=structure(
                request.reply_model,
                request.schema,
                self.mode(request),
                limits=own and self.habits.limits,
            ),
            endpoint=request.endpoint,
            seconds=self.spec.timeout,
        )

    def upper_bound(self, payload: Payload) -> UpperBound:
        """The most that one attempt may take."""
        return upper_bound(payload, self.price(payload.body["model"]))

    def fault(self, error: Exception, model: str) -> MMRareJudgeError:
        """What a vendor's exception means, with the key to set where that is the matter."""
        names = self.key_names(model)
        variable = f"{' or '.join(names)} in the environment, or " if names else ""
        keys = f"Set {variable}api_key (any text if none is needed)."
        return as_fault(error, model=model, keys=keys, secrets=self._secrets)

    def presentable(self, error: Exception) -> BaseException | None:
        """A vendor's exception, to chain from, unless it shows a secret."""
        return presentable(error, self._secrets)

    @property
    def _secrets(self) -> tuple[str, ...]:
        key = plain_key(self.spec.api_key)
        return (*((key,) if key else ()), *hidden_in(self.spec.api_base or ""))


class _HabitRefused(Exception):  # noqa: N818  # a signal between two methods, not an error
    """The endpoint refused something that was sent by habit, and will not be from now on."""


@dataclass
class _Received:
    """A response, and what is handed on of it."""

    response: Any
    text: str
    sampling: dict[str, Any]
    logprobs: tuple[TokenRecord, ...] | None


class _Exchange:
    """One request: its attempts, and the last response to it."""

    def __init__(self, backend: ChatBackend, request: Request, meter: Meter) -> None:
        self._backend = backend
        self._request = request
        self._mode = backend.mode(request)
        self._meter = meter
        self._last: _Received | None = None
        self._asked = False
        self._unused: Usage | None = None

    async def reply(self) -> Reply:
        """Ask, and re-ask as often as the spec allows."""
        request, times = self._request, self._backend.spec.reask
        first = await self._send(list(request.messages))
        try:
            return self._reply(read_completion(first.text, request.read))
        except ValidationError as error:
            problem: Exception = error
        if times:
            answer = await reask(self._response, first.response, request, self._mode, times=times)
            if isinstance(answer, str):
                return self._reply(answer)
            problem = answer
        raw = self._last.text if self._last else ""
        raise FormatError(_sentence(problem, 1 + times), raw=raw) from problem

    def write_off(self) -> None:
        """Count the last completed reply, if any, as extra: it will not be the one handed on."""
        if self._unused is not None:
            spent, self._unused = self._unused, None
            tokens = spent.prompt_tokens + spent.completion_tokens
            self._meter.add(Usage(extra_tokens=tokens, extra_cost=spent.cost))

    async def _response(self, messages: list[Any]) -> Any:
        return (await self._send(messages)).response

    async def _send(self, messages: list[Any]) -> _Received:
        """Send messages, again after transport faults; the second time on, it is a re-ask."""
        reask, self._asked = self._asked, True

        async def attempt(number: int) -> _Received:
            share = Usage(calls=1, retries=int(number > 0), reasks=int(reask and number == 0))
            while True:
                try:
                    return await self._attempt(messages, share)
                except _HabitRefused:  # at most once a habit
                    share = Usage(calls=1)

        backend = self._backend
        self._last = await with_retries(
            attempt, retries=backend.spec.retries, backoff=backend.backoff
        )
        return self._last

    async def _attempt(self, messages: list[Any], share: Usage) -> _Received:
        payload = self._backend.payload(self._request, messages)
        async with self._counted(payload, share) as booking:
            try:
                # litellm's own time limit is one of silence; a slow drip would never reach it.
                async with asyncio.timeout(payload.seconds):
                    response = await self._backend.post(payload)
            except MMRareJudgeError:
                raise
            except Exception as error:
                fault = self._refused(error, payload, booking)
                raise fault from self._backend.presentable(error)
            self._unused = self._spent(response)
            booking.spent = share + self._unused
            return self._received(response, payload)

    @asynccontextmanager
    async def _counted(self, payload: Payload, share: Usage) -> AsyncIterator[_Booking]:
        """Pass the limiter, and count what the attempt takes whatever becomes of it."""
        self.write_off()
        limiter, booking = self._backend.limiter, _Booking(share)
        # `NoLimiter` does not look at the bound, which takes a price list to find.
        idle = isinstance(limiter, NoLimiter)
        bound = UpperBound() if idle else self._backend.upper_bound(payload)
        await limiter.enter(bound, self._meter)
        fault: BaseException | None = None
        try:
            yield booking
        except BaseException as error:
            fault = booking.fault or error
            raise
        finally:
            self._meter.add(booking.spent)
            limiter.leave(bound, booking.spent, fault)

    def _refused(self, error: Exception, payload: Payload, booking: _Booking) -> Exception:
        """What to raise for a fault, once the habit it names is given up."""
        fault = self._backend.fault(error, self._request.model)
        if not isinstance(fault, ConfigError):
            return fault
        if not response_headers(error):
            booking.spent = Usage()  # turned down without having been sent
        by_habit = "temperature" in payload.body and "temperature" not in self._request.sampling
        if self._backend.habits.give_up(str(error), temperature=by_habit):
            booking.fault = fault
            return _HabitRefused()
        return fault

    def _received(self, response: Any, payload: Payload) -> _Received:
        # Kept at once: a reply that ends in a fault is not the one before it.
        text = text_of(response)
        sampling = {k: v for k, v in payload.body.items() if k not in ("model", "messages")}
        asked = self._request.sampling.get("logprobs")
        return _Received(response, text, sampling, token_records(response) if asked else None)

    def _reply(self, text: str) -> Reply:
        """The reply to hand on, with the usage of all attempts."""
        last = self._last
        assert last is not None
        return Reply(
            text=text,
            model=last.response.model,
            mode=self._mode,
            sampling=last.sampling,
            usage=self._meter.usage,
            logprobs=last.logprobs,
        )

    def _spent(self, response: Any) -> Usage:
        usage = getattr(response, "usage", None)
        prompt = int(getattr(usage, "prompt_tokens", None) or 0)
        # The price lists give self-hosted models as free; what they cost is not known.
        known = prompt > 0 and not is_self_hosted(self._request.model)
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=int(getattr(usage, "completion_tokens", None) or 0),
            cost=self._backend.cost(response) if known else None,
        )


@dataclass
class _Booking:
    """What an attempt took, and the fault to tell the limiter where it is not the one raised."""

    spent: Usage
    fault: Exception | None = None


# --- Re-asks: the one place that knows instructor

Send = Callable[[list[Any]], Awaitable[Any]]
"""Sends messages, and returns the response as litellm gives it."""


async def reask(
    send: Send, first: Any, request: Request, mode: WireMode, *, times: int
) -> str | Exception:
    """Let instructor re-ask at most so many times.

    instructor runs the conversation from the first reply on: it says in its own way what is wrong
    with a reply, and asks again through ``send``. It is not there before: it takes 1.5 ms a call,
    which is half of a whole grade, and most first replies are right.

    Args:
        send: Sends one re-ask.
        first: The response that is wrong.
        request: What it is the response to.
        mode: How structure was asked for.
        times: Re-asks, at most.

    Returns:
        The text that satisfies the reply model, or what is wrong with the last reply.

    Raises:
        MMRareJudgeError: What ``send`` raised.
    """
    import instructor  # noqa: TID251
    from instructor.core import InstructorError, InstructorRetryException  # noqa: TID251

    _quiet()
    waiting = [first]

    async def ask(*, messages: list[Any], **_: Any) -> Any:
        # Our own payload is sent, not instructor's: the same as for the first attempt.
        return _one_call(waiting.pop() if waiting else await send(_spoken(messages)))

    # JSON_SCHEMA is the mode that leaves the messages as they are and parses the whole content;
    # `checked_completion` is what finds the object in it.
    how = instructor.Mode.TOOLS if mode == "tools" else instructor.Mode.JSON_SCHEMA
    client: Any = instructor.from_litellm(ask, mode=how, async_client=True)
    found: list[str] = []
    try:
        await client.create(
            messages=[dict(message) for message in request.messages],
            response_model=checked_completion(request.reply_model, found),
            max_retries=times,
        )
    except InstructorRetryException as error:
        cause = error.__cause__
        if isinstance(cause, MMRareJudgeError):
            raise cause from cause.__cause__
        return cause if isinstance(cause, Exception) else error
    except InstructorError as error:  # it could do nothing with the reply
        return error
    return found[-1]


def _spoken(messages: list[Any]) -> list[Any]:
    """Messages that say something: providers refuse an assistant's turn without content."""
    return [m for m in messages if m.get("content") or m.get("tool_calls")]


def _one_call(response: Any) -> Any:
    """A response with several tool calls is one without any: instructor would take the first."""
    message = response.choices[0].message
    if len(message.tool_calls or []) > 1:
        message.tool_calls = None
    return response


def _quiet() -> None:
    # It logs what it re-asks as errors, with the reply, which is clinical text. Without a handler
    # of its own, Python would print that on stderr; who wants it can still configure logging.
    logger = logging.getLogger("instructor")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _sentence(problem: Exception, attempts: int) -> str:
    """What was wrong with the last reply, without quoting it."""
    if isinstance(problem, ValidationError):
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"{place}: {first['msg']}" if place else first["msg"]
    else:
        what = str(problem)
    return f"no reply with the asked-for structure in {attempts} attempts; the last one: {what}"
