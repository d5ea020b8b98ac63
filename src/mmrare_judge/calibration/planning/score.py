"""How many labels the interval of a corrected mean needs, and how many the judge spares."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt

from mmrare_judge.calibration.analyses.correction import MIN_CLUSTERS
from mmrare_judge.calibration.planning.parts import Plan, check_width, first_that, rounded_up
from mmrare_judge.calibration.statistics.estimate import t_quantile, two_sided
from mmrare_judge.errors import InputError


class ScorePlan(Plan):
    """Labels for an interval of a mean that gold labels correct.

    Attributes:
        labels: Units to label.
        classical: Units to label where the judge is left out (the classical estimate).
        graded: Units that the judge graded.
        width: Width of the interval, from end to end.
        level: Nominal coverage.
        design_effect: By how much clusters inflate the variance.
    """

    labels: int
    classical: int
    graded: int
    width: float
    level: float
    design_effect: float

    @property
    def saving(self) -> int:
        """Labels that the judge spares."""
        return self.classical - self.labels


def labels_for_corrected_mean(
    gold_sd: float,
    correlation: float,
    graded: int,
    width: float,
    *,
    design_effect: float = 1.0,
    level: float = 0.95,
) -> ScorePlan:
    """How many of the graded units to label for an interval of the corrected mean.

    The power-tuned mean has variance ``D s² [(1 - r²) / n + r² / N]``: s the standard deviation of
    the gold points, r the correlation of judge and gold, n of N units labelled, D the design
    effect; without the judge r is 0. The interval is Student's t, as in `ppi_mean`.

    Source: Angelopoulos, Duchi and Zrnic (2023), PPI++.

    Args:
        gold_sd: Standard deviation of the gold points, in the unit of ``width``.
        correlation: Of judge and gold, from -1 to 1; a negative one helps as little as 0.
        graded: Units that the judge graded, N.
        width: The wanted width, from end to end.
        design_effect: See `design_effect`.
        level: Nominal coverage.

    Raises:
        InputError: A value is impossible, or the interval stays wider though all are labelled.

    >>> plan = labels_for_corrected_mean(0.3, 0.8, 2000, 0.06)
    >>> plan.labels, plan.classical
    (161, 387)
    """
    check_width(width, design_effect)
    if not 0 < gold_sd < float("inf"):
        raise InputError(f"standard deviation {gold_sd:g} must be above 0")
    if not -1 <= correlation <= 1:
        raise InputError(f"correlation {correlation:g} must lie from -1 to 1")

    width_of = partial(_width, gold_sd=gold_sd, graded=graded, effect=design_effect, level=level)
    classical = _fewest(width_of, width, graded, design_effect)
    if correlation <= 0:  # the judge is left out, and costs no labels
        labels = classical
    else:
        helped = partial(width_of, explained=correlation**2)
        labels = min(classical, _fewest(helped, width, graded, design_effect))
    sentence = (
        f"Label {labels} of the {graded} graded units: the {level:.0%} interval of the corrected "
        f"mean is then about {width:g} wide. Without the judge it would take {classical} labels; "
        f"the judge spares {classical - labels} of them ({(classical - labels) / classical:.0%})."
    )
    return ScorePlan(
        labels=labels, classical=classical, graded=graded, width=width, level=level,
        design_effect=design_effect, sentence=sentence,
    )  # fmt: skip


def _width(
    n: int, *, gold_sd: float, graded: int, effect: float, level: float, explained: float = 0.0
) -> float:
    freedom = n / effect - (2 if explained else 1)
    variance = effect * gold_sd**2 * ((1 - explained) / n + explained / graded)
    return 2 * t_quantile(two_sided(level), freedom) * sqrt(variance)


def _fewest(
    width_of: Callable[[int], float], width: float, graded: int, design_effect: float
) -> int:
    start = rounded_up(max(MIN_CLUSTERS, 3 + 1e-6) * design_effect)
    if graded < start:
        raise InputError(
            f"{graded} graded units are too few",
            remedy=f"An interval needs {MIN_CLUSTERS} independent cases, here {start} units",
        )
    if width_of(graded) > width:
        reached = width_of(graded)
        raise InputError(
            f"no number of labels gives width {width:g}: with all {graded} graded units labelled "
            f"it is {reached:.2g}",
            remedy="Grade more units, or accept a wider interval",
        )
    return first_that(lambda n: width_of(n) <= width, start, graded)
