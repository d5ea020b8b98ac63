"""A prediction read once: tokens, sentences, negation, terms and where each word stands."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from mmrare_judge.level2.negation import CUES, negated_items, negated_words
from mmrare_judge.level2.terms import Found, Kind, Terms
from mmrare_judge.level2.tokens import Tokens, sentence_starts
from mmrare_judge.level2.words import stem

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
    """A text with everything that matching asks of it, each computed when it is first asked for.

    Attributes:
        text: The text as it was given.
        tokens: Its tokens.
        table: The terms that are sought in it.
    """

    text: str
    tokens: Tokens
    table: Terms

    @cached_property
    def starts(self) -> list[int]:
        """The position of each sentence's first token."""
        return [first for first, _ in self.bounds]

    @cached_property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """For each sentence, the positions of its first token and behind its last."""
        tokens = self.tokens.starts
        breaks = [bisect_left(tokens, start) for start in sentence_starts(self.text)]
        return tuple(pairwise(sorted({0, len(tokens), *breaks})))

    @cached_property
    def words(self) -> dict[str, list[int]]:
        """For the key of each token but function words, the positions where it stands."""
        said, local = self.tokens.said, _local_abbreviations(self.text, self.tokens)
        words: defaultdict[str, list[int]] = defaultdict(list)
        for position, key in enumerate(said):
            if key:
                words[key].append(position)
                for other in local.get(key, ()) if local else ():
                    words[other].append(position)
        return dict(words)

    @cached_property
    def kinds(self) -> list[tuple[Kind, str, Mention]]:
        """The terms found, as (kind, name, mention), in order."""
        return [
            (found[3].kind, found[3].name, mention)
            for found, mention in zip(self._found, self._mentions(self._found), strict=True)
        ]

    @cached_property
    def _found(self) -> list[Found]:
        return self.table.find(self.tokens.keys, self.bounds)

    @cached_property
    def _by_name(self) -> dict[str, list[Found]]:
        named: defaultdict[str, list[Found]] = defaultdict(list)
        for found in self._found:
            named[found[3].name].append(found)
        return named

    def has(self, key: str) -> bool:
        """Whether a key stands anywhere, negated or not."""
        if key[0] == "=":
            return not self._by_name.keys().isdisjoint(self.table.carriers.get(key, ()))
        return key in self.words

    def mentions(self, key: str) -> list[Mention]:
        """Where a key stands: a token's, or a term's as ``=name``."""
        if key[0] == "=":
            return self._mentions(self._named(key))
        starts = self.starts
        return [
            Mention(position, position, sentence, position in self._negated(sentence))
            for position in self.words.get(key, ())
            for sentence in (bisect_right(starts, position) - 1,)
        ]

    def _named(self, key: str) -> list[Found]:
        """Where a term, or a name that contains it, was found."""
        carriers = self.table.carriers.get(key, ())
        named = [self._by_name[n] for n in carriers if n in self._by_name]
        return named[0] if len(named) == 1 else sorted(chain.from_iterable(named))

    def _mentions(self, places: list[Found]) -> list[Mention]:
        return [
            Mention(first, behind - 1, sentence, behind - 1 in self._negated(sentence))
            for sentence, first, behind, _ in places
        ]

    def sentence_of(self, position: int) -> int:
        """The number of the sentence a token is in."""
        return bisect_right(self.starts, position) - 1

    def slice(self, first: int, last: int) -> tuple[int, int]:
        """Offsets of the stretch from one token to another."""
        return self.tokens.starts[first], self.tokens.ends[last]

    def negated(self, position: int) -> bool:
        """Whether the token at a position is negated."""
        return position in self._negated(self.sentence_of(position))

    def _negated(self, sentence: int) -> frozenset[int]:
        """The positions that are negated in a sentence."""
        known = self._negated_in
        if sentence not in known:
            place = slice(*self.bounds[sentence])
            found, words = self._listed, self.tokens.words[place]
            if not CUES.isdisjoint(words):
                gaps = ["", *self.tokens.gaps[place.start + 1 : place.stop]]
                found = found.union(place.start + at for at in negated_words(words, gaps))
            known[sentence] = found
        return known[sentence]

    @cached_property
    def _negated_in(self) -> dict[int, frozenset[int]]:
        return {}

    @cached_property
    def _listed(self) -> frozenset[int]:
        """The positions under headings that negate."""
        starts, some = self.tokens.starts, not CUES.isdisjoint(self.tokens.words)
        return frozenset(
            position
            for start, end in (negated_items(self.text) if some else ())
            for position in range(bisect_left(starts, start), bisect_left(starts, end))
        )

    def sentence(self, number: int) -> tuple[int, int]:
        """Offsets of a sentence, from its first token to its last."""
        first, behind = self.bounds[number]
        return self.slice(first, behind - 1)


@lru_cache(maxsize=32)
def read_document(text: str, terms: Terms) -> Document:
    """Read a text.

    >>> document = read_document("No MRI. Give IVIG.", Terms.default())
    >>> [(name, mention.negated) for _, name, mention in document.kinds]
    [('magnetic resonance imaging', True), ('intravenous immunoglobulin', False)]
    """
    return Document(text, Tokens(text), terms)


def _local_abbreviations(text: str, tokens: Tokens) -> dict[str, tuple[str, ...]]:
    """What the text itself abbreviates: "premature ejaculation (PE)" makes PE mean both words."""
    found: dict[str, tuple[str, ...]] = {}
    for match in _LOCAL.finditer(text) if "(" in text else ():
        letters = match[1].lower()
        behind = bisect_right(tokens.ends, match.start())
        place = slice(max(0, behind - len(letters)), behind)
        if [word[0] for word in tokens.words[place]] == list(letters):
            found[stem(letters)] = tuple(tokens.keys[place])
    return found
