"""How many requests may be on the wire: a limit that adapts, pauses, ceilings and a budget."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from mmrare_judge.budget import Budget
from mmrare_judge.errors import BudgetError, ConfigError, TransportError
from mmrare_judge.gate import Need
from mmrare_judge.pieces import piece_of_work
from mmrare_judge.rate_window import Window
from mmrare_judge.usage import Usage

LONGEST_PAUSE = 900.0
"""Seconds a provider may ask everything to be held back; with more, it cannot be worked with now.

It lies below the 30 minutes that a prediction may take in all.
"""

_NAP = 1.0
"""Seconds after which one who is held back looks whether the gate was closed."""


class AdaptiveGate:
    """A limit by additive increase and multiplicative decrease.

    After Chiu and Jain (1989), "Analysis of the increase and decrease algorithms for congestion
    avoidance in computer networks", doi:10.1016/0169-7552(89)90019-6, with a faster start. Each
    attempt that comes back well raises the limit, by one until the first rate limit and by one a
    round trip after it; a 429 halves it, once for all the attempts that were on the wire then.
    ``Retry-After`` holds everything back for that long.

    Args:
        ceiling: Attempts on the wire at most.
        start: The limit to begin with.
        requests_per_minute: Ceiling over any 60 seconds.
        tokens_per_minute: Ceiling over any 60 seconds; an attempt is counted with its upper bound
            until it is back.
        budget: What may be spent in all.
        clock: Seconds; for tests.
        sleep: Awaited to wait; for tests.
    """

    def __init__(
        self,
        ceiling: int = 64,
        *,
        start: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.ceiling = ceiling
        self.limit = float(min(ceiling, start or 64))
        self.budget = budget or Budget()
        self.on_wire = 0
        self._requests = Window(requests_per_minute)
        self._tokens = Window(tokens_per_minute)
        self._clock, self._sleep = clock, sleep
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._calm = True
        self._resume_at = 0.0
        self._ahead_of_cut = 0
        self._closed = False
        self.budget.settled.append(self._wake)

    def close(self) -> None:
        """Let nothing through any more but what belongs to a `Piece` that is begun."""
        self._closed = True
        self._wake_all()

    async def enter(self, need: Need) -> None:
        """Wait for a place, the pause and the windows, in that order; see `Gate.enter`.

        Raises:
            BudgetError: It would pass the budget, or the gate is closed.
            ConfigError: The cost is not known, or the provider asks for too long a pause.
        """
        while not self._place_for(need):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.on_wire += 1
        self.budget.reserve(need)
        try:
            await self._hold_back(need)
        except BaseException:
            self.leave(need, Usage(), None)
            raise
        piece = piece_of_work.get()
        if piece is not None:
            piece.begun = True

    def _check_open(self) -> None:
        piece = piece_of_work.get()
        if self._closed and not (piece is not None and piece.begun):
            raise BudgetError("the run is being stopped, and nothing new is sent")

    def _place_for(self, need: Need) -> bool:
        self._check_open()
        if self.budget.fits(need):
            return self.on_wire < max(1, int(self.limit))
        if self.budget.idle or not self.budget.fits_alone(need):
            self._wake_all()
            raise BudgetError("the budget is used up")
        return False

    async def _hold_back(self, need: Need) -> None:
        while True:
            self._check_open()
            now = self._clock()
            self._check_pause(self._resume_at - now)
            wait = max(
                self._resume_at - now,
                self._requests.wait(now, 1),
                self._tokens.wait(now, need.tokens),
            )
            if wait <= 0:
                self._requests.add(now, 1, need)
                self._tokens.add(now, need.tokens, need)
                return
            await self._sleep(min(wait, _NAP))

    def _check_pause(self, seconds: float) -> None:
        if seconds > LONGEST_PAUSE:
            raise ConfigError(
                f"the provider asks to wait {seconds:.0f} seconds, mostly because a quota is used "
                "up; start again when it is over, and what is graded will not be asked again"
            )

    def leave(self, need: Need, spent: Usage, error: BaseException | None) -> None:
        """Free the place, settle the budget and adapt the limit; see `Gate.leave`."""
        self.on_wire -= 1
        self._tokens.correct(need, spent.prompt_tokens + spent.completion_tokens)
        if isinstance(error, TransportError) and error.kind == "rate_limit":
            self._slow_down(error.retry_after)
        elif error is None and spent.calls:
            self._speed_up()
        self._ahead_of_cut = max(0, self._ahead_of_cut - 1)
        self.budget.settle(need, spent)  # which wakes who waits, here and at other gates

    def _slow_down(self, retry_after: float | None) -> None:
        if retry_after:
            self._resume_at = max(self._resume_at, self._clock() + retry_after)
        if self._ahead_of_cut == 0:
            self.limit = max(1.0, self.limit / 2)
            self._calm = False
            self._ahead_of_cut = self.on_wire + 1

    def _speed_up(self) -> None:
        step = 1.0 if self._calm else 1.0 / self.limit
        self.limit = min(float(self.ceiling), self.limit + step)

    def _wake(self) -> None:
        places = max(1, int(self.limit)) - self.on_wire
        while self._waiting and places > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                places -= 1

    def _wake_all(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()
