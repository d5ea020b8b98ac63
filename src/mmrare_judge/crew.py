"""Several workers at once, each of which ends by itself: `work_together`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def work_together(worker: Callable[[], Coroutine[Any, Any, None]], *, size: int) -> None:
    """Await ``worker()`` as often as ``size`` says, all at once.

    When one of them raises, the others go on until they end, and then it is raised. When the crew
    is cancelled, so are all of them.

    >>> async def count_down() -> list[int]:
    ...     left, done = iter(range(3)), []
    ...     async def worker() -> None:
    ...         done.extend(left)
    ...     await work_together(worker, size=2)
    ...     return done
    >>> asyncio.run(count_down())
    [0, 1, 2]
    """
    crew = [asyncio.create_task(worker()) for _ in range(size)]
    try:
        ended = await asyncio.gather(*crew, return_exceptions=True)
    finally:
        for task in crew:
            task.cancel()
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome
