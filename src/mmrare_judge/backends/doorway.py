"""A doorway: few requests are prepared at a time, so that each is sent as soon as it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

_LONGEST_STAY = 0.05
"""Seconds after which a request is taken to be on the wire, where nothing tells."""


class Doorway:
    """Where requests are prepared, so many at a time; each event loop has its own.

    With 64 requests that take 3 ms each to prepare, an event loop works on all of them in turns,
    and the first is sent with the last, after 0.2 s. Their answers come all at once as well, and
    so it goes on: with a latency of 2 s a tenth of the time is lost. Through a doorway the first
    is sent after a few milliseconds, and they stay apart.

    Args:
        width: Requests that are prepared at a time.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._doors: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )
        self._leaving: ContextVar[Callable[[], None] | None] = ContextVar("leaving", default=None)

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait for a place in the doorway; it is free again on `leave`, or after a moment."""
        loop = asyncio.get_running_loop()
        door = self._doors.setdefault(loop, asyncio.Semaphore(self._width))
        await door.acquire()
        inside = [door]

        def leave() -> None:
            if inside:
                inside.pop().release()

        self._leaving.set(leave)
        timer = loop.call_later(_LONGEST_STAY, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()

    def leave(self) -> None:
        """What is sent in this context is ready, and the next may come in."""
        leave = self._leaving.get()
        if leave is not None:
            leave()
