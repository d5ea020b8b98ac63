"""The log probabilities of a reply's tokens, as the endpoint gave them, in a compact record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from mmrare_judge.backends.base import TokenRecord, TokenText

_NEVER = -9999.0
"""What endpoints write where JSON has no minus infinity."""


def token_records(response: Any) -> tuple[TokenRecord, ...] | None:
    """One record a token of the first choice; ``None`` where the endpoint gave none.

    >>> from mmrare_judge.backends.completion import Completion
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
