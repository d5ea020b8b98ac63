"""One request and its attempts: what is sent, what it cost, and what went wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from mmrare_judge.backends.answer import text_of
from mmrare_judge.backends.base import Meter, Reply, Request, TokenRecord
from mmrare_judge.backends.faults import as_fault
from mmrare_judge.backends.headers import response_headers
from mmrare_judge.backends.logprobs import token_records
from mmrare_judge.backends.need import need_of
from mmrare_judge.backends.payload import WireMode, is_self_hosted, structure
from mmrare_judge.backends.secrecy import hidden_in, presentable
from mmrare_judge.backends.wire import Payload, Wire, plain
from mmrare_judge.errors import ConfigError, MMRareJudgeError
from mmrare_judge.gate import Gate, Need, OpenGate
from mmrare_judge.retry import Backoff, with_retries
from mmrare_judge.spec import JudgeSpec
from mmrare_judge.usage import Usage

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
        gate: What each of them has to pass.
        request: What is asked.
        mode: How structure is asked for.
        meter: Where every attempt is counted.
        habits: Shared by all requests of a backend.
        backoff: How to wait between repeats.
    """

    spec: JudgeSpec
    wire: Wire
    gate: Gate
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
        await self.gate.enter(need)
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
            self.gate.leave(need, spent, fault)

    def _note(self, response: Any) -> None:
        self._model = response.model
        self._tokens = None
        self._text = text_of(response)
        if self.request.sampling.get("logprobs"):
            self._tokens = token_records(response)

    def _need(self, payload: Payload) -> Need:
        if isinstance(self.gate, OpenGate):
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
    key = plain(spec.api_key)
    return (*((key,) if key else ()), *hidden_in(spec.api_base or ""))
