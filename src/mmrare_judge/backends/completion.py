"""A chat completion read from an endpoint's bytes, shaped like the openai SDK's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from mmrare_judge.errors import TransportError


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
    """The function a model calls, with its arguments as JSON text."""

    name: str = ""
    arguments: str | None = None


class ToolCall(_Part):
    """One call of a function."""

    id: str | None = None
    type: str = "function"
    function: Function


class Message(_Part):
    """What a model said."""

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(_Part):
    """One answer, and why it ended."""

    message: Message
    finish_reason: str | None = None
    logprobs: Any = None


class Counts(_Part):
    """How many tokens were read and written."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Completion(_Part):
    """A whole answer of an endpoint, or the error that came in its place."""

    choices: list[Choice] | None = None
    model: str | None = None
    usage: Counts | None = None
    error: Any = None


def completion(status: int, headers: Mapping[str, str], body: bytes) -> Completion:
    """The completion in an answer.

    Raises:
        EndpointError: The answer is an error, by its status or by what it says.
        TransportError: It is no completion: not JSON, cut off, another object.

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
        first = error.errors(include_input=False, include_url=False)[0]
        raise TransportError(
            f"the endpoint's answer is no chat completion: {first['msg']}", kind="server_error"
        ) from None
    if answer.error and not answer.choices:
        raise EndpointError(_code_of(answer.error), headers, answer.error)
    return answer


def _error_in(body: bytes) -> Any:
    """The error object of an answer; else the object itself, else its text."""
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
