"""A prediction read once: tokens, sentences, negation, terms and where each word stands."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, compress
from operator import itemgetter
from typing import NamedTuple

from mmrare_judge.level2.negation import CUES, negated_items, negated_words
from mmrare_judge.level2.terms import Found, Kind, Terms
from mmrare_judge.level2.tokens import Bounds, Cut, TextToken, bounds_of, cut, cuts_of, lazy
from mmrare_judge.level2.words import stem

# FOLDED lexical.negated: Which tokens of a text are negated, sentence by sentence: `Negated`.


class Negated(dict[int, frozenset[int]]):
    """For a sentence the positions that are negated in it, once asked for."""

    def __init__(self, text: str, tokens: Cut, bounds: Bounds) -> None:
        self._cut, self._bounds = tokens, bounds
        self._listed = _listed(text, tokens)

    def __missing__(self, sentence: int) -> frozenset[int]:
        place = slice(*self._bounds[sentence])
        words = self._cut.words[place]
        found = self._listed
        if not CUES.isdisjoint(words):
            gaps = ["", *self._cut.gaps[place.start + 1 : place.stop]]
            found = found.union([place.start + at for at in negated_words(words, gaps)])
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


_FIRST = itemgetter(1)
_LOCAL = re.compile(r"\(([A-Z][A-Za-z0-9]{1,6})s?\)")

Stretch = tuple[int, int, int, bool]
"""What a `Mention` holds."""


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

    @lazy
    def tokens(self) -> tuple[TextToken, ...]:
        """Its tokens, one by one."""
        parts = self.cut
        return tuple(map(TextToken, parts.keys, parts.words, parts.starts, parts.ends))

    @lazy
    def bounds(self) -> Bounds:
        """For each sentence, the positions of its first token and behind its last."""
        return bounds_of(self._cuts)

    @lazy
    def words(self) -> dict[str, list[int]]:
        """For the key of each token but function words, the positions where it stands."""
        return _word_index(self.cut, self._local)

    @lazy
    def terms(self) -> dict[str, list[Found]]:
        """For each term, as ``=name``, where it was found, or a name that contains it."""
        named: dict[str, list[Found]] = {}
        for found in self._found:
            for key in self.table.keys[found[3].name]:
                named.setdefault(key, []).append(found)
        return named

    @lazy
    def kinds(self) -> tuple[tuple[Kind, str, Mention], ...]:
        """The terms found, as (kind, name, mention), in order."""
        negated = self._negated
        return tuple(
            (term.kind, term.name, Mention(first, last, sentence, last in negated[sentence]))
            for sentence, first, behind, term in self._found
            for last in (behind - 1,)
        )

    @lazy
    def keys(self) -> frozenset[str]:
        """The keys of all tokens, function words as well: what is not here stands nowhere."""
        return frozenset(self.cut.keys)

    @lazy
    def _cuts(self) -> list[int]:
        return cuts_of(self.text, self.cut)

    @lazy
    def _found(self) -> list[Found]:
        return self.table.find_within(self.cut.keys, self.bounds)

    @lazy
    def _by_name(self) -> dict[str, list[Found]]:
        named: defaultdict[str, list[Found]] = defaultdict(list)
        for found in self._found:
            named[found[3].name].append(found)
        return named

    @lazy
    def _local(self) -> dict[str, tuple[str, ...]]:
        return _local_abbreviations(self.text, self.cut) if "(" in self.text else {}

    @lazy
    def _located(self) -> dict[str, list[int]]:
        """The positions of the keys of tokens that were asked for."""
        return {}

    def locate(self, keys: frozenset[str]) -> dict[str, list[int]]:
        """Find where the keys of tokens stand: all at once is quicker than one by one."""
        located, present = self._located, self.keys & keys
        if not present <= located.keys():
            found: dict[str, list[int]] = {key: [] for key in present}
            tokens = self.cut.said
            for position in compress(range(len(tokens)), map(present.__contains__, tokens)):
                found[tokens[position]].append(position)
            located.update(found)
        return located

    def has(self, key: str) -> bool:
        """Whether a key stands anywhere: a token's, or a term's as ``=name``."""
        return bool(self._named(key) if key[0] == "=" else self._spoken(key))

    def mentions(self, key: str) -> list[Mention]:
        """Where a key stands: a token's, or a term's as ``=name``."""
        return [Mention(*stretch) for stretch in self.stretches(key)]

    def stretches(self, key: str) -> list[Stretch]:
        """The same as mere tuples, which are quicker to make."""
        starts, negated = self.starts, self._negated
        if key[0] == "=":
            return [
                (first, behind - 1, sentence, behind - 1 in negated[sentence])
                for sentence, first, behind, _ in self._named(key)
            ]
        return [
            (position, position, sentence, position in negated[sentence])
            for position in self._spoken(key)
            for sentence in (bisect_right(starts, position) - 1,)
        ]

    def _named(self, key: str) -> list[Found]:
        """Where a term was found."""
        table = self.table
        if self.keys.isdisjoint(table.openings.get(key, ())):
            return []
        named = [self._by_name[name] for name in table.carriers[key] if name in self._by_name]
        return named[0] if len(named) == 1 else sorted(chain.from_iterable(named), key=_FIRST)

    def _spoken(self, key: str) -> list[int]:
        """The positions of a token's key where it is no function word."""
        if key not in self.keys:
            return []
        if self._local:
            return self.words.get(key, [])
        return self.locate(frozenset((key,)))[key]

    def sentence_of(self, position: int) -> int:
        """The number of the sentence a token is in."""
        return bisect_right(self.starts, position) - 1

    @lazy
    def starts(self) -> list[int]:
        """The position of each sentence's first token."""
        return self._cuts[:-1]

    def slice(self, first: int, last: int) -> tuple[int, int]:
        """Offsets of the stretch from one token to another."""
        return self.cut.starts[first], self.cut.ends[last]

    def negated(self, position: int) -> bool:
        """Whether the token at a position is negated."""
        return position in self._negated[self.sentence_of(position)]

    @lazy
    def _negated(self) -> Negated:
        return Negated(self.text, self.cut, self.bounds)

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
    return Document(text, cut(text), terms)


def _word_index(tokens: Cut, local: dict[str, tuple[str, ...]]) -> dict[str, list[int]]:
    words: dict[str, list[int]] = {}
    for position in compress(range(len(tokens.said)), tokens.said):
        key = tokens.said[position]
        if key in words:
            words[key].append(position)
        else:
            words[key] = [position]
        for other in local.get(key, ()) if local else ():
            words.setdefault(other, []).append(position)
    return words


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
