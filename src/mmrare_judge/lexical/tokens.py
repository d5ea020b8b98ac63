"""Text cut into tokens and sentences, with offsets into the text as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, compress
from typing import NamedTuple

from mmrare_judge.lexical.numbers import NUMBER_WORDS, TIMES, UNIT, plain_number, plain_unit
from mmrare_judge.lexical.stems import fold_word, stem
from mmrare_judge.lexical.words import Weight, weight

_INSIDE = "\u00ad\u200b-\u200d\u2060\ufeff\u0300-\u036f"
_DIGITS = r"\d++(?:[.,]\d++)*+"
# Plain words come first: they are nearly all of a text, and the quickest to match.
_TOKEN = re.compile(
    r"([A-Za-z]++(?=[\x00-&(-/:-@\[-`{-\x7f]|\Z)"
    rf"|{_DIGITS}(?:[ \u00a0]?(?i:{UNIT})(?![^\W_]))?(?![^\W\d_])"
    rf"|[^\W_](?:[^\W_]|[{_INSIDE}]|['’](?=[^\W_]))*)"
)
_NUMBER = re.compile(rf"({_DIGITS})(?:[ \u00a0]?((?i:{UNIT})))?")
_BROKEN = re.compile(r"[.,]\d")  # behind a number only if it is no number: the 8 of "8.8x7"

_BREAK = re.compile(r"[\n.!?](?:(?<=\n)\n*|(?<!\n)(?=\s|$|[A-Z\"”]))")
_SHORTENED = r"e\.g i\.e etc vs approx dr mr mrs fig al resp incl esp ca st [a-z]"
_ABBREVIATION = re.compile(
    "|".join(rf"(?<=\b{word})" for word in _SHORTENED.split()), re.IGNORECASE
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


class Cut(NamedTuple):
    """A text cut into tokens; one entry a token in each list.

    Attributes:
        keys: What the tokens are compared by.
        words: The folded words.
        weights: How much they say, as `weight` has it.
        starts: Offsets of their first characters.
        ends: Offsets behind their last characters.
    """

    keys: list[str]
    words: list[str]
    weights: list[int]
    starts: list[int]
    ends: list[int]

    def without(self, positions: set[int]) -> Cut:
        """The same without some tokens."""
        kept = [position not in positions for position in range(len(self.keys))]
        return Cut(
            list(compress(self.keys, kept)),
            list(compress(self.words, kept)),
            list(compress(self.weights, kept)),
            list(compress(self.starts, kept)),
            list(compress(self.ends, kept)),
        )


def cut(text: str) -> Cut:
    """Cut a text into tokens, all at once: this is where level 2 would spend most of its time."""
    pieces = _TOKEN.split(text)  # what stands between tokens, and tokens, in turn
    if len(pieces) == 1:
        return Cut([], [], [], [], [])
    keys, words, weights, marks = zip(*[_folds[piece] for piece in pieces[1::2]], strict=True)
    offsets = list(accumulate(map(len, pieces)))
    whole = Cut(list(keys), list(words), list(weights), offsets[0:-1:2], offsets[1::2])
    return _joined(text, whole, marks)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order.

    >>> [token.key for token in tokens_of("Give 2-4 mg of Prednisones")]
    ['give', '#2mg', '#4mg', 'of', 'prednison']
    """
    keys, words, _, starts, ends = cut(text)
    return list(map(Token, keys, words, starts, ends))


def _joined(text: str, whole: Cut, marks: Sequence[str]) -> Cut:
    """Settle what depends on a token's neighbours: "two weeks", "2-4 mg", "8.8x7"."""
    keys, words, weights, starts, ends = whole
    gone: set[int] = set()
    for position in compress(range(len(keys)), marks):
        mark, before = marks[position], position - 1
        if mark == "#":
            if _BROKEN.match(text, ends[position]):
                keys[position] = words[position] = text[starts[position] : ends[position]]
                weights[position] = weight(words[position])
        elif position == 0:
            continue
        elif mark in TIMES:
            if words[before] in NUMBER_WORDS:
                keys[position] = words[position] = keys[before] + plain_unit(mark)
                weights[position] = Weight.CONTENT
                starts[position] = starts[before]
                gone.add(before)
        elif _is_low(keys[before]) and _leads_on(text[ends[before] : starts[position]]):
            keys[before] = words[before] = keys[before] + mark[1:]
    return whole.without(gone) if gone else whole


def _is_low(key: str) -> bool:
    """Whether a token can be the lower end of a range: a number without a unit."""
    return key[0] == "#" and key[-1].isdigit()


def _leads_on(between: str) -> bool:
    """Whether a dash or "to" leads from one number to the next."""
    return between.strip() in ("-", "–", "—", "to")


class _Folds(dict[str, tuple[str, str, int, str]]):
    """For a token as it is written its key, its word, its weight and its mark, once folded.

    Marked are words of time, by the word, and numbers, by ``#`` and the unit.
    """

    def __missing__(self, raw: str) -> tuple[str, str, int, str]:
        if len(self) >= _MOST_FOLDS:
            self.clear()
        number = _NUMBER.fullmatch(raw)
        self[raw] = folded = _folded(raw) if number is None else _number(number)
        return folded


def _number(match: re.Match[str]) -> tuple[str, str, int, str]:
    unit = plain_unit(match[2] or "")
    key = plain_number(match[1], unit)
    return key, key, Weight.CONTENT, f"#{unit}"


def _folded(raw: str) -> tuple[str, str, int, str]:
    word = fold_word(raw)
    if word.endswith("'s"):
        word = word[:-2]
    key = NUMBER_WORDS.get(word) or stem(word)
    return key, word, weight(word), word if word in TIMES else ""


_folds = _Folds()
_MOST_FOLDS = 16384  # more than the words of most corpora; numbers are without end


def words_of(text: str) -> tuple[str, ...]:
    """The keys of a text's tokens.

    >>> words_of("CT scans")
    ('ct', 'scan')
    """
    return tuple(cut(text).keys)


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
    end = stop - 1 if text[stop - 1 : stop] == "\n" else stop
    if text[end - 1 : end].isalpha():
        return _ABBREVIATION.match(text, end) is not None
    return text[max(0, stop - 8) : stop].rpartition("\n")[2].strip(" -*#").isdigit()
