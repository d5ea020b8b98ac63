"""Identical requests on the wire at the same time are sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from mmrare_judge.grade import Usage
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
                return replace(answer, usage=Usage(), saved=answer.usage, cached=True)
        landing: asyncio.Future[Assessment] = loop.create_future()
        self._flying[key] = landing
        try:
            answer = await buy()
            landing.set_result(answer)
            return answer
        finally:
            del self._flying[key]
            landing.cancel()
