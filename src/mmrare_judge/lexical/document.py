"""A prediction read once: tokens, sentences, negation, terms and where each word stands."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import compress, pairwise
from typing import NamedTuple

from mmrare_judge.lexical.headings import negated_items
from mmrare_judge.lexical.negation import negated_words
from mmrare_judge.lexical.negation_words import CUES
from mmrare_judge.lexical.stems import stem
from mmrare_judge.lexical.terms import Kind, Terms
from mmrare_judge.lexical.tokens import Cut, Token, cut, sentence_starts

Bounds = tuple[tuple[int, int], ...]
"""For each sentence, the positions of its first token and behind its last."""

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
        cut: Its tokens, feature by feature.
        bounds: For each sentence, the positions of its first token and behind its last.
        words: For the key of each token but function words, the positions where it stands.
        terms: For each term found, as ``=name``, where it stands.
        negations: The positions of all negated tokens.
        kinds: The terms found, as (kind, name, mention), in order.
    """

    text: str
    cut: Cut
    bounds: Bounds
    words: dict[str, list[int]]
    terms: dict[str, list[Mention]]
    negations: frozenset[int]
    kinds: tuple[tuple[Kind, str, Mention], ...]

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Its tokens, one by one."""
        keys, words, _, starts, ends = self.cut
        return tuple(map(Token, keys, words, starts, ends))

    def has(self, key: str) -> bool:
        """Whether a key stands anywhere: a token's, or a term's as ``=name``."""
        return key in (self.terms if key[0] == "=" else self.words)

    def mentions(self, key: str) -> list[Mention]:
        """Where a key stands: a token's, or a term's as ``=name``."""
        if key[0] == "=":
            return self.terms.get(key, [])
        starts, negations = self.starts, self.negations
        return [
            Mention(position, position, bisect_right(starts, position) - 1, position in negations)
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
        return self.cut.starts[first], self.cut.ends[last]

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
    tokens = cut(text)
    bounds = _bounds(text, tokens)
    negations = _negations(text, tokens, bounds)
    words = _word_index(tokens, _local_abbreviations(text, tokens))
    named: dict[str, list[Mention]] = {}
    kinds: list[tuple[Kind, str, Mention]] = []
    for sentence, first, behind, term in terms.find_within(tokens.keys, bounds):
        mention = Mention(first, behind - 1, sentence, behind - 1 in negations)
        for name in (term.name, *terms.parts.get(term.name, ())):
            named.setdefault(f"={name}", []).append(mention)
        kinds.append((term.kind, term.name, mention))
    return Document(text, tokens, bounds, words, named, negations, tuple(kinds))


def _word_index(tokens: Cut, local: dict[str, tuple[str, ...]]) -> dict[str, list[int]]:
    words: dict[str, list[int]] = {}
    keys = tokens.keys
    for position in compress(range(len(keys)), tokens.weights):
        key = keys[position]
        if key in words:
            words[key].append(position)
        else:
            words[key] = [position]
        for other in local.get(key, ()) if local else ():
            words.setdefault(other, []).append(position)
    return words


def _negations(text: str, tokens: Cut, bounds: Bounds) -> frozenset[int]:
    cues = [position for position, word in enumerate(tokens.words) if word in CUES]
    starts = [first for first, _ in bounds]
    found: list[int] = []
    for sentence in dict.fromkeys(bisect_right(starts, cue) - 1 for cue in cues):
        first, behind = bounds[sentence]
        gaps = [
            text[end:start]
            for end, start in zip(
                tokens.ends[first : behind - 1], tokens.starts[first + 1 : behind], strict=True
            )
        ]
        negated = negated_words(tokens.words[first:behind], ["", *gaps])
        found.extend(first + offset for offset in negated)
    for start, end in negated_items(text) if cues else ():
        found.extend(range(bisect_left(tokens.starts, start), bisect_left(tokens.starts, end)))
    return frozenset(found)


def _bounds(text: str, tokens: Cut) -> Bounds:
    starts = tokens.starts
    cuts = [0, *(bisect_left(starts, start) for start in sentence_starts(text)), len(starts)]
    return tuple((first, behind) for first, behind in pairwise(cuts) if first < behind)


def _local_abbreviations(text: str, tokens: Cut) -> dict[str, tuple[str, ...]]:
    """What the text itself abbreviates: "premature ejaculation (PE)" makes PE mean both words."""
    found: dict[str, tuple[str, ...]] = {}
    for match in _LOCAL.finditer(text):
        letters = match[1].lower()
        behind = bisect_right(tokens.ends, match.start())
        place = slice(max(0, behind - len(letters)), behind)
        if [word[0] for word in tokens.words[place]] == list(letters):
            found[stem(letters)] = tuple(tokens.keys[place])
    return found
