import asyncio
import threading

import pytest

from mmrare_judge.judging.judge import run_sync


async def _double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_a_coroutine_runs_from_a_plain_script() -> None:
    assert run_sync(_double(4)) == 8


async def test_a_coroutine_runs_inside_a_running_loop() -> None:
    assert run_sync(_double(4)) == 8


def test_all_calls_share_one_thread() -> None:
    async def thread() -> int:
        return threading.get_ident()

    assert run_sync(thread()) == run_sync(thread()) != threading.get_ident()


def test_an_exception_reaches_the_caller() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_sync(fail())
