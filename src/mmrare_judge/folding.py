"""Text folded for comparison, with the way back to the original: `fold`."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

# Neither ASCII nor white space. It and `_STRETCH` begin with one class, not with a repeat of it: so
# the search can jump from place to place.
_FOREIGN = re.compile(r"([^\x00-\x7f\s][^\x00-\x7f\s]*)")
_SPACES = (  # all white space but the space itself
    "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
# Within a stretch, what is folded in one piece.
_SPECIAL = re.compile(r"\s+|[*`]|[^\x00-\x7f\s]+")
# Where offsets may shift: other than ASCII, Markdown marks, more than one white space in a row.
_STRETCH = re.compile(
    r"[\s*`\x80-\U0010ffff](?:(?<=\S)|[\s*`\x80-\U0010ffff])[\s*`\x80-\U0010ffff]*"
)
_VISIBLE = re.compile(r"[!-)+-_a-~]")  # ASCII but white space and Markdown marks
_MARKDOWN = "*`"
_SHORT = 8
_MARKS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛‹›´ʼ′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
    }
)


@dataclass(frozen=True)
class Folded:
    """Text folded for comparison, with the way back to the original.

    Attributes:
        text: The folded text.
        original: The text as it was.
    """

    text: str
    original: str

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Original offsets of the folded slice ``[start, end)``; the slice must not be empty."""
        if len(self.text) == len(self.original) and self.original.isascii():
            return start, end  # of ASCII, folding only ever leaves characters out
        return self._offsets.of(start)[0], self._offsets.of(end - 1)[1]

    @cached_property
    def _offsets(self) -> _Offsets:
        # Looked up seldom: most quotes stand in the text letter by letter.
        return _Offsets(self.original)


def is_blank(text: str) -> bool:
    """Whether nothing is left of a text but white space when it is folded.

    >>> is_blank(" \u200b** "), is_blank("0")
    (True, False)
    """
    return _VISIBLE.search(text) is None and not folded(text).strip()


def fold(text: str) -> Folded:
    r"""Fold text for comparison: case, white space, compatibility forms, quote marks, dashes.

    Invisible format characters (zero-width, bidirectional, soft hyphen) are dropped, and so are
    the Markdown marks ``*`` and the backtick, which judges leave out when they copy a quote.
    Characters are decomposed (NFKD): two texts are equal so exactly when they are under NFKC, and
    a decomposed character never depends on its neighbours, which keeps the offsets right.

    >>> fold("Give  “**Prednisone**”\n10 mg").text
    'give "prednisone" 10 mg'
    """
    return Folded(folded(text), text)


def folded(text: str) -> str:
    r"""The text of `fold`, where the way back is not needed.

    >>> folded("T4–T6,\n５ ㎎")
    't4-t6, 5 mg'
    """
    if text.isascii():
        return _single_spaced(_bare(text))
    pieces = _FOREIGN.split(text)
    pieces[::2] = map(_bare, pieces[::2])
    pieces[1::2] = map(_fold_run, pieces[1::2])
    return _single_spaced("".join(pieces))


def _bare(text: str) -> str:
    """ASCII and white space in lower case, without Markdown marks."""
    if "*" in text or "`" in text:
        text = text.replace("*", "").replace("`", "")
    return text.lower()


def _single_spaced(text: str) -> str:
    """The text with one space for all white space in a row; at its ends as well."""
    if not text.isprintable():  # as it is where there is no white space but spaces
        for space in _SPACES:
            if space in text:
                text = text.replace(space, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _fold_run(run: str) -> str:
    """Fold what is neither ASCII nor white space; mostly it is a single character."""
    if len(run) == 1:
        return _fold_cluster(run)
    return "".join(_fold_cluster(run[first:last]) for first, last in _clusters(run, 0, len(run)))


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Split at every character that is no combining mark; marks are reordered with their base."""
    first = start
    for index in range(start + 1, end):
        if not unicodedata.combining(text[index]):
            yield first, index
            first = index
    yield first, end


@lru_cache(maxsize=1024)
def _fold_cluster(cluster: str) -> str:
    visible = "".join(c for c in cluster if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKD", visible.translate(_MARKS)).casefold()


class _Offsets:
    """Where the characters of a folded text come from, piece by piece."""

    def __init__(self, text: str) -> None:
        self._begins: list[int] = []  # of the pieces, in the folded text
        # Begin and end in the original, and a step: with 1 each folded character comes from one
        # character of the piece, with 0 all of them come from all of it.
        self._pieces: list[tuple[int, int, int]] = []
        self._length = position = 0
        for stretch in _STRETCH.finditer(text):
            start, end = stretch.span()
            self._add(start - position, (position, start, 1))
            for folded, first, last in _fold_stretch(stretch[0]):
                self._add(len(folded), (start + first, start + last, 0))
            position = end
        self._add(len(text) - position, (position, len(text), 1))

    def of(self, position: int) -> tuple[int, int]:
        """Begin and end, in the original, of what became the folded character."""
        index = bisect_right(self._begins, position) - 1
        start, end, step = self._pieces[index]
        if step == 0:
            return start, end
        start += position - self._begins[index]
        return start, start + 1

    def _add(self, length: int, piece: tuple[int, int, int]) -> None:
        if length:
            self._begins.append(self._length)
            self._pieces.append(piece)
            self._length += length


_Piece = tuple[str, int, int]
"""What a piece of a stretch becomes, its begin and its end within the stretch."""


def _fold_stretch(stretch: str) -> tuple[_Piece, ...]:
    # Short ones, such as a dash between spaces, recur; long ones would take much memory.
    return _fold_again(stretch) if len(stretch) <= _SHORT else _fold_pieces(stretch)


@lru_cache(maxsize=256)
def _fold_again(stretch: str) -> tuple[_Piece, ...]:
    return _fold_pieces(stretch)


def _fold_pieces(stretch: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    for match in _SPECIAL.finditer(stretch):
        if match[0].isspace():
            _append(pieces, " ", *match.span())
        elif match[0] not in _MARKDOWN:
            for first, last in _clusters(stretch, *match.span()):
                _append(pieces, _fold_cluster(stretch[first:last]), first, last)
    return tuple(pieces)


def _append(pieces: list[_Piece], folded: str, start: int, end: int) -> None:
    if folded[:1] == " " and pieces and pieces[-1][0] == " ":
        if folded == " ":
            start = pieces.pop()[1]
        else:  # a spacing accent, such as the cedilla, becomes a space and a mark
            folded = folded[1:]
    if folded:
        pieces.append((folded, start, end))
