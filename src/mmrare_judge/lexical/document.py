"""A prediction read once: tokens, sentences, negation, terms and where each word stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

from mmrare_judge.lexical.negation import negate
from mmrare_judge.lexical.negation_words import CUES
from mmrare_judge.lexical.stems import stem
from mmrare_judge.lexical.terms import Kind, Terms
from mmrare_judge.lexical.tokens import Token, sentence_starts, tokens_of
from mmrare_judge.lexical.words import weight

_LOCAL = re.compile(r"\(([A-Z][A-Za-z0-9]{1,6})s?\)")


class Mention(NamedTuple):
    """One place where something is named.

    Attributes:
        first: Position of its first token.
        last: Position of its last token.
        sentence: Number of the sentence.
        negated: Avoided, denied or said not to be needed.
    """

    first: int
    last: int
    sentence: int
    negated: bool


@dataclass(frozen=True, eq=False)
class Document:
    """A text with everything that matching asks of it.

    Attributes:
        text: The text as it was given.
        tokens: Its tokens.
        bounds: For each sentence, the positions of its first token and behind its last.
        words: For the key of each token but function words, the positions where it stands.
        terms: For each term found, as ``=name``, where it stands.
        negations: The positions of all negated tokens.
        kinds: The terms found, as (kind, name, mention), in order.
    """

    text: str
    tokens: tuple[Token, ...]
    bounds: tuple[tuple[int, int], ...]
    words: dict[str, list[int]]
    terms: dict[str, list[Mention]]
    negations: frozenset[int]
    kinds: tuple[tuple[Kind, str, Mention], ...]

    def mentions(self, key: str) -> list[Mention]:
        """Where a key stands: a token's, or a term's as ``=name``."""
        if key[0] == "=":
            return self.terms.get(key, [])
        return [
            Mention(position, position, self.sentence_of(position), position in self.negations)
            for position in self.words.get(key, ())
        ]

    def sentence_of(self, position: int) -> int:
        """The number of the sentence a token is in."""
        return bisect_right(self.starts, position) - 1

    @cached_property
    def starts(self) -> list[int]:
        """The position of each sentence's first token."""
        return [first for first, _ in self.bounds]

    def slice(self, first: int, last: int) -> tuple[int, int]:
        """Offsets of the stretch from one token to another."""
        return self.tokens[first].start, self.tokens[last].end

    def negated(self, position: int) -> bool:
        """Whether the token at a position is negated."""
        return position in self.negations

    def sentence(self, number: int) -> tuple[int, int]:
        """Offsets of a sentence, from its first token to its last."""
        first, behind = self.bounds[number]
        return self.slice(first, behind - 1)


@lru_cache(maxsize=32)
def read(text: str, terms: Terms) -> Document:
    """Read a text.

    >>> document = read("No MRI. Give IVIG.", Terms.default())
    >>> [(name, mention.negated) for _, name, mention in document.kinds]
    [('magnetic resonance imaging', True), ('intravenous immunoglobulin', False)]
    """
    tokens = tokens_of(text)
    bounds = _bounds(text, tokens)
    negations = _negations(text, tokens, bounds)
    words = _word_index(tokens, _local_abbreviations(text, tokens))
    named: dict[str, list[Mention]] = {}
    kinds: list[tuple[Kind, str, Mention]] = []
    for number, (first, behind) in enumerate(bounds):
        for start, end, term in terms.find([token.key for token in tokens[first:behind]]):
            last = first + end - 1
            mention = Mention(first + start, last, number, last in negations)
            for name in (term.name, *terms.parts.get(term.name, ())):
                named.setdefault(f"={name}", []).append(mention)
            kinds.append((term.kind, term.name, mention))
    return Document(text, tuple(tokens), bounds, words, named, negations, tuple(kinds))


def _word_index(tokens: list[Token], local: dict[str, tuple[str, ...]]) -> dict[str, list[int]]:
    words: dict[str, list[int]] = {}
    for position, token in enumerate(tokens):
        if weight(token.word):
            words.setdefault(token.key, []).append(position)
            for key in local.get(token.key, ()) if local else ():
                words.setdefault(key, []).append(position)
    return words


def _negations(
    text: str, tokens: list[Token], bounds: tuple[tuple[int, int], ...]
) -> frozenset[int]:
    return frozenset(
        first + offset
        for first, behind in bounds
        if not CUES.isdisjoint([token.word for token in tokens[first:behind]])
        for offset in negate(text, tokens[first:behind])
    )


def _bounds(text: str, tokens: list[Token]) -> tuple[tuple[int, int], ...]:
    offsets = [token.start for token in tokens]
    cuts = [0, *(bisect_right(offsets, start - 1) for start in sentence_starts(text)), len(tokens)]
    return tuple((first, behind) for first, behind in pairwise(cuts) if first < behind)


def _local_abbreviations(text: str, tokens: list[Token]) -> dict[str, tuple[str, ...]]:
    """What the text itself abbreviates: "premature ejaculation (PE)" makes PE mean both words."""
    found: dict[str, tuple[str, ...]] = {}
    ends = [token.end for token in tokens]
    for match in _LOCAL.finditer(text):
        letters = match[1].lower()
        behind = bisect_right(ends, match.start())
        before = tokens[max(0, behind - len(letters)) : behind]
        if len(before) == len(letters) and all(
            token.word[0] == letter for token, letter in zip(before, letters, strict=True)
        ):
            found[stem(letters)] = tuple(token.key for token in before)
    return found
