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

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from html import unescape
from itertools import pairwise
from typing import Literal

from mmrare_judge.level2.document import Document, Mention, read_document
from mmrare_judge.level2.negation import carries_negation
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.tokens import Tokens, sentence_starts
from mmrare_judge.level2.words import Weight, is_directive, looks_like_drug, makes_statement, weight
from mmrare_judge.records import Record, Text

# --- What a reference answer says, one element a clause, for items without a list

_BULLET = re.compile(r"^[\s\-*•#]*(?:\d{1,2}[.)]\s+)?")
_LABEL = re.compile(r"^([^:.]{2,80}):(?=\s|$)")
_JOINT = re.compile(
    r";\s*|,\s*(?=followed by\b)|,?\s+and\s+(?=(\w+)\b)|,\s*(?:then\s+)?(?=(\w+)\b)"
)


@lru_cache(maxsize=4096)
def clauses_of(answer: str) -> tuple[str, ...]:
    """The clauses of a reference answer.

    The answer is cut at line and sentence ends, at semicolons, before "followed by", and at a
    comma or "and" before a verb that opens an order ("..., start", "and monitor"). A clause
    without a word of content is left out.

    >>> clauses_of("Start diazoxide and monitor glucose. Refer to genetics; train the parents.")
    ('Start diazoxide', 'monitor glucose', 'Refer to genetics', 'train the parents')
    """
    lines = _lines(unescape(answer))
    clauses = (clause.strip(" .,*") for line in lines for clause in _orders(line))
    return tuple(clause for clause in clauses if _says_something(clause))


@lru_cache(maxsize=4096)
def list_labels(answer: str) -> tuple[str, ...]:
    r"""The tests of a reference work-up: the label of each line that has one, else its clauses.

    >>> list_labels("- **Chest X-ray:** clear. No effusion.\n- Blood smear showed schistocytes")
    ('Chest X-ray', 'Blood smear showed schistocytes')
    """
    found: list[str] = []
    for line in unescape(answer).splitlines():
        plain = _BULLET.sub("", line).replace("*", "")
        label = _LABEL.match(plain)
        found.extend([label[1].strip()] if label else clauses_of(plain))
    return tuple(element for element in found if _says_something(element))


def _lines(text: str) -> list[str]:
    cuts = [0, *sentence_starts(text), len(text)]
    lines = (text[start:end].strip() for start, end in pairwise(cuts))
    return [_BULLET.sub("", line).replace("*", "") for line in lines]


def _orders(line: str) -> list[str]:
    pieces: list[str] = []
    begin = 0
    for joint in _JOINT.finditer(line):
        verb = joint[1] or joint[2]
        if verb is None or is_directive(verb.lower()):
            pieces.append(line[begin : joint.start()])
            begin = joint.end()
    return [*pieces, line[begin:]]


def _says_something(clause: str) -> bool:
    return any(weight(word) is Weight.CONTENT for word in Tokens(clause).words)


# --- Results


class Span(Record):
    """A stretch of the prediction: ``prediction[start:end] == text``."""

    start: int
    end: int
    text: Text


class ElementMatch(Record):
    """Whether one element of a reference list is stated in the prediction.

    Attributes:
        element: The element, as the reference has it.
        found: Stated and not negated.
        negated: Mentioned, but only to be avoided, denied or ruled unnecessary.
        span: The stretch that was matched, negated or not.
    """

    element: Text
    found: bool
    negated: bool = False
    span: Span | None = None


# --- An element, compiled

Kind = Literal["name", "order", "statement"]

SHARES: dict[Kind, Fraction] = {
    "name": Fraction(1),
    "order": Fraction(2, 3),
    "statement": Fraction(1, 2),
}
"""The least share of an element's words that has to be there."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One word, number or term that an element asks for.

    Attributes:
        key: The key of a token or a term.
        negated: Whether the element itself negates it.
        required: Whether the element is not stated without it: numbers and drugs.
        aside: Part of an example or a condition: counts only if it is required.
    """

    key: str
    negated: bool
    required: bool
    aside: bool


@dataclass(frozen=True, eq=False)
class Element:
    """An element of a reference, compiled.

    Attributes:
        text: As the reference has it.
        kind: ``name`` of a thing, ``order`` without a subject, or ``statement`` with a verb.
        demands: What it asks for; empty if it holds no word that says anything.
    """

    text: str
    kind: Kind
    demands: tuple[Demand, ...]

    @cached_property
    def counted(self) -> frozenset[int]:
        """The demands that count, by their places; asides count in a name only."""
        return self._places(lambda one: self.kind == "name" or not one.aside)

    @cached_property
    def required(self) -> frozenset[int]:
        """The demands without which the element is not stated, by their places."""
        return self._places(lambda one: one.required)

    @cached_property
    def needed(self) -> int:
        """How many of the counted demands have to be there, at least one."""
        return max(1, math.ceil(SHARES[self.kind] * len(self.counted)))

    @cached_property
    def absent(self) -> ElementMatch:
        """What is found of it in a text that does not mention it."""
        return ElementMatch(element=self.text, found=False)

    def _places(self, wanted: Callable[[Demand], bool]) -> frozenset[int]:
        return frozenset(at for at, demand in enumerate(self.demands) if wanted(demand))

    def made_of(self, there: Collection[int]) -> bool:
        """Whether some demands, by their places among `demands`, make the element."""
        return (
            self.required.issubset(there) and len(self.counted.intersection(there)) >= self.needed
        )


NAME_WORDS = 3
"""An element of at most so many content words, without a verb, is a name."""

PLAIN_QUESTION = 40
"""A question of at most so many words names the subject of its answer; a longer one is a case."""

_PARENTHESIS = re.compile(r"\s*[(\[]([^()\[\]]*)(?:[)\]]|$)")
_ASIDE = re.compile(
    r"\b(?:such as|e\.g\.?|for example|for instance)\b.*?"
    r"(?=\b(?:is|are|can|may|should|has|have)\b|$)"
    r"|\b(?:if|in cases? of)\b[^,]*",
    re.IGNORECASE | re.DOTALL,
)

_PROHIBITION = re.compile(
    r"^\s*(?:(?:please\s+)?(?:avoid|do\s+not|don['’]t|never|must\s+not|should\s+not|not|no)\b"
    r"(?:\s+(?:use|using|give|giving|order|ordering|recommend|recommending)\b)?\s*)+",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def compile_element(
    text: str, terms: Terms, *, question: str = "", strict: bool = False
) -> Element:
    """Compile an element.

    Args:
        text: The element.
        terms: The table of names.
        question: What was asked; a statement need not repeat what a plain question names.
        strict: Treat it as a name, whatever it is: every content word has to be there.

    >>> element = compile_element("Start prednisone 10 mg (Deltasone)", Terms.default())
    >>> element.kind, [demand.key for demand in element.demands]
    ('name', ['prednison', '#10mg'])
    """
    said = unescape(text) if "&" in text else text
    if strict or not any(map(makes_statement, read_document(said, terms).tokens.words)):
        content = _heaviest(list(_asked(_without_remarks(said, _is_name), terms)))
        return Element(text, "name" if strict or len(content) <= NAME_WORDS else "order", content)
    asked = list(_asked(_without_remarks(said, _is_remark), terms))
    subject = _subject(question, terms)
    own = [(demand, value) for demand, value in asked if demand.key not in subject]
    return Element(text, "statement", _heaviest(own) or _heaviest(asked))


@lru_cache(maxsize=8192)
def compile_prohibited(text: str, terms: Terms) -> Element:
    """Compile what must not be recommended: "Avoid X" and "Do not give X" stand for X.

    Every content word has to be there, in one sentence: nobody is accused of half a violation.

    >>> element = compile_prohibited("Avoid live vaccines", Terms.default())
    >>> [demand.key for demand in element.demands]
    ['live', 'vaccin']
    """
    thing = compile_element(_PROHIBITION.sub("", text) or text, terms, strict=True)
    return Element(text, thing.kind, thing.demands)


def _subject(question: str, terms: Terms) -> frozenset[str]:
    if len(question.split()) > PLAIN_QUESTION:
        return frozenset()
    document = read_document(question, terms)
    named = (key for _, name, _ in document.kinds for key in terms.keys[name])
    return frozenset((*document.words, *named))


def _heaviest(asked: list[tuple[Demand, Weight]]) -> tuple[Demand, ...]:
    """The demands of content; of general words where there is no content."""
    for least in (Weight.CONTENT, Weight.GENERAL):
        kept = {demand.key: demand for demand, value in reversed(asked) if value >= least}
        if kept:
            return tuple(reversed(kept.values()))
    return ()


def _asked(text: str, terms: Terms) -> Iterator[tuple[Demand, Weight]]:
    """The demands of a text with what they weigh: its terms, and its words outside of terms."""
    document = read_document(text, terms)
    asides = _asides(text)
    for position, key, value, drug in _keys(document):
        aside = any(document.tokens.starts[position] in stretch for stretch in asides)
        required = key[0] == "#" or (drug and not aside)
        negated = document.negated(position)
        yield Demand(key, negated, required, aside), value


def _keys(document: Document) -> Iterator[tuple[int, str, Weight, bool]]:
    """Position, key and weight of everything an element names, and whether it is a drug."""
    terms = {mention.last: (kind, name, mention) for kind, name, mention in document.kinds}
    covered = {
        position
        for _, _, mention in document.kinds
        for position in range(mention.first, mention.last + 1)
    }
    for position, key in enumerate(document.tokens.keys):
        word = document.tokens.words[position]
        value = weight(word)
        if position in terms:
            kind, name, _ = terms[position]
            general = kind == "word" and value < Weight.CONTENT
            least = Weight.GENERAL if general else Weight.CONTENT
            yield position, f"={name}", least, kind == "drug"
        elif position not in covered and value and not carries_negation(word):
            yield position, key, value, looks_like_drug(word)


def _asides(text: str) -> list[range]:
    """Where mere examples and conditions stand, if the rest says something without them."""
    asides = [range(*match.span()) for match in _ASIDE.finditer(text)]
    if not asides:
        return []
    tokens = Tokens(text)
    rest = [
        word
        for word, start in zip(tokens.words, tokens.starts, strict=True)
        if weight(word) is Weight.CONTENT and not any(start in aside for aside in asides)
    ]
    return asides if len(rest) >= 2 else []


def _without_remarks(text: str, may_go: Callable[[str], bool]) -> str:
    """The element without those parentheses that may be left out, if something is left then."""
    if "(" not in text and "[" not in text:
        return text
    bare = _PARENTHESIS.sub(lambda remark: "" if may_go(remark[1]) else remark[0], text)
    return bare if _says_something(bare) else text


def _is_name(remark: str) -> bool:
    """Whether a parenthesis holds one other name, as in "Whipple procedure (PPPD)"."""
    return len(Tokens(remark).keys) <= 1 and _is_remark(remark)


def _is_remark(remark: str) -> bool:
    """Whether a parenthesis in a statement holds names or a remark, and no number."""
    return not any(key[0] == "#" for key in Tokens(remark).keys)


# --- Elements looked up

WINDOWS: dict[Kind, int] = {"name": 1, "order": 3, "statement": 3}
"""Over how many adjacent sentences an element may be spread."""

_Held = dict[int, Mention]
"""Mentions of demands, by the demand's place among the element's."""


@lru_cache(maxsize=64)  # level 2 and the embedded judge look at one document after the other
def match_element(document: Document, element: Element) -> ElementMatch:
    """Whether a document states an element, and where.

    >>> from mmrare_judge.level2.elements import compile_element
    >>> from mmrare_judge.level2.document import read_document
    >>> table = Terms.default()
    >>> plan = read_document("Avoid NSAIDs. Brain MRI today.", table)
    >>> match_element(plan, compile_element("magnetic resonance imaging of the brain", table)).found
    True
    >>> match_element(plan, compile_element("NSAIDs", table)).negated
    True
    """
    keys = [demand.key for demand in element.demands]
    # Mostly too little is there, and that is known before any negation is worked out.
    if not element.made_of([at for at, key in enumerate(keys) if document.has(key)]):
        return element.absent
    mentions = [document.mentions(key) for key in keys]
    stated = _best(document, element, mentions, polarity=True)
    if stated is not None:
        return ElementMatch(element=element.text, found=True, span=stated)
    mentioned = _best(document, element, mentions, polarity=False)
    return ElementMatch(
        element=element.text, found=False, negated=mentioned is not None, span=mentioned
    )


def _best(
    document: Document, element: Element, mentions: Sequence[list[Mention]], *, polarity: bool
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


def _held(element: Element, mentions: Sequence[list[Mention]], *, alike: bool) -> dict[int, _Held]:
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
            alike_here = mention.negated == own
            if alike_here or any_polarity:
                there = held.setdefault(mention.sentence, {})
                if at not in there or (alike_here and there[at].negated != own):
                    there[at] = mention
    return held


def _window(held: dict[int, _Held], sentences: range) -> _Held:
    """The first mention of each demand in some sentences."""
    there: _Held = {}
    for sentence in sentences:
        for at, mention in held.get(sentence, {}).items():
            there.setdefault(at, mention)
    return there


def _opposed(element: Element, held: _Held) -> bool:
    """Whether more words are there with the other polarity than with the element's own."""
    balance, demands = 0, element.demands
    for at, mention in held.items():
        demand = demands[at]
        if demand.key[0] != "#":
            balance += 1 if mention.negated == demand.negated else -1
    return balance < 0


def _span(document: Document, mentions: Collection[Mention]) -> Span:
    start, end = document.slice(min(mentions).first, max(mention.last for mention in mentions))
    return Span(start=start, end=end, text=document.text[start:end])
