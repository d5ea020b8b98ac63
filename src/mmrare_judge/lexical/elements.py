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

from collections.abc import Sequence
from functools import lru_cache

from mmrare_judge.grade import ElementMatch, Span
from mmrare_judge.lexical.demands import Demand, Element, Kind, compile_prohibited
from mmrare_judge.lexical.document import Document, Mention
from mmrare_judge.lexical.terms import Terms

WINDOWS: dict[Kind, int] = {"name": 1, "order": 3, "statement": 3}
"""Over how many adjacent sentences an element may be spread."""


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
    stated = _best(document, element, polarity=True)
    if stated is not None:
        return ElementMatch(element=element.text, found=True, span=stated)
    mentioned = _best(document, element, polarity=False)
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
    """Whether enough of an element stands anywhere, negated or not."""
    has = document.has
    return all(map(has, element.required)) and sum(map(has, element.counted)) >= element.needed


def _best(document: Document, element: Element, *, polarity: bool) -> Span | None:
    """The span of the window that holds most of the element, the shortest of them, if any does."""
    alike = polarity and element.kind == "name"
    places = [_places(document, demand, alike=alike) for demand in element.demands]
    if not _enough(element, places):
        return None
    best: list[Mention] = []
    firsts = sorted({sentence for place in places for sentence in place})
    for size in range(1, WINDOWS[element.kind] + 1):
        for first in firsts:
            held = _held(places, first, size)
            mentions = [mention for mention in held if mention]
            if len(mentions) <= len(best) or not _enough(element, held):
                continue
            if not (polarity and _opposed(element, held)):
                best = mentions
                if len(best) == len(places):  # there is no more to hold
                    return _span(document, best)
    return _span(document, best) if best else None


def _places(document: Document, demand: Demand, *, alike: bool) -> dict[int, Mention]:
    """The first mention of a demand in each sentence, one of its own polarity before others."""
    places: dict[int, Mention] = {}
    for mention in document.mentions(demand.key):
        agrees = mention.negated == demand.negated
        if agrees or not alike or demand.key[0] == "#":
            known = places.setdefault(mention.sentence, mention)
            if agrees and known.negated != demand.negated:
                places[mention.sentence] = mention
    return places


def _enough(element: Element, found: Sequence[object]) -> bool:
    """Whether what was found (something true for each demand that was) makes the element."""
    there = 0
    for demand, present in zip(element.demands, found, strict=True):
        if present:
            there += element.counts(demand)
        elif demand.required:
            return False
    return there >= element.needed


def _opposed(element: Element, held: Sequence[Mention | None]) -> bool:
    """Whether more words are there with the other polarity than with the element's own."""
    balance = 0
    for demand, mention in zip(element.demands, held, strict=True):
        if mention and demand.key[0] != "#":
            balance += 1 if mention.negated == demand.negated else -1
    return balance < 0


def _held(places: Sequence[dict[int, Mention]], first: int, size: int) -> list[Mention | None]:
    """For each demand its first mention in the window, or none."""
    if size == 1:
        return [place.get(first) for place in places]
    window = range(first, first + size)
    return [
        next((place[sentence] for sentence in window if sentence in place), None)
        for place in places
    ]


def _span(document: Document, mentions: Sequence[Mention]) -> Span:
    start, end = document.slice(
        min(mention.first for mention in mentions), max(mention.last for mention in mentions)
    )
    return Span(start=start, end=end, text=document.text[start:end])
