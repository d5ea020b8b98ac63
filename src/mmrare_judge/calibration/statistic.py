"""What is known of a statistic beforehand: a row of the property table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mmrare_judge.calibration.patterns import Compute
from mmrare_judge.calibration.ratings import Ratings

Needs = Literal["categories", "positive", "order", "numbers"]

Raters = Literal["pair", "many"]

Uses = Literal["complete", "pairable"]


@dataclass(frozen=True)
class Statistic:
    """One statistic.

    Attributes:
        name: How it is asked for and reported.
        title: How people call it.
        compute: Its values for many samples at once.
        library: Its value by a library, where one has it.
        needs: What the scale must have: ``categories``, a ``positive`` one, an ``order`` of
            them, or ``numbers``.
        raters: ``pair``: exactly two; ``many``: two or more.
        uses: Which units count: ``complete`` ones, or ``pairable`` ones with two labels or more.
        low: Least value there can be.
        high: Greatest value there can be.
        perfect: Its value when all raters agree throughout and use several categories.
        one_class: Its value when every label is the same; ``None``: undefined.
        symmetric: The order of raters does not matter.
        relabelling: Renaming or reordering the categories does not matter.
        higher_is_better: Which way is better; ``None`` where neither is.
    """

    name: str
    title: str
    compute: Compute
    library: Callable[[Ratings], float] | None = None
    needs: Needs = "categories"
    raters: Raters = "pair"
    uses: Uses = "complete"
    low: float = -1.0
    high: float = 1.0
    perfect: float = 1.0
    one_class: float | None = None
    symmetric: bool = True
    relabelling: bool = True
    higher_is_better: bool | None = True
