"""Vendor exceptions in our words: every class of litellm's and aiohttp's is in `MEANINGS`.

Classes are known by name, so that nothing here imports litellm; the name of a base class stands
for its subclasses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

from mmrare_judge.backends.headers import response_headers, retry_after
from mmrare_judge.backends.secrecy import redact
from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    FormatError,
    MMRareJudgeError,
    TransportError,
    TruncatedError,
)

Meaning = Literal[
    "rate_limit",
    "server_error",
    "timeout",
    "connection",
    "status",
    "key",
    "permission",
    "quota",
    "provider",
    "model",
    "request",
    "content_filter",
    "context_window",
    "format",
]

MEANINGS: Mapping[str, Meaning] = {
    # the wire, and the machine at its other end
    "RateLimitError": "rate_limit",
    "InternalServerError": "server_error",
    "ServiceUnavailableError": "server_error",
    "BadGatewayError": "server_error",
    "MidStreamFallbackError": "server_error",
    "APIResponseValidationError": "server_error",
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "APIConnectionError": "connection",
    "ConnectionError": "connection",
    "TransportError": "connection",
    "ClientError": "connection",
    # a status, or none, decides
    "APIError": "status",
    "OpenAIError": "status",
    "MockException": "status",
    # the caller's to mend
    "AuthenticationError": "key",
    "PermissionDeniedError": "permission",
    "PaymentRequiredError": "quota",
    "BudgetExceededError": "quota",
    "NotFoundError": "model",
    "InvalidURL": "model",
    "LiteLLMUnknownProvider": "provider",
    "ModelNotMappedError": "provider",
    "BadRequestError": "request",
    "InvalidRequestError": "request",
    "UnprocessableEntityError": "request",
    "UnsupportedParamsError": "request",
    "ImageFetchError": "request",
    "VectorStoreSearchError": "request",
    "SensitiveDataRouteException": "request",
    # this item is not graded
    "ContentPolicyViolationError": "content_filter",
    "RejectedRequestError": "content_filter",
    "GuardrailRaisedException": "content_filter",
    "GuardrailInterventionNormalStringError": "content_filter",  # until litellm 1.84
    "BlockedPiiEntityError": "content_filter",
    "ModifyResponseException": "content_filter",
    "ContextWindowExceededError": "context_window",
    "JSONSchemaValidationError": "format",
}

_BY_STATUS: Mapping[int, Meaning] = {
    400: "request",
    401: "key",
    402: "quota",
    403: "permission",
    404: "model",
    408: "timeout",
    409: "server_error",
    413: "context_window",
    422: "request",
    425: "server_error",
    429: "rate_limit",
    504: "timeout",
}

_BY_CODE: Mapping[str, Meaning] = {
    "insufficient_quota": "quota",
    "context_length_exceeded": "context_window",
    "exceed_context_size_error": "context_window",
    "content_policy_violation": "content_filter",
    "content_filter": "content_filter",
}

# Told by the text, because the class and the status say something else.
_BY_TEXT: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    (re.compile(r"maximum context length|than the model.s context length"), "context_window"),
    (re.compile("insufficient_quota"), "quota"),
    (re.compile("LLM Provider NOT provided"), "provider"),
    (re.compile("Missing credentials|api_key client option must be set"), "key"),
)
_LOST = "Connection error"  # a server error in litellm's words, although no server answered

_MEND: Mapping[Meaning, str] = {
    "key": "the endpoint of {model} wants another key. {keys}",
    "permission": "this key may not use {model}. {keys}",
    "quota": "the account that pays for {model} has no quota left; see the provider's billing page",
    "provider": (
        "model {model!r} names no provider that is known; write provider/model as litellm does, "
        "e.g. openai/gpt-5-mini"
    ),
    "model": (
        "the endpoint has no model {model!r}; check the name, and the address if it is an "
        "endpoint of your own (api_base mostly ends in /v1)"
    ),
    "request": (
        "the endpoint of {model} refuses the request; take back the setting it names "
        "(temperature, seed, max_tokens, extra), or set mode to json if it is the reply format"
    ),
}

_LONGEST = 400  # characters of a vendor's message that are kept
_NOISE = re.compile(r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout):\s*")


def as_fault(
    error: BaseException,
    *,
    model: str,
    keys: str = "Set api_key, or the provider's environment variable.",
    secrets: Iterable[str] = (),
) -> MMRareJudgeError:
    """The exception of this package that says what a vendor's exception means.

    Args:
        error: What a vendor's library raised; one of ours is returned as it is.
        model: The model that was asked, for the message.
        keys: What to say about keys where one is missing or refused.
        secrets: Texts that must not appear in the message.

    >>> as_fault(TimeoutError(), model="ollama/qwen3:8b")
    TransportError('ollama/qwen3:8b: no answer in time')
    """
    if isinstance(error, MMRareJudgeError):
        return error
    detail = redact(_detail(error), secrets)[:_LONGEST]
    meaning = meaning_of(error)
    if meaning in _MEND:
        sentence = _MEND[meaning].format(model=model, keys=keys).rstrip(".")
        return ConfigError(f"{sentence}. It said: {detail}" if detail else sentence)
    return _UNSCORED[meaning](f"{model}: {detail or _plain(meaning)}", error)


def meaning_of(error: BaseException) -> Meaning:
    """What kind of fault an exception is; one that nobody knows is a server error."""
    codes = [code for code in _codes(error) if code in _BY_CODE]
    if codes:
        return _BY_CODE[codes[0]]
    text = str(error)
    for pattern, meaning in _BY_TEXT:
        if pattern.search(text):
            return meaning
    names = [base.__name__ for base in type(error).__mro__ if base.__name__ in MEANINGS]
    known = MEANINGS[names[0]] if names else "status"
    if known == "server_error" and _LOST in text and not response_headers(error):
        return "connection"
    return _meaning_of_status(error) if known == "status" else known


def _transport(kind: Meaning) -> Callable[[str, BaseException], MMRareJudgeError]:
    def fault(message: str, error: BaseException) -> MMRareJudgeError:
        wait = retry_after(response_headers(error), datetime.now(UTC))
        return TransportError(message, kind=kind, retry_after=wait)

    return fault


_UNSCORED: Mapping[Meaning, Callable[[str, BaseException], MMRareJudgeError]] = {
    "rate_limit": _transport("rate_limit"),
    "server_error": _transport("server_error"),
    "timeout": _transport("timeout"),
    "connection": _transport("connection"),
    "content_filter": lambda message, _: ContentFilterError(message),
    "context_window": lambda message, _: TruncatedError(
        f"the prompt does not fit the context window; {message}"
    ),
    "format": lambda message, _: FormatError(message),
}


def _meaning_of_status(error: BaseException) -> Meaning:
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return "server_error"
    if 300 <= status < 400:  # it has moved, and nothing is sent where nobody asked for
        return "model"
    return _BY_STATUS.get(status, "request" if 400 <= status < 500 else "server_error")


def _plain(meaning: Meaning) -> str:
    return {"timeout": "no answer in time", "connection": "the connection was lost"}.get(
        meaning, meaning.replace("_", " ")
    )


def _codes(error: BaseException) -> tuple[str, ...]:
    body = getattr(error, "body", None)
    return (str(body.get("code")), str(body.get("type"))) if isinstance(body, Mapping) else ()


def _detail(error: BaseException) -> str:
    """The vendor's own words, without the class names that litellm puts in front, often twice."""
    text = str(error).partition("\nTraceback (most recent")[0].strip()
    while match := _NOISE.match(text):
        text = text[match.end() :]
    return text
