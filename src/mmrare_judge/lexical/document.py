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
from mmrare_judge.lexical.terms import Found, Kind, Terms
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
    """A text with everything that matching asks of it, each worked out when it is first asked for.

    Attributes:
        text: The text as it was given.
        cut: Its tokens, feature by feature.
        table: The terms that are sought in it.
    """

    text: str
    cut: Cut
    table: Terms

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Its tokens, one by one."""
        keys, words, _, starts, ends = self.cut
        return tuple(map(Token, keys, words, starts, ends))

    @cached_property
    def bounds(self) -> Bounds:
        """For each sentence, the positions of its first token and behind its last."""
        return _bounds(self.text, self.cut)

    @cached_property
    def words(self) -> dict[str, list[int]]:
        """For the key of each token but function words, the positions where it stands."""
        return _word_index(self.cut, _local_abbreviations(self.text, self.cut))

    @cached_property
    def terms(self) -> dict[str, list[Found]]:
        """For each term, as ``=name``, where it was found, or a name that contains it."""
        named: dict[str, list[Found]] = {}
        for found in self._found:
            for key in self.table.keys[found.term.name]:
                named.setdefault(key, []).append(found)
        return named

    @cached_property
    def kinds(self) -> tuple[tuple[Kind, str, Mention], ...]:
        """The terms found, as (kind, name, mention), in order."""
        return tuple(
            (found.term.kind, found.term.name, self._mention(found)) for found in self._found
        )

    @cached_property
    def _found(self) -> list[Found]:
        return self.table.find_within(self.cut.keys, self.bounds)

    def has(self, key: str) -> bool:
        """Whether a key stands anywhere: a token's, or a term's as ``=name``."""
        return key in (self.terms if key[0] == "=" else self.words)

    def mentions(self, key: str) -> list[Mention]:
        """Where a key stands: a token's, or a term's as ``=name``."""
        if key[0] == "=":
            return [self._mention(found) for found in self.terms.get(key, ())]
        return [
            Mention(position, position, sentence, position in self._negated[sentence])
            for position in self.words.get(key, ())
            for sentence in (self.sentence_of(position),)
        ]

    def _mention(self, found: Found) -> Mention:
        sentence, first, behind, _ = found
        return Mention(first, behind - 1, sentence, behind - 1 in self._negated[sentence])

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
        return position in self._negated[self.sentence_of(position)]

    @cached_property
    def _negated(self) -> _Negated:
        return _Negated(self.text, self.cut, self.bounds)

    def sentence(self, number: int) -> tuple[int, int]:
        """Offsets of a sentence, from its first token to its last."""
        first, behind = self.bounds[number]
        return self.slice(first, behind - 1)


class _Negated(dict[int, frozenset[int]]):
    """For a sentence the positions that are negated in it, once asked for."""

    def __init__(self, text: str, tokens: Cut, bounds: Bounds) -> None:
        self._text, self._cut, self._bounds = text, tokens, bounds
        self._listed = _listed(text, tokens)

    def __missing__(self, sentence: int) -> frozenset[int]:
        place = slice(*self._bounds[sentence])
        words = self._cut.words[place]
        found = self._listed
        if not CUES.isdisjoint(words):
            ends, starts = self._cut.ends[place], self._cut.starts[place]
            gaps = [self._text[end:start] for end, start in zip(ends, starts[1:], strict=False)]
            found = found.union(place.start + at for at in negated_words(words, ["", *gaps]))
        self[sentence] = found
        return found


def _listed(text: str, tokens: Cut) -> frozenset[int]:
    """The positions under headings that negate."""
    starts = tokens.starts
    return frozenset(
        position
        for start, end in ([] if CUES.isdisjoint(tokens.words) else negated_items(text))
        for position in range(bisect_left(starts, start), bisect_left(starts, end))
    )


@lru_cache(maxsize=32)
def read(text: str, terms: Terms) -> Document:
    """Read a text.

    >>> document = read("No MRI. Give IVIG.", Terms.default())
    >>> [(name, mention.negated) for _, name, mention in document.kinds]
    [('magnetic resonance imaging', True), ('intravenous immunoglobulin', False)]
    """
    return Document(text, cut(text), terms)


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
