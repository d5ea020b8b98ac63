"""Text cut into tokens and sentences, with offsets into the text as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, compress
from typing import TypeVar

from mmrare_judge.level2.words import fold_word, stem, weight

# --- Numbers: compared as value with unit, so that 10 mg, 100 mg and 10 days differ

NUMBER_WORDS = {
    word: f"#{number}"
    for number, word in enumerate(
        "two three four five six seven eight nine ten eleven twelve".split(), start=2
    )
}
"""Number words with their keys. "One" is a pronoun as often as a number, and is left out."""

TIMES = frozenset(
    "minute minutes hour hours day days week weeks month months year years times".split()
)
"""Words that make a span of time, or a count, of the number before them."""

UNIT = (
    r"(?:%|percent\b|(?:m?cg|µg|μg|ug|ng|pg|mg|kg|g|gr|grams?|milligrams?|micrograms?|kilograms?|"
    r"ml|mL|dl|dL|l|L|cc|mmol|mol|mEq|meq|IU|iu|units?|U|Gy|cGy|mSv|mm|cm|mmHg|T|°C|°F|"
    r"minutes?|mins?|hours?|hrs?|h|days?|weeks?|wks?|months?|mos?|years?|yrs?|"
    r"fractions?|cycles?|sessions?|times|doses?|tablets?|drops?|puffs?|ampoules?)"
    r"(?:/(?:kg|m2|m²|ml|mL|dl|dL|l|L|day|d|h|hr|hour|min|week|month|dose|24h))*)"
)

_SAME_UNIT = {
    "percent": "%",
    "ug": "mcg",
    "µg": "mcg",
    "μg": "mcg",
    "microgram": "mcg",
    "milligram": "mg",
    "gram": "g",
    "gr": "g",
    "kilogram": "kg",
    "cc": "ml",
    "u": "unit",
    "iu": "unit",
    "hr": "hour",
    "h": "hour",
    "min": "minute",
    "wk": "week",
    "mo": "month",
    "yr": "year",
    "time": "times",
}
_EXACT = 15
"""Whole numbers of so many digits are the same as floating-point numbers."""
_PER_TIME = re.compile(r"/(?:day|d|h|hr|hour|min|week|month|dose|24h)(?![a-z0-9])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")


@lru_cache(maxsize=4096)
def plain_unit(unit: str) -> str:
    """A unit in one spelling; what it is given per time is left to the schedule.

    >>> plain_unit("milligrams"), plain_unit("mg/kg/day"), plain_unit("days")
    ('mg', 'mg/kg', 'day')
    """
    bare = _PER_TIME.sub("", unit.strip().lower()).replace("²", "2")
    head, slash, rest = bare.partition("/")
    if len(head) > 2 and head.endswith("s"):
        head = head[:-1]
    return _SAME_UNIT.get(head, head) + slash + rest


def plain_number(number: str, unit: str) -> str:
    """The key of a number: value without thousands marks or trailing zeros, grams as milligrams.

    >>> plain_number("1,000", "mg"), plain_number("1", "g"), plain_number("0.50", "")
    ('#1000mg', '#1000mg', '#0.5')
    """
    head, _, tail = unit.partition("/")
    if head != "g" and len(number) <= _EXACT and number.isdecimal():
        return f"#{int(number)}{unit}"
    digits = _THOUSANDS.sub("", number).replace(",", ".")
    if head == "g" and digits.count(".") < 2 and tail in ("", "kg"):
        return f"#{_short(float(digits) * 1000)}mg" + (f"/{tail}" if tail else "")
    if digits.count(".") > 1:
        return f"#{digits}{unit}"
    return f"#{_short(float(digits))}{unit}"


def _short(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


# --- Sentences

# A mark or line end behind which a sentence may begin; not a list number at the start of a line.
# A full stop is group 1 unless it is sure to end a sentence: behind a bracket, behind a word and a
# number, or behind four letters of which the last is the last one of no abbreviation.
_BREAK = re.compile(
    r"[\n.!?](?:(?<=\n)\n*|(?<=[!?])(?=\s|$|[A-Z\"”])"
    r"|(?=\s|$|[A-Z\"”])(?<!\n\d.)(?<!\n\d\d.)"
    r"(?:(?<=[A-Za-z][A-Za-z][A-Za-z][A-KM-OQ-WYZa-km-oq-wyz].)|(?<=[)\]].)"
    r"|(?<=[A-Za-z] \d.)|(?<=[A-Za-z] \d\d.)|()))"
)
_SHORTENED = r"e\.g i\.e etc vs approx dr mr mrs fig al resp incl esp ca st [a-z]"
_ABBREVIATION = re.compile(
    "|".join(rf"(?<=\b{word})" for word in _SHORTENED.split()), re.IGNORECASE
)


def sentence_starts(text: str) -> list[int]:
    r"""Offsets at which a new sentence or line begins, without the first.

    A full stop ends a sentence before white space or a capital, unless an abbreviation, an
    initial or a list number stands before it.

    >>> sentence_starts("See Dr. Fox. Then\n- rest")
    [12, 18]
    """
    starts = [
        match.end()
        for match in _BREAK.finditer(text)
        if match.lastindex is None or not _ends_nothing(text, match.start())
    ]
    if starts and starts[-1] == len(text):
        starts.pop()
    return starts


def _ends_nothing(text: str, stop: int) -> bool:
    """Whether a full stop belongs to an abbreviation or a list number."""
    end = stop - 1 if text[stop - 1 : stop] == "\n" else stop
    if text[end - 1 : end].isalpha():
        return _ABBREVIATION.match(text, end) is not None
    return text[max(0, stop - 8) : stop].rpartition("\n")[2].strip(" -*#").isdigit()


# --- Tokens

T = TypeVar("T")

_INSIDE = "\u00ad\u200b-\u200d\u2060\ufeff\u0300-\u036f"
_DIGITS = r"\d++(?:[.,]\d++)*+"
_WIDE = "\x80-\U0010ffff"
# The first character is matched by a mere set of characters, by which the next token is found
# quickly; then plain words come first, as they are nearly all of a text. What follows a number is
# compared with the units only if it can begin one.
_TOKEN = re.compile(
    rf"([A-Za-z0-9{_WIDE}](?:(?<=[A-Za-z])[A-Za-z]*+(?![0-9'{_WIDE}])"
    rf"|(?<=\d)\d*+(?:[.,]\d++)*+(?:[ \u00a0]?(?=[%A-Za-z{_WIDE}])(?i:{UNIT})(?![^\W_]))?"
    r"(?![^\W\d_])"
    rf"|(?<=[^\W_])(?:[^\W_]|[{_INSIDE}]|['’](?=[^\W_]))*))"
)
_NUMBER = re.compile(rf"({_DIGITS})(?:[ \u00a0]?((?i:{UNIT})))?")
_POINTS = frozenset(".,")  # between digits only where there is no number: the 8 of "8.8x7"


class Tokens:
    """A text cut into tokens, in lists with one entry per token.

    Attributes:
        keys: What tokens are compared by: the stem, or a number with its unit, as ``#10mg``.
        said: The same, but blank for function words.
        words: The folded words; the key again for a number.
        gaps: What stands before each token.

    >>> Tokens("Give 2-4 mg of Prednisones").keys
    ['give', '#2mg', '#4mg', 'of', 'prednison']
    """

    def __init__(self, text: str) -> None:
        # All at once: token by token, level 2 would spend most of its time here. What stands
        # between tokens, and tokens, in turn.
        self._pieces = pieces = _TOKEN.split(text)
        folded = list(map(_folds.__getitem__, pieces[1::2]))
        keys, said, words, marks = zip(*folded, strict=True) if folded else ((), (), (), ())
        self.keys: list[str] = list(keys)
        self.said: list[str] = list(said)
        self.words: list[str] = list(words)
        self.gaps: list[str] = list(pieces[0:-1:2])
        self._gone = self._join(marks)
        if self._gone:
            self.keys, self.said = self._kept(self.keys), self._kept(self.said)
            self.words, self.gaps = self._kept(self.words), self._kept(self.gaps)

    @cached_property
    def starts(self) -> list[int]:
        """Offsets of the tokens' first characters."""
        starts = list(accumulate(map(len, self._pieces)))[0:-1:2]
        for before in self._gone:
            starts[before + 1] = starts[before]
        return self._kept(starts)

    @cached_property
    def ends(self) -> list[int]:
        """Offsets behind the tokens' last characters."""
        return self._kept(list(accumulate(map(len, self._pieces)))[1::2])

    def _kept(self, feature: list[T]) -> list[T]:
        """Without those tokens that have become part of the next."""
        gone = self._gone
        return [one for at, one in enumerate(feature) if at not in gone] if gone else feature

    def _join(self, marks: Sequence[str]) -> frozenset[int]:
        """Settle what depends on a token's neighbours: "two weeks", "2-4 mg", "8.8x7"."""
        keys, said, words, gaps = self.keys, self.said, self.words, self.gaps
        gone: list[int] = []
        for position in compress(range(len(keys)), marks):
            mark, before = marks[position], position - 1
            if mark == "#":
                behind = self._pieces[2 * position + 2 : 2 * position + 4]
                if len(behind) == 2 and behind[0] in _POINTS and behind[1][0].isdecimal():
                    keys[position] = words[position] = raw = self._pieces[2 * position + 1]
                    said[position] = raw if weight(raw) else ""
            elif position == 0:
                continue
            elif mark[0] == "#":
                if gaps[position] != " " and _is_range(keys[before], gaps[position]):
                    keys[before] = words[before] = keys[before] + mark[1:]
                    said[before] = keys[before] if said[before] else ""
            elif words[before] in NUMBER_WORDS:
                keys[position] = said[position] = words[position] = keys[before] + plain_unit(mark)
                gaps[position] = gaps[before]
                gone.append(before)
        return frozenset(gone)


def _is_range(low: str, between: str) -> bool:
    """Whether a dash leads to the next number from one without a unit."""
    return low[0] == "#" and low[-1].isdigit() and between.strip() in ("-", "–", "—")


class _Folds(dict[str, tuple[str, str, str, str]]):
    """What `_fold` makes of each token met: found twice as fast as by ``lru_cache``."""

    def __missing__(self, raw: str) -> tuple[str, str, str, str]:
        if len(self) >= 16384:  # more than the words of most corpora; numbers are without end
            self.clear()
        self[raw] = folded = _fold(raw)
        return folded


_folds = _Folds()


def _fold(raw: str) -> tuple[str, str, str, str]:
    """Key, key again but blank for a function word, word, and mark of a token as it is written.

    Words of time are marked by the word, numbers by ``#`` and the unit.
    """
    number = _NUMBER.fullmatch(raw) if raw[0].isdecimal() else None
    if number is not None:
        unit = plain_unit(number[2] or "")
        key = plain_number(number[1], unit)
        return key, key, key, f"#{unit}"
    word = fold_word(raw).removesuffix("'s")
    key = NUMBER_WORDS.get(word) or stem(word)
    return key, key if weight(word) else "", word, word if word in TIMES else ""


def words_of(text: str) -> tuple[str, ...]:
    """The keys of a text's tokens.

    >>> words_of("CT scans")
    ('ct', 'scan')
    """
    return tuple(Tokens(text).keys)
