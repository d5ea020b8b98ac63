"""Identical requests at the same time are bought once."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from mmrare_judge import Grade, Judge
from mmrare_judge.backends.base import Meter, Reply, Request, Usage
from support.makers import keys_of, make_item, small_rubric

PLAN = "Start prednisone 40 mg daily."
ANSWER = {"reasoning": "r", "quotes": ["prednisone"], "level": "YES"}


class Slow:
    """Takes its time; says that it was asked, so that a second one can come meanwhile."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = threading.Event()

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Answer every key alike."""
        self.calls += 1
        self.asked.set()
        await asyncio.sleep(0.3)
        meter.add(Usage(calls=1))
        reply = request.reply_model.model_validate(dict.fromkeys(keys_of(request), ANSWER))
        return Reply(text=reply.model_dump_json(), usage=meter.usage)


def judge_with(backend: Slow, cache: Path | str) -> Judge:
    return Judge("fake/model", backend=backend, cache=cache, rubric=small_rubric())


async def test_in_one_event_loop_the_second_one_shares_the_first_reply() -> None:
    backend = Slow()
    judge = judge_with(backend, "off")
    grades = await asyncio.gather(*(judge.agrade(PLAN, make_item()) for _ in range(3)))
    assert backend.calls == 1
    assert sorted(grade.usage.calls for grade in grades) == [0, 0, 1]
    assert {grade.score for grade in grades} == {1.0}


async def test_who_waits_sends_it_again_when_the_first_is_cancelled() -> None:
    backend = Slow()
    judge = judge_with(backend, "off")
    first = asyncio.create_task(judge.agrade(PLAN, make_item()))
    second = asyncio.create_task(judge.agrade(PLAN, make_item()))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second).score == 1.0
    assert backend.calls == 2


def test_two_event_loops_of_one_process_with_one_cache_buy_a_reply_once(tmp_path: Path) -> None:
    """Locks of the operating system belong to the process, which would get them twice."""
    backend, grades = Slow(), list[Grade]()

    def work() -> None:
        judge = judge_with(backend, tmp_path)
        grades.append(asyncio.run(judge.agrade(PLAN, make_item())))

    threads = [threading.Thread(target=work) for _ in range(2)]
    threads[0].start()
    backend.asked.wait(timeout=10)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert backend.calls == 1
    assert sorted(grade.usage.calls for grade in grades) == [0, 1]
