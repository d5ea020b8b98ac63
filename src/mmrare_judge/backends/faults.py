"""Vendor exceptions in our words: what happened, and what the caller can do about it.

`as_fault` finds the `FaultKind` of a vendor's exception and makes one of `mmrare_judge.errors` of
it, with keys blanked out (`redact`) and with what to do where it is the caller's to mend.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit, urlunsplit

from pydantic_core import from_json

from mmrare_judge.backends.replies import Completion, EndpointError
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
    "rate_limit",  # the endpoint's, and passing
    "server_error",
    "timeout",
    "connection",
    "key",  # the user's
    "permission",
    "quota",
    "provider",
    "model",
    "request",  # the user's or the item's: evidence decides
    "content_filter",  # the item's
    "context_window",
    "length",
    "format",
    "status",  # known by its status only
]

# Every class of litellm, openai and aiohttp is here. Classes are known by name, so that nothing
# here imports litellm; the name of a base class stands for its subclasses.
_CLASSES: Mapping[FaultKind, str] = {
    "rate_limit": "RateLimitError",
    "server_error": "InternalServerError ServiceUnavailableError BadGatewayError ConflictError "
    "MidStreamFallbackError APIResponseValidationError",
    "timeout": "Timeout APITimeoutError TimeoutError TimeoutException ServerTimeoutError",
    "connection": "APIConnectionError ConnectionError TransportError ClientError "
    "HttpProcessingError",
    "status": "APIError APIStatusError OpenAIError MockException",
    "key": "AuthenticationError OAuthError",
    "permission": "PermissionDeniedError",
    "quota": "PaymentRequiredError BudgetExceededError",
    "model": "NotFoundError InvalidURL NonHttpUrlClientError",
    "provider": "LiteLLMUnknownProvider ModelNotMappedError",
    "request": "BadRequestError InvalidRequestError UnprocessableEntityError ImageFetchError "
    "UnsupportedParamsError VectorStoreSearchError SensitiveDataRouteException",
    # GuardrailInterventionNormalStringError until litellm 1.84
    "content_filter": "ContentPolicyViolationError RejectedRequestError GuardrailRaisedException "
    "GuardrailInterventionNormalStringError BlockedPiiEntityError ModifyResponseException "
    "ContentFilterFinishReasonError",
    "context_window": "ContextWindowExceededError",
    "length": "LengthFinishReasonError",
    "format": "JSONSchemaValidationError",
}
KINDS: Mapping[str, FaultKind] = {
    name: kind for kind, names in _CLASSES.items() for name in names.split()
}

_STATUSES: Mapping[FaultKind, tuple[int, ...]] = {
    "request": (400, 422),
    "key": (401,),
    "quota": (402,),
    "permission": (403,),
    "model": (404,),
    "context_window": (413,),
    "rate_limit": (420, 429),
    "content_filter": (451,),
    "timeout": (408, 499, 504, 524),
    "server_error": (409, 423, 424, 425, 498),
}
_BY_STATUS: Mapping[int, FaultKind] = {
    status: kind for kind, statuses in _STATUSES.items() for status in statuses
}

# Codes and types in an error's body, whole words of which tell the kind.
_BY_CODE: tuple[tuple[str, FaultKind], ...] = (
    (r"insufficient_(?:quota|balance|funds|credits?)|billing|payment_required|arrear", "quota"),
    (r"context_(?:length|window)|exceed_context|(?:prompt|input|request)_too_(?:long|large)"
     r"|string_above_max|too_many_tokens|token_limit_exceeded|^1261$", "context_window"),
    (r"content_?(?:policy|filter|block|moderat|safety|risk)|responsible_?ai|data_inspection"
     r"|moderation|sensitive|safety|guardrail|invalid_prompt|prohibited|policy_violation"
     r"|inappropriate|unsafe", "content_filter"),
    (r"^1301$|risk_?(?:detect|control)|block_?reason|blocked", "content_filter"),
    (r"rate_?limit|too_many_requests|throttl|resource_exhausted|concurren", "rate_limit"),
    (r"overload|capacity|unavailable|server_busy|try_again|internal_(?:server_)?error",
     "server_error"),
    (r"timeout|timed_out|deadline", "timeout"),
    (r"(?:model|deployment)_not_(?:found|exist)|unknown_model|invalid_model", "model"),
    (r"api_?key_?(?:invalid|expired)|(?:invalid|expired|missing)_?api_?key|authenticat"
     r"|unauthori[sz]ed", "key"),
)  # fmt: skip

# What the words of an error tell, where its code does not, in this order.
_CONTEXT = re.compile(
    r"context (?:length|window|size|limit)|maximum (?:context|prompt|input|sequence|number of)"
    r"|(?:prompt|input|request|message|content|text|payload|body)s?\b[^.]{0,60}\b"
    r"(?:too (?:long|large|big|many)|exceed|longer than|over the (?:limit|maximum))"
    r"|too (?:long|many (?:input |prompt )?tokens)|token count|tokens? limit|(?:token|input) length"
    r"|max(?:imum)?.context|max_(?:model|seq|prompt|input)\w*|输入.{0,8}超|超长"
    r"|maxLength: \d+, actual"
    r"|(?:less|fewer|more) than (?:or equal to )?\d+ tokens"
    r"|tokens?\b[^.]{0,40}\b(?:must be|exceed|more than)"
    r"|longer than the model|(?:reduce|shorten) (?:the |your )?(?:length|size|prompt|input|message)"
    r"|exceed\w* (?:the |your |its )?(?:maximum|max|model)\b[^.]{0,40}"
    r"(?:length|size|token|context)",
    re.IGNORECASE,
)
_CONTEXT_LENGTH = re.compile(
    r"context (?:length|window|size)|(?:prompt|input)\b[^.]{0,20}\b(?:too (?:long|large)|exceeds)",
    re.IGNORECASE,
)
_MODERATION = re.compile(
    r"content (?:polic|filter|manag|moderat|violat|risk|safety|security)|moderat(?:ion|ed)"
    r"|usage (?:polic|guideline)|(?:safety|responsible ai) (?:check|polic|system|filter|guideline)"
    r"|\bsafety\b|inappropriate|(?<!case.)sensitive|harmful|unsafe|offensive|disallowed"
    r"|prohibited (?:content|use|input|text)|illegal|misuse|malicious|high risk|exists risk"
    r"|敏感|不安全|违规|违反"
    r"|guardrail|flagged|violat\w+ [^.]{0,40}(?:polic|guideline|terms|rules|standards)"
    r"|blocked (?:by|due|because|for)|(?:prompt|input|content|request|message) "
    r"(?:was |is |has been |were )?(?:blocked|rejected|filtered|refused)"
    r"|self-harm|sexual|violence|biosecurity",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"try (?:\w+ ){0,3}(?:again|later|shortly)|retry|overload|capacity|temporar|\bbusy\b"
    r"|稍后再?试|繁忙"
    r"|unavailable|timed? ?out|rate.?limit|too many (?:concurrent )?requests|throttl|high demand"
    r"|upstream|not ready|\bloading\b|warming up|queue (?:is )?full|slow down|concurren",
    re.IGNORECASE,
)
# "Try again" is no promise where something is to be mended first.
_MEND_FIRST = re.compile(
    r"\b(?:fix|correct|check|change|adjust|modify|remove|reduce|reformat|verify|update|set|use)\b[^.]*"
    r"(?:try|retry)|unsupported|not supported|unknown|unrecognized|invalid|not permitted",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"\b(?:your|this) (?:account|api.?key|subscription|organi[sz]ation|project|plan|ip address)\b"
    r"|\b(?:country|region|territory|billing|licen[cs]e)\b",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:invalid|incorrect|expired|missing|no|valid)\b[^.]{0,20}\bapi.?key\b"
    r"|\bapi.?key\b[^.]{0,30}\b(?:invalid|not valid|expired|incorrect|missing)",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"credit balance|insufficient (?:balance|credit|fund|quota)|current quota|out of credit",
    re.IGNORECASE,
)
_BY_TEXT: tuple[tuple[re.Pattern[str], FaultKind], ...] = (
    (re.compile("insufficient_quota"), "quota"),
    (re.compile("LLM Provider NOT provided"), "provider"),
    (re.compile("Missing credentials|api_key client option must be set"), "key"),
    (re.compile("Cannot combine AUTHORIZATION header"), "key"),  # with a password in the address
)
# A server error in litellm's words, although no server answered, or not to the end.
_LOST = re.compile("Connection error|payload is not completed")
_SLOW = re.compile(r"\b(?:took|takes|taking) too long", re.IGNORECASE)


def kind_of(error: BaseException) -> FaultKind:
    """The kind of fault an exception is; an unknown one is a server error."""
    bodies = _bodies(error)
    codes, text = _codes(bodies), " ".join((str(error)[:4000], *_quoted_words(bodies)))
    for pattern, kind in _BY_TEXT:
        if pattern.search(text):
            return kind
    known = _kind_by_class(error, text)
    if known in ("content_filter", "context_window", "length", "format"):
        return known
    if coded := _kind_by_code(codes):
        return coded
    return _kind_by_words(known, text, named=named_parameter(error) is not None)


def _kind_by_class(error: BaseException, text: str) -> FaultKind:
    # litellm knows vendors' ways of saying that it is the item: its exception stands behind ours.
    behind = KINDS.get(type(error.__context__).__name__)
    if behind in ("content_filter", "context_window"):
        return behind
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


def _kind_by_code(codes: Iterable[str]) -> FaultKind | None:
    for code in codes:
        for pattern, kind in _BY_CODE:
            if re.search(pattern, code):
                return kind
    return None


def _kind_by_words(known: FaultKind, text: str, *, named: bool) -> FaultKind:
    """A kind that the words correct: a status says little, and 400 says nothing."""
    if known in ("key", "quota", "rate_limit", "timeout", "connection", "provider"):
        return known
    if known in ("request", "permission") and (_KEY.search(text) or _QUOTA.search(text)):
        return "key" if _KEY.search(text) else "quota"
    if _SLOW.search(text):
        return "timeout"
    if (_CONTEXT_LENGTH if known == "server_error" else _CONTEXT).search(text):
        return "context_window"
    if known in ("server_error", "model"):
        passing = known == "model" and _PASSING.search(text)
        return "server_error" if passing else known
    if not named and _PASSING.search(text) and not _MEND_FIRST.search(text):
        return "server_error"
    if _MODERATION.search(text) and not _ACCOUNT.search(text):
        return "content_filter"
    return known


def named_parameter(error: BaseException) -> str | None:
    """The parameter that an error's body names as the wrong one."""
    for part in _bodies(error):
        param = part.get("param")
        if isinstance(param, str) and param:
            return param
    return None


def _quoted_words(bodies: list[Mapping[str, Any]]) -> Iterator[str]:
    """What a router quotes of its provider's words ("Provider returned error")."""
    for part in bodies[:-1]:  # the outermost is what the error itself says
        for name in ("message", "raw"):
            if isinstance(part.get(name), str):
                yield part[name][:1000]


def _codes(bodies: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """Codes and types in an error's body, in the words of whichever vendor, innermost first."""
    names = ("code", "error_code", "reason", "status", "type", "error_type")
    found = [part.get(name) for part in bodies for name in names]
    return tuple(
        re.sub(r"(?<=[a-z])(?=[A-Z])|[\s.-]+", "_", code).lower()
        for code in found
        if isinstance(code, str)
    )


def _bodies(error: BaseException) -> list[Mapping[str, Any]]:
    """An error's body and the objects in it, innermost first; litellm may have it further in."""
    for link in _chain(error):
        body = getattr(link, "body", None)
        if isinstance(body, Mapping):
            return list(_nested(body, depth=5))[::-1]
    return []


_WITHIN = (
    "error errors innererror inner_error details detail metadata provider_specific_fields raw "
    "message"
).split()


def _nested(part: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """An object and those in it, also where one is written as text."""
    if isinstance(part, str) and part[:1] in ("{", "["):
        try:
            part = from_json(part)
        except ValueError:
            return
    if isinstance(part, Mapping) and depth:
        yield part
        for name in _WITHIN:
            yield from _nested(part.get(name), depth - 1)
    elif isinstance(part, list) and depth:
        for inner in part[:5]:
            yield from _nested(inner, depth)


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
    for secret in _hidden(secrets):
        text = text.replace(secret, "***")
    return _SECRET_SHAPE.sub("***", text)


def blanked(response: Completion, secrets: Iterable[str] = ()) -> Completion:
    """A completion without the keys that an endpoint echoes in it; by value only.

    What merely looks like a key is left alone, since a reply may say "key-finding".
    """
    hidden = _hidden(secrets)
    if not any(secret in str(response) for secret in hidden):
        return response

    def blank(value: Any) -> Any:
        if isinstance(value, str):
            for secret in hidden:
                value = value.replace(secret, "***")
        elif isinstance(value, list):
            value = [blank(part) for part in value]
        elif isinstance(value, dict):
            value = {name: blank(part) for name, part in value.items()}
        return value

    return Completion.model_validate(blank(response.model_dump()))


def _hidden(secrets: Iterable[str]) -> list[str]:
    """What must not be kept: secrets as they are, in base64 and as parts of an address."""
    # A secret of less than six characters would blank out ordinary words.
    known = [secret for secret in (*secrets, *_secrets_in_environment()) if len(secret) >= 6]
    return [form for secret in known for form in _forms(secret)]


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[str, ...]:
    plain = secret.encode("utf-8", "surrogateescape")
    coded = (base64.b64encode(plain), base64.urlsafe_b64encode(plain))
    in_addresses = (quote(plain, safe=""), quote(plain), quote_plus(plain))
    return tuple(
        dict.fromkeys((secret, *(form.decode().rstrip("=") for form in coded), *in_addresses))
    )


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
    clean = all(redact(str(link), secrets) == str(link) for link in _chain(error))
    return error if clean else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it, and so on."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        yield link
        seen.append(link)
        link = link.__cause__ or link.__context__


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
    "request": "the endpoint of {model} refuses the request; {settings}",
}

_NO_KEY = "there is no key for {model} that could be sent. {keys}"
_SETTINGS = (
    "take back the setting it names (temperature, seed, max_tokens, confidence, extra), or set "
    "mode to json if it is the reply format"
)
_LONGEST = 400  # characters of a vendor's message that are kept
_NOISE = re.compile(r"^(?:litellm\.)?\w+(?:Error|Exception|Timeout):\s*")


def as_fault(
    error: BaseException,
    *,
    model: str,
    keys: str = "Set api_key, or the provider's environment variable.",
    settings: str = _SETTINGS,
    address: str | None = None,
    secrets: Iterable[str] = (),
    kind: FaultKind | None = None,
) -> MMRareJudgeError:
    """The exception of this package that says what a vendor's exception means.

    Args:
        error: What a vendor's library raised; one of ours is returned as it is.
        model: The model that was asked, for the message.
        keys: What to say about keys where one is missing or refused.
        settings: What to say about settings where the request is refused.
        address: The endpoint's address, for a lost connection.
        secrets: Texts that must not appear in the message.
        kind: What kind of fault it is, if that is known.

    >>> as_fault(TimeoutError(), model="ollama/qwen3:8b")
    TransportError('ollama/qwen3:8b: no answer in time')
    """
    if isinstance(error, MMRareJudgeError):
        return error
    detail = detail_of(error, secrets)
    kind = kind or kind_of(error)
    if kind in _REMEDIES:
        remedy = _NO_KEY if kind == "key" and not was_sent(error) else _REMEDIES[kind]
        sentence = remedy.format(model=model, keys=keys, settings=settings).rstrip(".")
        return ConfigError(f"{sentence}. It said: {detail}" if detail else sentence)
    message = f"{model}: {detail or _plain(kind)}"
    if kind == "content_filter":
        return ContentFilterError(message)
    if kind == "context_window":
        return TruncatedError(f"the prompt does not fit the context window; {message}")
    if kind == "length":
        return TruncatedError(message)
    if kind == "format":
        return FormatError(message)
    wait = retry_after(response_headers(error), datetime.now(UTC))
    lost = address if kind == "connection" else None
    if lost:
        message = f"{model}: {lost} does not answer: {detail or _plain(kind)}"
    return TransportError(message, kind=kind, retry_after=wait, address=lost)


def may_be_a_habit(error: BaseException) -> bool:
    """Whether an endpoint may refuse something that was sent, whatever else its words say."""
    status = getattr(error, "status_code", None)
    return isinstance(error, EndpointError) and status in (400, 403, 404, 405, 415, 422, 501)


def was_sent(error: BaseException) -> bool:
    """Whether a refusal came from the endpoint, and not from litellm before it was asked."""
    return isinstance(error, EndpointError) or bool(
        response_headers(error) or getattr(error, "body", None)
    )


def _plain(kind: FaultKind) -> str:
    return {"timeout": "no answer in time", "connection": "the connection was lost"}.get(
        kind, kind.replace("_", " ")
    )


def detail_of(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The vendor's own words, without keys and the class names that litellm puts in front."""
    text = str(error).partition("\nTraceback (most recent")[0].strip()
    while match := _NOISE.match(text):
        text = text[match.end() :]
    return redact(" ".join(text.split()), secrets)[:_LONGEST]
