"""Least squares where units come in clusters, perhaps in few: one coefficient, its error, its t."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Codes,
    Estimate,
    Floats,
    Interval,
    count_clusters,
    t_quantile,
    t_two_sided_p,
    two_sided,
)
from mmrare_judge.errors import InputError

_ONE = 1 - 1e-9
"""An eigenvalue of a cluster's leverage above this is 1: the cluster alone decides a direction."""

CELLS_AT_ONCE = 4_000_000


class Fit(NamedTuple):
    """The first coefficient of a least-squares regression.

    Attributes:
        value: The coefficient.
        error: Its standard error (CR2); 0 where one cluster decides.
        freedom: Degrees of freedom of its t statistic.
        one_cluster: Without some cluster there would be no coefficient: its error cannot be known.
    """

    value: float
    error: float
    freedom: float
    one_cluster: bool


def first_coefficient(design: Floats, outcome: Floats, codes: Codes) -> Fit:
    """The first coefficient with a bias-reduced cluster-robust error and its degrees of freedom.

    With ``X = Q R``, ``l`` such that ``b_1 = l' Q' y``, and residuals ``e``::

        h_g = (I - Q_g' Q_g)^(-1/2) l        a_g = Q_g h_g        V = sum_g (a_g' e_g)^2

    which is CR2 of Bell and McCaffrey (2002): each cluster's residuals are stretched by what
    fitting took from them. The usual CR1 stretches all alike, and is far too short for a term that
    varies in few clusters, as membership of a small group does. The degrees of freedom are
    Satterthwaite's under independent errors, ``(tr S)^2 / tr S^2`` with
    ``S_gh = [g = h] a_g' a_g - a_g' Q_g Q_h' a_h`` (Pustejovsky and Tipton 2018): G - 1 for the
    mean of G clusters of one size, Imbens and Kolesar's (2016) for two groups.

    Args:
        design: Units by terms; the terms behind the first may determine each other.
        outcome: One number a unit.
        codes: The cluster of each unit.

    >>> fit = first_coefficient(np.ones((4, 1)), np.array([1.0, 2, 3, 4]), np.arange(4))
    >>> round(fit.value, 6), round(fit.error**2, 6), round(fit.freedom, 6)
    (2.5, 0.416667, 3.0)
    """
    basis, first = _basis(design)
    residuals = outcome - basis @ (basis.T @ outcome)
    cluster = np.unique(codes, return_inverse=True)[1]
    stretched, inner, one_cluster = _stretched(basis, first, cluster)
    influence = (basis * stretched[cluster]).sum(axis=1)
    scores = np.bincount(cluster, weights=influence * residuals)
    return Fit(
        value=float(first @ (basis.T @ outcome)),
        error=0.0 if one_cluster else float(np.sqrt((scores**2).sum())),
        freedom=_freedom(stretched, inner),
        one_cluster=one_cluster,
    )


def _basis(design: Floats) -> tuple[Floats, Floats]:
    """An orthonormal basis Q of the terms, and l."""
    left, sizes, right = np.linalg.svd(design, full_matrices=False)
    kept = sizes > sizes.max() * max(design.shape) * np.finfo(np.float64).eps
    return left[:, kept], right[kept, 0] / sizes[kept]


def _stretched(basis: Floats, first: Floats, cluster: Codes) -> tuple[Floats, Floats, bool]:
    """``h_g`` and ``Q_g' Q_g h_g`` of each cluster; whether the coefficient hangs on one of them.

    Some clusters at a time: a product of two terms for each unit would fill the memory.
    """
    order = np.argsort(cluster, kind="stable")
    parts = 1 + basis.size * basis.shape[1] // CELLS_AT_ONCE
    blocks = np.array_split(np.arange(int(cluster.max()) + 1), parts)
    sorted_codes, rows = cluster[order], basis[order]
    found = []
    for block in (block for block in blocks if len(block)):
        starts = np.searchsorted(sorted_codes, [*block, block[-1] + 1])
        found.append(_block(rows[starts[0] : starts[-1]], starts[:-1] - starts[0], first))
    stretched, inner, alone = zip(*found, strict=True)
    return np.concatenate(stretched), np.concatenate(inner), any(alone)


def _block(rows: Floats, starts: Codes, first: Floats) -> tuple[Floats, Floats, bool]:
    leverage = np.add.reduceat(rows[:, :, None] * rows[:, None, :], starts, axis=0)
    values, vectors = np.linalg.eigh(leverage)
    along = np.einsum("gij,i->gj", vectors, first)
    decided = values > _ONE
    factors = np.where(decided, 0.0, 1 / np.sqrt(np.where(decided, 1.0, 1 - values)))
    alone = np.abs(along[decided]) > 1e-6 * np.linalg.norm(first)
    stretched = np.einsum("gij,gj->gi", vectors, factors * along)
    return stretched, np.einsum("gij,gj->gi", leverage, stretched), bool(alone.any())


def _freedom(stretched: Floats, inner: Floats) -> float:
    own, lost = (inner * stretched).sum(axis=1), (inner**2).sum(axis=1)
    squares = (own**2).sum() - 2 * (own * lost).sum() + ((inner.T @ inner) ** 2).sum()
    return float((own - lost).sum() ** 2 / squares) if squares > 0 else 1.0


# --- the coefficient as an estimate

FEW_FREEDOM = 4
"""Below so many degrees of freedom the t interval is not to be relied on (Tipton 2015)."""


class Slope(NamedTuple):
    """One coefficient with its p-value (``None`` where there is no interval)."""

    estimate: Estimate
    p_value: float | None


def clustered_slope(
    name: str,
    design: Floats,
    outcome: Floats,
    codes: Codes,
    *,
    level: float = 0.95,
    missing: int = 0,
) -> Slope:
    """The first column's coefficient in a linear regression, with a cluster-robust interval.

    ``b = (X'X)^-1 X'y`` with the error CR2 and Student's t on Satterthwaite's degrees of freedom
    (`first_coefficient`), which stay honest where a term varies in few clusters. Columns that the
    others determine are allowed, except the first: then there is no value.

    >>> x, y = np.array([0.0, 0, 1, 1]), np.array([0.0, 2, 2, 4])
    >>> fit = clustered_slope("gap", np.column_stack([x, np.ones(4)]), y, np.arange(4))
    >>> round(fit.estimate.value, 6)
    2.0
    """
    if len(design) != len(outcome) or len(design) != len(codes):
        raise InputError(f"{len(design)} rows, {len(outcome)} outcomes, {len(codes)} clusters")
    blank = Estimate(
        name=name, value=None, n=len(outcome), clusters=count_clusters(codes), missing=missing
    )
    reason = "no unit has both values"
    if len(outcome):
        reason = "it does not vary once the other terms are held fixed"
    if not len(outcome) or _unidentified(design):
        return Slope(blank.model_copy(update={"reason": reason}), None)
    return _slope(blank, first_coefficient(design, outcome, codes), level)


def clustered_mean(
    name: str,
    values: Floats,
    codes: Codes,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    level: float = 0.95,
    missing: int = 0,
) -> Slope:
    """A mean with the cluster-robust error: the regression on a constant.

    ``low`` and ``high`` are what the mean can be at least and at most: its interval is cut there.

    >>> clustered_mean("leniency", np.array([1.0, 0, 2]), np.arange(3)).estimate.value
    1.0
    """
    constant = np.ones((len(values), 1))
    slope = clustered_slope(name, constant, values, codes, level=level, missing=missing)
    found, interval = slope.estimate, slope.estimate.interval
    if found.value is None:
        return slope
    # The fitted value differs from the mean in the last digits.
    changes = {"value": float(values.mean()), "interval": interval and interval.cut(low, high)}
    return slope._replace(estimate=found.model_copy(update=changes))


def dummies(values: Floats) -> Floats:
    """One 0/1 column for each distinct value: what "at the same human level" means.

    >>> dummies(np.array([0.0, 2, 0])).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    return np.asarray(values[:, None] == np.unique(values)[None, :], dtype=np.float64)


def _unidentified(design: Floats) -> bool:
    others = np.linalg.matrix_rank(design[:, 1:]) if design.shape[1] > 1 else 0
    return bool(np.linalg.matrix_rank(design) == others)


def _slope(blank: Estimate, fit: Fit, level: float) -> Slope:
    clusters, half = blank.clusters, t_quantile(two_sided(level), fit.freedom) * fit.error
    if clusters < 3:
        reason = f"no interval: {clusters} cluster{'s are' * (clusters > 1) or ' is'} too few"
    elif fit.one_cluster:
        reason = "no interval: it hangs on a single cluster"
    elif fit.error <= 1e-12 * max(1.0, abs(fit.value)):
        reason = "no interval: the residuals are all zero"
    else:
        interval = Interval(
            low=fit.value - half, high=fit.value + half, level=level, method="cluster-robust t"
        )
        found = {"value": fit.value, "interval": interval, "reason": _rough(clusters, fit)}
        p_value = t_two_sided_p(fit.value / fit.error, fit.freedom)
        return Slope(blank.model_copy(update=found), p_value)
    return Slope(blank.model_copy(update={"value": fit.value, "reason": reason}), None)


def _rough(clusters: int, fit: Fit) -> str:
    if fit.freedom < FEW_FREEDOM:
        return f"only {fit.freedom:.1f} degrees of freedom: the interval is rough"
    return f"only {clusters} clusters: the interval is rough" if clusters < FEW_CLUSTERS else ""
