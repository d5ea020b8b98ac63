"""Few requests are prepared at a time, and nothing keeps the others waiting for long."""

import asyncio
from collections.abc import Callable

from mmrare_judge.backends.litellm import PreparationLimit


async def _prepare(
    limit: PreparationLimit, log: list[str], name: str, *, tell: bool = True
) -> None:
    async with limit.held():
        log.append(f"{name} in")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append(f"{name} ready")
        if tell:
            limit.release()
        await asyncio.sleep(0.01)
        log.append(f"{name} answered")


def _logged(
    work: Callable[[PreparationLimit, list[str]], list[asyncio.Task[None]]],
    width: int,
    **options: float,
) -> list[str]:
    log: list[str] = []

    async def all_of_it() -> None:
        await asyncio.gather(*work(PreparationLimit(width, **options), log), return_exceptions=True)

    asyncio.run(all_of_it())
    return log


def test_the_next_is_prepared_when_the_one_before_is_ready_and_not_yet_answered() -> None:
    def two(limit: PreparationLimit, log: list[str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_prepare(limit, log, name)) for name in "ab"]

    assert _logged(two, 1)[:4] == ["a in", "a ready", "b in", "b ready"]
    assert _logged(two, 2)[:4] == ["a in", "b in", "a ready", "b ready"]


def test_one_that_never_tells_that_it_is_ready_makes_room_after_a_moment() -> None:
    def two(limit: PreparationLimit, log: list[str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_prepare(limit, log, name, tell=False)) for name in "ab"]

    assert _logged(two, 1, longest=0.001)[:3] == ["a in", "a ready", "b in"]


def test_one_that_fails_or_is_cancelled_makes_room_once() -> None:
    async def fail(limit: PreparationLimit) -> None:
        async with limit.held():
            limit.release()
            raise RuntimeError("refused")

    def three(limit: PreparationLimit, log: list[str]) -> list[asyncio.Task[None]]:
        waiting = asyncio.create_task(_prepare(limit, log, "c"))
        tasks = [asyncio.create_task(fail(limit)), waiting]
        tasks += [asyncio.create_task(_prepare(limit, log, name)) for name in "ab"]
        asyncio.get_running_loop().call_soon(waiting.cancel)
        return tasks

    log = _logged(three, 1)
    # Had either made room twice, b would have been let in before a was ready.
    assert [entry for entry in log if entry[0] in "ab"][:4] == [
        "a in",
        "a ready",
        "b in",
        "b ready",
    ]


def test_releasing_what_is_not_held_does_nothing() -> None:
    PreparationLimit(1).release()
