"""One aiohttp session for each event loop, closed when its loop or the process shuts down."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from aiohttp import ClientMiddlewareType, ClientSession

_KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: uvicorn, under most servers one runs oneself, closes it
after 5, and a request that is sent into a closing connection is lost."""

_FAREWELL = 2.0
"""Seconds a loop that is still running when the process ends may take to close its session."""


class Sessions:
    """Sessions by event loop.

    Args:
        middlewares: What every request of a session passes through.
        farewell: Awaited after a session is closed.
    """

    def __init__(
        self,
        *,
        middlewares: tuple[ClientMiddlewareType, ...] = (),
        farewell: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._middlewares = middlewares
        self._farewell = farewell
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
                    closing.result(timeout=_FAREWELL)

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
                if self._farewell is not None:
                    await self._farewell()
