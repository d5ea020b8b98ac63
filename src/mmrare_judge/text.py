"""Text as it comes from data: made safe to store, and folded for comparison with offsets kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Everything that folding changes; the ASCII between is copied in one piece.
_SPECIAL = re.compile(r"\s+|[*`]|[^\x00-\x7f\s]+")
_MARKDOWN = "*`"
_MARKS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛‹›´ʼ′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
    }
)


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
    return len(_UNSTORABLE.findall(text))


def _clean_if_text(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean_if_text)]
"""A string field that never refuses a row for a stray surrogate or NUL."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Text folded for comparison, with the way back to the original.

    Attributes:
        text: The folded text.
        starts: For each folded character, where its original begins.
        ends: For each folded character, where its original ends.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original offsets of the folded slice ``[start, end)``; the slice must not be empty."""
        return self.starts[start], self.ends[end - 1]


def fold(text: str) -> Folded:
    r"""Fold text for comparison: case, white space, compatibility forms, quote marks, dashes.

    Invisible format characters (zero-width, bidirectional, soft hyphen) are dropped, and so are
    the Markdown marks ``*`` and the backtick, which judges leave out when they copy a quote.
    Characters are decomposed (NFKD): two texts are equal so exactly when they are under NFKC, and
    a decomposed character never depends on its neighbours, which keeps the offsets right.

    >>> fold("Give  “**Prednisone**”\n10 mg").text
    'give "prednisone" 10 mg'
    """
    out = _FoldedText(text)
    position = 0
    for match in _SPECIAL.finditer(text):
        start, end = match.span()
        out.copy(position, start)
        position = end
        if match[0].isspace():
            out.space(start, end)
        elif match[0] not in _MARKDOWN:
            for first, last in _clusters(text, start, end):
                out.put(_fold_cluster(text[first:last]), first, last)
    out.copy(position, len(text))
    return Folded("".join(out.pieces), out.starts, out.ends)


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Split at every character that is no combining mark; marks are reordered with their base."""
    first = start
    for index in range(start + 1, end):
        if not unicodedata.combining(text[index]):
            yield first, index
            first = index
    yield first, end


def _fold_cluster(cluster: str) -> str:
    visible = "".join(c for c in cluster if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKD", visible.translate(_MARKS)).casefold()


class _FoldedText:
    """What `fold` writes into."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def copy(self, start: int, end: int) -> None:
        if start < end:
            self.pieces.append(self.text[start:end].lower())
            self.starts.extend(range(start, end))
            self.ends.extend(range(start + 1, end + 1))

    def put(self, piece: str, start: int, end: int) -> None:
        if piece:
            self.pieces.append(piece)
            self.starts.extend([start] * len(piece))
            self.ends.extend([end] * len(piece))

    def space(self, start: int, end: int) -> None:
        if self.pieces and self.pieces[-1] == " ":
            self.ends[-1] = end
        else:
            self.pieces.append(" ")
            self.starts.append(start)
            self.ends.append(end)
