"""`FakeBackend`: a judge without a model, for tests of code that grades."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mmrare_judge.backends.base import Meter, Reply, Request, Usage
from mmrare_judge.errors import FormatError

ScriptedReply = str | Mapping[str, Any] | BaseModel | Reply | Exception
"""A reply as JSON text, as a value to be dumped, or ready-made; an exception is raised."""


class FakeBackend:
    """A backend that gives the replies it was told to give.

    As with a real backend, a reply that does not satisfy the request's reply model is a
    `FormatError`, and every request counts as one call, which costs nothing.

    Args:
        replies: Answers in the order of the requests, or a function from request to answer.

    Attributes:
        requests: Every request so far.

    >>> import asyncio
    >>> class Agreed(BaseModel):
    ...     agreed: bool
    >>> fake = FakeBackend([{"agreed": True}])
    >>> request = Request(model="fake", messages=(), sampling={}, schema={}, reply_model=Agreed)
    >>> asyncio.run(fake.complete(request, Meter())).text
    '{"agreed": true}'
    >>> len(fake.requests)
    1
    """

    def __init__(
        self, replies: Iterable[ScriptedReply] | Callable[[Request], ScriptedReply]
    ) -> None:
        self.requests: list[Request] = []
        self._answer = replies if callable(replies) else _in_order(replies)

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return, or raise, the next answer.

        Raises:
            FormatError: The answer does not satisfy the reply model.
            AssertionError: There are fewer answers than requests.
        """
        self.requests.append(request)
        meter.add(Usage(calls=1))
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        reply = answer if isinstance(answer, Reply) else Reply(text=_text(answer))
        try:
            request.reply_model.model_validate_json(reply.text)
        except ValidationError as error:
            raise FormatError(f"the fake reply is no grading: {error}", raw=reply.text) from error
        return reply


def _in_order(replies: Iterable[ScriptedReply]) -> Callable[[Request], ScriptedReply]:
    waiting = iter(tuple(replies))

    def answer(request: Request) -> ScriptedReply:
        for reply in waiting:
            return reply
        raise AssertionError("the fake backend has no reply left; give it one for each request")

    return answer


def _text(answer: str | Mapping[str, Any] | BaseModel) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, BaseModel):
        return answer.model_dump_json()
    return json.dumps(dict(answer), ensure_ascii=False)
