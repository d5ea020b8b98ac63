"""What an element of a reference asks of a text: `compile_element`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from mmrare_judge.lexical.document import Document, read
from mmrare_judge.lexical.element import Demand, Element
from mmrare_judge.lexical.negation import carries_negation
from mmrare_judge.lexical.terms import Terms
from mmrare_judge.lexical.tokens import Token, tokens_of
from mmrare_judge.lexical.words import Weight, looks_like_drug, makes_statement, weight

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
    if strict or not any(map(makes_statement, read(text, terms).cut.words)):
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
def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(tokens_of(text))


def _subject(question: str, terms: Terms) -> frozenset[str]:
    if len(question.split()) > PLAIN_QUESTION:
        return frozenset()
    document = read(question, terms)
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
    document = read(text, terms)
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
