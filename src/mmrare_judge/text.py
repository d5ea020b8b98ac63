"""Text as it comes from data: made safe to store, and folded for comparison with offsets kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import BeforeValidator

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Everything that folding changes; the ASCII between is copied in one piece.
_SPECIAL = re.compile(r"\s+|[*`]|[^\x00-\x7f\s]+")
# Stretches of it, but for single spaces between ASCII, which folding leaves as they are.
_STRETCH = re.compile(r"[\s*`\x80-\U0010ffff]{2,}|[^\S ]|[*`\x80-\U0010ffff]")
_VISIBLE = re.compile(r"[!-)+-_a-~]")  # ASCII but white space and Markdown marks
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
    if isinstance(value, str):
        return value if value.isascii() and "\x00" not in value else clean(value)
    return value


Text = Annotated[str, BeforeValidator(_clean_if_text)]
"""A string field that never refuses a row for a stray surrogate or NUL."""


@dataclass(frozen=True)
class Folded:
    """Text folded for comparison, with the way back to the original.

    Attributes:
        text: The folded text.
        original: The text as it was.
    """

    text: str
    original: str

    @property
    def starts(self) -> list[int]:
        """For each folded character, where its original begins."""
        return self._offsets[0]

    @property
    def ends(self) -> list[int]:
        """For each folded character, where its original ends."""
        return self._offsets[1]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original offsets of the folded slice ``[start, end)``; the slice must not be empty."""
        return self.starts[start], self.ends[end - 1]

    @cached_property
    def _offsets(self) -> tuple[list[int], list[int]]:
        # Looked up seldom: most quotes stand in the text letter by letter.
        out = _written(self.original)
        return out.starts, out.ends


def is_blank(text: str) -> bool:
    """Whether nothing is left of a text but white space when it is folded.

    >>> is_blank(" \u200b** "), is_blank("0")
    (True, False)
    """
    return _VISIBLE.search(text) is None and not fold(text).text.strip()


def fold(text: str) -> Folded:
    r"""Fold text for comparison: case, white space, compatibility forms, quote marks, dashes.

    Invisible format characters (zero-width, bidirectional, soft hyphen) are dropped, and so are
    the Markdown marks ``*`` and the backtick, which judges leave out when they copy a quote.
    Characters are decomposed (NFKD): two texts are equal so exactly when they are under NFKC, and
    a decomposed character never depends on its neighbours, which keeps the offsets right.

    >>> fold("Give  “**Prednisone**”\n10 mg").text
    'give "prednisone" 10 mg'
    """
    if text.isascii():
        bare = text.replace("*", "").replace("`", "").lower()
        return Folded(_single_spaced(bare), text)
    return Folded("".join(_written(text).pieces), text)


def _single_spaced(text: str) -> str:
    """The text with one space for all white space in a row; at its ends as well."""
    inside = " ".join(text.split())
    before = " " if text[:1].isspace() else ""
    behind = " " if inside and text[-1:].isspace() else ""
    return f"{before}{inside}{behind}"


def _written(text: str) -> _FoldedText:
    """A text folded piece by piece, with the offsets of all characters."""
    out = _FoldedText(text)
    position = 0
    for stretch in _STRETCH.finditer(text):
        out.copy(position, stretch.start())
        position = stretch.end()
        for match in _SPECIAL.finditer(text, *stretch.span()):
            start, end = match.span()
            if match[0].isspace():
                out.space(start, end)
            elif match[0] not in _MARKDOWN:
                for first, last in _clusters(text, start, end):
                    out.put(_fold_cluster(text[first:last]), first, last)
    out.copy(position, len(text))
    return out


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
        if piece[:1] == " " and self.pieces and self.pieces[-1] == " ":
            piece = piece[1:]  # a spacing accent, such as the cedilla, becomes a space and a mark
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
