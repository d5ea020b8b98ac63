"""Quotes looked up in the text they are said to come from; the one door to rapidfuzz.

A quote is first sought letter by letter, then after folding (`mmrare_judge.text.fold`), then
approximately. The approximate search is for slips of copying, not for paraphrase: at least
`APPROXIMATE` of 1 similar (rapidfuzz ``ratio``, 1 less the normalised InDel distance, to the best
window that ``partial_ratio_alignment`` finds, trimmed to whole words), the same numbers, the same
negations, and no word changed by more than a letter, because another drug can be two letters away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NotRequired, TypedDict

from mmrare_judge.by_identity import ByIdentity
from mmrare_judge.grade import Match, Source
from mmrare_judge.item import Reference
from mmrare_judge.task import Question, Task
from mmrare_judge.text import Folded, fold, folded

APPROXIMATE = 0.90
"""Least similarity of an approximate match, 0 to 1."""

_CANDIDATE = 0.75  # windows as long as the quote fit less well than the words they hold

MIN_APPROXIMATE = 12
"""Shorter quotes, counted in folded characters, have to match exactly or after folding."""

_MIN_NEAR = 5  # shorter words have to be the same letter by letter

_WORD = re.compile(r"[^\W_]+")
_ELLIPSIS = re.compile(r"\[?(?:…|\.\.\.+)\]?")
_NEGATIONS = frozenset(
    "no not never none nor without avoid avoided cannot against contraindicated stop".split()
)
_FUNCTION_WORDS = frozenset(
    "a an and are as at be by for from in is it its of on or that the this to was with".split()
)
_SAY_NOTHING = _FUNCTION_WORDS | _NEGATIONS | {"do", "does"}
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
    """The texts a quote may come from, folded once per task."""

    task: Task

    @cached_property
    def prediction(self) -> Folded:
        """The prediction, where a quote belongs."""
        return fold(self.task.prediction)

    @cached_property
    def reference(self) -> str:
        """Everything the reference says, folded."""
        return _said(self.task.item.reference)

    @cached_property
    def item(self) -> str:
        """Question and context, folded."""
        return _fixed(f"{self.task.item.question}\n{self.task.item.context}")


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
    exact = _word_bounded(quote, sources.task.prediction)
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
        if not (_splits_word(haystack, start) or _splits_word(haystack, end)):
            return start, end
        start = haystack.find(needle, start + 1)
    return None


def _splits_word(text: str, position: int) -> bool:
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()


def _approximate(quote: str, needle: str, sources: Sources) -> LookedUp | None:
    haystack = sources.prediction.text
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
    return _in_prediction(quote, "approximate", sources.prediction.span(start, end), similarity)


def _window(needle: str, haystack: str, start: int, end: int) -> tuple[int, int]:
    """Widen to whole words, then drop words at either end that the quote does not have."""
    while _splits_word(haystack, start):
        start -= 1
    while _splits_word(haystack, end):
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
        if not there and word not in _FUNCTION_WORDS:
            return False
    return True


def _same_content(quote: str, window: str) -> bool:
    ours, theirs = _WORD.findall(quote), _WORD.findall(window)
    return (
        _numbers(quote) == _numbers(window)
        and _count(ours, _NEGATIONS) == _count(theirs, _NEGATIONS)
        and all(word in _FUNCTION_WORDS or _near(word, theirs) for word in ours)
        and all(word in _FUNCTION_WORDS or _near(word, ours) for word in theirs)
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


def _elsewhere(quote: str, needle: str, question: Question, sources: Sources) -> LookedUp:
    places = _other_sources(question, sources)
    source = next((name for name, text in places if needle in text), None)
    match: Match = "not_found" if source is None else "wrong_source"
    return {"quote": quote, "match": match, "source": source}


def _other_sources(question: Question, sources: Sources) -> Iterator[tuple[Source, str]]:
    yield "reference", sources.reference
    yield "criterion", _wording(question)
    yield "item", sources.item


@ByIdentity
def _wording(question: Question) -> str:
    """Everything the judge was told of a question, folded."""
    meanings = [level.meaning for level in question.levels.values()]
    return folded("\n".join([question.text, question.criterion.question, *meanings]))
