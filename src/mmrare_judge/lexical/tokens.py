"""Text cut into tokens and sentences, with offsets into the text as it is."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mmrare_judge.lexical.numbers import NUMBER_WORDS, TIMES, UNIT, plain_number, plain_unit
from mmrare_judge.lexical.stems import fold_word, stem

_INSIDE = "\u00ad\u200b-\u200d\u2060\ufeff\u0300-\u036f"
# Plain words come first: they are nearly all of a text, and the quickest to match.
_TOKEN = re.compile(
    rf"(?P<plain>[A-Za-z]++(?![^\W_]|[{_INSIDE}'’]))"
    rf"|(?P<number>\d++(?:[.,]\d++)*+)(?P<unit>[ \u00a0]?(?i:{UNIT})(?![^\W_]))?(?![^\W\d_])"
    rf"|(?P<word>[^\W_](?:[^\W_]|[{_INSIDE}]|['’](?=[^\W_]))*)"
)

_WORDS = ("plain", "word")
_BREAK = re.compile(r"\n+|[.!?](?=\s|$|[A-Z\"”])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|dr|mr|mrs|fig|al|resp|incl|esp|ca|st)|\b[a-z])$", re.I
)


class Token(NamedTuple):
    """One word or number.

    Attributes:
        key: What it is compared by: the stem of a word, or a number with its unit, as ``#10mg``.
        word: The folded word; for a number its key.
        start: Offset of its first character.
        end: Offset behind its last character.
    """

    key: str
    word: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order.

    >>> [token.key for token in tokens_of("Give 2-4 mg of Prednisones")]
    ['give', '#2mg', '#4mg', 'of', 'prednison']
    """
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if match.lastgroup in _WORDS:
            key, word = _folded(match[0])
            if word in TIMES and tokens and tokens[-1].word in NUMBER_WORDS:
                spelt = tokens.pop()
                key = word = spelt.key + plain_unit(word)
                start = spelt.start
        else:
            unit = plain_unit(match["unit"] or "")
            key = word = plain_number(match["number"], unit)
            if unit and tokens and _is_range(text, tokens[-1], start):
                low = tokens[-1]
                tokens[-1] = Token(low.key + unit, low.key + unit, low.start, low.end)
        tokens.append(Token(key, word, start, end))
    return tokens


def _is_range(text: str, low: Token, start: int) -> bool:
    """Whether the number before has no unit and a dash or "to" leads from it to this one."""
    between = text[low.end : start].strip()
    return low.key[0] == "#" and low.key[-1].isdigit() and between in ("-", "–", "—", "to")


@lru_cache(maxsize=65536)
def _folded(raw: str) -> tuple[str, str]:
    word = fold_word(raw)
    if word.endswith("'s"):
        word = word[:-2]
    number = NUMBER_WORDS.get(word)
    return (number, word) if number else (stem(word), word)


def words_of(text: str) -> tuple[str, ...]:
    """The keys of a text's tokens.

    >>> words_of("CT scans")
    ('ct', 'scan')
    """
    return tuple(token.key for token in tokens_of(text))


def sentence_starts(text: str) -> list[int]:
    r"""Offsets at which a new sentence or line begins, without the first.

    A full stop ends a sentence before white space or a capital, unless an abbreviation, an
    initial or a list number stands before it.

    >>> sentence_starts("See Dr. Fox. Then\n- rest")
    [12, 18]
    """
    starts: list[int] = []
    for match in _BREAK.finditer(text):
        start, end = match.span()
        if match[0] == "." and _no_end(text, start):
            continue
        if end < len(text):
            starts.append(end)
    return starts


def _no_end(text: str, stop: int) -> bool:
    before = text[max(0, stop - 8) : stop]
    if _ABBREVIATION.search(before):
        return True
    return before.rpartition("\n")[2].strip(" -*#").isdigit()
