"""Identical requests on the wire at the same time are sent once.

`Flights` sees to it within a process, `Claims` between processes that share a cache.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from mmrare_judge.backends.base import Usage
from mmrare_judge.task import Assessment

_Key = tuple[asyncio.AbstractEventLoop, str]


class Flights:
    """Requests on the wire, by their hash; each event loop has its own."""

    def __init__(self) -> None:
        self._flying: dict[_Key, asyncio.Future[Assessment]] = {}

    async def share(
        self, request_hash: str, buy: Callable[[], Awaitable[Assessment]]
    ) -> Assessment:
        """Await ``buy()``, or what an identical request that is under way brings.

        Who waits for another's request is charged nothing. If that one is cancelled or raises, the
        next one sends it again.
        """
        loop = asyncio.get_running_loop()
        key = (loop, request_hash)
        while key in self._flying:
            other = self._flying[key]
            await asyncio.wait([other])
            if not other.cancelled():
                answer = other.result()
                saved = answer.usage + answer.saved
                return replace(answer, usage=Usage(), saved=saved, cached=True)
        landing: asyncio.Future[Assessment] = loop.create_future()
        self._flying[key] = landing
        try:
            answer = await buy()
            landing.set_result(answer)
            return answer
        finally:
            del self._flying[key]
            landing.cancel()


_FIRST_LOOK, _LAST_LOOK = 0.02, 0.5
"""Seconds between two looks at another process's claim: they double from the one to the other."""


class Claims:
    """Requests that this process is buying, as other processes with the same cache see them.

    A claim is a lock on one byte of the file ``claims.lock``. The operating system takes it back
    with the process, however that ends. Where there are no such locks (Windows), nothing is
    claimed, and two processes may buy the same reply.

    Args:
        directory: The cache's directory; ``None`` claims nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    @asynccontextmanager
    async def held(self, request_hash: str, *, patience: float) -> AsyncIterator[bool]:
        """Hold the claim on a request, after another process has let go of it.

        Args:
            request_hash: The request's hash, which ends in hexadecimal digits.
            patience: Seconds to wait at most: a process that is suspended must not suspend us.

        Yields:
            Whether there was anything to wait for, so that the cache may hold the reply by now.
        """
        place = int(request_hash[-15:], 16)
        give_up, pause, waited = time.monotonic() + patience, _FIRST_LOOK, False
        while not _lock(self._directory, place) and time.monotonic() < give_up:
            waited = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
        try:
            yield waited
        finally:
            _lock(self._directory, place, release=True)


def _lock(directory: Path | None, place: int, *, release: bool = False) -> bool:
    """Take or release the lock on a byte; ``False`` if another process has it."""
    file = None if directory is None else _claims_file(directory)
    if file is None or sys.platform == "win32":
        return True
    import fcntl

    how = fcntl.LOCK_UN if release else fcntl.LOCK_EX | fcntl.LOCK_NB
    try:
        fcntl.lockf(file, how, 1, place)
    except (BlockingIOError, PermissionError):  # which of them, differs between systems
        return False
    except OSError:
        return True  # a file system without locks
    return True


@cache
def _claims_file(directory: Path) -> int | None:
    # Opened once a process and never closed: closing it anywhere would give all claims back.
    try:
        return os.open(directory / "claims.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
