"""The limiter that every attempt passes: limit, pauses, ceilings a minute and budget."""

from __future__ import annotations

import asyncio

import pytest

from mmrare_judge.backends.base import Meter, Usage
from mmrare_judge.backends.limits import (
    LONGEST_PAUSE,
    AdaptiveLimiter,
    Budget,
    NoLimiter,
    UpperBound,
)
from mmrare_judge.errors import BudgetError, ConfigError, TransportError

DONE = Usage(calls=1, prompt_tokens=80, completion_tokens=20, cost=0.01)
BUSY = TransportError("429", kind="rate_limit")
DOWN = TransportError("500", kind="server_error")


class Clock:
    """Time that passes only while somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def limiter_with(clock: Clock | None = None, **options: object) -> AdaptiveLimiter:
    clock = clock or Clock()
    return AdaptiveLimiter(clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


async def waits(limiter: AdaptiveLimiter, bound: UpperBound | None = None) -> bool:
    """Whether an attempt has to wait now; if not, it is left inside."""
    entering = asyncio.create_task(limiter.enter(bound or UpperBound(), Meter()))
    for _ in range(3):
        await asyncio.sleep(0)
    if entering.done():
        entering.result()
        return False
    entering.cancel()
    await asyncio.gather(entering, return_exceptions=True)
    return True


async def fill(limiter: AdaptiveLimiter) -> int:
    """Enter as often as possible without waiting; returns how often."""
    times = 0
    while not await waits(limiter):
        times += 1
    return times


async def test_no_limiter_lets_everything_through() -> None:
    limiter = NoLimiter()
    for _ in range(1000):
        await limiter.enter(UpperBound(), Meter())
        limiter.leave(UpperBound(), DONE, None)


async def test_no_more_enter_than_the_limit_and_one_who_leaves_makes_room() -> None:
    limiter = limiter_with(ceiling=100, start=3)
    assert await fill(limiter) == 3
    limiter.leave(UpperBound(), Usage(), None)
    assert await fill(limiter) == 1


async def test_who_waits_enters_when_another_leaves() -> None:
    limiter = limiter_with(ceiling=1)
    await limiter.enter(UpperBound(), Meter())
    next_one = asyncio.create_task(limiter.enter(UpperBound(), Meter()))
    await asyncio.sleep(0)
    assert not next_one.done()
    limiter.leave(UpperBound(), DONE, None)
    await next_one
    assert limiter.on_wire == 1


async def test_each_success_raises_the_limit_by_one_up_to_the_ceiling() -> None:
    limiter = limiter_with(ceiling=6, start=2)
    for limit in (3, 4, 5, 6, 6):
        await limiter.enter(UpperBound(), Meter())
        limiter.leave(UpperBound(), DONE, None)
        assert limiter.limit == limit


async def test_a_round_of_rate_limits_halves_the_limit_once() -> None:
    limiter = limiter_with(ceiling=16, start=16)
    assert await fill(limiter) == 16
    for _ in range(16):
        limiter.leave(UpperBound(), Usage(calls=1), BUSY)
    assert limiter.limit == 8
    # The next round was sent under the new limit: what it meets counts again.
    assert await fill(limiter) == 8
    limiter.leave(UpperBound(), Usage(calls=1), BUSY)
    assert limiter.limit == 4


async def test_the_limit_never_falls_below_one() -> None:
    limiter = limiter_with(ceiling=2)
    for _ in range(5):
        await limiter.enter(UpperBound(), Meter())
        limiter.leave(UpperBound(), Usage(calls=1), BUSY)
    assert limiter.limit == 1
    assert await fill(limiter) == 1


async def test_after_a_rate_limit_the_limit_grows_by_one_a_round_trip() -> None:
    limiter = limiter_with(ceiling=16, start=8)
    await limiter.enter(UpperBound(), Meter())
    limiter.leave(UpperBound(), Usage(calls=1), BUSY)
    assert limiter.limit == 4
    for _ in range(4):
        await limiter.enter(UpperBound(), Meter())
        limiter.leave(UpperBound(), DONE, None)
    # Each adds one part in the limit: 4 + 1/4 + 1/4.25 + 1/4.485 + 1/4.708 = 4.92.
    assert limiter.limit == pytest.approx(4.92, abs=0.005)


@pytest.mark.parametrize("error", [DOWN, asyncio.CancelledError()], ids=["down", "cancelled"])
async def test_other_faults_leave_the_limit_as_it_is(error: BaseException) -> None:
    limiter = limiter_with(ceiling=16, start=8)
    await limiter.enter(UpperBound(), Meter())
    limiter.leave(UpperBound(), Usage(calls=1), error)
    assert limiter.limit == 8


async def test_retry_after_holds_everything_back_for_that_long() -> None:
    clock = Clock()
    limiter = limiter_with(clock, ceiling=8)
    await limiter.enter(UpperBound(), Meter())
    limiter.leave(
        UpperBound(), Usage(calls=1), TransportError("429", kind="rate_limit", retry_after=7)
    )
    await limiter.enter(UpperBound(), Meter())
    assert clock.now == 1007
    await limiter.enter(UpperBound(), Meter())
    assert clock.now == 1007


async def test_a_provider_that_asks_for_too_long_a_wait_is_said_to() -> None:
    limiter = limiter_with(ceiling=8)
    await limiter.enter(UpperBound(), Meter())
    wait = LONGEST_PAUSE + 1
    limiter.leave(
        UpperBound(), Usage(calls=1), TransportError("429", kind="rate_limit", retry_after=wait)
    )
    with pytest.raises(ConfigError, match="asks to wait 901 seconds"):
        await limiter.enter(UpperBound(), Meter())
    assert limiter.on_wire == 0


async def test_requests_a_minute_are_a_ceiling_over_any_sixty_seconds() -> None:
    clock = Clock()
    limiter = limiter_with(clock, ceiling=64, requests_per_minute=3)
    entered = []
    for second in (0, 10, 20, 20, 20):
        clock.now = max(clock.now, 1000.0 + second)
        await limiter.enter(UpperBound(), Meter())
        limiter.leave(UpperBound(), DONE, None)
        entered.append(clock.now - 1000)
    # The fourth has to wait until the first is a minute old, the fifth for the second.
    assert entered == [0, 10, 20, 60, 70]


async def test_tokens_a_minute_count_what_is_on_its_way_with_its_upper_bound() -> None:
    clock = Clock()
    limiter = limiter_with(clock, ceiling=64, tokens_per_minute=1000)
    await limiter.enter(UpperBound(tokens=900), Meter())
    await limiter.enter(UpperBound(tokens=500), Meter())
    assert clock.now == 1060  # 900 + 500 are too many


async def test_tokens_a_minute_count_what_came_back_with_what_it_was() -> None:
    clock = Clock()
    limiter = limiter_with(clock, ceiling=64, tokens_per_minute=1000)
    for _ in range(2):
        bound = UpperBound(tokens=900)
        await limiter.enter(bound, Meter())
        limiter.leave(bound, DONE, None)  # 100 tokens
    assert clock.now == 1000  # 100 + 900 fit


async def test_what_comes_back_after_a_minute_makes_no_room_for_others() -> None:
    clock = Clock()
    limiter = limiter_with(clock, ceiling=64, tokens_per_minute=1000)
    slow, other = UpperBound(tokens=900), UpperBound(tokens=900)
    await limiter.enter(slow, Meter())
    clock.now += 61
    await limiter.enter(other, Meter())
    limiter.leave(slow, DONE, None)
    await limiter.enter(UpperBound(tokens=900), Meter())
    assert clock.now == 1061 + 60  # only the other's going leaves room


async def test_an_attempt_larger_than_the_ceiling_waits_for_an_empty_window() -> None:
    clock = Clock()
    limiter = limiter_with(clock, ceiling=64, tokens_per_minute=1000)
    await limiter.enter(UpperBound(tokens=100), Meter())
    await limiter.enter(UpperBound(tokens=5000), Meter())
    assert clock.now == 1060


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    limiter = limiter_with(ceiling=2, start=1)
    await limiter.enter(UpperBound(), Meter())
    first, second = (asyncio.create_task(limiter.enter(UpperBound(), Meter())) for _ in range(2))
    await asyncio.sleep(0)
    limiter.leave(UpperBound(), Usage(), None)  # wakes the first ...
    first.cancel()  # ... which does not live to see it
    await asyncio.wait_for(second, 5)
    assert limiter.on_wire == 1


async def test_a_cancelled_pause_gives_place_and_budget_back() -> None:
    async def for_ever(seconds: float) -> None:
        await asyncio.Event().wait()

    budget = Budget(max_calls=1)
    limiter = AdaptiveLimiter(
        8, budget=budget, clock=Clock(), sleep=for_ever, requests_per_minute=1
    )
    await limiter.enter(UpperBound(), Meter())
    limiter.leave(UpperBound(), Usage(), None)  # turned down without having been sent
    assert await waits(limiter)
    assert (limiter.on_wire, budget.idle, budget.fits(UpperBound())) == (0, True, True)


def spent(cost: float | None = 0.01) -> Usage:
    return Usage(calls=1, cost=cost)


async def test_the_last_call_of_a_budget_is_made_and_no_other() -> None:
    limiter = limiter_with(ceiling=8, budget=Budget(max_calls=2))
    for _ in range(2):
        await limiter.enter(UpperBound(), Meter())
        limiter.leave(UpperBound(), spent(), None)
    with pytest.raises(BudgetError):
        await limiter.enter(UpperBound(), Meter())


async def test_an_attempt_that_could_pass_the_cost_waits_for_what_others_give_back() -> None:
    bound = UpperBound(cost=0.40)
    limiter = limiter_with(ceiling=8, budget=Budget(max_cost=1.0))
    await limiter.enter(bound, Meter())
    await limiter.enter(bound, Meter())
    third = asyncio.create_task(limiter.enter(bound, Meter()))  # 1.20 could pass 1.00
    await asyncio.sleep(0)
    assert not third.done()
    limiter.leave(bound, spent(0.05), None)  # 0.05 + 0.40 + 0.40
    await third
    limiter.leave(bound, spent(0.40), None)
    with pytest.raises(BudgetError):  # 0.45 and the 0.40 of the third, even if it cost nothing ...
        await limiter.enter(UpperBound(cost=0.60), Meter())  # ... and 0.60 pass 1.00


@pytest.mark.parametrize(
    ("bound", "before"),
    [
        pytest.param(UpperBound(cost=None), None, id="no price"),
        pytest.param(UpperBound(cost=0.1), None, id="an answer without a cost"),
    ],
)
async def test_a_cost_that_is_not_known_cannot_be_kept_under_a_limit(
    bound: UpperBound, before: float | None
) -> None:
    limiter = limiter_with(ceiling=8, budget=Budget(max_cost=1.0, spent=spent(before)))
    with pytest.raises(ConfigError, match="set max_calls instead"):
        await limiter.enter(bound, Meter())


async def test_two_limiters_on_one_budget_wait_for_each_other() -> None:
    budget = Budget(max_cost=1.0)
    one, other = (limiter_with(ceiling=8, budget=budget) for _ in range(2))
    bound = UpperBound(cost=0.9)
    await one.enter(bound, Meter())
    waiting = asyncio.create_task(other.enter(bound, Meter()))
    await asyncio.sleep(0)
    assert not waiting.done()
    one.leave(bound, spent(0.05), None)
    await asyncio.wait_for(waiting, 5)


async def test_a_closed_limiter_lets_through_only_what_is_begun() -> None:
    limiter = limiter_with(ceiling=8)
    prediction = Meter()
    await limiter.enter(UpperBound(), Meter(prediction))
    limiter.close()
    await limiter.enter(UpperBound(), Meter(prediction))  # a retry, a re-ask or a second look
    with pytest.raises(BudgetError, match="being stopped"):
        await limiter.enter(UpperBound(), Meter())


async def test_closing_wakes_who_waits() -> None:
    limiter = limiter_with(ceiling=1)
    await limiter.enter(UpperBound(), Meter())
    waiting = asyncio.create_task(limiter.enter(UpperBound(), Meter()))
    await asyncio.sleep(0)
    limiter.close()
    with pytest.raises(BudgetError):
        await asyncio.wait_for(waiting, 5)


SPENT = Usage(calls=5, prompt_tokens=500, completion_tokens=50, cost=0.5)


@pytest.mark.parametrize(
    ("accounted", "beyond"),
    [
        pytest.param(SPENT, Usage(), id="all"),
        pytest.param(
            Usage(calls=3, prompt_tokens=300, completion_tokens=30, cost=0.25),
            Usage(calls=2, prompt_tokens=200, completion_tokens=20, cost=0.25),
            id="not all",
        ),
        pytest.param(Usage(calls=9, cost=1.0), Usage(), id="more, past the limiter"),
        pytest.param(
            Usage(calls=4, prompt_tokens=500, completion_tokens=50, cost=None),
            Usage(calls=1, cost=None),
            id="cost not known",
        ),
    ],
)
def test_a_budget_tells_what_is_not_accounted_for(accounted: Usage, beyond: Usage) -> None:
    assert Budget(spent=SPENT).beyond(accounted) == beyond


async def test_hundreds_of_attempts_pass_and_none_is_forgotten() -> None:
    limiter = limiter_with(ceiling=5)
    inside = most = 0

    async def attempt(number: int) -> None:
        nonlocal inside, most
        await limiter.enter(UpperBound(), Meter())
        inside += 1
        most = max(most, inside)
        try:
            await asyncio.sleep(0)
        finally:
            inside -= 1
            limiter.leave(UpperBound(), spent(), BUSY if number % 7 == 0 else None)

    tasks = [asyncio.create_task(attempt(number)) for number in range(300)]
    await asyncio.sleep(0)
    for number, task in enumerate(tasks):
        if number % 11 == 3:
            task.cancel()
    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    assert sum(isinstance(outcome, BaseException) for outcome in ended) > 20
    assert {type(outcome) for outcome in ended} == {type(None), asyncio.CancelledError}
    assert (limiter.on_wire, inside) == (0, 0)
    assert most <= 5
