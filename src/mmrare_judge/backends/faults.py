"""Vendor exceptions in our words: what happened, and what the caller can do about it.

`as_fault` finds the `FaultKind` of a vendor's exception and makes one of `mmrare_judge.errors` of
it, with keys blanked out (`redact`) and with what to do where it is the caller's to mend.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    FormatError,
    MMRareJudgeError,
    TransportError,
    TruncatedError,
)

# --- Headers of an HTTP error


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a server asks to wait, from ``retry-after-ms`` or ``retry-after``.

    >>> retry_after({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"},
    ...             datetime(2026, 10, 21, 7, 27, 30, tzinfo=UTC))
    30.0
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        if re.fullmatch(r"\d+(\.\d+)?", lower.get(name, "")):
            return float(lower[name]) / unit
    try:
        date = parsedate_to_datetime(lower.get("retry-after", ""))
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def response_headers(error: BaseException) -> dict[str, str]:
    """The headers of the answer that an exception stands for; empty where none came."""
    for headers in (
        getattr(getattr(error, "response", None), "headers", None),
        getattr(error, "litellm_response_headers", None),
        getattr(error, "headers", None),
    ):
        if headers:
            return {str(name).lower(): str(value) for name, value in dict(headers).items()}
    return {}


# --- Kinds of faults

FaultKind = Literal[
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
    "length",
    "format",
]

# Every class of litellm, openai and aiohttp is here. Classes are known by name, so that nothing
# here imports litellm; the name of a base class stands for its subclasses.
KINDS: Mapping[str, FaultKind] = {
    # the connection, and the machine at its other end
    "RateLimitError": "rate_limit",
    "InternalServerError": "server_error",
    "ServiceUnavailableError": "server_error",
    "BadGatewayError": "server_error",
    "MidStreamFallbackError": "server_error",
    "ConflictError": "server_error",
    "APIResponseValidationError": "server_error",
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "ServerTimeoutError": "timeout",
    "APIConnectionError": "connection",
    "ConnectionError": "connection",
    "TransportError": "connection",
    "ClientError": "connection",
    "HttpProcessingError": "connection",
    # a status, or none, decides
    "APIError": "status",
    "APIStatusError": "status",
    "OpenAIError": "status",
    "MockException": "status",
    # the caller's to mend
    "AuthenticationError": "key",
    "OAuthError": "key",
    "PermissionDeniedError": "permission",
    "PaymentRequiredError": "quota",
    "BudgetExceededError": "quota",
    "NotFoundError": "model",
    "InvalidURL": "model",
    "NonHttpUrlClientError": "model",
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
    "ContentFilterFinishReasonError": "content_filter",
    "ContextWindowExceededError": "context_window",
    "LengthFinishReasonError": "length",
    "JSONSchemaValidationError": "format",
}

_BY_STATUS: Mapping[int, FaultKind] = {
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

_BY_CODE: Mapping[str, FaultKind] = {
    "insufficient_quota": "quota",
    "context_length_exceeded": "context_window",
    "exceed_context_size_error": "context_window",
    "content_policy_violation": "content_filter",
    "content_filter": "content_filter",
}

# Told by the text, because the class and the status say something else.
_BY_TEXT: tuple[tuple[re.Pattern[str], FaultKind], ...] = (
    (re.compile(r"maximum context length|than the model.s context length"), "context_window"),
    (re.compile("insufficient_quota"), "quota"),
    (re.compile("LLM Provider NOT provided"), "provider"),
    (re.compile("Missing credentials|api_key client option must be set"), "key"),
    (re.compile("Cannot combine AUTHORIZATION header"), "key"),  # with a password in the address
)
# A server error in litellm's words, although no server answered, or not to the end.
_LOST = re.compile("Connection error|payload is not completed")


def kind_of(error: BaseException) -> FaultKind:
    """The kind of fault an exception is; an unknown one is a server error."""
    codes = [code for code in _codes(error) if code in _BY_CODE]
    if codes:
        return _BY_CODE[codes[0]]
    text = str(error)
    for pattern, kind in _BY_TEXT:
        if pattern.search(text):
            return kind
    names = [base.__name__ for base in type(error).__mro__ if base.__name__ in KINDS]
    known = KINDS[names[0]] if names else "status"
    if known == "server_error" and _LOST.search(text) and not response_headers(error):
        return "connection"
    return _kind_by_status(error) if known == "status" else known


def _kind_by_status(error: BaseException) -> FaultKind:
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return "server_error"
    if 300 <= status < 400:  # it has moved, and nothing is sent where nobody asked for
        return "model"
    return _BY_STATUS.get(status, "request" if 400 <= status < 500 else "server_error")


def _codes(error: BaseException) -> tuple[str, ...]:
    """Code and type of the endpoint's error object; litellm may have it in an inner exception."""
    link: BaseException | None = error
    while link is not None:
        body = getattr(link, "body", None)
        if isinstance(body, Mapping):
            return str(body.get("code")), str(body.get("type"))
        link = link.__cause__ or link.__context__
    return ()


# --- Keys are kept out of messages

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:API)?(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE
)
# Not a number, a path or a word: `MAX_TOKEN=100000` and `SORT_KEY=severity` hide nothing.
_SECRET_VALUE = re.compile(r"(?![\d.,_]+$|[A-Za-z]{1,15}$|~?/).{8,}", re.DOTALL)
_SECRET_SHAPE = re.compile(r"\b(?:sk|pk|key|hf|gsk|xai)[-_][\w*.-]{6,}|Bearer\s+\S+", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Blank out keys: the given ones, those in the environment, and what looks like one.

    >>> redact("Incorrect API key provided: sk-abcdef123456")
    'Incorrect API key provided: ***'
    """
    for secret in (*secrets, *_secrets_in_environment()):
        if len(secret) >= 6:  # a shorter one would blank out ordinary words
            text = text.replace(secret, "***")
    return _SECRET_SHAPE.sub("***", text)


def _secrets_in_environment() -> Iterator[str]:
    """Values of variables whose name ends like a secret's, and that look like one."""
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name) and _SECRET_VALUE.match(value):
            yield value


def hidden_in(address: str) -> tuple[str, ...]:
    """What in an address must not be shown: its password, and the values of its query.

    >>> hidden_in("http://me:swordfish@gpu1:8000/v1?key=open-sesame")
    ('swordfish', 'open-sesame')
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # not an address, which is said where it is asked
        return ()
    password = (parts.password,) if parts.password else ()
    return (*password, *(value for _, value in parse_qsl(parts.query)))


def presentable(error: BaseException, secrets: Iterable[str] = ()) -> BaseException | None:
    """The exception itself, to chain from, unless a key stands in it or in what caused it."""
    secrets = tuple(secrets)
    link: BaseException | None = error
    while link is not None:
        if redact(str(link), secrets) != str(link):
            return None
        link = link.__cause__ or link.__context__
    return error


def public_endpoint(address: str | None) -> str | None:
    """An address without user name, password and query, fit to be printed.

    >>> public_endpoint("http://me:secret@gpu1:8000/v1?key=1")
    'http://gpu1:8000/v1'
    """
    if address is None:
        return None
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


_REMEDIES: Mapping[FaultKind, str] = {
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
        "(temperature, seed, max_tokens, confidence, extra), or set mode to json if it is the "
        "reply format"
    ),
}

_NO_KEY = "there is no key for {model} that could be sent. {keys}"
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
    kind = kind_of(error)
    if kind in _REMEDIES:
        remedy = _NO_KEY if kind == "key" and not response_headers(error) else _REMEDIES[kind]
        sentence = remedy.format(model=model, keys=keys).rstrip(".")
        return ConfigError(f"{sentence}. It said: {detail}" if detail else sentence)
    return _UNSCORED[kind](f"{model}: {detail or _plain(kind)}", error)


def _transport(kind: FaultKind) -> Callable[[str, BaseException], MMRareJudgeError]:
    def fault(message: str, error: BaseException) -> MMRareJudgeError:
        wait = retry_after(response_headers(error), datetime.now(UTC))
        return TransportError(message, kind=kind, retry_after=wait)

    return fault


_UNSCORED: Mapping[FaultKind, Callable[[str, BaseException], MMRareJudgeError]] = {
    "rate_limit": _transport("rate_limit"),
    "server_error": _transport("server_error"),
    "timeout": _transport("timeout"),
    "connection": _transport("connection"),
    "content_filter": lambda message, _: ContentFilterError(message),
    "context_window": lambda message, _: TruncatedError(
        f"the prompt does not fit the context window; {message}"
    ),
    "length": lambda message, _: TruncatedError(message),
    "format": lambda message, _: FormatError(message),
}


def _plain(kind: FaultKind) -> str:
    return {"timeout": "no answer in time", "connection": "the connection was lost"}.get(
        kind, kind.replace("_", " ")
    )


def _detail(error: BaseException) -> str:
    """The vendor's own words, without the class names that litellm puts in front, often twice."""
    text = str(error).partition("\nTraceback (most recent")[0].strip()
    while match := _NOISE.match(text):
        text = text[match.end() :]
    return " ".join(text.split())
