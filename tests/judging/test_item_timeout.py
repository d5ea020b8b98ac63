"""The time a prediction may take holds for all that is asked about it together."""

from __future__ import annotations

import asyncio
import json

import pytest

from mmrare_judge import Judge
from mmrare_judge.backends.base import Meter, Reply, Request
from support.makers import keys_of, make_item, small_rubric


class Slow:
    """Takes 0.2 seconds; credits quality without a quote, and with one at the second look."""

    def __init__(self) -> None:
        self.calls = 0

    async def complete(self, request: Request, meter: Meter) -> Reply:
        self.calls += 1
        quotes = ["Rest."] if self.calls > 1 else []
        await asyncio.sleep(0.2)
        verdict = {"reasoning": "r", "quotes": quotes, "level": "YES"}
        return Reply(text=json.dumps(dict.fromkeys(keys_of(request), verdict)))


@pytest.mark.parametrize(
    ("item_timeout", "status"),
    [
        pytest.param(10.0, "judged", id="time enough"),
        pytest.param(0.3, "unverified", id="time for one look"),
        pytest.param(0.1, "unscored", id="time for none"),
    ],
)
async def test_a_second_look_gets_the_time_that_is_left(item_timeout: float, status: str) -> None:
    judge = Judge(
        "fake/model",
        backend=Slow(),
        cache="off",
        rubric=small_rubric(),
        item_timeout=item_timeout,
    )
    grade = await judge.agrade("Rest.", make_item())
    assert grade.verdict("quality").status == status
    assert (grade.unscored is not None) == (status == "unscored")
