"""The one door to instructor: a conversation goes on until the reply has the asked-for structure.

The first reply is already there, and wrong. instructor is given it as if it had asked for it, so
that it says in its own way what is wrong with it; from then on it asks through our function.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mmrare_judge.backends.answer import checked
from mmrare_judge.backends.base import Request
from mmrare_judge.backends.payload import WireMode
from mmrare_judge.errors import MMRareJudgeError

Send = Callable[[list[Any]], Awaitable[Any]]
"""Sends messages, and returns the response as litellm gives it."""


async def reask(
    send: Send, first: Any, request: Request, mode: WireMode, *, times: int
) -> Exception | None:
    """Let instructor re-ask at most so many times.

    Args:
        send: Sends one re-ask.
        first: The response that is wrong.
        request: What it is the response to.
        mode: How structure was asked for.
        times: Re-asks, at most.

    Returns:
        What is wrong with the last reply; ``None`` if it satisfies the reply model.

    Raises:
        MMRareJudgeError: What ``send`` raised.
    """
    import instructor  # noqa: TID251
    from instructor.core import InstructorError, InstructorRetryException  # noqa: TID251

    _quiet()
    waiting = [first]

    async def ask(*, messages: list[Any], **_: Any) -> Any:
        # Our own payload is sent, not instructor's: the same as for the first attempt.
        return _one_call(waiting.pop() if waiting else await send(_spoken(messages)))

    # JSON_SCHEMA is the mode that leaves the messages as they are and parses the whole content;
    # `checked` is what finds the object in it.
    how = instructor.Mode.TOOLS if mode == "tools" else instructor.Mode.JSON_SCHEMA
    client: Any = instructor.from_litellm(ask, mode=how, async_client=True)
    try:
        await client.create(
            messages=[dict(message) for message in request.messages],
            response_model=checked(request.reply_model),
            max_retries=times,
        )
    except InstructorRetryException as error:
        cause = error.__cause__
        if isinstance(cause, MMRareJudgeError):
            raise cause from cause.__cause__
        return cause if isinstance(cause, Exception) else error
    except InstructorError as error:  # it could do nothing with the reply
        return error
    return None


def _spoken(messages: list[Any]) -> list[Any]:
    """Messages that say something: providers refuse an assistant's turn without content."""
    return [m for m in messages if m.get("content") or m.get("tool_calls")]


def _one_call(response: Any) -> Any:
    """A response with several tool calls is one without any: instructor would take the first."""
    message = response.choices[0].message
    if len(message.tool_calls or []) > 1:
        message.tool_calls = None
    return response


def _quiet() -> None:
    # It logs what it re-asks as errors, with the reply, which is clinical text. Without a handler
    # of its own, Python would print that on stderr; who wants it can still configure logging.
    logger = logging.getLogger("instructor")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
