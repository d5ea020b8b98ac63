"""Which tokens of a text are negated, sentence by sentence: `Negated`."""

from __future__ import annotations

from bisect import bisect_left

from mmrare_judge.lexical.headings import negated_items
from mmrare_judge.lexical.negation import negated_words
from mmrare_judge.lexical.negation_words import CUES
from mmrare_judge.lexical.tokens import Bounds, Cut


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
