"""Backends that send nothing: `FakeBackend` for tests, `DryRunBackend` for estimates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from mmrare_judge.backends.base import JudgeSpec, Meter, Price, Reply, Request, Usage
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.limits import UpperBound, prompt_tokens
from mmrare_judge.errors import FormatError, TransportError

ScriptedReply = str | Mapping[str, Any] | BaseModel | Reply | Exception
"""A reply as JSON text, as a value to be dumped, or ready-made; an exception is raised."""


class FakeBackend:
    """A backend that gives the replies it was told to give, for tests of code that grades.

    As with a real backend, a reply that does not satisfy the request's reply model is a
    `FormatError`, and every request counts as one call, which costs nothing.

    Args:
        replies: Replies in the order of the requests, or a function from request to reply.

    Attributes:
        requests: Every request so far.

    >>> import asyncio
    >>> class Agreed(BaseModel):
    ...     agreed: bool
    >>> fake = FakeBackend([{"agreed": True}])
    >>> request = Request(model="fake", messages=(), sampling={}, schema={}, reply_model=Agreed)
    >>> asyncio.run(fake.complete(request, Meter())).text
    '{"agreed": true}'
    >>> len(fake.requests)
    1
    """

    def __init__(
        self, replies: Iterable[ScriptedReply] | Callable[[Request], ScriptedReply]
    ) -> None:
        self.requests: list[Request] = []
        self._next = replies if callable(replies) else _in_order(replies)

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return, or raise, the next reply.

        Raises:
            FormatError: The reply does not satisfy the reply model.
            AssertionError: There are fewer replies than requests.
        """
        self.requests.append(request)
        meter.add(Usage(calls=1))
        scripted = self._next(request)
        if isinstance(scripted, Exception):
            raise scripted
        reply = scripted if isinstance(scripted, Reply) else Reply(text=_text(scripted))
        try:
            request.reply_model.model_validate_json(reply.text)
        except ValidationError as error:
            message = f"the fake reply does not match the schema: {error}"
            raise FormatError(message, raw=reply.text) from error
        return reply


def _in_order(replies: Iterable[ScriptedReply]) -> Callable[[Request], ScriptedReply]:
    waiting = iter(tuple(replies))

    def following(request: Request) -> ScriptedReply:
        for reply in waiting:
            return reply
        raise AssertionError("the fake backend has no reply left; give it one for each request")

    return following


def _text(scripted: str | Mapping[str, Any] | BaseModel) -> str:
    if isinstance(scripted, str):
        return scripted
    if isinstance(scripted, BaseModel):
        return scripted.model_dump_json()
    return json.dumps(dict(scripted), ensure_ascii=False)


@dataclass(frozen=True)
class DryRunRequest:
    """A request that would be sent.

    Attributes:
        hash: The request's hash.
        questions: How many verdicts it asks for.
        prompt_tokens: Tokens of the prompt, on the high side.
        most: The most that one attempt may take.
    """

    hash: str
    questions: int
    prompt_tokens: int
    most: UpperBound


class DryRunBackend:
    """Builds requests and tells of them; each ends as if the connection were down.

    Args:
        spec: The judge's model and settings.
        note: Called with every request.
    """

    def __init__(self, spec: JudgeSpec, note: Callable[[DryRunRequest], None]) -> None:
        self._note = note
        self._chat = _chat_backend(spec)

    async def complete(self, request: Request, meter: Meter) -> NoReturn:
        """Note a request.

        Raises:
            TransportError: Always.
            ConfigError: The request could never be sent: an unknown provider.
        """
        payload = self._chat.payload(request, list(request.messages))
        questions = len(request.reply_model.model_fields)
        most = self._chat.upper_bound(payload)
        self._note(DryRunRequest(request.hash, questions, prompt_tokens(payload), most))
        raise TransportError("nothing is sent", kind="connection")

    def usual_price(self, model: str) -> Price | None:
        """What tokens of a model cost where nothing makes them dearer; ``None`` if not known."""
        if self._chat.price(model) is None:
            return None
        from mmrare_judge.backends.litellm import usual_prices

        prices = usual_prices(model)
        return None if prices is None else Price(*prices)


def _chat_backend(spec: JudgeSpec) -> ChatBackend:
    if spec.backend == "own":
        from mmrare_judge.backends.own import OwnBackend

        return OwnBackend(spec, None)
    if spec.backend == "direct":
        from mmrare_judge.backends.direct import DirectBackend

        return DirectBackend(spec)
    from mmrare_judge.backends.litellm import LLMBackend

    return LLMBackend(spec)
