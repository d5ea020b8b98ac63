from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from mmrare_judge.backends.base import Backend, Meter, Reply, Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.errors import FormatError, RefusalError


class Verdict(BaseModel):
    """The least a judge can say."""

    level: int


def request(model: str = "fake") -> Request:
    return Request(
        model=model,
        messages=({"role": "user", "content": "grade"},),
        sampling={},
        schema=Verdict.model_json_schema(),
        reply_model=Verdict,
    )


@pytest.mark.parametrize(
    "answer",
    ['{"level":1}', {"level": 1}, Verdict(level=1), Reply(text='{"level":1}')],
    ids=["text", "mapping", "model", "reply"],
)
async def test_a_reply_can_be_given_as_text_value_model_or_reply(answer: Any) -> None:
    reply = await FakeBackend([answer]).complete(request(), Meter())
    assert Verdict.model_validate_json(reply.text) == Verdict(level=1)


async def test_replies_come_in_order_and_requests_are_kept() -> None:
    backend = FakeBackend(['{"level": 1}', '{"level": 2}'])
    texts = [(await backend.complete(request(name), Meter())).text for name in "ab"]
    assert texts == ['{"level": 1}', '{"level": 2}']
    assert [asked.model for asked in backend.requests] == ["a", "b"]


async def test_a_function_answers_each_request_by_what_it_asks() -> None:
    backend = FakeBackend(lambda asked: {"level": len(asked.model)})
    assert (await backend.complete(request("four"), Meter())).text == '{"level": 4}'


async def test_an_exception_is_raised_and_the_call_still_counted() -> None:
    meter = Meter()
    with pytest.raises(RefusalError):
        await FakeBackend([RefusalError("no")]).complete(request(), meter)
    assert meter.usage.calls == 1


async def test_a_reply_that_is_no_grading_is_a_format_error_as_with_a_real_backend() -> None:
    with pytest.raises(FormatError) as caught:
        await FakeBackend(['{"level": "high"}']).complete(request(), Meter())
    assert caught.value.raw == '{"level": "high"}'


async def test_running_out_of_replies_says_so() -> None:
    with pytest.raises(AssertionError, match="no reply left"):
        await FakeBackend([]).complete(request(), Meter())


def test_the_fake_is_a_backend() -> None:
    backend: Backend = FakeBackend([])
    assert callable(backend.complete)
