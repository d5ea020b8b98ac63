"""Untrusted text made visible, and numbers as a report writes them."""

from __future__ import annotations

import re

from mmrare_judge.calibration.statistics.estimate import Estimate

# Controls, marks that reorder a line, byte order marks, non-characters and lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ufeff\ufffe\uffff\ud800-\udfff]"
)
_NEWLINES = re.compile("\r\n|[\r\u0085\u2028\u2029]")

NONE = "–"
"""What stands where there is no number; the reason stands beside it."""


def shown_value(text: str) -> str:
    r"""The text with every character that acts instead of showing replaced by its name.

    A mark that turns the reading direction round could make a prediction read as its opposite.

    >>> shown_value("dose\x00 \u202eup")
    'dose[U+0000] [U+202E]up'
    """
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", _NEWLINES.sub("\n", text))


def one_line(text: str, width: int | None = None) -> str:
    """The text `shown_value` on one line, cut with an ellipsis where it is longer than ``width``.

    >>> one_line("one two  three", 8)
    'one two…'
    """
    folded = " ".join(shown_value(text).split())
    if width is None or len(folded) <= width:
        return folded
    return folded[: width - 1].rstrip() + "…"


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed count of decimals.

    >>> number(0.5), number(None), number(-0.0001)
    ('0.500', '–', '0.000')
    """
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def signed(value: float | None, digits: int = 3) -> str:
    """A number with its sign; zero has none.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.250', '-0.250', '0.000')
    """
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and float(text) else text


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent.

    >>> percent(0.125), percent(None)
    ('12.5 %', '–')
    """
    return NONE if share is None else f"{number(100 * share, digits)} %"


def p_value(value: float | None) -> str:
    """A p-value; a small one as a bound.

    >>> p_value(0.0312), p_value(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def count(value: float) -> str:
    """A count; with decimals only where weights made it uneven.

    >>> count(12.0), count(12.25)
    ('12', '12.2')
    """
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def ends(estimate: Estimate, digits: int = 3) -> str:
    """The interval in words.

    >>> ends(Estimate(name="kappa", value=0.5, n=3, clusters=3))
    '–'
    """
    interval = estimate.interval
    if interval is None:
        return NONE
    return f"{number(interval.low, digits)} to {number(interval.high, digits)}"


def with_ends(estimate: Estimate, digits: int = 3) -> str:
    """Value and interval for a sentence.

    >>> with_ends(Estimate(name="kappa", value=0.5, n=3, clusters=3))
    '0.500 (no interval)'
    """
    if estimate.value is None:
        return "no value"
    inside = ends(estimate, digits) if estimate.interval else "no interval"
    return f"{number(estimate.value, digits)} ({inside})"
