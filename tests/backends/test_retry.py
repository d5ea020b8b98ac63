from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.backends.retry import Backoff, with_retries
from mmrare_judge.errors import ConfigError, MMRareJudgeError, TransportError, TruncatedError


class Waits:
    """Backoff that notes how long it would have slept."""

    def __init__(self, *, base: float = 1.0, cap: float = 60.0, patience: float = 300.0) -> None:
        self.seconds: list[float] = []
        self.backoff = Backoff(base=base, cap=cap, patience=patience, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


def failing(*errors: Exception) -> tuple[Callable[[int], Awaitable[str]], list[int]]:
    """An attempt that raises these in turn and then works, and the numbers it was given."""
    waiting, numbers = list(errors), []

    async def attempt(number: int) -> str:
        numbers.append(number)
        if waiting:
            raise waiting.pop(0)
        return "done"

    return attempt, numbers


async def test_an_attempt_that_works_is_made_once_and_nothing_is_waited_for() -> None:
    attempt, numbers = failing()
    waits = Waits()
    assert await with_retries(attempt, retries=5, backoff=waits.backoff) == "done"
    assert (numbers, waits.seconds) == ([0], [])


async def test_transport_faults_are_repeated_and_the_attempts_numbered() -> None:
    attempt, numbers = failing(TransportError("a"), TransportError("b"), TransportError("c"))
    waits = Waits()
    assert await with_retries(attempt, retries=5, backoff=waits.backoff) == "done"
    assert numbers == [0, 1, 2, 3]
    assert len(waits.seconds) == 3


@pytest.mark.parametrize("retries", [0, 1, 2, 5], ids=str)
async def test_the_last_fault_is_raised_when_the_repeats_are_used_up(retries: int) -> None:
    attempt, numbers = failing(*(TransportError(str(n)) for n in range(9)))
    with pytest.raises(TransportError, match=f"^{retries}$"):
        await with_retries(attempt, retries=retries, backoff=Waits().backoff)
    assert numbers == list(range(retries + 1))


@pytest.mark.parametrize(
    "error",
    [ConfigError("key"), TruncatedError("cut"), KeyError("bug")],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
async def test_other_errors_are_raised_at_once(error: Exception, before: int) -> None:
    attempt, numbers = failing(*(TransportError("x") for _ in range(before)), error)
    with pytest.raises(type(error)):
        await with_retries(attempt, retries=5, backoff=Waits().backoff)
    assert len(numbers) == before + 1


async def test_a_provider_that_says_how_long_to_wait_is_given_that_and_at_most_a_second() -> None:
    attempt, _ = failing(TransportError("slow down", retry_after=7.0))
    waits = Waits(base=1.0)
    await with_retries(attempt, retries=1, backoff=waits.backoff)
    assert 7.0 <= waits.seconds[0] <= 8.0


async def test_a_provider_that_asks_for_more_than_our_patience_is_not_asked_again() -> None:
    attempt, numbers = failing(TransportError("come back tomorrow", retry_after=86_400))
    waits = Waits(patience=300)
    with pytest.raises(TransportError, match="tomorrow"):
        await with_retries(attempt, retries=5, backoff=waits.backoff)
    assert (numbers, waits.seconds) == ([0], [])


@given(repeat=st.integers(1, 5000), base=st.floats(0, 10), cap=st.floats(0, 100))
def test_a_drawn_wait_never_exceeds_the_doubling_limit_nor_the_cap(
    repeat: int, base: float, cap: float
) -> None:
    wait = Backoff(base=base, cap=cap).seconds(repeat, TransportError("x"))
    # Doubling 40 times passes any cap drawn here, unless the base is next to nothing.
    assert 0 <= wait <= cap
    assert wait <= base * 2 ** min(repeat - 1, 200)


def test_waits_are_spread_over_the_whole_range_from_zero() -> None:
    """Full jitter: with a limit of 8 s, a thousand draws reach both ends of 0 to 8."""
    drawn = [Backoff(base=1).seconds(4, TransportError("x")) for _ in range(1000)]
    assert min(drawn) < 0.5
    assert max(drawn) > 7.5
    assert sum(drawn) / 1000 == pytest.approx(4.0, abs=0.4)  # mean of an even draw from 0 to 8


async def test_cancelling_while_waiting_ends_the_repeats() -> None:
    attempt, numbers = failing(*(TransportError("x") for _ in range(9)))
    task = asyncio.ensure_future(with_retries(attempt, retries=5, backoff=Backoff(base=1e6)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert numbers == [0]


def test_only_transport_faults_are_worth_a_repeat() -> None:
    assert not Backoff().worthwhile(MMRareJudgeError("x"))
    assert Backoff().worthwhile(TransportError("x"))
