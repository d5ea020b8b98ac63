"""Few requests are prepared at a time, and nothing keeps the others waiting for long."""

import asyncio
from collections.abc import Callable

import pytest

from mmrare_judge.backends import litellm as doorway
from mmrare_judge.backends.litellm import Doorway


async def _prepare(door: Doorway, log: list[str], name: str, *, tell: bool = True) -> None:
    async with door.passed():
        log.append(f"{name} in")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.append(f"{name} ready")
        if tell:
            door.leave()
        await asyncio.sleep(0.01)
        log.append(f"{name} answered")


def _logged(
    work: Callable[[Doorway, list[str]], list[asyncio.Task[None]]], width: int
) -> list[str]:
    log: list[str] = []

    async def all_of_it() -> None:
        await asyncio.gather(*work(Doorway(width), log), return_exceptions=True)

    asyncio.run(all_of_it())
    return log


def test_the_next_is_prepared_when_the_one_before_is_ready_and_not_yet_answered() -> None:
    def two(door: Doorway, log: list[str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_prepare(door, log, name)) for name in "ab"]

    assert _logged(two, 1)[:4] == ["a in", "a ready", "b in", "b ready"]
    assert _logged(two, 2)[:4] == ["a in", "b in", "a ready", "b ready"]


def test_one_that_never_tells_that_it_is_ready_leaves_after_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doorway, "_LONGEST_STAY", 0.001)

    def two(door: Doorway, log: list[str]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_prepare(door, log, name, tell=False)) for name in "ab"]

    assert _logged(two, 1)[:3] == ["a in", "a ready", "b in"]


def test_one_that_fails_or_is_cancelled_makes_room_once() -> None:
    async def fail(door: Doorway) -> None:
        async with door.passed():
            door.leave()
            raise RuntimeError("refused")

    def three(door: Doorway, log: list[str]) -> list[asyncio.Task[None]]:
        waiting = asyncio.create_task(_prepare(door, log, "c"))
        tasks = [asyncio.create_task(fail(door)), waiting]
        tasks += [asyncio.create_task(_prepare(door, log, name)) for name in "ab"]
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


def test_leaving_outside_of_any_doorway_does_nothing() -> None:
    Doorway(1).leave()
