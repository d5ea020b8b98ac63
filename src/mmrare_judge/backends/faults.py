"""Vendor exceptions in our words: what happened, and what the caller can do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from mmrare_judge.backends.headers import response_headers, retry_after
from mmrare_judge.backends.meanings import Meaning, meaning_of
from mmrare_judge.backends.secrecy import redact
from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    FormatError,
    MMRareJudgeError,
    TransportError,
    TruncatedError,
)

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
    meaning = meaning_of(error)
    if meaning in _MEND:
        mend = _NO_KEY if meaning == "key" and not response_headers(error) else _MEND[meaning]
        sentence = mend.format(model=model, keys=keys).rstrip(".")
        return ConfigError(f"{sentence}. It said: {detail}" if detail else sentence)
    return _UNSCORED[meaning](f"{model}: {detail or _plain(meaning)}", error)


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
    "length": lambda message, _: TruncatedError(message),
    "format": lambda message, _: FormatError(message),
}


def _plain(meaning: Meaning) -> str:
    return {"timeout": "no answer in time", "connection": "the connection was lost"}.get(
        meaning, meaning.replace("_", " ")
    )


def _detail(error: BaseException) -> str:
    """The vendor's own words, without the class names that litellm puts in front, often twice."""
    text = str(error).partition("\nTraceback (most recent")[0].strip()
    while match := _NOISE.match(text):
        text = text[match.end() :]
    return " ".join(text.split())
