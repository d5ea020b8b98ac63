"""Quotes looked up in the text they are said to come from.

A quote is first sought letter by letter, then after folding (`mmrare_judge.folding.fold`), then
approximately (`mmrare_judge.near_match`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NotRequired, TypedDict

from mmrare_judge.data.items import Reference
from mmrare_judge.folding import Folded, fold, folded
from mmrare_judge.grade import Match, Source
from mmrare_judge.near_match import FUNCTION_WORDS, NEGATIONS, near_match, splits_word
from mmrare_judge.records import ByIdentity
from mmrare_judge.task import Question, Task

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


@ByIdentity
def _wording(question: Question) -> str:
    """Everything the judge was told of a question, folded."""
    meanings = [level.meaning for level in question.levels.values()]
    return folded("\n".join([question.text, question.criterion.question, *meanings]))
