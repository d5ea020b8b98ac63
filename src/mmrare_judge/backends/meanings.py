"""What vendor exceptions mean: every class of litellm, openai and aiohttp is in `MEANINGS`.

Classes are known by name, so that nothing here imports litellm; the name of a base class stands
for its subclasses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from mmrare_judge.backends.headers import response_headers

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
    "length",
    "format",
]

MEANINGS: Mapping[str, Meaning] = {
    # the wire, and the machine at its other end
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
    (re.compile("Cannot combine AUTHORIZATION header"), "key"),  # with a password in the address
)
# A server error in litellm's words, although no server answered, or not to the end.
_LOST = re.compile("Connection error|payload is not completed")


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
    if known == "server_error" and _LOST.search(text) and not response_headers(error):
        return "connection"
    return _meaning_of_status(error) if known == "status" else known


def _meaning_of_status(error: BaseException) -> Meaning:
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
