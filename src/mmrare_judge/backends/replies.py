"""What came back: a completion, its text, the JSON object in that, its log probabilities.

`completion` reads bytes, `text_of` the text of a completion, `read_completion` the one JSON object
in that text, `token_records` the log probabilities. Each raises what it finds instead.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, from_json

from mmrare_judge.backends.base import TokenRecord, TokenText
from mmrare_judge.errors import ContentFilterError, RefusalError, TransportError, TruncatedError
from mmrare_judge.records import problem_in

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
        TransportError: The reply has no choice in it, or is a fault of the endpoint in words.
        TruncatedError: It ran into its token limit.
        ContentFilterError: The provider withheld it.
        RefusalError: The model declined: the ``refusal`` field is set, or the text has no brace
            in it and begins as refusals do ("I'm sorry", "I cannot", "Unfortunately I").
    """
    if not response.choices:
        raise TransportError("the endpoint sent a reply without choices", kind="server_error")
    choice = response.choices[0]
    message = choice.message
    text = _content(message)
    if choice.finish_reason == "content_filter":
        raise ContentFilterError("the provider's content filter withheld the reply", raw=text)
    if refusal := _refusal(message):
        raise RefusalError(f"the model declined: {refusal[:200]}", raw=refusal)
    if choice.finish_reason == "length":
        raise TruncatedError("the reply ran into its token limit; raise max_tokens", raw=text)
    if text.strip() and "{" not in text:
        _refuse_prose(text)
    return text


def read_completion(text: str, read: Callable[[str], object]) -> str:
    """The JSON object in a reply, if ``read`` can read it.

    Tolerated around it: a leading block of thinking up to ``</think>``, a code fence, prose. Not
    tolerated: no object or several, a brace that begins none.

    Args:
        text: The reply.
        read: Reads JSON text with the reply model.

    Raises:
        ValidationError: There is not exactly one object, or it does not satisfy the model.

    >>> class Verdict(BaseModel):
    ...     level: int
    >>> read_completion('Here it is: {"level": 1} Good luck!', Verdict.model_validate_json)
    '{"level": 1}'
    """
    body = _only_object(text)
    read(body)
    return body


def checked_completion(model: type[BaseModel], found: list[str]) -> type[BaseModel]:
    """The reply model with `read_completion` for its JSON parser, for instructor to validate with.

    Args:
        model: The reply model.
        found: Gets the text of each reply that is valid.
    """

    class Checked(model):  # type: ignore[misc, valid-type]  # a base class known at run time only
        @classmethod
        def model_validate_json(cls, json_data: str, **_: Any) -> Any:
            text = read_completion(json_data, model.model_validate_json)
            found.append(text)
            return model.model_validate_json(text)

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


# --- A chat completion from an endpoint's bytes, shaped like the openai SDK's own


class EndpointError(Exception):
    """An error that an endpoint reported.

    Attributes:
        status_code: The HTTP status, or the code in an error that came with status 200.
        headers: The headers it came with.
        body: The error object, where there was one.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status_code = status
        self.headers = dict(headers)
        self.body = body if isinstance(body, Mapping) else {}
        super().__init__(str(self.body.get("message") or body or f"status {status}"))


class _Part(BaseModel):
    # instructor edits messages, so they are not frozen; endpoints add fields of their own.
    model_config = ConfigDict(extra="ignore", frozen=False)


class Function(_Part):
    """The function that is called, with its arguments as JSON text."""

    name: str = ""
    arguments: str | None = None


class ToolCall(_Part):
    """One call of a function."""

    id: str | None = None
    type: str = "function"
    function: Function


class ReplyMessage(_Part):
    """What a model said."""

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(_Part):
    """One reply, and why it ended."""

    message: ReplyMessage
    finish_reason: str | None = None
    logprobs: Any = None


class Counts(_Part):
    """How many tokens were read and written."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Completion(_Part):
    """All that an endpoint sent back, or the error that came in its place."""

    choices: list[Choice] | None = None
    model: str | None = None
    usage: Counts | None = None
    error: Any = None


def completion(status: int, headers: Mapping[str, str], body: bytes) -> Completion:
    """The completion in an HTTP response.

    Raises:
        EndpointError: The response is an error, by its status or by what it says.
        TransportError: It is not a completion: not JSON, cut off, another object.

    >>> answer = b'{"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}'
    >>> completion(200, {}, answer).choices[0].message.content
    '{}'
    """
    if 300 <= status < 400:
        target = headers.get("Location", "elsewhere").partition("?")[0]
        raise EndpointError(status, headers, f"go to {target} instead, which is not followed")
    if status != 200:
        raise EndpointError(status, headers, _error_in(body))
    try:
        answer = Completion.model_validate_json(body)
    except ValidationError as error:
        problem = problem_in(error, show_value=False).what
        raise TransportError(
            f"the endpoint's response is not a chat completion: {problem}", kind="server_error"
        ) from None
    if answer.error and not answer.choices:
        raise EndpointError(_code_of(answer.error), headers, answer.error)
    return answer


def _error_in(body: bytes) -> Any:
    """The error object of a response; else the object itself, else its text."""
    try:
        content = from_json(body)
    except ValueError:
        return body[:1000].decode("utf-8", "replace").strip()
    inner = content.get("error") if isinstance(content, Mapping) else None
    return inner or content


def _code_of(error: Any) -> int:
    """The status an error object names, else 500."""
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    return int(code) if code.isdecimal() else 500


# --- The log probabilities of a reply's tokens, as the endpoint gave them

_NEVER = -9999.0
"""What endpoints write where JSON has no minus infinity."""


def token_records(response: Any) -> tuple[TokenRecord, ...] | None:
    """One record a token of the first choice; ``None`` where the endpoint gave none.

    >>> from mmrare_judge.backends.replies import Completion
    >>> token = {"token": "YES", "logprob": -0.1, "top_logprobs": [{"token": "NO", "logprob": -2}]}
    >>> choice = {"message": {"content": "YES"}, "logprobs": {"content": [token]}}
    >>> token_records(Completion.model_validate({"choices": [choice]}))
    (('YES', -0.1, (('NO', -2.0),)),)
    """
    content = _field(_field(response.choices[0], "logprobs"), "content")
    if not content:
        return None
    try:
        return tuple(
            (*_pair(token), tuple(_pair(top) for top in _field(token, "top_logprobs") or ()))
            for token in content
        )
    except (TypeError, ValueError, OverflowError):
        return None  # not in the form that OpenAI has given it: no confidence, the reply holds


def token_text(recorded: TokenText) -> str:
    r"""A recorded token's text; a part of a character is kept by ``surrogateescape``.

    >>> token_text((0xE2, 0x89)) + token_text((0xA5,))
    '\udce2\udc89\udca5'
    """
    if isinstance(recorded, str):
        return recorded
    return bytes(recorded).decode("utf-8", "surrogateescape")


def _pair(token: Any) -> tuple[TokenText, float]:
    logprob = float(_field(token, "logprob"))
    text = _text(str(_field(token, "token")), _field(token, "bytes"))
    return text, logprob if math.isfinite(logprob) else _NEVER


def _text(text: str, given: Iterable[int] | None) -> TokenText:
    """The text, or its bytes where they are a part of a character and no text by themselves."""
    if given is None or (text.isascii() and len(text) == len(list(given))):
        return text
    whole = bytes(list(given))
    try:
        return whole.decode()
    except UnicodeDecodeError:
        return tuple(whole)


def _field(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)
