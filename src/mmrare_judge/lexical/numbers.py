"""Numbers as they are compared: value with unit, so that 10 mg, 100 mg and 10 days differ."""

from __future__ import annotations

import re
from functools import lru_cache

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
