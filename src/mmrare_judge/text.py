"""Text as it comes from data, made safe to store: `clean` and the field type `Text`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    r"""Replace what no UTF-8 file or JSON string can hold, one character for one.

    Lone surrogates and NUL become U+FFFD, so every offset still holds. Right-to-left marks and
    other format characters stay: they are part of what the model wrote.

    >>> clean("5\x00 mg")
    '5� mg'
    """
    return _UNSTORABLE.sub(REPLACEMENT, text)


def count_unstorable(text: str) -> int:
    r"""Count the characters that `clean` would replace.

    >>> count_unstorable("5\x00 mg")
    1
    """
    return 0 if text.isascii() and "\x00" not in text else len(_UNSTORABLE.findall(text))


def _clean_if_text(value: object) -> object:
    if isinstance(value, str):
        return value if value.isascii() and "\x00" not in value else clean(value)
    return value


Text = Annotated[str, BeforeValidator(_clean_if_text)]
"""A string field that never refuses a row for a stray surrogate or NUL."""
