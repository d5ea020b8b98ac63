"""A quote sought approximately: slips of copying are forgiven, paraphrase is not; uses rapidfuzz.

A quote is near a window of a text if it is at least `APPROXIMATE` of 1 similar (rapidfuzz
``ratio``, 1 less the normalised InDel distance, to the best window that
``partial_ratio_alignment`` finds, trimmed to whole words), with the same numbers, the same
negations, and no word changed by more than a letter, because another drug can be two letters away.
"""

from __future__ import annotations

import re
from collections import Counter

APPROXIMATE = 0.90
"""Least similarity of an approximate match, 0 to 1."""

_CANDIDATE = 0.75  # windows as long as the quote fit less well than the words they hold

MIN_APPROXIMATE = 12
"""Shorter quotes, counted in folded characters, have to match exactly or after folding."""

_MIN_NEAR = 5  # shorter words have to be the same letter by letter

_WORD = re.compile(r"[^\W_]+")
NEGATIONS = frozenset(
    "no not never none nor without avoid avoided cannot against contraindicated stop".split()
)
FUNCTION_WORDS = frozenset(
    "a an and are as at be by for from in is it its of on or that the this to was with".split()
)


def near_match(needle: str, haystack: str) -> tuple[int, int, float] | None:
    """Begin and end of the window that a quote is near to, and how similar it is.

    Args:
        needle: The quote, folded and stripped.
        haystack: The text, folded.

    >>> near_match("prednisone fourty mg", "give prednisone forty mg daily")
    (5, 24, 0.9743589743589743)
    """
    if len(needle) < MIN_APPROXIMATE or not haystack.strip():
        return None
    if len(needle) > len(haystack) or not _could_stand(needle, haystack):
        return None
    from rapidfuzz import fuzz  # noqa: TID251  this is the door

    best = fuzz.partial_ratio_alignment(needle, haystack, score_cutoff=100 * _CANDIDATE)
    if best is None:
        return None
    start, end = _window(needle, haystack, best.dest_start, best.dest_end)
    window = haystack[start:end]
    similarity = fuzz.ratio(needle, window) / 100
    if similarity < APPROXIMATE or not _same_content(needle, window):
        return None
    return start, end, similarity


def _window(needle: str, haystack: str, start: int, end: int) -> tuple[int, int]:
    """Widen to whole words, then drop words at either end that the quote does not have."""
    while splits_word(haystack, start):
        start -= 1
    while splits_word(haystack, end):
        end += 1
    quoted = _WORD.findall(needle)
    words = list(_WORD.finditer(haystack, start, end))
    while words and not _near(words[0][0], quoted):
        words.pop(0)
    while words and not _near(words[-1][0], quoted):
        words.pop()
    return (words[0].start(), words[-1].end()) if words else (start, start)


def _could_stand(needle: str, haystack: str) -> bool:
    """Whether each word may be near one of a text; where not, `_same_content` would refuse.

    Tells most quotes that stand nowhere, in a fraction of the time of the approximate search.
    """
    for word in _WORD.findall(needle):
        half = len(word) // 2
        if len(word) < _MIN_NEAR:
            there = word in haystack
        else:  # one changed letter leaves one half as it is
            there = word[:half] in haystack or word[half:] in haystack
        if not there and word not in FUNCTION_WORDS:
            return False
    return True


def _same_content(quote: str, window: str) -> bool:
    ours, theirs = _WORD.findall(quote), _WORD.findall(window)
    return (
        _numbers(quote) == _numbers(window)
        and _count(ours, NEGATIONS) == _count(theirs, NEGATIONS)
        and all(word in FUNCTION_WORDS or _near(word, theirs) for word in ours)
        and all(word in FUNCTION_WORDS or _near(word, ours) for word in theirs)
    )


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*", text)


def _count(words: list[str], wanted: frozenset[str]) -> Counter[str]:
    return Counter(word for word in words if word in wanted)


def _near(word: str, others: list[str]) -> bool:
    if word in others:
        return True
    if len(word) < _MIN_NEAR:
        return False
    from rapidfuzz.distance import Levenshtein  # noqa: TID251  this is the door

    return any(Levenshtein.distance(word, other, score_cutoff=1) <= 1 for other in others)


def splits_word(text: str, position: int) -> bool:
    """Whether a word stands on both sides of a position."""
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()
