"""`DirectBackend`: OpenAI-compatible servers over aiohttp, without litellm; `Sessions`.

For the servers a lab runs itself, where the client's CPU time decides how fast a run is: vLLM,
SGLang, llama.cpp, Ollama's ``/v1``.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from pydantic_core import to_json

from mmrare_judge.backends.base import (
    SELF_HOSTED,
    JudgeSpec,
    Payload,
    Request,
    WireMode,
    plain_key,
)
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.limits import Limiter
from mmrare_judge.backends.replies import Completion, completion
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import ClientMiddlewareType, ClientSession
    from yarl import URL


# uvicorn, under most servers one runs oneself, closes an idle connection after 5 seconds, and a
# request that is sent into a closing connection is lost.
_KEEP_ALIVE = 4.0
# Seconds a loop that is still running when the process ends may take to close its session.
_CLOSING = 2.0


class Sessions:
    """One aiohttp session for each event loop, closed when its loop or the process shuts down.

    Args:
        middlewares: What every request of a session passes through.
        closed: Awaited after a session is closed.
    """

    def __init__(
        self,
        *,
        middlewares: tuple[ClientMiddlewareType, ...] = (),
        closed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._middlewares = middlewares
        self._closed = closed
        self._open: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[AsyncGenerator[ClientSession], ClientSession]
        ] = WeakKeyDictionary()
        self._at_exit = False

    def __len__(self) -> int:
        return len(self._open)

    async def get(self) -> ClientSession:
        """The running loop's session, opened if there is none."""
        loop = asyncio.get_running_loop()
        known = self._open.get(loop)
        if known is not None and not known[1].closed:
            return known[1]
        for dead in [other for other in self._open if other.is_closed()]:
            del self._open[dead]
        # An event loop finalises the asynchronous generators it has started when it shuts down:
        # asyncio.run and pytest-asyncio see to that, so nobody has to remember to close anything.
        lifetime = self._lifetime()
        session = await anext(lifetime)
        self._open[loop] = (lifetime, session)
        if not self._at_exit:
            atexit.register(self._close_all)
            self._at_exit = True
        return session

    async def aclose(self) -> None:
        """Close the running loop's session; done by itself when the loop shuts down."""
        lifetime, _ = self._open.get(asyncio.get_running_loop(), (None, None))
        if lifetime is not None:
            await lifetime.aclose()

    def _close_all(self) -> None:
        # A loop in a daemon thread, as synchronous calls have it, never shuts down: it is cut off.
        for loop, (lifetime, _) in list(self._open.items()):
            if loop.is_running():
                with suppress(Exception):  # nobody is left to be told
                    closing = asyncio.run_coroutine_threadsafe(lifetime.aclose(), loop)
                    closing.result(timeout=_CLOSING)

    async def _lifetime(self) -> AsyncGenerator[ClientSession]:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        async with ClientSession(
            # Concurrency and time are limited elsewhere.
            connector=TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=_KEEP_ALIVE),
            timeout=ClientTimeout(total=None),
            cookie_jar=DummyCookieJar(),
            middlewares=self._middlewares,
        ) as session:
            try:
                yield session
            finally:
                self._open.pop(asyncio.get_running_loop(), None)
                if self._closed is not None:
                    await self._closed()


PREFIXES = SELF_HOSTED | {"openai"}
"""Providers, as litellm writes them, that are not part of a model's name on the wire."""

sessions = Sessions()


class DirectBackend(ChatBackend):
    """A judge's model behind an OpenAI-compatible server.

    Faults, modes, repeats, re-asks and counting are those of `LLMBackend`. Mode ``auto`` is
    ``json_schema``. What a server of one's own costs is not known: ``cost`` is always ``None``.

    Args:
        spec: The judge's model and settings; ``api_base`` must be set.
        limiter: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.

    Raises:
        ConfigError: ``api_base`` is missing, or is not an http address.
    """

    def __init__(
        self, spec: JudgeSpec, *, limiter: Limiter | None = None, backoff: Backoff | None = None
    ) -> None:
        super().__init__(spec, limiter=limiter, backoff=backoff)
        _check_address(spec.api_base)
        self._headers = {"Content-Type": "application/json"}
        key = plain_key(spec.api_key) or next(
            filter(None, map(os.environ.get, self.key_names(spec.model))), None
        )
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def auto_mode(self, request: Request) -> WireMode:
        """Servers of one's own hold replies to a schema."""
        return "json_schema"

    async def post(self, payload: Payload) -> Completion:
        """One attempt."""
        _check_address(payload.endpoint)
        session = await sessions.get()
        async with session.post(
            _address(payload.endpoint or ""),
            data=_body(payload),
            headers=self._headers,
            allow_redirects=False,  # clinical text goes where it was sent, and nowhere else
        ) as response:
            return completion(response.status, response.headers, await response.read())

    def key_names(self, model: str) -> tuple[str, ...]:
        """The variable litellm reads for the model's prefix, if it has one."""
        prefix, slash, _ = model.partition("/")
        return (f"{prefix.upper()}_API_KEY",) if slash and prefix in PREFIXES else ()

    async def aclose(self) -> None:
        """Close the running loop's connections; a loop that shuts down does so by itself."""
        await sessions.aclose()


def wire_name(model: str) -> str:
    """A model's name without the provider that only litellm needs.

    >>> wire_name("hosted_vllm/openai/gpt-oss-120b"), wire_name("Qwen/Qwen3-32B")
    ('openai/gpt-oss-120b', 'Qwen/Qwen3-32B')
    """
    prefix, _, rest = model.partition("/")
    return rest if rest and prefix in PREFIXES else model


def _check_address(address: str | None) -> None:
    if address is None:
        raise ConfigError(
            "backend direct needs api_base, the server's address, e.g. http://localhost:8000/v1"
        )
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            "api_base is not an http address; write one like http://localhost:8000/v1"
        )


@lru_cache(maxsize=64)
def _address(endpoint: str) -> URL:
    from yarl import URL

    base = URL(endpoint)
    return (base / "chat" / "completions").with_query(base.query)


def _body(payload: Payload) -> bytes:
    body: dict[str, Any] = {**payload.body, "model": wire_name(payload.body["model"])}
    more = body.pop("extra_body", None)  # where litellm wants what OpenAI itself does not know
    if isinstance(more, Mapping):
        body.update(more)
    written = _json(body)
    if payload.structure == "{}":
        return written
    # The structure is spliced in as it is: writing a schema anew takes longer than all the rest.
    return b"%b,%b" % (written[:-1], payload.structure[1:].encode())


def _json(body: dict[str, Any]) -> bytes:
    try:
        return to_json(body)
    except ValueError:  # a lone surrogate, which UTF-8 cannot hold
        return json.dumps(body).encode()
