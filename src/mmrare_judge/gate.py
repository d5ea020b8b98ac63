"""How many requests may be on the wire: a limit that adapts, ceilings a minute, and a budget."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from mmrare_judge.errors import BudgetError, TransportError
from mmrare_judge.grade import Usage


@dataclass(frozen=True)
class Need:
    """What one attempt may take, before it is known.

    Attributes:
        tokens: Upper bound of prompt and reply together.
        cost: Upper bound in US dollars; ``None`` where the price is not known.
    """

    tokens: int = 0
    cost: float | None = 0.0


class Gate(Protocol):
    """What every attempt passes on its way out and on its way back."""

    async def enter(self, need: Need) -> None:
        """Wait until one more attempt may be sent.

        Raises:
            BudgetError: It would pass the budget.
        """
        ...

    def leave(self, need: Need, spent: Usage, error: BaseException | None) -> None:
        """Tell how the attempt ended."""
        ...


class OpenGate:
    """Lets everything through at once; for single grades."""

    async def enter(self, need: Need) -> None:
        """Wait for nothing."""

    def leave(self, need: Need, spent: Usage, error: BaseException | None) -> None:
        """Note nothing."""


@dataclass
class Budget:
    """What may be spent; an attempt that could pass it is not made.

    Each attempt reserves the most it could cost and gives the difference back. So the limit is
    never passed, and what is left at the end is less than one attempt's upper bound.

    Attributes:
        max_cost: US dollars.
        max_calls: Requests.
        spent: What was spent so far.
    """

    max_cost: float | None = None
    max_calls: int | None = None
    spent: Usage = field(default_factory=Usage)
    _reserved_cost: float = 0.0
    _reserved_calls: int = 0

    def fits(self, need: Need) -> bool:
        """Whether one more attempt fits beside those on the wire."""
        return self._fits(need, self._reserved_calls, self._reserved_cost)

    def fits_alone(self, need: Need) -> bool:
        """Whether one more attempt would fit if those on the wire cost nothing."""
        return self._fits(need, 0, 0.0)

    def _fits(self, need: Need, calls: int, cost: float) -> bool:
        if self.max_calls is not None and self.spent.calls + calls + 1 > self.max_calls:
            return False
        if self.max_cost is None:
            return True
        if need.cost is None or self.spent.cost is None:
            raise BudgetError(
                "the price of this model is not known, so max_cost cannot be kept; "
                "set max_calls instead"
            )
        return self.spent.cost + cost + need.cost <= self.max_cost

    def reserve(self, need: Need) -> None:
        """Set an attempt's upper bound aside."""
        self._reserved_calls += 1
        self._reserved_cost += need.cost or 0.0

    def settle(self, need: Need, spent: Usage) -> None:
        """Give the reservation back and count what was spent."""
        self._reserved_calls -= 1
        self._reserved_cost -= need.cost or 0.0
        self.spent = self.spent + spent


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
        self._requests = _Window(requests_per_minute)
        self._tokens = _Window(tokens_per_minute)
        self._clock, self._sleep = clock, sleep
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._calm = True
        self._resume_at = 0.0
        self._ahead_of_cut = 0

    async def enter(self, need: Need) -> None:
        """Wait for a place, the pause and the windows, in that order; see `Gate.enter`."""
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

    def _place_for(self, need: Need) -> bool:
        if self.budget.fits(need):
            return self.on_wire < max(1, int(self.limit))
        if self.on_wire == 0 or not self.budget.fits_alone(need):
            self._wake_all()
            raise BudgetError("the budget is used up")
        return False

    async def _hold_back(self, need: Need) -> None:
        while True:
            now = self._clock()
            wait = max(
                self._resume_at - now,
                self._requests.wait(now, 1),
                self._tokens.wait(now, need.tokens),
            )
            if wait <= 0:
                self._requests.add(now, 1)
                self._tokens.add(now, need.tokens)
                return
            await self._sleep(wait)

    def leave(self, need: Need, spent: Usage, error: BaseException | None) -> None:
        """Free the place, settle the budget and adapt the limit; see `Gate.leave`."""
        self.on_wire -= 1
        self.budget.settle(need, spent)
        self._tokens.correct(spent.prompt_tokens + spent.completion_tokens - need.tokens)
        if isinstance(error, TransportError) and error.kind == "rate_limit":
            self._slow_down(error.retry_after)
        elif error is None and spent.calls:
            self._speed_up()
        self._ahead_of_cut = max(0, self._ahead_of_cut - 1)
        self._wake()

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


class _Window:
    """What happened over the last 60 seconds, against a ceiling."""

    def __init__(self, ceiling: int | None) -> None:
        self._ceiling = ceiling
        self._events: deque[tuple[float, int]] = deque()
        self._sum = 0

    def wait(self, now: float, amount: int) -> float:
        """Seconds until ``amount`` more fits; one above the ceiling waits for an empty window."""
        if self._ceiling is None:
            return 0.0
        while self._events and self._events[0][0] <= now - 60:
            self._sum -= self._events.popleft()[1]
        if not self._events or self._sum + amount <= self._ceiling:
            return 0.0
        return self._events[0][0] + 60 - now

    def add(self, now: float, amount: int) -> None:
        if self._ceiling is not None:
            self._events.append((now, amount))
            self._sum += amount

    def correct(self, difference: int) -> None:
        """Replace an upper bound by what it really was, in the newest entry."""
        if self._events:
            when, amount = self._events.pop()
            self._events.append((when, amount + difference))
            self._sum += difference
