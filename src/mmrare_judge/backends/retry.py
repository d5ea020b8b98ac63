"""Repeats after transport faults: exponential backoff with full jitter, Retry-After honoured.

The one module that knows tenacity.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mmrare_judge.errors import TransportError

T = TypeVar("T")


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Backoff:
    """How long to wait between attempts.

    Before repeat ``n`` (from 1) the wait is drawn evenly from 0 to ``min(cap, base * 2**(n-1))``
    seconds ("full jitter"). Where the provider says how long to wait, it is that long, plus up to
    ``base`` seconds, so that clients which were turned away together do not come back together.

    Attributes:
        base: Upper limit of the first wait, in seconds.
        cap: Upper limit of every drawn wait.
        patience: A provider that asks for a longer wait than this is not asked again: coming
            back early would not help, and waiting for hours would look like a hang.
        sleep: Awaited with the seconds to wait; tests put their own here.
    """

    base: float = 1.0
    cap: float = 60.0
    patience: float = 300.0
    sleep: Callable[[float], Awaitable[None]] = _sleep

    def seconds(self, repeat: int, error: BaseException | None) -> float:
        """The wait before a repeat, counted from 1, after an error."""
        asked = error.retry_after if isinstance(error, TransportError) else None
        if asked is not None:
            return asked + random.uniform(0, self.base)
        # 2**64 seconds is beyond every cap; a larger power would overflow a float.
        return random.uniform(0, min(self.cap, self.base * 2.0 ** min(repeat - 1, 64)))

    def worthwhile(self, error: BaseException) -> bool:
        """Whether an error may go away by itself within our patience."""
        if not isinstance(error, TransportError):
            return False
        return error.retry_after is None or error.retry_after <= self.patience


async def with_retries(
    attempt: Callable[[int], Awaitable[T]], *, retries: int, backoff: Backoff | None = None
) -> T:
    """Await ``attempt(0)``, and after a `TransportError` ``attempt(1)`` up to ``attempt(retries)``.

    The last error is raised as it is; every other kind of error at once.

    >>> async def flaky(number: int) -> str:
    ...     if number == 0:
    ...         raise TransportError("reset by peer")
    ...     return f"attempt {number} worked"
    >>> asyncio.run(with_retries(flaky, retries=5, backoff=Backoff(base=0)))
    'attempt 1 worked'
    """
    from tenacity import (  # noqa: TID251
        AsyncRetrying,
        RetryCallState,
        retry_if_exception,
        stop_after_attempt,
    )

    pause = Backoff() if backoff is None else backoff

    def wait(state: RetryCallState) -> float:
        return pause.seconds(
            state.attempt_number, state.outcome.exception() if state.outcome else None
        )

    async for trial in AsyncRetrying(
        stop=stop_after_attempt(retries + 1),
        wait=wait,
        retry=retry_if_exception(pause.worthwhile),
        sleep=pause.sleep,
        reraise=True,
    ):
        with trial:
            return await attempt(trial.retry_state.attempt_number - 1)
    raise AssertionError("the loop ends with a value or an exception")
