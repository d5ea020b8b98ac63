"""What a rule of the embedded judge is given, and what it returns: `Case` and `Finding`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

from mmrare_judge.data.items import Item, Track
from mmrare_judge.element_match import ElementMatch
from mmrare_judge.lexical.clauses import clauses_of, labels_of
from mmrare_judge.lexical.demands import compile_element
from mmrare_judge.lexical.document import Document
from mmrare_judge.lexical.elements import match_element, match_prohibited
from mmrare_judge.lexical.terms import Terms
from mmrare_judge.rubric.model import Criterion

Degree = Literal["full", "partial", "none"]

FULL_ABOVE = Fraction(95, 100)
PARTIAL_FROM = Fraction(60, 100)
"""The benchmark's lines for covering a list: above 95 %, and from 60 %."""

MOST_QUOTES = 5

POSITIVE_LISTS = ("must_include", "key_tests", "key_findings", "red_flags")
_MAIN_LIST: dict[Track, str] = {
    "treatment": "must_include",
    "examination": "key_tests",
    "cross_image": "key_findings",
}


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        degree: How far the criterion is met; ``None`` where the rule cannot tell.
        reasoning: Why.
        quotes: Stretches of the prediction, word for word.
    """

    degree: Degree | None
    reasoning: str
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One prediction before the rules.

    Attributes:
        document: The prediction, read.
        item: What was asked, with the reference.
        terms: Names that mean the same.
    """

    document: Document
    item: Item
    terms: Terms

    @cached_property
    def main(self) -> tuple[str, tuple[ElementMatch, ...]]:
        """The track's main list looked up, with its name; clauses of the answer if it is empty."""
        return self.looked_up(_MAIN_LIST.get(self.item.track, "answer"))

    def looked_up(self, field: str) -> tuple[str, tuple[ElementMatch, ...]]:
        """A list of the reference looked up, or the clauses of its answer if it is empty."""
        elements: tuple[str, ...] = () if field == "answer" else getattr(self.item.reference, field)
        if not elements:
            answer = self.item.reference.answer
            elements = labels_of(answer) if field == "key_tests" else clauses_of(answer)
            field = "answer"
        return field, tuple(self.match(element) for element in elements)

    def listed(self, criterion: Criterion) -> tuple[str, tuple[ElementMatch, ...]]:
        """The list a criterion is about: the first it needs, or the track's main list."""
        wanted = [criterion.for_each, *criterion.needs]
        named = next((field for field in wanted if field in POSITIVE_LISTS), None)
        return self.main if named in (None, self.main[0]) else self.looked_up(str(named))

    def match(self, element: str) -> ElementMatch:
        """Look one element up."""
        compiled = compile_element(element, self.terms, question=self.item.question)
        return match_element(self.document, compiled)

    @cached_property
    def prohibited(self) -> tuple[ElementMatch, ...]:
        """The elements of ``must_not``, looked up."""
        return tuple(self.match_prohibited(element) for element in self.item.reference.must_not)

    def match_prohibited(self, element: str) -> ElementMatch:
        """Look up one thing that must not be recommended."""
        return match_prohibited(self.document, element, self.terms)

    @cached_property
    def on_topic(self) -> bool:
        """Whether the prediction states at least half of what the reference has."""
        matches = self.main[1]
        return bool(matches) and 2 * sum(match.found for match in matches) >= len(matches)

    def quote(self, span: tuple[int, int]) -> str:
        """The stretch between two offsets."""
        return self.document.text[span[0] : span[1]]


def quotes_of(matches: Iterable[ElementMatch]) -> tuple[str, ...]:
    """What was matched, each stretch once, at most `MOST_QUOTES`."""
    spans = {match.span.text: None for match in matches if match.span}
    return tuple(spans)[:MOST_QUOTES]
