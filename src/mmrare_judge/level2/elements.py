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
from functools import lru_cache
from typing import Literal, NamedTuple

from mmrare_judge.level2.document import Document, Stretch, read_document
from mmrare_judge.level2.negation import carries_negation
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.tokens import TextToken, lazy, sentence_starts, tokens_of
from mmrare_judge.level2.words import Weight, is_directive, looks_like_drug, makes_statement, weight
from mmrare_judge.records import Record, Text

# FOLDED lexical.clauses: What a reference answer says, one element a clause, for items without a list.

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
    without a word of content is dropped.

    >>> clauses_of("Start diazoxide and monitor glucose. Refer to genetics; train the parents.")
    ('Start diazoxide', 'monitor glucose', 'Refer to genetics', 'train the parents')
    """
    cut = (clause.strip(" .,*") for line in _lines(answer) for clause in _orders(line))
    return tuple(clause for clause in cut if _says_something(clause))


@lru_cache(maxsize=4096)
def list_labels(answer: str) -> tuple[str, ...]:
    r"""The tests of a reference work-up: the label of each line that has one, else its clauses.

    >>> list_labels("- **Chest X-ray:** clear. No effusion.\n- Blood smear showed schistocytes")
    ('Chest X-ray', 'Blood smear showed schistocytes')
    """
    found: list[str] = []
    for line in answer.splitlines():
        plain = _BULLET.sub("", line).replace("*", "")
        label = _LABEL.match(plain)
        found.extend([label[1].strip()] if label else clauses_of(plain))
    return tuple(element for element in found if _says_something(element))


def _lines(text: str) -> list[str]:
    starts = [0, *sentence_starts(text)]
    ends = [*starts[1:], len(text)]
    return [
        _BULLET.sub("", text[start:end].strip()).replace("*", "")
        for start, end in zip(starts, ends, strict=True)
    ]


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
    return any(weight(token.word) is Weight.CONTENT for token in tokens_of(clause))


# FOLDED element_match: Elements found in a prediction: `ElementMatch` and `Span`.


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


# FOLDED lexical.element: An element of a reference, compiled: `Element`, and the `Demand` of each of its words.

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


class Least(NamedTuple):
    """What has to be in a text for an element to be stated.

    Attributes:
        words: The keys of tokens that count.
        terms: The terms that count.
        needed: How many of these have to be there, at least one.
        counted: The demands that count, by their places among the element's.
        required: Those without which it is not stated, likewise.
    """

    words: frozenset[str]
    terms: tuple[str, ...]
    needed: int
    counted: frozenset[int]
    required: frozenset[int]


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

    @lazy
    def keys(self) -> tuple[str, ...]:
        """The key of each demand."""
        return tuple(demand.key for demand in self.demands)

    @lazy
    def words(self) -> frozenset[str]:
        """Of `keys`, those of tokens."""
        return frozenset(key for key in self.keys if key[0] != "=")

    @lazy
    def least(self) -> Least:
        """What has to be there at least; asides count in a name only."""
        counted = [one for one in self.demands if self.kind == "name" or not one.aside]
        places = {one.key: at for at, one in enumerate(self.demands)}
        return Least(
            words=frozenset(one.key for one in counted if one.key[0] != "="),
            terms=tuple(one.key for one in counted if one.key[0] == "="),
            needed=max(1, math.ceil(SHARES[self.kind] * len(counted))),
            counted=frozenset(places[one.key] for one in counted),
            required=frozenset(places[one.key] for one in self.demands if one.required),
        )

    @lazy
    def absent(self) -> ElementMatch:
        """What is said of it where a text does not mention it."""
        return ElementMatch(element=self.text, found=False)

    def made_of(self, there: Collection[int]) -> bool:
        """Whether some demands, by their places among `demands`, make the element."""
        _, _, needed, counted, required = self.least
        return required.issubset(there) and len(counted.intersection(there)) >= needed


# FOLDED lexical.demands: What an element of a reference asks of a text: `compile_element`.

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
    if strict or not any(map(makes_statement, read_document(text, terms).cut.words)):
        content = _heaviest(list(_asked(_without_remarks(text, _is_name), terms)))
        return Element(text, "name" if strict or len(content) <= NAME_WORDS else "order", content)
    asked = list(_asked(_without_remarks(text, _is_remark), terms))
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


@lru_cache(maxsize=64)  # the same few texts are looked at several times while one is compiled
def _tokens(text: str) -> tuple[TextToken, ...]:
    return tuple(tokens_of(text))


def _subject(question: str, terms: Terms) -> frozenset[str]:
    if len(question.split()) > PLAIN_QUESTION:
        return frozenset()
    document = read_document(question, terms)
    return frozenset((*document.words, *document.terms))


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
        token = document.tokens[position]
        aside = bool(asides) and any(token.start in stretch for stretch in asides)
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
    for position, token in enumerate(document.tokens):
        value = weight(token.word)
        if position in terms:
            kind, name, _ = terms[position]
            general = kind == "word" and value < Weight.CONTENT
            least = Weight.GENERAL if general else Weight.CONTENT
            yield position, f"={name}", least, kind == "drug"
        elif position not in covered and value and not carries_negation(token.word):
            yield position, token.key, value, looks_like_drug(token.word)


def _asides(text: str) -> list[range]:
    """Where mere examples and conditions stand, if the rest says something without them."""
    asides = [range(*match.span()) for match in _ASIDE.finditer(text)]
    if not asides:
        return []
    rest = [
        token
        for token in _tokens(text)
        if weight(token.word) is Weight.CONTENT
        and not any(token.start in aside for aside in asides)
    ]
    return asides if len(rest) >= 2 else []


def _without_remarks(text: str, droppable: Callable[[str], bool]) -> str:
    """The element without those parentheses that may be dropped, if something is left then."""
    if "(" not in text and "[" not in text:
        return text
    bare = _PARENTHESIS.sub(lambda remark: "" if droppable(remark[1]) else remark[0], text)
    return bare if any(weight(token.word) is Weight.CONTENT for token in _tokens(bare)) else text


def _is_name(remark: str) -> bool:
    """Whether a parenthesis holds one other name, as in "Whipple procedure (PPPD)"."""
    words = _tokens(remark)
    return len(words) <= 1 and not any(token.key[0] == "#" for token in words)


def _is_remark(remark: str) -> bool:
    """Whether a parenthesis in a statement holds names or a remark, and no number."""
    return not any(token.key[0] == "#" for token in _tokens(remark))


WINDOWS: dict[Kind, int] = {"name": 1, "order": 3, "statement": 3}
"""Over how many adjacent sentences an element may be spread."""

_Held = dict[int, Stretch]
"""Mentions of demands, by the demand's place among the element's."""
_NOTHING: _Held = {}


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

    >>> from mmrare_judge.level2.document import read_document
    >>> table = Terms.default()
    >>> match_prohibited(read_document("Give the live vaccine.", table), "Avoid live vaccines", table).found
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
