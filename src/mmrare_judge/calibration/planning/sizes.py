"""How many labels a study needs: for kappa, for a corrected mean, and to exclude missed harm.

Each plan is a record with the number and the plan in a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.analyses.correction import MIN_CLUSTERS
from mmrare_judge.calibration.statistics.estimate import (
    Floats,
    Interval,
    library,
    normal_quantile,
    t_quantile,
    two_sided,
)
from mmrare_judge.calibration.statistics.proportions import clopper_pearson, upper_limit
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


def _check_width(width: float, design_effect: float, *, most: float = float("inf")) -> None:
    if not 0 < width < most:
        within = "be above 0" if most == float("inf") else f"lie between 0 and {most:g}"
        raise InputError(f"width {width:g} must {within}")
    if not 0 < design_effect < float("inf"):
        raise InputError(f"design effect {design_effect:g} must be above 0")


def _first_that(holds: Callable[[int], bool], low: int, high: int = MOST) -> int:
    """The least number of ``low`` to ``high`` for which something holds that then goes on."""
    if not holds(high):
        raise InputError(f"more than {high} labels would be needed", remedy="Ask for less")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def rounded_up(number: float) -> int:
    """Rounded up, past what rounding leaves of a whole number."""
    return ceil(number - 1e-9)


# --- labels for a corrected mean


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
    _check_width(width, design_effect)
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
    return _first_that(lambda n: width_of(n) <= width, start, graded)


# --- the variance of kappa

Prevalence = float | tuple[float, float]
"""The share of units called positive: by every rater, or by the first and by the second."""


def table_variance(table: ArrayLike) -> float:
    """The variance of Cohen's kappa in a large sample, times the number of units.

    With the table's shares p, the sum of margins ``a_ij = p_.i + p_j.``, chance agreement e and
    ``q = 1 - kappa``:
    ``[sum_i p_ii (1 - a_ii q)² + q² sum_{i != j} p_ij a_ij² - (kappa - e q)²] / (1 - e)²``.

    Source: Fleiss, Cohen and Everitt (1969), Psychological Bulletin 72.

    Args:
        table: K by K, the first rater in rows; shares or counts.

    >>> round(table_variance([[40, 10], [10, 40]]), 4)
    0.64
    """
    counts = np.asarray(table, dtype=np.float64)
    shares: Floats = counts / counts.sum()
    rows, columns, same = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
    margins = columns[:, None] + rows[None, :]
    chance = float(rows @ columns)
    kappa = (float(same.sum()) - chance) / (1 - chance)
    agreeing = same @ (1 - np.diag(margins) * (1 - kappa)) ** 2
    disagreeing = (shares * margins**2).sum() - same @ np.diag(margins) ** 2
    centre = (kappa - chance * (1 - kappa)) ** 2
    return float((agreeing + (1 - kappa) ** 2 * disagreeing - centre) / (1 - chance) ** 2)


def binary_table(kappa: float, first: float, second: float) -> Floats:
    """The shares of two raters' yes and no, from kappa and how often each says yes.

    Raises:
        InputError: No table has that kappa and these shares; the range there is, is named.

    >>> binary_table(0.6, 0.5, 0.5).round(2).tolist()
    [[0.4, 0.1], [0.1, 0.4]]
    """
    chance = first * second + (1 - first) * (1 - second)
    both = (chance + kappa * (1 - chance) - 1 + first + second) / 2
    least, most = max(0.0, first + second - 1), min(first, second)
    if not least - 1e-12 <= both <= most + 1e-12:
        low, high = (
            1 - (first + second - 2 * cell) / (1 - chance) for cell in (least, most)
        )  # fmt: skip
        raise InputError(
            f"kappa {kappa:g} cannot be reached where raters say yes to {first:g} and {second:g}",
            remedy=f"It lies from {low:.2f} to {high:.2f} there",
        )
    neither = 1 - first - second + both
    return np.clip([[both, first - both], [second - both, neither]], 0, 1)


def kappa_variance(kappa: float, prevalence: Prevalence, *, raters: int = 2) -> float:
    """The variance of kappa on yes or no in a large sample, times the number of units.

    Two raters: Cohen's kappa (`table_variance`). More: Fleiss's kappa of raters who are alike, with
    ``v = 1 / (p (1 - p))`` and m raters
    ``(1 - kappa) [2 / (m (m - 1)) - (3 - v) kappa + (m - 1) / m (4 - v) kappa²]``, which for two
    raters is the first. It holds for units that are either clear to all raters or to none; for
    other kinds of unit it is somewhat too large or too small.

    Source: Bloch and Kraemer (1989), Biometrics 45; Zou and Donner (2004), Biometrics 60.

    Raises:
        InputError: Kappa, a prevalence or the number of raters is impossible.

    >>> round(kappa_variance(0.6, 0.5), 4), round(kappa_variance(0.6, 0.5, raters=3), 4)
    (0.64, 0.3733)
    """
    shares = _shares(prevalence)
    if not -1 < kappa < 1:
        raise InputError(
            f"kappa {kappa:g} must lie between -1 and 1",
            remedy="Plan with the value you expect; at 1 nothing is left to estimate",
        )
    if raters == 2:
        return table_variance(binary_table(kappa, shares[0], shares[-1]))
    if raters < 2 or kappa < 0 or shares[0] != shares[-1]:
        raise InputError(
            f"{raters} raters, kappa {kappa:g} and prevalence {prevalence} cannot be planned",
            remedy="Two raters, or more of one prevalence with kappa of 0 or more",
        )
    spread = 1 / (shares[0] * (1 - shares[0]))
    pairs = 2 / (raters * (raters - 1))
    beyond = (raters - 1) / raters * (4 - spread) * kappa**2
    return (1 - kappa) * (pairs - (3 - spread) * kappa + beyond)


def _shares(prevalence: Prevalence) -> Sequence[float]:
    shares = prevalence if isinstance(prevalence, tuple) else (prevalence, prevalence)
    if len(shares) != 2 or not all(0 < share < 1 for share in shares):
        raise InputError(
            f"prevalence {prevalence} must lie between 0 and 1",
            remedy="Give one share for all raters, or the first's and the second's",
        )
    return shares


TINY = 1e-12
"""So near to the ends of its range kappa is not looked for."""


def goodness_of_fit_limits(
    kappa: float, prevalence: float, units: float, *, level: float = 0.95
) -> Interval:
    """Limits for kappa of two raters on yes or no, for few units: by goodness of fit.

    With ``p`` the share of yes, ``q = 1 - p`` and ``k`` kappa, both say yes to ``p² + k p q`` of
    the units, one does to ``2 p q (1 - k)``, none to ``q² + k p q``. The limits are the two values
    ``k`` at which Pearson's statistic of the counts, ``sum (n - expected)² / expected``, equals the
    quantile of chi-squared with 1 degree of freedom. At ``p`` of one half they are Wilson's for the
    share of agreement. Kappa is the intraclass one, of raters who say yes alike often.

    Source: Donner and Eliasziw (1992), Statistics in Medicine 11, 1511-1519.

    Raises:
        InputError: ``units`` is not above 0, or no table has that kappa and prevalence.

    >>> limits = goodness_of_fit_limits(0.6, 0.5, 20)
    >>> round(limits.low, 3), round(limits.high, 3)
    (0.168, 0.839)
    """
    least = -min(prevalence, 1 - prevalence) / max(prevalence, 1 - prevalence)
    if not (0 < prevalence < 1 and least - TINY < kappa <= 1 and 0 < units < float("inf")):
        raise InputError(
            f"kappa {kappa:g} of {units:g} units with prevalence {prevalence:g} has no limits",
            remedy="Give units above 0, a prevalence between 0 and 1, and a kappa that it allows",
        )
    both = prevalence * (1 - prevalence)
    quantile = normal_quantile(two_sided(level)) ** 2

    def misfit(other: float) -> float:
        yes, no = prevalence**2 + other * both, (1 - prevalence) ** 2 + other * both
        inverse = 1 / yes + 4 / (2 * both * (1 - other)) + 1 / no
        return units * ((kappa - other) * both) ** 2 * inverse - quantile

    root = library("scipy.optimize").brentq
    first, last = least + TINY, 1 - TINY
    middle = min(max(kappa, first), last)
    low = root(misfit, first, middle) if misfit(first) > 0 else least
    high = root(misfit, middle, last) if misfit(last) > 0 else 1.0
    return Interval(low=low, high=high, level=level, method="goodness of fit")


# --- labels for kappa

FEW = 5
"""With fewer units of the rarer answer a large-sample variance is not to be trusted."""


class KappaPlan(Plan):
    """Labels for an interval of kappa.

    Attributes:
        labels: Units that every rater labels.
        raters: Raters.
        kappa: Kappa, as expected.
        prevalence: The share of yes by the first and by the second rater, as expected.
        width: Width of the interval, from end to end.
        level: Nominal coverage.
        design_effect: By how much clusters inflate the variance.
        rare: Units of the rarer answer to expect.
        limits: The limits to expect by goodness of fit, which hold for few units too; ``None`` for
            more than two raters or two prevalences.
    """

    labels: int
    raters: int
    kappa: float
    prevalence: tuple[float, float]
    width: float
    level: float
    design_effect: float
    rare: float
    limits: Interval | None = None


def labels_for_kappa(
    kappa: float,
    prevalence: Prevalence,
    width: float,
    *,
    design_effect: float = 1.0,
    level: float = 0.95,
    raters: int = 2,
) -> KappaPlan:
    """How many units to label for an interval of kappa that is so wide from end to end.

    ``n = D V (2 z / width)²`` with V from `kappa_variance` and D the design effect. A criterion of
    several levels is planned by its rarest level against the others.

    Source: Cantor (1996), Psychological Methods 1.

    Args:
        kappa: Kappa, as expected.
        prevalence: The share of yes, of all raters or of the first and the second.
        width: The wanted width.
        design_effect: See `design_effect`.
        level: Nominal coverage.
        raters: Raters; more than two share one prevalence.

    Raises:
        InputError: A value is impossible.

    >>> labels_for_kappa(0.6, 0.5, 0.2).labels
    246
    """
    _check_width(width, design_effect, most=2)
    shares = prevalence if isinstance(prevalence, tuple) else (prevalence, prevalence)
    variance = kappa_variance(kappa, prevalence, raters=raters)
    z = normal_quantile(two_sided(level))
    labels = max(rounded_up(design_effect * variance * (2 * z / width) ** 2), 2)
    rare = labels * min(min(share, 1 - share) for share in shares)
    sentence = (
        f"Label {labels} units, each by {raters} raters: where kappa is about {kappa:g}, its "
        f"{level:.0%} interval is then about {width:g} wide."
    )
    if rare < FEW:
        sentence += (
            f" Beware: only {rare:.1f} of them would be of the rarer answer, too few for this "
            "formula; label more, or sample the rarer answer more often."
        )
    limits = None
    if raters == 2 and shares[0] == shares[1]:
        limits = goodness_of_fit_limits(kappa, shares[0], labels / design_effect, level=level)
        if rare < FEW:
            sentence += (
                f" By goodness of fit, which holds for few units, expect {limits.low:.2f} to "
                f"{limits.high:.2f}."
            )
    return KappaPlan(
        labels=labels, raters=raters, kappa=kappa, prevalence=shares, width=width, level=level,
        design_effect=design_effect, rare=rare, limits=limits, sentence=sentence,
    )  # fmt: skip


# --- violations for missed harm


class HarmPlan(Plan):
    """Violations that have to be confirmed to show that a judge misses few.

    Attributes:
        violations: Confirmed violations needed for the one-sided limit.
        gate: The same for the two-sided interval, whose upper end studies and the gate use.
        missed: Missed ones among them that are allowed for.
        max_share: The share of missed violations to be excluded.
        level: Nominal coverage.
        labels: Units to label so that ``gate`` violations can be expected; ``None`` where their
            share is not given.
    """

    violations: int
    gate: int
    missed: int
    max_share: float
    level: float
    labels: int | None


def labels_for_missed_harm(
    max_share: float, *, level: float = 0.95, missed: int = 0, violations_share: float | None = None
) -> HarmPlan:
    """How many confirmed violations show that the judge misses no more than a share of them.

    The least n of which the exact upper limit at so many missed is ``max_share`` or less; at zero
    missed ``log(1 - level) / log(1 - max_share)``.

    Source: Clopper and Pearson (1934); the table of Wilks (1941) for tolerance limits.

    Args:
        max_share: The share to be excluded, between 0 and 1.
        level: Nominal coverage.
        missed: Missed violations to allow for.
        violations_share: The share of units that are violations, as expected.

    Raises:
        InputError: A value is impossible.

    >>> plan = labels_for_missed_harm(0.05)
    >>> plan.violations, plan.gate
    (59, 72)
    """
    if not 0 < max_share < 1:
        raise InputError(f"share {max_share:g} must lie between 0 and 1")
    if missed < 0:
        raise InputError(f"{missed} missed violations are impossible")
    if violations_share is not None and not 0 < violations_share <= 1:
        raise InputError(f"share of violations {violations_share:g} must be above 0 and at most 1")
    one = _first_that(lambda n: upper_limit(missed, n, level=level) <= max_share, missed + 1)
    two = _first_that(
        lambda n: clopper_pearson(missed, n, level=level).high <= max_share, missed + 1
    )
    labels = None if violations_share is None else rounded_up(two / violations_share)
    sentence = (
        f"If the judge misses {missed or 'none'} of {one} violations that clinicians confirmed, "
        f"more than {max_share:.2g} missed is excluded (one-sided, {level:.0%}); the two-sided "
        f"interval of a study, and the gate, need {two}."
    )
    if labels is not None:
        sentence += f" Where {violations_share:.2g} are violations, that takes {labels} labels."
    return HarmPlan(
        violations=one, gate=two, missed=missed, max_share=max_share, level=level, labels=labels,
        sentence=sentence,
    )  # fmt: skip
