"""What may be sent, and how much at once: `Limits`, and the `Limiter` that keeps them.

Every attempt passes the limiter twice. `Limiter.enter` takes the `UpperBound` of what the attempt
may take, and waits. `Limiter.leave` is told what it took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from mmrare_judge.backends.base import Meter, Payload, Price, Usage
from mmrare_judge.errors import BudgetError, ConfigError, TransportError


@dataclass(frozen=True)
class UpperBound:
    """The most that one attempt may take, before it is known what it takes.

    Attributes:
        tokens: Prompt and reply together.
        cost: US dollars; ``None`` where the price is not known.
    """

    tokens: int = 0
    cost: float | None = 0.0


class Limiter(Protocol):
    """What every attempt passes on its way out and on its way back."""

    async def enter(self, bound: UpperBound, meter: Meter) -> None:
        """Wait until one more attempt may be sent, and note in its meter that it is.

        Raises:
            BudgetError: It would pass the budget.
        """
        ...

    def leave(self, bound: UpperBound, spent: Usage, error: BaseException | None) -> None:
        """Tell how the attempt ended."""
        ...


class NoLimiter:
    """Lets everything through at once; for single grades."""

    async def enter(self, bound: UpperBound, meter: Meter) -> None:  # noqa: D102
        pass

    def leave(  # noqa: D102
        self, bound: UpperBound, spent: Usage, error: BaseException | None
    ) -> None:
        pass


@dataclass
class Budget:
    """What may be spent; an attempt that could pass it is not made.

    Each attempt reserves the most it could cost and gives the difference back. So the limit is
    never passed, and what is left at the end is less than one attempt's upper bound.

    Attributes:
        max_cost: US dollars.
        max_calls: Requests.
        spent: What was spent so far.
        settled: Called whenever an attempt has given its reservation back.
    """

    max_cost: float | None = None
    max_calls: int | None = None
    spent: Usage = field(default_factory=Usage)
    settled: list[Callable[[], None]] = field(default_factory=list)
    _reserved_cost: float = 0.0
    _reserved_calls: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on the wire, through whichever limiter."""
        return self._reserved_calls == 0

    def fits(self, bound: UpperBound) -> bool:
        """Whether one more attempt fits beside those on the wire."""
        return self._fits(bound, self._reserved_calls, self._reserved_cost)

    def fits_alone(self, bound: UpperBound) -> bool:
        """Whether one more attempt would fit if those on the wire cost nothing."""
        return self._fits(bound, 0, 0.0)

    def _fits(self, bound: UpperBound, calls: int, cost: float) -> bool:
        if self.max_calls is not None and self.spent.calls + calls + 1 > self.max_calls:
            return False
        if self.max_cost is None:
            return True
        if bound.cost is None or self.spent.cost is None:
            raise ConfigError(
                "what a call of this model costs is not known, so max_cost cannot be kept; "
                "set max_calls instead"
            )
        return self.spent.cost + cost + bound.cost <= self.max_cost

    def reserve(self, bound: UpperBound) -> None:
        """Set an attempt's upper bound aside."""
        self._reserved_calls += 1
        self._reserved_cost += bound.cost or 0.0

    def settle(self, bound: UpperBound, spent: Usage) -> None:
        """Give the reservation back and count what was spent."""
        self._reserved_calls -= 1
        self._reserved_cost -= bound.cost or 0.0
        self.spent = self.spent + spent
        for tell in self.settled:
            tell()

    def beyond(self, usage: Usage) -> Usage:
        """What was spent over and above ``usage``; nothing by a backend that passes no limiter."""
        spent = self.spent
        if spent.calls <= usage.calls:
            return Usage()
        known = spent.cost is not None and usage.cost is not None
        return Usage(
            calls=spent.calls - usage.calls,
            prompt_tokens=max(0, spent.prompt_tokens - usage.prompt_tokens),
            completion_tokens=max(0, spent.completion_tokens - usage.completion_tokens),
            cost=max(0.0, (spent.cost or 0.0) - (usage.cost or 0.0)) if known else None,
        )


class Window:
    """Requests, or tokens, of the last 60 seconds, against a ceiling."""

    def __init__(self, ceiling: int | None) -> None:
        self._ceiling = ceiling
        self._events: deque[_Event] = deque()
        self._sum = 0

    def wait(self, now: float, amount: int) -> float:
        """Seconds until ``amount`` more fits; one above the ceiling waits for an empty window."""
        if self._ceiling is None:
            return 0.0
        while self._events and self._events[0].when <= now - 60:
            self._sum -= self._events.popleft().amount
        if not self._events or self._sum + amount <= self._ceiling:
            return 0.0
        return self._events[0].when + 60 - now

    def add(self, now: float, amount: int, bound: UpperBound) -> None:
        """Count an attempt, with its upper bound for now."""
        if self._ceiling is not None:
            self._events.append(_Event(now, amount, bound))
            self._sum += amount

    def correct(self, bound: UpperBound, amount: int) -> None:
        """Replace the upper bound of an attempt by what it really was, if it still counts."""
        event = next((event for event in reversed(self._events) if event.bound is bound), None)
        if event is not None:
            self._sum += amount - event.amount
            event.amount = amount


@dataclass
class _Event:
    when: float
    amount: int
    bound: UpperBound


LONGEST_PAUSE = 900.0
"""Seconds a provider may ask everything to be held back; with more, it cannot be worked with now.

It lies below the 30 minutes that a prediction may take in all.
"""

_NAP = 1.0
"""Seconds after which an attempt that is held back looks whether the limiter was closed."""


class AdaptiveLimiter:
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
        """Let nothing through any more but what belongs to a prediction that is begun."""
        self._closed = True
        self._wake_all()

    async def enter(self, bound: UpperBound, meter: Meter) -> None:
        """Wait for a place, the pause and the windows, in that order; see `Limiter.enter`.

        Raises:
            BudgetError: It would pass the budget, or the limiter is closed.
            ConfigError: The cost is not known, or the provider asks for too long a pause.
        """
        while not self._place_for(bound, meter):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.on_wire += 1
        self.budget.reserve(bound)
        try:
            await self._hold_back(bound, meter)
        except BaseException:
            self.leave(bound, Usage(), None)
            raise
        meter.begin()

    def _check_open(self, meter: Meter) -> None:
        if self._closed and not meter.begun:
            raise BudgetError("the run is being stopped, and nothing new is sent")

    def _place_for(self, bound: UpperBound, meter: Meter) -> bool:
        self._check_open(meter)
        if self.budget.fits(bound):
            return self.on_wire < max(1, int(self.limit))
        if self.budget.idle or not self.budget.fits_alone(bound):
            self._wake_all()
            raise BudgetError("the budget is used up")
        return False

    async def _hold_back(self, bound: UpperBound, meter: Meter) -> None:
        while True:
            self._check_open(meter)
            now = self._clock()
            self._check_pause(self._resume_at - now)
            wait = max(
                self._resume_at - now,
                self._requests.wait(now, 1),
                self._tokens.wait(now, bound.tokens),
            )
            if wait <= 0:
                self._requests.add(now, 1, bound)
                self._tokens.add(now, bound.tokens, bound)
                return
            await self._sleep(min(wait, _NAP))

    def _check_pause(self, seconds: float) -> None:
        if seconds > LONGEST_PAUSE:
            raise ConfigError(
                f"the provider asks to wait {seconds:.0f} seconds, mostly because a quota is used "
                "up; start again when it is over, and what is graded will not be asked again"
            )

    def leave(self, bound: UpperBound, spent: Usage, error: BaseException | None) -> None:
        """Free the place, settle the budget and adapt the limit; see `Limiter.leave`."""
        self.on_wire -= 1
        self._tokens.correct(bound, spent.prompt_tokens + spent.completion_tokens)
        if isinstance(error, TransportError) and error.kind == "rate_limit":
            self._slow_down(error.retry_after)
        elif error is None and spent.calls:
            self._speed_up()
        self._ahead_of_cut = max(0, self._ahead_of_cut - 1)
        self.budget.settle(bound, spent)  # which wakes who waits, here and at other limiters

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


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        concurrency: Requests on the wire at most; the run finds out how many of them the provider
            stands.
        requests_per_minute: Ceiling over any 60 seconds.
        tokens_per_minute: Ceiling over any 60 seconds.
        max_cost: US dollars; the run stops before it would be passed.
        max_calls: Requests; likewise.

    Raises:
        ConfigError: A limit lets nothing through, or is not a number.
    """

    concurrency: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_cost: float | None = None
    max_calls: int | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if value is not None and not value >= 1:
                raise ConfigError(
                    f"{name} is {value}, which lets nothing through; set it to 1 or more"
                    + ("" if name == "concurrency" else ", or leave it out for no ceiling")
                )
        for name in ("max_cost", "max_calls"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(
                    f"{name} is {value}; set it to 0 or more, or leave it out for no budget"
                )

    @property
    def workers(self) -> int:
        """Predictions worked on at once: no more than a ceiling lets through in ten minutes.

        One that waits longer would run out of ``item_timeout``, 30 minutes, without being asked.

        >>> Limits(concurrency=64, requests_per_minute=2).workers
        20
        """
        if self.requests_per_minute is None:
            return self.concurrency
        return min(self.concurrency, 10 * self.requests_per_minute)

    def budget(self) -> Budget:
        """A budget of which nothing is spent."""
        return Budget(self.max_cost, self.max_calls)

    def limiter(self, budget: Budget | None = None) -> AdaptiveLimiter:
        """A limiter for one judge; several share a budget."""
        return AdaptiveLimiter(
            self.concurrency,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            budget=self.budget() if budget is None else budget,
        )


# --- How much an attempt may take at most, guessed from its text before it is sent

_CHARS_PER_TOKEN = 3  # English has about four, dense clinical abbreviations about three
_FRAME = 8  # tokens around a message: role and separators, rounded up
_REPLY = 8192  # tokens, where no limit is set


def upper_bound(payload: Payload, price: Price | None) -> UpperBound:
    """The most that one attempt may take.

    Tokens are those of the messages and of the schema by `most_tokens`, 8 for the frame of each
    message, and the token limit of the reply, 8192 where none is set. A guess, not a proof: a
    prompt of little but figures can take more tokens than its third. The reply's limit, of which
    a reply seldom takes a quarter, leaves room for that.

    >>> body = {"messages": [{"role": "user", "content": "Grade this."}], "max_tokens": 100}
    >>> upper_bound(Payload(body, "{}", None, 60), Price(prompt=1e-6, reply=1e-5))
    UpperBound(tokens=113, cost=0.001013)
    """
    prompt = prompt_tokens(payload)
    reply = _reply_limit(payload)
    cost = None if price is None else prompt * price.prompt + reply * price.reply
    return UpperBound(tokens=prompt + reply, cost=cost)


def prompt_tokens(payload: Payload) -> int:
    """Tokens of the messages and the schema, on the high side; see `upper_bound`."""
    texts = [_text(message) for message in payload.body["messages"]]
    return sum(most_tokens(text) + _FRAME for text in texts) + most_tokens(payload.structure)


def most_tokens(text: str) -> int:
    """A text's tokens, on the high side: a third of its characters, and its bytes beyond ASCII.

    Characters outside ASCII take 2 to 4 bytes in UTF-8, and no tokeniser makes more tokens of a
    text than it has bytes.

    >>> most_tokens("prednisone"), most_tokens("≥ 5 µg")
    (4, 5)
    """
    beyond = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - len(text)
    return -(-len(text) // _CHARS_PER_TOKEN) + beyond  # rounded up


def _text(message: dict[str, object]) -> str:
    content = message.get("content") or ""
    calls = message.get("tool_calls") or ""
    return f"{content}{calls}" if calls else str(content)


def _reply_limit(payload: Payload) -> int:
    body = {**(payload.body.get("extra_body") or {}), **payload.body}
    return int(body.get("max_tokens") or body.get("max_completion_tokens") or _REPLY)
