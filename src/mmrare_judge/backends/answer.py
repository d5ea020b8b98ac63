"""What a model's answer is: a complete JSON object, or one of the ways in which it is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from mmrare_judge.errors import (
    ContentFilterError,
    RefusalError,
    TransportError,
    TruncatedError,
)

# Looked for only in a text that holds no brace, so never in anything that could be a grading.
_DECLINES = re.compile(
    r"\W*(?:i['’]m|i am) (?:very |really |so )?(?:sorry|unable|not able|afraid)\b"
    r"|\W*(?:sorry|unfortunately)\W+i (?:can|could|am|['’]m|must|won)\b"
    r"|\W*i (?:can['’]?t|cannot|can not|won['’]?t|will not|must decline|decline)\b",
    re.IGNORECASE,
)
_FAULT_AS_TEXT = re.compile(
    r"\W*(?:(?:internal )?(?:server )?error\b|failed to obtain answer|rate limit|too many requests"
    r"|bad gateway|service (?:is )?(?:temporarily )?unavailable|upstream |<!doctype html|<html)",
    re.IGNORECASE,
)
_LONGEST_FAULT = 1000  # characters; a longer text without a brace is the model talking


def text_of(response: Any) -> str:
    """The text of a chat completion, or the arguments of its one tool call.

    Raises:
        TransportError: The answer has no choice in it, or is a fault of the endpoint in words.
        TruncatedError: It ran into its token limit.
        ContentFilterError: The provider withheld it.
        RefusalError: The model declined: the ``refusal`` field is set, or the text has no brace
            in it and begins as refusals do ("I'm sorry", "I cannot", "Unfortunately I").
    """
    if not response.choices:
        raise TransportError("the endpoint sent an answer without choices", kind="server_error")
    choice = response.choices[0]
    message = choice.message
    text = _content(message)
    if choice.finish_reason == "content_filter":
        raise ContentFilterError("the provider's content filter withheld the answer", raw=text)
    if refusal := _refusal(message):
        raise RefusalError(f"the model declined: {refusal[:200]}", raw=refusal)
    if choice.finish_reason == "length":
        raise TruncatedError("the answer ran into its token limit; raise max_tokens", raw=text)
    if text.strip() and "{" not in text:
        _refuse_prose(text)
    return text


def read(text: str, model: type[BaseModel]) -> str:
    """The JSON object in a reply, checked against the reply model.

    Tolerated around it: a leading block of thinking up to ``</think>``, a code fence, prose. Not
    tolerated: no object or several, a brace that begins none.

    Raises:
        ValidationError: There is not exactly one object, or it does not satisfy the model.

    >>> class Verdict(BaseModel):
    ...     level: int
    >>> read('Here it is: {"level": 1} Good luck!', Verdict)
    '{"level": 1}'
    """
    body = _only_object(text)
    model.model_validate_json(body)
    return body


def checked(model: type[BaseModel]) -> type[BaseModel]:
    """The reply model with `read` for its JSON parser, for instructor to validate with."""

    class Checked(model):  # type: ignore[misc, valid-type]  # a base class known at run time only
        @classmethod
        def model_validate_json(cls, json_data: str, **_: Any) -> Any:
            return model.model_validate_json(read(json_data, model))

    Checked.__name__ = model.__name__
    return Checked


def _content(message: Any) -> str:
    calls = message.tool_calls or []
    if len(calls) == 1:
        return str(calls[0].function.arguments or "")
    # Several calls would be several gradings; none of them is taken.
    return "" if calls else str(message.content or "")


def _refusal(message: Any) -> str:
    extra = getattr(message, "provider_specific_fields", None) or {}
    return str(getattr(message, "refusal", None) or extra.get("refusal") or "")


def _refuse_prose(text: str) -> None:
    if _DECLINES.match(text):
        raise RefusalError(f"the model declined: {text.strip()[:200]}", raw=text)
    if len(text) <= _LONGEST_FAULT and _FAULT_AS_TEXT.match(text):
        fault = text.strip()[:200]
        raise TransportError(f"the endpoint answered with a fault: {fault}", kind="server_error")


def _only_object(text: str) -> str:
    body = text.strip()
    if not body.startswith("{"):
        body = body.rpartition("</think>")[2].strip()
    if body.startswith("{") and body.endswith("}"):
        return body
    spans = list(_objects(body))
    if len(spans) != 1:
        found = "several JSON objects" if spans else "no JSON object"
        raise _unreadable(f"the reply has {found} in it; answer with one JSON object only", text)
    start, end = spans[0]
    return body[start:end]


def _objects(text: str) -> Iterable[tuple[int, int]]:
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            raise _unreadable(f"the JSON object is broken: {error}", text) from error
        yield start, end
        start = text.find("{", end)


def _unreadable(problem: str, text: str) -> ValidationError:
    error = PydanticCustomError("unreadable", "{problem}", {"problem": problem})
    return ValidationError.from_exception_data(
        "reply", [InitErrorDetails(type=error, input=text)], input_type="json"
    )
