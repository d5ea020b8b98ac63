"""`ChatBackend`: one request from its first attempt to its last re-ask, on any way to a model.

Three loops, from the outside in: re-asks after a reply of the wrong form (`reask`), repeats after
transport faults (`with_retries`), and attempts without what the endpoint does not take (`Habits`).
What a refusal means is decided by evidence: see `_Exchange.settle`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from mmrare_judge.backends.base import (
    JudgeSpec,
    Message,
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
from mmrare_judge.backends.faults import (
    FaultKind,
    as_fault,
    blanked,
    detail_of,
    hidden_in,
    kind_of,
    may_be_a_habit,
    named_parameter,
    presentable,
    public_endpoint,
    was_sent,
)
from mmrare_judge.backends.habits import Habits
from mmrare_judge.backends.limits import Limiter, NoLimiter, UpperBound, upper_bound
from mmrare_judge.backends.replies import (
    Completion,
    checked_completion,
    read_completion,
    text_of,
    token_records,
)
from mmrare_judge.backends.retry import Backoff, with_retries
from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    FormatError,
    MMRareJudgeError,
    RequestRefusedError,
    TransportError,
    TruncatedError,
)
from mmrare_judge.records import canonical_json, text_hash


@dataclass
class FormHistory:
    """What is known of the requests of one form that an endpoint was sent by this process.

    Attributes:
        answered: When one was last answered, in seconds of `time.monotonic`; ``None`` for never.
        probe_refused: Whether a probe was refused, and nothing was answered since.
    """

    answered: float | None = None
    probe_refused: bool = False

    def note_answer(self) -> None:
        """Note that a request of this form was answered just now."""
        self.answered, self.probe_refused = monotonic(), False


HISTORIES: dict[str, FormHistory] = {}
"""By the hash of endpoint, key and form; for as long as the process lives."""


class ChatBackend(ABC):
    """A judge's model that chats; a subclass is a way to it.

    Some things are sent without having been asked for, see `Habits`. Where an endpoint refuses one
    of them, the request is sent without it, and so are all later ones.

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
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    # What a way to a model has to know. What `auto_mode` and `post` raise may be the vendor's own.

    @abstractmethod
    async def post(self, payload: Payload) -> Completion:
        """One attempt, never repeated in here."""

    @abstractmethod
    def auto_mode(self, request: Request) -> WireMode:
        """How structure is asked for where that is left to the backend."""

    @abstractmethod
    def key_names(self, model: str) -> tuple[str, ...]:
        """Environment variables that a key for this model could be set in."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the running loop's connections; a loop that shuts down does so by itself."""

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
        """How structure is asked for, before anything is refused.

        Raises:
            ConfigError: The model's provider is not known.
        """
        where = (request.model, request.endpoint)
        if where not in self._modes:
            try:
                self._modes[where] = self.auto_mode(request)
            except Exception as error:
                raise self.fault(error, request) from self.presentable(error)
        return self._modes[where] if request.mode == "auto" else request.mode

    def payload(
        self, request: Request, messages: list[Any], *, habits: Habits | None = None
    ) -> Payload:
        """What is sent for a request."""
        habits = habits or self.habits
        own = request.endpoint is not None or is_self_hosted(request.model)
        mode = habits.mode(self.mode(request), request.mode)
        limits = own and habits.limits
        sampling = habits.sampling(request.sampling, self.set_by_user(request))
        return Payload(
            body={**sampling, "model": request.model, "messages": messages},
            structure=structure(request.reply_model, request.schema, mode, limits=limits),
            endpoint=request.endpoint,
            seconds=self.spec.timeout,
            mode=mode,
            limits=limits,
        )

    def set_by_user(self, request: Request) -> frozenset[str]:
        """The parameters that the user set, which are never changed."""
        spec = self.spec
        by_habit = spec.max_tokens is None and "max_tokens" not in spec.extra
        return frozenset(request.sampling) - ({"max_tokens"} if by_habit else set())

    def upper_bound(self, payload: Payload) -> UpperBound:
        """The most that one attempt may take."""
        return upper_bound(payload, self.price(payload.body["model"]))

    def history(self, payload: Payload) -> FormHistory:
        """What is known of requests of a payload's form, at its endpoint and with this key."""
        form = Habits.said(payload) | {"model": payload.body["model"]}
        if self.spec.max_tokens is None:
            form.pop("max_tokens", None)  # it follows from the item
        asked = [payload.endpoint, form, payload.mode, payload.limits, type(self).__name__]
        asked.append(plain_key(self.spec.api_key))
        return HISTORIES.setdefault(text_hash(canonical_json(asked)), FormHistory())

    def lock(self) -> asyncio.Lock:
        """Held by the one request of the running loop that gathers evidence."""
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def fault(self, error: Exception, request: Request) -> MMRareJudgeError:
        """What a vendor's exception means, with what to set where that is the matter."""
        named = may_be_a_habit(error) and named_parameter(error) in self.set_by_user(request)
        names = self.key_names(request.model)
        variable = f"{' or '.join(names)} in the environment, or " if names else ""
        return as_fault(
            error,
            model=request.model,
            keys=f"Set {variable}api_key (any text if none is needed).",
            settings=self._named_setting(error, request),
            address=public_endpoint(request.endpoint),
            secrets=self.secrets,
            kind="request" if named else None,  # whatever else its words say
        )

    def names_a_setting(self, error: Exception, request: Request) -> str | None:
        """The parameter set by the user that a refusal names."""
        own, problem = self.set_by_user(request), str(error)
        named = named_parameter(error)
        if named in own:
            return named
        # A short name, such as "n" or "stop", is an ordinary word as well.
        words = (name for name in own if len(name) > 5 or name in ("seed", "top_p", "min_p"))
        return next((name for name in words if re.search(rf"\b{re.escape(name)}\b", problem)), None)

    def _named_setting(self, error: Exception, request: Request) -> str:
        named = self.names_a_setting(error, request)
        if named is not None:
            setting = "confidence" if "logprobs" in named else named
            where = "extra" if named in self.spec.extra else "the judge's settings"
            return f"take back {setting} in {where}"
        return (
            "take back the setting it names (temperature, seed, max_tokens, confidence, extra), "
            "or set mode to json if it is the reply format"
        )

    def presentable(self, error: Exception) -> BaseException | None:
        """A vendor's exception, to chain from, unless it shows a secret."""
        return presentable(error, self.secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in a message or in a reply that is kept."""
        key = plain_key(self.spec.api_key)
        return (*((key,) if key else ()), *hidden_in(self.spec.api_base or ""))


@dataclass
class _Received:
    """A response, and what is handed on of it."""

    response: Completion
    text: str
    payload: Payload
    logprobs: tuple[TokenRecord, ...] | None


class _Refusal(Exception):  # noqa: N818  # a signal between two methods
    """An attempt ended in what may be the settings' fault or the item's."""

    def __init__(
        self, error: Exception, fault: MMRareJudgeError, payload: Payload, sent_at: float
    ) -> None:
        super().__init__(str(fault))
        self.error, self.fault, self.payload, self.sent_at = error, fault, payload, sent_at


_PROBE: tuple[Message, ...] = (
    {"role": "user", "content": "Reply with the JSON object that was asked for, all of it short."},
)
# Refusals that say nothing of the item unless the same request worked a moment ago.
_OF_THE_ACCOUNT: frozenset[FaultKind] = frozenset(("key", "quota", "model", "permission"))
# A refusal that names what is wrong, which then is not one of the habits.
_NAMES_ANOTHER = re.compile(
    r"(?:unknown|un\w*supported|unrecogni[sz]ed|unexpected|invalid|extra|missing|required)\b.{0,60}"
    r"(?:['\"`‘:]\s*\w|\b(?:argument|parameter|field|option|property|setting)s?\b)",
    re.IGNORECASE | re.DOTALL,
)


class _Exchange:
    """One request: its attempts, and the last response to it."""

    def __init__(self, backend: ChatBackend, request: Request, meter: Meter) -> None:
        self._backend = backend
        self._request = request
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
            mode = first.payload.mode
            answer = await reask(self._response, first.response, request, mode, times=times)
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

    async def _response(self, messages: list[Any]) -> Completion:
        return (await self._send(messages)).response

    async def _send(self, messages: list[Any]) -> _Received:
        """Send messages, again after transport faults; the second time on, it is a re-ask."""
        reask, self._asked = self._asked, True

        async def attempt(number: int) -> _Received:
            share = Usage(calls=1, retries=int(number > 0), reasks=int(reask and number == 0))
            while True:
                try:
                    return await self._attempt(messages, share)
                except _Refusal as refusal:
                    await self._settle(refusal, messages)
                share = Usage(calls=1)  # without the habit that was refused

        backend = self._backend
        self._last = await with_retries(
            attempt, retries=backend.spec.retries, backoff=backend.backoff
        )
        return self._last

    async def _attempt(self, messages: list[Any], share: Usage) -> _Received:
        payload = self._backend.payload(self._request, messages)
        asked = self._request.sampling.get("logprobs")
        async with self._counted(payload, share) as booking:
            response = await self._post(payload, booking)
            self._unused = self._spent(response)
            booking.spent = share + self._unused
            try:
                text = text_of(response)
            except MMRareJudgeError:
                raise
            except Exception as error:  # an error in the place of a reply, which may have cost
                raise self._refusal(error, payload, booking) from None
            self._backend.history(payload).note_answer()
            records = token_records(response) if asked else None
            return _Received(response, text, payload, records)

    async def _post(self, payload: Payload, booking: _Booking) -> Completion:
        try:
            # litellm's own time limit is one of silence; a slow drip would never reach it.
            async with asyncio.timeout(payload.seconds):
                response = await self._backend.post(payload)
        except MMRareJudgeError:
            raise
        except Exception as error:
            raise self._refusal(error, payload, booking) from self._backend.presentable(error)
        return blanked(response, self._backend.secrets)

    def _refusal(self, error: Exception, payload: Payload, booking: _Booking) -> Exception:
        fault = self._backend.fault(error, self._request)
        booking.fault = fault
        if isinstance(fault, ConfigError) and not was_sent(error):
            booking.spent = Usage()  # turned down without having been sent
        if isinstance(fault, ConfigError | TruncatedError) or may_be_a_habit(error):
            return _Refusal(error, fault, payload, booking.sent_at)
        return fault

    @asynccontextmanager
    async def _counted(self, payload: Payload, share: Usage) -> AsyncIterator[_Booking]:
        """Pass the limiter, and count what the attempt takes whatever becomes of it."""
        self.write_off()
        limiter, booking = self._backend.limiter, _Booking(share)
        # `NoLimiter` does not look at the bound, which takes a price list to find.
        idle = isinstance(limiter, NoLimiter)
        bound = UpperBound() if idle else self._backend.upper_bound(payload)
        await limiter.enter(bound, self._meter)
        booking.sent_at = monotonic()
        fault: BaseException | None = None
        try:
            yield booking
        except BaseException as error:
            fault = booking.fault or error
            raise
        finally:
            self._meter.add(booking.spent)
            limiter.leave(bound, booking.spent, fault)

    # --- What a refusal means

    async def _settle(self, refusal: _Refusal, messages: list[Any]) -> None:
        """Return if the request is to be sent again, in another form; else raise what it means.

        - What was sent by habit, and is named by the refusal, is given up.
        - A setting of the user that is named by the refusal is at fault.
        - If other requests of the same form were answered, or a tiny probe of this form is, the
          refusal is about this item. Else it is about the settings.
        - If the probe is refused as well, and is answered without one of the habits, that one is
          given up, although it was not named.
        """
        backend, request, fault = self._backend, self._request, refusal.fault
        if isinstance(fault, ContentFilterError):  # whatever else it says may be the item's words
            raise fault from backend.presentable(refusal.error)
        if backend.payload(request, messages) != refusal.payload:
            return  # another request has found out meanwhile what is not taken
        given_up = backend.habits.without_named(
            f"{refusal.error} {named_parameter(refusal.error) or ''}",
            refusal.payload,
            backend.set_by_user(request),
            request.mode,
        )
        if given_up is not None:
            backend.habits = given_up
            return
        if not isinstance(fault, ConfigError) or not was_sent(refusal.error):
            raise fault from backend.presentable(refusal.error)
        async with backend.lock():
            if backend.payload(request, messages) != refusal.payload:
                return
            if await self._is_about_the_item(refusal):
                detail = detail_of(refusal.error, backend.secrets)
                raise RequestRefusedError(
                    f"{request.model}: the endpoint refuses this request, and takes others of its "
                    f"form: {detail}"
                ) from backend.presentable(refusal.error)
            if await self._find_habit(refusal, messages):
                return
        raise fault from backend.presentable(refusal.error)

    async def _is_about_the_item(self, refusal: _Refusal) -> bool:
        known = self._backend.history(refusal.payload)
        kind = kind_of(refusal.error)
        if self._backend.names_a_setting(refusal.error, self._request):
            return False
        if kind in _OF_THE_ACCOUNT:
            # A key may be withdrawn in the middle of a run: only what was answered since counts.
            if known.answered is None and kind != "permission":
                return False
            if known.answered is not None and known.answered > refusal.sent_at:
                return True
        elif known.answered is not None:
            return True
        if known.probe_refused:
            return False
        return await self._probe(refusal.payload)

    async def _find_habit(self, refusal: _Refusal, messages: list[Any]) -> bool:
        """Whether the endpoint takes requests without one of the habits, which is then given up."""
        backend, request = self._backend, self._request
        if kind_of(refusal.error) != "request" or _NAMES_ANOTHER.search(str(refusal.error)):
            return False
        if backend.names_a_setting(refusal.error, request):
            return False
        tried = refusal.payload
        for habits in backend.habits.steps():
            payload = backend.payload(request, messages, habits=habits)
            if payload == tried:
                continue
            tried = payload
            if backend.history(payload).probe_refused:
                continue
            if await self._probe(payload):
                backend.habits = habits
                return True
        return False

    async def _probe(self, payload: Payload) -> bool:
        """Whether a tiny request of the same form is answered; counted like any attempt.

        Raises:
            TransportError: Nobody can tell now.
        """
        probe = replace(payload, body={**payload.body, "messages": list(_PROBE)})
        known = self._backend.history(payload)
        try:
            async with self._counted(probe, Usage(calls=1)) as booking:
                response = await self._post(probe, booking)
                booking.spent = booking.spent + self._spent(response).as_extra()
                answered = bool(response.choices)
        except _Refusal:
            answered = False
        except TransportError:
            raise
        except MMRareJudgeError:  # such as a content filter that takes nothing
            answered = False
        if answered:
            known.note_answer()
        else:
            known.probe_refused = True
        return answered

    # --- What is handed on

    def _reply(self, text: str) -> Reply:
        """The reply to hand on, with the usage of all attempts."""
        last = self._last
        assert last is not None
        return Reply(
            text=text,
            model=last.response.model,
            mode="json" if last.payload.mode == "json_object" else last.payload.mode,
            sampling=Habits.said(last.payload),
            usage=self._meter.usage,
            logprobs=last.logprobs,
        )

    def _spent(self, response: Completion) -> Usage:
        usage = response.usage
        # The price lists give self-hosted models as free; what they cost is not known.
        known = usage.prompt_tokens > 0 and not is_self_hosted(self._request.model)
        return Usage(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost=response.cost if known else None,
        )


@dataclass
class _Booking:
    """What an attempt took, and the fault to tell the limiter where it is not the one raised."""

    spent: Usage
    fault: Exception | None = None
    sent_at: float = 0.0


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
