"""A judge of your own: a function that answers messages, or a client such as openai's.

Retries, re-asks, limits, cache and scores are those of every other judge.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Protocol

from mmrare_judge.backends.base import JudgeSpec, Message, Payload, Request, WireMode
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.limits import Limiter
from mmrare_judge.backends.replies import Choice, Completion, ReplyMessage, as_completion
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.errors import ConfigError

JudgeFunction = Callable[[Sequence[Message], Mapping[str, Any]], str | Awaitable[str]]
"""Messages and the JSON schema of the reply go in, the model's text comes out."""


class ChatClient(Protocol):
    """A client as openai's are: with ``chat.completions.create``."""

    @property
    def chat(self) -> Any:
        """Where ``completions.create`` is."""
        ...


@dataclass(frozen=True)
class OwnJudge:
    """A function or client with a name for the model that answers.

    Attributes:
        ask: A function ``(messages, schema) -> text``, asynchronous or not, or an object with
            ``chat.completions.create`` as the clients of openai have it.
        model: The model's name. A client is asked for it, and needs one. A function is called by
            its own name without it, see `identity_of`.
    """

    ask: Any
    model: str | None = None

    @property
    def is_client(self) -> bool:
        """Whether it is a client, and not a function."""
        return _create_of(self.ask) is not None

    def settings(self) -> dict[str, Any]:
        """The settings of its `JudgeSpec`.

        Raises:
            ConfigError: It is neither a function nor a client, or a client without a model.
        """
        if not self.is_client and not callable(self.ask):
            raise ConfigError(
                f"a judge is a model name, settings, a function or a client with "
                f"chat.completions.create, not {type(self.ask).__name__}"
            )
        if not self.is_client:
            return {"model": f"function/{self.model or identity_of(self.ask)}", "backend": "own"}
        if self.model is None:
            raise ConfigError('say which model the client is asked for: Judge(client, model="...")')
        address = getattr(self.ask, "base_url", None)
        base = None if address is None else str(address)
        return {"model": f"client/{self.model}", "backend": "own", "api_base": base}


def _create_of(client: object) -> Callable[..., Any] | None:
    completions = getattr(getattr(client, "chat", None), "completions", None)
    create = getattr(completions, "create", None)
    return create if callable(create) else None


def identity_of(function: Any) -> str:
    """What a function without a model's name is called in signatures and cache keys.

    Module and name, and a hash of its code and of the arguments that `functools.partial` gave it.
    What it refers to does not count: where that changes the answers, name the model.

    >>> identity_of(json.dumps)[:17]
    'json.dumps@sha256'
    """
    given: list[str] = []
    while isinstance(function, functools.partial):
        given += [repr(function.args), repr(sorted(function.keywords.items()))]
        function = function.func
    function = inspect.unwrap(function)
    named = function if hasattr(function, "__qualname__") else type(function)
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(inspect.getattr_static(function, "__call__", None), "__code__", None)
    parts = [*given, *(_code_parts(code) if isinstance(code, CodeType) else ())]
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()
    return f"{named.__module__}.{named.__qualname__}@sha256:{digest[:12]}"


def _code_parts(code: CodeType) -> list[str]:
    parts = [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
    for constant in code.co_consts:
        parts += _code_parts(constant) if isinstance(constant, CodeType) else [repr(constant)]
    return parts


_OF_THE_REQUEST = frozenset(
    "api_base api_key mode temperature top_p seed max_tokens extra confidence".split()
)


class OwnBackend(ChatBackend):
    """The way to a function or client.

    Args:
        spec: The judge's settings.
        own: What is asked; ``None`` asks nothing, for estimates.
        limiter: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.

    Raises:
        ConfigError: A setting of the request is given to a function, which makes its own.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        own: OwnJudge | None,
        *,
        limiter: Limiter | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(spec, limiter=limiter, backoff=backoff)
        self._own = own
        odd = sorted(spec.model_fields_set & _OF_THE_REQUEST)
        if odd and not spec.model.startswith("client/"):
            raise ConfigError(
                f"a judge function has no setting {', '.join(odd)}: it asks its model itself; "
                "leave it out"
            )

    def auto_mode(self, request: Request) -> WireMode:
        """A schema: functions are handed it, and clients of today send it."""
        return "json_schema"

    def key_names(self, model: str) -> tuple[str, ...]:
        """None: a function or client has its key already."""
        return ()

    async def aclose(self) -> None:
        """Nothing: the connections are the user's."""

    async def post(self, payload: Payload) -> Completion:
        """One attempt."""
        if self._own is None:
            raise ConfigError(f"there is no function or client for {self.spec.model}")
        create = _create_of(self._own.ask)
        if create is None:
            return _as_reply(await _called(self._own.ask, _messages(payload), _schema(payload)))
        asked = payload.whole() | {"model": payload.body["model"].removeprefix("client/")}
        response = await _called(create, **asked, timeout=payload.seconds)
        return as_completion(_as_mapping(response))


async def _called(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a function returns; one that is not asynchronous runs in a thread of its own."""
    of_its_type = inspect.getattr_static(type(function), "__call__", None)
    if any(map(inspect.iscoroutinefunction, (function, of_its_type))):
        return await function(*given, **named)
    result = await asyncio.to_thread(function, *given, **named)
    return await result if inspect.isawaitable(result) else result


def _messages(payload: Payload) -> list[Message]:
    return [dict(message) for message in payload.body["messages"]]  # type: ignore[misc]  # a copy


def _schema(payload: Payload) -> Mapping[str, Any]:
    asked = json.loads(payload.structure)
    schema: Mapping[str, Any] = asked["response_format"]["json_schema"]["schema"]
    return schema


def _as_reply(text: object) -> Completion:
    if not isinstance(text, str):
        raise ConfigError(
            f"the judge function returned {type(text).__name__}; return the model's text, "
            "a JSON object as the schema describes it"
        )
    return Completion(choices=[Choice(message=ReplyMessage(content=text), finish_reason="stop")])


def _as_mapping(response: object) -> Mapping[str, Any]:
    if isinstance(response, Mapping):
        return response
    dump = getattr(response, "model_dump", None)
    if not callable(dump):
        raise ConfigError(
            f"the client returned {type(response).__name__}, which is not a chat completion"
        )
    dumped: Mapping[str, Any] = dump(warnings=False)
    return dumped
