"""The property table: one row a statistic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Literal

import numpy as np

from mmrare_judge.calibration.statistics import coefficients, libraries
from mmrare_judge.calibration.statistics.bootstrap import (
    RESAMPLING,
    Functional,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.statistics.coefficients import (
    Design,
    alpha_interval,
    alpha_nominal,
    alpha_ordinal,
    brennan_prediger,
    cohen_kappa,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    icc,
    kendall_tau_b,
    limit_of_agreement,
    mean_absolute_error,
    mean_difference,
    percent_agreement,
    scott_pi,
    spearman,
)
from mmrare_judge.calibration.statistics.estimate import Estimate, Interval
from mmrare_judge.calibration.statistics.ratings import Bools, Compute, Ratings
from mmrare_judge.errors import InputError

# FOLDED calibration.statistic: What is known of a statistic beforehand: a row of the property table.

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


def _cohen(kind: Literal["linear", "quadratic"]) -> Statistic:
    return Statistic(
        f"cohen_kappa_{kind}",
        f"Cohen's kappa, {kind} weights",
        partial(cohen_kappa, alike=kind),
        partial(libraries.cohen, weights=kind),
        needs="order",
        relabelling=False,
    )


def _many(name: str, title: str, compute: Compute, one_class: float | None = None) -> Statistic:
    low = 0.0 if name == "percent_agreement" else -1.0
    return Statistic(
        name, title, compute, raters="many", uses="pairable", low=low, one_class=one_class
    )


def _graded(name: str, title: str, compute: Compute) -> Statistic:
    return Statistic(
        name,
        title,
        compute,
        needs="order",
        raters="many",
        uses="pairable",
        one_class=1.0,
        relabelling=False,
    )


def _alpha(level: Literal["nominal", "ordinal", "interval"], compute: Compute) -> Statistic:
    needs: dict[str, Needs] = {"nominal": "categories", "ordinal": "order", "interval": "numbers"}
    return Statistic(
        f"alpha_{level}",
        f"Krippendorff's alpha, {level}",
        compute,
        partial(libraries.alpha, level=level),
        needs=needs[level],
        raters="many",
        uses="pairable",
        relabelling=level == "nominal",
    )


def _share(
    name: str,
    title: str,
    compute: Compute,
    library: Callable[[Ratings], float] | None = None,
    *,
    needs: Needs = "positive",
    symmetric: bool = False,
) -> Statistic:
    return Statistic(name, title, compute, library, needs=needs, low=0.0, symmetric=symmetric)


def _icc(name: str, design: Design, *, average: bool) -> Statistic:
    title = f"ICC({name.removeprefix('icc_').replace('_', ',')})"
    return Statistic(
        name,
        title,
        partial(icc, design=design, average=average),
        needs="numbers",
        raters="many",
        low=-inf,
        relabelling=False,
    )


def _number(name: str, title: str, compute: Compute, *, low: float = -inf) -> Statistic:
    return Statistic(
        name,
        title,
        compute,
        libraries.absolute_error if name == "mae" else None,
        needs="numbers",
        low=low,
        high=inf,
        perfect=0.0,
        one_class=0.0,
        symmetric=name == "mae",
        relabelling=False,
        higher_is_better=False if name == "mae" else None,
    )


def _rank(name: str, title: str, compute: Compute, kind: libraries.Correlation) -> Statistic:
    correlate = partial(libraries.rank_correlation, kind=kind)
    return Statistic(name, title, compute, correlate, needs="numbers", relabelling=False)


_ROWS = (
    _many("percent_agreement", "Percent agreement", percent_agreement, one_class=1.0),
    Statistic("cohen_kappa", "Cohen's kappa", cohen_kappa, libraries.cohen),
    _cohen("linear"),
    _cohen("quadratic"),
    Statistic("scott_pi", "Scott's pi", scott_pi),
    _many("fleiss_kappa", "Fleiss's kappa", fleiss_kappa),
    _many("conger_kappa", "Conger's kappa", conger_kappa),
    _alpha("nominal", alpha_nominal),
    _alpha("ordinal", alpha_ordinal),
    _alpha("interval", alpha_interval),
    _many("gwet_ac1", "Gwet's AC1", gwet_ac, one_class=1.0),
    _graded("gwet_ac2_linear", "Gwet's AC2, linear", partial(gwet_ac, alike="linear")),
    _graded("gwet_ac2_quadratic", "Gwet's AC2, quadratic", partial(gwet_ac, alike="quadratic")),
    _many("brennan_prediger", "Brennan-Prediger (PABAK)", brennan_prediger, one_class=1.0),
    Statistic("mcc", "Matthews' correlation", coefficients.mcc, libraries.matthews),
    _share(
        "macro_f1",
        "Macro-F1",
        coefficients.macro_f1,
        libraries.f1_macro,
        needs="categories",
        symmetric=True,
    ),
    Statistic(
        "pairwise_macro_f1",
        "Pairwise balanced macro-F1 (HealthBench)",
        coefficients.pairwise_macro_f1,
        libraries.f1_macro_pairwise,
        raters="many",
        uses="pairable",
        low=0.0,
        symmetric=False,
    ),
    _share(
        "balanced_accuracy",
        "Balanced accuracy",
        coefficients.balanced_accuracy,
        libraries.recall_macro,
        needs="categories",
    ),
    _share(
        "sensitivity",
        "Sensitivity",
        coefficients.sensitivity,
        partial(libraries.recall, of="positive"),
    ),
    _share(
        "specificity",
        "Specificity",
        coefficients.specificity,
        partial(libraries.recall, of="negative"),
    ),
    _share(
        "positive_agreement", "Positive agreement", coefficients.positive_agreement, symmetric=True
    ),
    _share(
        "negative_agreement", "Negative agreement", coefficients.negative_agreement, symmetric=True
    ),
    _icc("icc_1_1", "one-way", average=False),
    _icc("icc_2_1", "two-way random", average=False),
    _icc("icc_3_1", "two-way mixed", average=False),
    _icc("icc_1_k", "one-way", average=True),
    _icc("icc_2_k", "two-way random", average=True),
    _icc("icc_3_k", "two-way mixed", average=True),
    _rank("spearman", "Spearman's rho", spearman, "spearmanr"),
    _rank("kendall_tau_b", "Kendall's tau-b", kendall_tau_b, "kendalltau"),
    _number("mae", "Mean absolute error", mean_absolute_error, low=0.0),
    _number("leniency", "Leniency (mean signed difference)", mean_difference),
    _number(
        "agreement_limit_low", "Lower limit of agreement", partial(limit_of_agreement, side=-1)
    ),
    _number(
        "agreement_limit_high", "Upper limit of agreement", partial(limit_of_agreement, side=1)
    ),
)

STATISTICS: Mapping[str, Statistic] = {row.name: row for row in _ROWS}
"""Every statistic by its name, in the order reports show them."""


def statistic(name: str) -> Statistic:
    """A row of the table.

    Raises:
        InputError: There is no such statistic; the message lists them.

    >>> statistic("gwet_ac1").one_class
    1.0
    """
    try:
        return STATISTICS[name]
    except KeyError:
        known = ", ".join(STATISTICS)
        raise InputError(f"no statistic {name!r}", remedy=f"Known are: {known}") from None


# FOLDED calibration.suitability: Which statistics can be asked of which ratings.


def unsuited(row: Statistic, ratings: Ratings) -> str:
    """Why a statistic cannot be asked of these ratings; empty if it can.

    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> from mmrare_judge.calibration.statistics.table import statistic
    >>> two = Ratings.from_labels([["a", "b"]], Scale(level="nominal", categories=("a", "b", "c")))
    >>> unsuited(statistic("sensitivity"), two)
    'the scale names no positive category'
    """
    scale, count = ratings.scale, len(ratings.raters)
    if count < 2 or (row.raters == "pair" and count != 2):
        wanted = "exactly two raters" if row.raters == "pair" else "two raters or more"
        return f"it needs {wanted}, not {count}"
    if row.needs == "numbers":
        has = bool(scale.points) or scale.level == "continuous"
        return "" if has else "the scale gives its categories no points"
    if scale.level == "continuous":
        return "a continuous scale has no categories"
    if row.needs == "order" and scale.level == "nominal":
        return "the categories of a nominal scale have no order"
    if row.needs == "positive" and scale.positive is None:
        return "the scale names no positive category"
    return ""


# FOLDED calibration.agreement: Agreement statistics with all that belongs to them: value, interval, n, clusters, missing.


def estimate(
    ratings: Ratings, name: str, *, resampling: Resampling | None = RESAMPLING
) -> Estimate:
    """One statistic; see `estimates`.

    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> scale = Scale(level="nominal", categories=("NO", "YES"))
    >>> pairs = [["YES", "YES"]] * 40 + [["YES", "NO"]] * 9 + [["NO", "YES"]] * 6
    >>> ratings = Ratings.from_labels(pairs + [["NO", "NO"]] * 45, scale)
    >>> round(estimate(ratings, "cohen_kappa").value, 2)
    0.7
    """
    return estimates(ratings, [name], resampling=resampling)[name]


def estimates(
    ratings: Ratings,
    names: Sequence[str] | None = None,
    *,
    resampling: Resampling | None = RESAMPLING,
) -> dict[str, Estimate]:
    """Several statistics of the same ratings, with intervals from the same resamples.

    Args:
        ratings: Who gave which label. Where order matters (sensitivity, leniency), the first
            rater is the judge and the second the reference.
        names: Statistics by their name in the table; all that suit the ratings if left out.
        resampling: How intervals are made; ``None`` for none.

    Raises:
        InputError: There is no statistic of that name.
    """
    if names is None:
        rows = [row for row in STATISTICS.values() if not unsuited(row, ratings)]
    else:
        rows = [statistic(name) for name in names]
    suited = [row for row in rows if not unsuited(row, ratings)]
    values = {row.name: point(row, ratings) for row in suited}
    found = _intervals(ratings, [r for r in suited if values[r.name] is not None], resampling)
    return {
        row.name: _estimate(row, ratings, values.get(row.name), found.get(row.name)) for row in rows
    }


def point(row: Statistic, ratings: Ratings) -> float | None:
    """The value of a statistic; ``None`` where it is undefined.

    Where a library has the statistic and the units carry no weights, the value is the library's.
    """
    value = float(row.compute(ratings.patterns, ratings.pattern_weights)[0])
    if np.isnan(value):
        return None
    if row.library is None or ratings.weighted:
        return value
    return row.library(ratings)


def used(row: Statistic, ratings: Ratings) -> Bools:
    """Which units a statistic is computed from."""
    known = ratings.codes >= 0
    if row.name == "pairwise_macro_f1":
        return np.asarray(known[:, 0] & known[:, 1:].any(axis=1))
    return np.asarray(known.all(axis=1) if row.uses == "complete" else known.sum(axis=1) >= 2)


def _intervals(
    ratings: Ratings, rows: Sequence[Statistic], resampling: Resampling | None
) -> dict[str, tuple[Interval | None, str]]:
    """Intervals from the clusters that have something to say: the others would add false weight."""
    if resampling is None:
        return {}
    known = ratings.codes >= 0
    found: dict[str, tuple[Interval | None, str]] = {}
    telling: dict[Uses, Bools] = {
        "complete": np.asarray(known.all(axis=1)),
        "pairable": np.asarray(known.any(axis=1)),
    }
    for uses, units in telling.items():
        chosen, part = [row for row in rows if row.uses == uses], ratings.take(units)
        functionals: dict[str, Functional] = {
            row.name: partial(row.compute, part.patterns) for row in chosen
        }
        if chosen:
            found |= intervals(functionals, cluster_table(part), resampling)
    return {row.name: (within(found[row.name][0], row), found[row.name][1]) for row in rows}


def within(interval: Interval | None, row: Statistic) -> Interval | None:
    """The interval cut at the least and the greatest value the statistic can have."""
    if interval is None:
        return None
    low, high = (float(np.clip(end, row.low, row.high)) for end in (interval.low, interval.high))
    return interval.model_copy(update={"low": low, "high": high})


def _estimate(
    row: Statistic,
    ratings: Ratings,
    value: float | None,
    found: tuple[Interval | None, str] | None,
) -> Estimate:
    interval, reason = found or (None, "")
    if value is None:
        reason = undefined(row, ratings)
    units = used(row, ratings) if not unsuited(row, ratings) else np.zeros(ratings.units, bool)
    return Estimate(
        name=row.name,
        value=value,
        interval=interval,
        n=int(units.sum()),
        clusters=len(np.unique(ratings.clusters[units])),
        missing=ratings.units - int(units.sum()),
        reason=reason,
    )


def undefined(row: Statistic, ratings: Ratings) -> str:
    """Why a statistic has no value."""
    why = unsuited(row, ratings)
    if why:
        return why
    units = used(row, ratings)
    if not (ratings.weights[units] > 0).any():
        return "no unit has the labels it needs"
    codes = ratings.codes[units]
    seen = np.unique(codes[codes >= 0])
    if len(seen) == 1 and ratings.scale.categories:
        return f"every label is {ratings.scale.categories[seen[0]]!r}: nothing varies"
    if len(seen) == 1:
        return "every label is the same number: nothing varies"
    return "its denominator is zero: a rater or a category it divides by never varies or occurs"
