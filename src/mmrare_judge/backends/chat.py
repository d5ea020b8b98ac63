"""`ChatBackend`: a request, its first attempt and its re-asks, over whichever wire."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue, ValidationError

from mmrare_judge.backends.base import (
    JudgeSpec,
    Meter,
    Payload,
    Reply,
    Request,
    TokenRecord,
    Usage,
    Wire,
    WireMode,
    is_self_hosted,
    plain_key,
    structure,
)
from mmrare_judge.backends.faults import as_fault, hidden_in, presentable, response_headers
from mmrare_judge.backends.limits import Limiter, Need, NoLimiter, need_of
from mmrare_judge.backends.replies import (
    checked_completion,
    read_completion,
    text_of,
    token_records,
)
from mmrare_judge.backends.retry import Backoff, with_retries
from mmrare_judge.errors import ConfigError, FormatError, MMRareJudgeError
from mmrare_judge.records import problem_in

# FOLDED backends.exchange: One request and its attempts: what is sent, what it cost, and what went wrong.

_NAMES_A_LIMIT = re.compile(r"(?:min|max)(?:Length|Items)\b")
_NO_NEED = Need()


@dataclass
class Habits:
    """What is sent without having been asked for, until an endpoint turns out not to take it.

    Attributes:
        temperature: A temperature of 0 where none is set.
        limits: Length limits in the schema, for endpoints of one's own.
    """

    temperature: bool = True
    limits: bool = True


class _HabitRefused(Exception):  # noqa: N818  # a signal between two methods, not an error
    """The endpoint refused something that was sent by habit, and will not be from now on."""


@dataclass
class Exchange:
    """One request, its attempts, and the last reply to it.

    Attributes:
        spec: The judge's settings.
        wire: Where attempts are sent.
        limiter: What each of them has to pass.
        request: What is asked.
        mode: How structure is asked for.
        meter: Where every attempt is counted.
        habits: Shared by all requests of a backend.
        backoff: How to wait between repeats.
    """

    spec: JudgeSpec
    wire: Wire
    limiter: Limiter
    request: Request
    mode: WireMode
    meter: Meter
    habits: Habits
    backoff: Backoff
    _text: str = ""
    _model: str | None = None
    _tokens: tuple[TokenRecord, ...] | None = None
    _sampling: Mapping[str, JsonValue] = field(default_factory=dict)
    _asked: bool = False
    _unused: Usage | None = None

    async def send(self, messages: list[Any]) -> Any:
        """Send messages, again after transport faults; the second time on, it is a re-ask."""
        reask, self._asked = self._asked, True

        async def attempt(number: int) -> Any:
            share = Usage(calls=1, retries=int(number > 0), reasks=int(reask and number == 0))
            while True:
                try:
                    return await self._attempt(messages, share)
                except _HabitRefused:  # at most once a habit
                    share = Usage(calls=1)

        return await with_retries(attempt, retries=self.spec.retries, backoff=self.backoff)

    @property
    def text(self) -> str:
        """The text of the last reply."""
        return self._text

    def reply(self, text: str) -> Reply:
        """The reply to hand on, with the usage of all attempts."""
        return Reply(
            text=text,
            model=self._model,
            mode=self.mode,
            sampling=self._sampling,
            usage=self.meter.usage,
            logprobs=self._tokens,
        )

    def write_off(self) -> None:
        """Count the last completed reply, if any, as extra: it will not be the one handed on."""
        if self._unused is not None:
            spent, self._unused = self._unused, None
            tokens = spent.prompt_tokens + spent.completion_tokens
            self.meter.add(Usage(extra_tokens=tokens, extra_cost=spent.cost))

    async def _attempt(self, messages: list[Any], share: Usage) -> Any:
        self.write_off()
        payload = self._payload(messages)
        need = self._need(payload)
        await self.limiter.enter(need, self.meter)
        spent: Usage = share
        fault: BaseException | None = None
        try:
            # litellm's own time limit is one of silence; a slow drip would never reach it.
            async with asyncio.timeout(self.spec.timeout):
                response = await self.wire.complete(payload)
            self._unused = self._spent(response)
            spent = share + self._unused
            self._note(response)
            return response
        except Exception as error:
            fault = fault_of(error, self.spec, self.request.model, self.wire)
            if isinstance(fault, ConfigError):
                if not response_headers(error):
                    spent = Usage()  # turned down without having been sent
                if self._gives_way(str(error), payload):
                    raise _HabitRefused from None
            if fault is error:
                raise
            raise fault from presentable(error, secrets(self.spec))
        except BaseException as error:
            fault = error
            raise
        finally:
            self.meter.add(spent)
            self.limiter.leave(need, spent, fault)

    def _note(self, response: Any) -> None:
        self._model = response.model
        self._tokens = None
        self._text = text_of(response)
        if self.request.sampling.get("logprobs"):
            self._tokens = token_records(response)

    def _need(self, payload: Payload) -> Need:
        if isinstance(self.limiter, NoLimiter):
            return _NO_NEED  # it does not look
        return need_of(payload, self.wire.price(self.request.model))

    def _payload(self, messages: list[Any]) -> Payload:
        request = self.request
        default = {"temperature": 0.0} if self.habits.temperature else {}
        self._sampling = {**default, **request.sampling}
        own = request.endpoint is not None or is_self_hosted(request.model)
        limits = own and self.habits.limits
        return Payload(
            body={**self._sampling, "model": request.model, "messages": messages},
            structure=structure(request.reply_model, request.schema, self.mode, limits=limits),
            endpoint=request.endpoint,
            seconds=self.spec.timeout,
        )

    def _gives_way(self, problem: str, payload: Payload) -> bool:
        """Whether the endpoint refused something that was sent by habit; not sent from now on."""
        by_habit = "temperature" in payload.body and "temperature" not in self.request.sampling
        if by_habit and "temperature" in problem:
            self.habits.temperature = False
            return True
        if _NAMES_A_LIMIT.search(problem) and self.habits.limits:
            self.habits.limits = False
            return True
        return False

    def _spent(self, response: Any) -> Usage:
        usage = getattr(response, "usage", None)
        prompt = int(getattr(usage, "prompt_tokens", None) or 0)
        # The price lists give self-hosted models as free; nobody knows what they cost.
        known = prompt > 0 and not is_self_hosted(self.request.model)
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=int(getattr(usage, "completion_tokens", None) or 0),
            cost=self.wire.cost(response) if known else None,
        )


def fault_of(error: Exception, spec: JudgeSpec, model: str, wire: Wire) -> MMRareJudgeError:
    """What a wire's exception means, with the key to set where that is the matter."""
    if isinstance(error, MMRareJudgeError):
        return error
    names = wire.key_names(model)
    variable = f"{' or '.join(names)} in the environment, or " if names else ""
    keys = f"Set {variable}api_key (any text if none is needed)."
    return as_fault(error, model=model, keys=keys, secrets=secrets(spec))


def secrets(spec: JudgeSpec) -> tuple[str, ...]:
    """What must not appear in a message."""
    key = plain_key(spec.api_key)
    return (*((key,) if key else ()), *hidden_in(spec.api_base or ""))


# FOLDED backends.reask: The one door to instructor: a conversation goes on until the reply has the asked-for structure. The first reply is already there, and wrong. instructor is given it as if it had asked for it, so that it says in its own way what is wrong with it; from then on it asks through our function.

Send = Callable[[list[Any]], Awaitable[Any]]
"""Sends messages, and returns the response as litellm gives it."""


async def reask(
    send: Send, first: Any, request: Request, mode: WireMode, *, times: int
) -> Exception | None:
    """Let instructor re-ask at most so many times.

    Args:
        send: Sends one re-ask.
        first: The response that is wrong.
        request: What it is the response to.
        mode: How structure was asked for.
        times: Re-asks, at most.

    Returns:
        What is wrong with the last reply; ``None`` if it satisfies the reply model.

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
    try:
        await client.create(
            messages=[dict(message) for message in request.messages],
            response_model=checked_completion(request.reply_model),
            max_retries=times,
        )
    except InstructorRetryException as error:
        cause = error.__cause__
        if isinstance(cause, MMRareJudgeError):
            raise cause from cause.__cause__
        return cause if isinstance(cause, Exception) else error
    except InstructorError as error:  # it could do nothing with the reply
        return error
    return None


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


class ChatBackend:
    """A judge's model that chats.

    Some things are sent without having been asked for: a temperature of 0, and length limits in
    the schema for endpoints of one's own. Where an endpoint refuses one of them, the request is
    sent without it, and so are all later ones.

    Args:
        spec: The judge's model and settings.
        wire: The way to it.
        limiter: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        wire: Wire,
        *,
        limiter: Limiter | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._spec = spec
        self._wire = wire
        self._limiter = NoLimiter() if limiter is None else limiter
        self._backoff = Backoff() if backoff is None else backoff
        self._habits = Habits()
        self._auto: dict[tuple[str, str | None], WireMode] = {}

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return a reply whose text satisfies ``request.reply_model``; see `Backend.complete`.

        Every completed reply but the one returned counts as extra in ``meter``; when this raises,
        every one.

        Raises:
            BudgetError: The limiter's budget is used up.
        """
        exchange = Exchange(
            spec=self._spec,
            wire=self._wire,
            limiter=self._limiter,
            request=request,
            mode=self._mode(request),
            meter=meter,
            habits=self._habits,
            backoff=self._backoff,
        )
        try:
            return await self._converse(exchange)
        except BaseException:
            exchange.write_off()
            raise

    async def _converse(self, exchange: Exchange) -> Reply:
        request, times = exchange.request, self._spec.reask
        first = await exchange.send(list(request.messages))
        problem: Exception | None
        try:
            return exchange.reply(read_completion(text_of(first), request.reply_model))
        except ValidationError as error:
            problem = error
        if times:
            problem = await reask(exchange.send, first, request, exchange.mode, times=times)
        if problem is None:
            return exchange.reply(read_completion(exchange.text, request.reply_model))
        raise FormatError(_sentence(problem, 1 + times), raw=exchange.text) from problem

    async def aclose(self) -> None:
        """Close the running loop's connections; a loop that shuts down does so by itself."""
        await self._wire.aclose()

    def _mode(self, request: Request) -> WireMode:
        where = (request.model, request.endpoint)
        if where not in self._auto:
            self._auto[where] = self._resolve(request)
        return self._auto[where] if request.mode == "auto" else request.mode

    def _resolve(self, request: Request) -> WireMode:
        try:
            return self._wire.auto_mode(request)
        except Exception as error:
            fault = fault_of(error, self._spec, request.model, self._wire)
            raise fault from presentable(error, secrets(self._spec))


def _sentence(problem: Exception, attempts: int) -> str:
    """What was wrong with the last reply, without quoting it."""
    if isinstance(problem, ValidationError):
        what = str(problem_in(problem, show_value=False))
    else:
        what = str(problem)
    return f"no reply with the asked-for structure in {attempts} attempts; the last one: {what}"
