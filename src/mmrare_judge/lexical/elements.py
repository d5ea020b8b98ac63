"""Whether one element of a reference is stated in a text: `match_element`.

Nothing is matched approximately: two words are the same when their stems are, or when the table
says so. What is lenient is how much of an element has to be there, by its kind:

- a name ("MRI of the spine"): every content word, in one sentence, with the element's polarity;
- an order ("perform surgical excision of the cyst"): two thirds of its content words;
- a statement ("Clobetasol is applied topically"): half of what it says beyond its subject.

The last two may be spread over three adjacent sentences. Every number and every drug has to be
there, and no more words may be negated otherwise than in the element than are negated alike.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from mmrare_judge.element_match import ElementMatch, Span
from mmrare_judge.lexical.demands import compile_prohibited
from mmrare_judge.lexical.document import Document, Stretch
from mmrare_judge.lexical.element import Element, Kind
from mmrare_judge.lexical.terms import Terms

WINDOWS: dict[Kind, int] = {"name": 1, "order": 3, "statement": 3}
"""Over how many adjacent sentences an element may be spread."""

_Held = dict[int, Stretch]
"""Mentions of demands, by the demand's place among the element's."""
_NOTHING: _Held = {}


@lru_cache(maxsize=64)  # level 2 and the embedded judge look at one document after the other
def match_element(document: Document, element: Element) -> ElementMatch:
    """Whether a document states an element, and where.

    >>> from mmrare_judge.lexical.demands import compile_element
    >>> from mmrare_judge.lexical.document import read
    >>> table = Terms.default()
    >>> plan = read("Avoid NSAIDs. Brain MRI today.", table)
    >>> match_element(plan, compile_element("magnetic resonance imaging of the brain", table)).found
    True
    >>> match_element(plan, compile_element("NSAIDs", table)).negated
    True
    """
    if not _mentioned(document, element):
        return element.absent
    document.locate(element.words)
    mentions = [document.stretches(key) for key in element.keys]
    stated = _best(document, element, mentions, polarity=True)
    if stated is not None:
        return ElementMatch(element=element.text, found=True, span=stated)
    mentioned = _best(document, element, mentions, polarity=False)
    return ElementMatch(
        element=element.text, found=False, negated=mentioned is not None, span=mentioned
    )


def match_prohibited(document: Document, text: str, terms: Terms) -> ElementMatch:
    """Whether a document recommends what it must not: found is a violation.

    >>> from mmrare_judge.lexical.document import read
    >>> table = Terms.default()
    >>> match_prohibited(read("Give the live vaccine.", table), "Avoid live vaccines", table).found
    True
    """
    return match_element(document, compile_prohibited(text, terms))


def _mentioned(document: Document, element: Element) -> bool:
    """Whether enough of an element may stand somewhere, negated or not."""
    words, terms, needed, _, _ = element.least
    there = len(document.keys.intersection(words))
    return there + len(terms) >= needed and there + sum(map(document.has, terms)) >= needed


def _best(
    document: Document, element: Element, mentions: Sequence[list[Stretch]], *, polarity: bool
) -> Span | None:
    """The span of the window that holds most of the element, the shortest of them, if any does."""
    held = _held(element, mentions, alike=polarity and element.kind == "name")
    best: _Held = {}
    for size in range(1, WINDOWS[element.kind] + 1):
        for first in sorted(held):
            there = held[first] if size == 1 else _window(held, range(first, first + size))
            if len(there) <= len(best) or not element.made_of(there):
                continue
            if not (polarity and _opposed(element, there)):
                best = there
                if len(best) == len(mentions):  # there is no more to hold
                    return _span(document, best.values())
    return _span(document, best.values()) if best else None


def _held(element: Element, mentions: Sequence[list[Stretch]], *, alike: bool) -> dict[int, _Held]:
    """For each sentence the first mention of each demand, one of its own polarity before others.

    Args:
        element: What makes the demands.
        mentions: Where each demand stands.
        alike: Leave out what has another polarity, if it is no number.
    """
    held: dict[int, _Held] = {}
    for at, demand in enumerate(element.demands):
        own, any_polarity = demand.negated, not alike or demand.key[0] == "#"
        for mention in mentions[at]:
            _, _, sentence, negated = mention
            if negated == own or any_polarity:
                there = held.setdefault(sentence, {})
                if at not in there or (negated == own and there[at][3] != own):
                    there[at] = mention
    return held


def _window(held: dict[int, _Held], sentences: range) -> _Held:
    """The first mention of each demand in some sentences."""
    there: _Held = {}
    for sentence in sentences:
        for at, mention in held.get(sentence, _NOTHING).items():
            there.setdefault(at, mention)
    return there


def _opposed(element: Element, held: _Held) -> bool:
    """Whether more words are there with the other polarity than with the element's own."""
    balance, demands = 0, element.demands
    for at, mention in held.items():
        demand = demands[at]
        if demand.key[0] != "#":
            balance += 1 if mention[3] == demand.negated else -1
    return balance < 0


def _span(document: Document, mentions: Collection[Stretch]) -> Span:
    start, end = document.slice(min(mentions)[0], max(last for _, last, _, _ in mentions))
    return Span(start=start, end=end, text=document.text[start:end])
