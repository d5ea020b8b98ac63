"""Quotes looked up in the text they are said to come from: `look_up`.

A quote is sought letter by letter, then after folding (`fold`), then approximately (`near_match`).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NotRequired, TypedDict

from mmrare_judge.data.items import Reference
from mmrare_judge.judging.grade import Match, Source
from mmrare_judge.judging.questions import Question, Questions
from mmrare_judge.records import by_identity

# --- Approximate matches: slips of copying are forgiven, paraphrase is not

APPROXIMATE = 0.90
"""Least similarity of an approximate match, 0 to 1."""

_CANDIDATE = 0.75  # windows as long as the quote fit less well than the words they hold

MIN_APPROXIMATE = 12
"""Shorter quotes, counted in folded characters, have to match exactly or after folding."""

_MIN_NEAR = 5  # shorter words have to be the same letter by letter

_WORD = re.compile(r"[^\W_]+")
NEGATIONS = frozenset(
    "no not never none nor without avoid avoided cannot against contraindicated stop".split()
)
FUNCTION_WORDS = frozenset(
    "a an and are as at be by for from in is it its of on or that the this to was with".split()
)


def near_match(needle: str, haystack: str) -> tuple[int, int, float] | None:
    """Begin and end of the window that a quote is near to, and how similar it is.

    A quote is near a window if it is at least `APPROXIMATE` similar (rapidfuzz ``ratio``, 1 less
    the normalised InDel distance), with the same numbers, the same negations, and no word changed
    by more than a letter: another drug can be two letters away.

    Args:
        needle: The quote, folded and stripped.
        haystack: The text, folded.

    >>> near_match("prednisone fourty mg", "give prednisone forty mg daily")
    (5, 24, 0.9743589743589743)
    """
    if len(needle) < MIN_APPROXIMATE or not haystack.strip():
        return None
    if len(needle) > len(haystack) or not _could_stand(needle, haystack):
        return None
    from rapidfuzz import fuzz  # noqa: TID251  this is the door

    best = fuzz.partial_ratio_alignment(needle, haystack, score_cutoff=100 * _CANDIDATE)
    if best is None:
        return None
    start, end = _window(needle, haystack, best.dest_start, best.dest_end)
    window = haystack[start:end]
    similarity = fuzz.ratio(needle, window) / 100
    if similarity < APPROXIMATE or not _same_content(needle, window):
        return None
    return start, end, similarity


def _window(needle: str, haystack: str, start: int, end: int) -> tuple[int, int]:
    """Widen to whole words, then drop words at either end that the quote does not have."""
    while splits_word(haystack, start):
        start -= 1
    while splits_word(haystack, end):
        end += 1
    quoted = _WORD.findall(needle)
    words = list(_WORD.finditer(haystack, start, end))
    while words and not _near(words[0][0], quoted):
        words.pop(0)
    while words and not _near(words[-1][0], quoted):
        words.pop()
    return (words[0].start(), words[-1].end()) if words else (start, start)


def _could_stand(needle: str, haystack: str) -> bool:
    """Whether each word may be near one of a text; where not, `_same_content` would refuse.

    Tells most quotes that stand nowhere, in a fraction of the time of the approximate search.
    """
    for word in _WORD.findall(needle):
        half = len(word) // 2
        if len(word) < _MIN_NEAR:
            there = word in haystack
        else:  # one changed letter leaves one half as it is
            there = word[:half] in haystack or word[half:] in haystack
        if not there and word not in FUNCTION_WORDS:
            return False
    return True


def _same_content(quote: str, window: str) -> bool:
    ours, theirs = _WORD.findall(quote), _WORD.findall(window)
    return (
        _numbers(quote) == _numbers(window)
        and _count(ours, NEGATIONS) == _count(theirs, NEGATIONS)
        and all(word in FUNCTION_WORDS or _near(word, theirs) for word in ours)
        and all(word in FUNCTION_WORDS or _near(word, ours) for word in theirs)
    )


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*", text)


def _count(words: list[str], wanted: frozenset[str]) -> Counter[str]:
    return Counter(word for word in words if word in wanted)


def _near(word: str, others: list[str]) -> bool:
    if word in others:
        return True
    if len(word) < _MIN_NEAR:
        return False
    from rapidfuzz.distance import Levenshtein  # noqa: TID251  this is the door

    return any(Levenshtein.distance(word, other, score_cutoff=1) <= 1 for other in others)


def splits_word(text: str, position: int) -> bool:
    """Whether a word stands on both sides of a position."""
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()


# --- Folding: one form for spellings that mean the same, with the way back to the original

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


# --- Looking quotes up

_ELLIPSIS = re.compile(r"\[?(?:…|\.\.\.+)\]?")
_SAY_NOTHING = FUNCTION_WORDS | NEGATIONS | {"do", "does"}
_SAYS_SOMETHING = re.compile(  # a word of two letters or more that is none of these
    rf"(?<![^\W_])(?!(?:{'|'.join(sorted(_SAY_NOTHING))})(?![^\W_]))[^\W_]{{2}}"
)


class LookedUp(TypedDict):
    """A quote that was looked up: the fields of `Evidence`, not yet validated."""

    quote: str
    match: Match
    source: NotRequired[Source | None]
    start: NotRequired[int]
    end: NotRequired[int]
    similarity: NotRequired[float]


@dataclass(frozen=True)
class Sources:
    """The texts a quote may come from, folded once per prediction."""

    questions: Questions

    @cached_property
    def prediction(self) -> Folded:
        """The prediction, where a quote belongs."""
        return fold(self.questions.prediction)

    @cached_property
    def reference(self) -> str:
        """Everything the reference says, folded."""
        return _said(self.questions.item.reference)

    @cached_property
    def item(self) -> str:
        """Question and context, folded."""
        return _fixed(f"{self.questions.item.question}\n{self.questions.item.context}")


@lru_cache(maxsize=64)
def _said(reference: Reference) -> str:
    values = [getattr(reference, name) for name in Reference.model_fields]
    lines = ["\n".join(value) if isinstance(value, tuple) else value or "" for value in values]
    return folded("\n".join(lines))


@lru_cache(maxsize=256)
def _fixed(text: str) -> str:
    """A text folded that is the same for many predictions."""
    return folded(text)


def look_up(quotes: tuple[str, ...], question: Question, sources: Sources) -> list[LookedUp]:
    """Look quotes up in the prediction, and tell where they come from if not there.

    A quote with dots for what was left out is looked up piece by piece: each piece is evidence of
    its own, since what was left out may change the meaning.

    Args:
        quotes: The quotes as the judge gave them.
        question: The question they belong to; its own text is no source of evidence.
        sources: The texts.
    """
    return [_find(piece, question, sources) for quote in quotes for piece in _pieces(quote)]


def _pieces(quote: str) -> list[str]:
    if "…" not in quote and "..." not in quote:
        return [quote.strip() or quote]
    pieces = [piece.strip() for piece in _ELLIPSIS.split(quote)]
    return [piece for piece in pieces if piece] or [quote]


def _find(quote: str, question: Question, sources: Sources) -> LookedUp:
    needle = folded(quote).strip()
    if _SAYS_SOMETHING.search(needle) is None:
        return {"quote": quote, "match": "not_found"}
    exact = _word_bounded(quote, sources.questions.prediction)
    if exact is not None:
        return _in_prediction(quote, "exact", exact)
    normalised = _word_bounded(needle, sources.prediction.text)
    if normalised is not None:
        return _in_prediction(quote, "normalised", sources.prediction.span(*normalised))
    return _approximate(quote, needle, sources) or _elsewhere(quote, needle, question, sources)


def _in_prediction(
    quote: str, match: Match, span: tuple[int, int], similarity: float = 1.0
) -> LookedUp:
    return {
        "quote": quote,
        "match": match,
        "source": "prediction",
        "start": span[0],
        "end": span[1],
        "similarity": similarity,
    }


def _word_bounded(needle: str, haystack: str) -> tuple[int, int] | None:
    start = haystack.find(needle)
    while start >= 0:
        end = start + len(needle)
        if not (splits_word(haystack, start) or splits_word(haystack, end)):
            return start, end
        start = haystack.find(needle, start + 1)
    return None


def _approximate(quote: str, needle: str, sources: Sources) -> LookedUp | None:
    found = near_match(needle, sources.prediction.text)
    if found is None:
        return None
    start, end, similarity = found
    return _in_prediction(quote, "approximate", sources.prediction.span(start, end), similarity)


def _elsewhere(quote: str, needle: str, question: Question, sources: Sources) -> LookedUp:
    places = _other_sources(question, sources)
    source = next((name for name, text in places if needle in text), None)
    match: Match = "not_found" if source is None else "wrong_source"
    return {"quote": quote, "match": match, "source": source}


def _other_sources(question: Question, sources: Sources) -> Iterator[tuple[Source, str]]:
    yield "reference", sources.reference
    yield "criterion", _wording(question)
    yield "item", sources.item


@by_identity
def _wording(question: Question) -> str:
    """Everything the judge was told of a question, folded."""
    meanings = [level.meaning for level in question.levels.values()]
    return folded("\n".join([question.text, question.criterion.question, *meanings]))
