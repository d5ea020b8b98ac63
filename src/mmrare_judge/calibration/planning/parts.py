"""What every plan of a calibration study is made with: the design effect, limits and a search."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from mmrare_judge.errors import InputError
from mmrare_judge.records import Record

MOST = 10_000_000
"""No plan goes beyond so many labels."""


class Plan(Record):
    """A plan; frozen.

    Attributes:
        sentence: The plan in words.
    """

    sentence: str


def design_effect(cluster_size: float, icc: float, *, size_cv: float = 0.0) -> float:
    """By how much labels of the same case inflate a variance.

    ``1 + ((cv² + 1) m - 1) icc``: m labels a case in the mean, cv their coefficient of variation,
    icc the intraclass correlation of what is averaged. With equal cases ``1 + (m - 1) icc``.

    Source: Kish (1965); unequal cases: Eldridge, Ashby and Kerry (2006).

    Raises:
        InputError: A case has fewer than one label, cv is negative, or icc is out of range.

    >>> design_effect(4, 0.1)
    1.3
    """
    if not (1 <= cluster_size < float("inf") and 0 <= size_cv < float("inf")):
        raise InputError(
            f"cluster size {cluster_size:g} must be 1 or more, and its variation {size_cv:g} not "
            "negative"
        )
    if not 0 <= icc <= 1:
        raise InputError(f"intraclass correlation {icc:g} must lie from 0 to 1")
    return 1 + ((size_cv**2 + 1) * cluster_size - 1) * icc


def check_width(width: float, design_effect: float, *, most: float = float("inf")) -> None:
    """Refuse a width or a design effect that cannot be.

    Raises:
        InputError: It is not above 0, or the width is not below ``most``.

    >>> check_width(0.2, 1.0, most=2)
    """
    if not 0 < width < most:
        within = "be above 0" if most == float("inf") else f"lie between 0 and {most:g}"
        raise InputError(f"width {width:g} must {within}")
    if not 0 < design_effect < float("inf"):
        raise InputError(f"design effect {design_effect:g} must be above 0")


def first_that(holds: Callable[[int], bool], low: int, high: int = MOST) -> int:
    """The least number of ``low`` to ``high`` for which something holds that then goes on.

    Raises:
        InputError: It does not hold for ``high`` either.

    >>> first_that(lambda n: n * n >= 50, 1)
    8
    """
    if not holds(high):
        raise InputError(f"more than {high} labels would be needed", remedy="Ask for less")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def rounded_up(number: float) -> int:
    """Rounded up, past what rounding leaves of a whole number.

    >>> rounded_up(0.1 * 3 * 10), rounded_up(3.1)
    (3, 4)
    """
    return ceil(number - 1e-9)
