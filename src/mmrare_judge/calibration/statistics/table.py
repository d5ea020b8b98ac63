"""The property table: one row a statistic, and the estimates made by it.

Start at `STATISTICS`, the rows, and at `estimates`, which asks them of `Ratings`: value, interval,
n, clusters, missing, and the reason for whatever there is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import inf
from typing import Any, Literal

import numpy as np

from mmrare_judge.calibration.statistics import coefficients as by
from mmrare_judge.calibration.statistics.bootstrap import (
    RESAMPLING,
    Functional,
    Resampling,
    cluster_table,
    intervals,
)
from mmrare_judge.calibration.statistics.estimate import Estimate, Interval, library
from mmrare_judge.calibration.statistics.influence import (
    LEAST_OFF,
    bounded_interval,
    disputed,
    gradient,
    off_mode,
    sample_of,
    shared_off_mode,
)
from mmrare_judge.calibration.statistics.proportions import clopper_pearson, design_share
from mmrare_judge.calibration.statistics.ratings import Bools, Compute, Ratings
from mmrare_judge.errors import InputError

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
    library: Library | None = None
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


# --- point estimates by the libraries that have them
#
# Each takes `Ratings` on which the statistic is defined and that carry no weights. The library's
# value is the one reported; the twin in `coefficients` serves the bootstrap.

Library = Callable[[Ratings], float]


def _by_sklearn(metric: str, **options: object) -> Library:
    """A metric of scikit-learn: the second rater's labels are the true ones."""

    def value(ratings: Ratings) -> float:
        first, second = ratings.codes[(ratings.codes[:, :2] >= 0).all(axis=1), :2].T
        return float(getattr(library("sklearn.metrics"), metric)(second, first, **options))

    return value


def _kappa(weights: str | None = None) -> Library:
    def value(ratings: Ratings) -> float:
        labels = list(range(len(ratings.scale.categories)))
        return _by_sklearn("cohen_kappa_score", labels=labels, weights=weights)(ratings)

    return value


def _pairwise_f1(ratings: Ratings) -> float:
    """Macro-F1 over all pairs of the first rater with another."""
    columns = [ratings.codes[:, [0, other]] for other in range(1, ratings.codes.shape[1])]
    pairs = np.concatenate(columns)
    first, second = pairs[(pairs >= 0).all(axis=1)].T
    return float(library("sklearn.metrics").f1_score(second, first, average="macro"))


def _recall_macro(ratings: Ratings) -> float:
    """Recall averaged over the second rater's categories."""
    second = ratings.codes[(ratings.codes[:, :2] >= 0).all(axis=1), 1]
    options = {"labels": np.unique(second), "average": "macro"}
    return _by_sklearn("recall_score", **options)(ratings)


def _recall(*, positive: bool) -> Library:
    def value(ratings: Ratings) -> float:
        both = ratings.codes[(ratings.codes[:, :2] >= 0).all(axis=1), :2]
        first, second = np.isin(both, ratings.patterns.positive).T
        return float(library("sklearn.metrics").recall_score(second, first, pos_label=positive))

    return value


def _by_numbers(module: str, function: str) -> Library:
    """A function of both raters' numbers: scipy's rank correlations, and the mean error."""

    def value(ratings: Ratings) -> float:
        both = ratings.numbers[(ratings.codes[:, :2] >= 0).all(axis=1), :2]
        found = getattr(library(module), function)(*both.T)
        return float(getattr(found, "statistic", found))

    return value


def _krippendorff(level: str) -> Library:
    def value(ratings: Ratings) -> float:
        alpha: Callable[..., Any] = library("krippendorff").alpha
        if ratings.scale.level == "continuous":
            return float(alpha(ratings.numbers.T, level_of_measurement=level))
        counts = ratings.patterns.counts[ratings.pattern_of_unit].astype(int)
        points = ratings.scale.points if level == "interval" else range(counts.shape[1])
        domain = np.array(points, dtype=float)
        return float(alpha(value_counts=counts, value_domain=domain, level_of_measurement=level))

    return value


# --- the rows


def _pair(name: str, title: str, compute: Compute, library: Library | None = None) -> Statistic:
    return Statistic(name, title, compute, library)


def _weighted(kind: Literal["linear", "quadratic"]) -> Statistic:
    name, title = f"cohen_kappa_{kind}", f"Cohen's kappa, {kind} weights"
    compute = partial(by.cohen_kappa, alike=kind)
    return Statistic(name, title, compute, _kappa(kind), needs="order", relabelling=False)


def _many(name: str, title: str, compute: Compute, **properties: Any) -> Statistic:
    return Statistic(name, title, compute, raters="many", uses="pairable", **properties)


def _graded(kind: Literal["linear", "quadratic"]) -> Statistic:
    return _many(
        f"gwet_ac2_{kind}",
        f"Gwet's AC2, {kind}",
        partial(by.gwet_ac, alike=kind),
        needs="order",
        one_class=1.0,
        relabelling=False,
    )


def _alpha(level: Literal["nominal", "ordinal", "interval"], needs: Needs) -> Statistic:
    name, title = f"alpha_{level}", f"Krippendorff's alpha, {level}"
    compute, nominal = getattr(by, name), level == "nominal"
    return _many(
        name, title, compute, library=_krippendorff(level), needs=needs, relabelling=nominal
    )


def _share(
    name: str,
    compute: Compute,
    library: Library | None = None,
    *,
    title: str = "",
    needs: Needs = "positive",
    symmetric: bool = False,
) -> Statistic:
    title = title or name.replace("_", " ").capitalize()
    return Statistic(name, title, compute, library, needs=needs, low=0.0, symmetric=symmetric)


def _icc(form: int, design: by.Design, *, average: bool = False) -> Statistic:
    raters = "k" if average else "1"
    compute = partial(by.icc, design=design, average=average)
    name, title = f"icc_{form}_{raters}", f"ICC({form},{raters})"
    return Statistic(
        name, title, compute, needs="numbers", raters="many", low=-inf, relabelling=False
    )


def _number(name: str, title: str, compute: Compute, **properties: Any) -> Statistic:
    """Of differences in points: 0 is no difference."""
    given: dict[str, Any] = {"low": -inf, "high": inf, "perfect": 0.0, "one_class": 0.0}
    given |= {"symmetric": False, "relabelling": False, "higher_is_better": None}
    return Statistic(name, title, compute, needs="numbers", **(given | properties))


def _rank(name: str, title: str, compute: Compute, function: str) -> Statistic:
    correlate = _by_numbers("scipy.stats", function)
    return Statistic(name, title, compute, correlate, needs="numbers", relabelling=False)


_ROWS = (
    _many("percent_agreement", "Percent agreement", by.percent_agreement, low=0.0, one_class=1.0),
    _pair("cohen_kappa", "Cohen's kappa", by.cohen_kappa, _kappa()),
    _weighted("linear"),
    _weighted("quadratic"),
    _pair("scott_pi", "Scott's pi", by.scott_pi),
    _many("fleiss_kappa", "Fleiss's kappa", by.fleiss_kappa),
    _many("conger_kappa", "Conger's kappa", by.conger_kappa),
    _alpha("nominal", "categories"),
    _alpha("ordinal", "order"),
    _alpha("interval", "numbers"),
    _many("gwet_ac1", "Gwet's AC1", by.gwet_ac, one_class=1.0),
    _graded("linear"),
    _graded("quadratic"),
    _many("brennan_prediger", "Brennan-Prediger (PABAK)", by.brennan_prediger, one_class=1.0),
    _pair("mcc", "Matthews' correlation", by.mcc, _by_sklearn("matthews_corrcoef")),
    _share(
        "macro_f1",
        by.macro_f1,
        _by_sklearn("f1_score", average="macro"),
        title="Macro-F1",
        needs="categories",
        symmetric=True,
    ),
    _many(
        "pairwise_macro_f1",
        "Pairwise balanced macro-F1 (HealthBench)",
        by.pairwise_macro_f1,
        library=_pairwise_f1,
        low=0.0,
        symmetric=False,
    ),
    _share("balanced_accuracy", by.balanced_accuracy, _recall_macro, needs="categories"),
    _share("sensitivity", by.sensitivity, _recall(positive=True)),
    _share("specificity", by.specificity, _recall(positive=False)),
    _share("positive_agreement", by.positive_agreement, symmetric=True),
    _share("negative_agreement", by.negative_agreement, symmetric=True),
    _icc(1, "one-way"),
    _icc(2, "two-way random"),
    _icc(3, "two-way mixed"),
    _icc(1, "one-way", average=True),
    _icc(2, "two-way random", average=True),
    _icc(3, "two-way mixed", average=True),
    _rank("spearman", "Spearman's rho", by.spearman, "spearmanr"),
    _rank("kendall_tau_b", "Kendall's tau-b", by.kendall_tau_b, "kendalltau"),
    _number(
        "mae",
        "Mean absolute error",
        by.mean_absolute_error,
        library=_by_numbers("sklearn.metrics", "mean_absolute_error"),
        low=0.0,
        symmetric=True,
        higher_is_better=False,
    ),
    _number("leniency", "Leniency (mean signed difference)", by.mean_difference),
    _number(
        "agreement_limit_low", "Lower limit of agreement", partial(by.limit_of_agreement, side=-1)
    ),
    _number(
        "agreement_limit_high", "Upper limit of agreement", partial(by.limit_of_agreement, side=1)
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


# --- estimates


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
        inside = resampling.method == "influence"
        simple = [row for row in chosen if not (inside and by_influence(row, part))]
        functionals: dict[str, Functional] = {
            row.name: partial(row.compute, part.patterns) for row in simple
        }
        if simple:
            found |= intervals(functionals, cluster_table(part), resampling)
        found |= _influences(part, [row for row in chosen if row not in simple], resampling.level)
    return {
        row.name: (interval and interval.cut(row.low, row.high), reason)
        for row in rows
        for interval, reason in [found[row.name]]
    }


def by_influence(row: Statistic, ratings: Ratings) -> bool:
    """Whether limits can come from influences: a bounded statistic on a scale with categories."""
    return row.low > -inf and row.high < inf and bool(ratings.scale.categories)


def too_few_off(row: Statistic, off: float) -> str:
    """Why labels vary too little for limits of a statistic; empty if they do not.

    What is undefined where every label is the same hangs on the few that differ.
    """
    if row.one_class is not None or off >= LEAST_OFF:
        return ""
    return (
        f"no interval: {off:.1f} labels a rater are off the most frequent level, "
        f"and {LEAST_OFF} are the least"
    )


def _influences(
    ratings: Ratings, rows: Sequence[Statistic], level: float
) -> dict[str, tuple[Interval | None, str]]:
    if not rows:
        return {}
    sample, off, shared = sample_of(ratings), off_mode(ratings), shared_off_mode(ratings)
    disputes = disputed(ratings, combinations(range(len(ratings.raters)), 2))
    found: dict[str, tuple[Interval | None, str]] = {}
    for row in rows:
        functional = partial(row.compute, sample.patterns)
        slopes = partial(gradient, functional)
        if row.name in ("sensitivity", "specificity"):
            found[row.name] = _recall_limits(row, ratings, level)
        elif why := too_few_off(row, off):
            found[row.name] = None, why
        else:
            counts = (disputes, shared) if row.one_class is None else (disputes,)
            found[row.name] = bounded_interval(
                functional, slopes, sample, row.low, row.high, level, *counts
            )
    return found


def _recall_limits(row: Statistic, ratings: Ratings, level: float) -> tuple[Interval | None, str]:
    """Exact limits at the effective sample size, as for missed harm, which is 1 - sensitivity."""
    first, second = np.isin(ratings.codes[:, :2], ratings.patterns.positive).T
    among = second if row.name == "sensitivity" else ~second
    weights, codes = ratings.weights[among], ratings.clusters[among]
    share = design_share((first == second)[among].astype(float), weights, codes, level=level)
    if share is None or not weights.any():
        return None, ""
    interval = clopper_pearson(share.events, share.n_effective, level=level)
    return interval.model_copy(update={"method": "korn-graubard"}), ""


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
