"""Least squares with cluster-robust errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmrare_judge.calibration.estimate import Estimate, Interval
from mmrare_judge.calibration.quantiles import t_quantile, t_two_sided_p, two_sided
from mmrare_judge.calibration.vectors import Codes, Floats, count_clusters
from mmrare_judge.errors import InputError


class Slope(NamedTuple):
    """One coefficient with its p-value (``None`` where there is no interval)."""

    estimate: Estimate
    p_value: float | None


def clustered_slope(
    name: str, design: Floats, outcome: Floats, codes: Codes, *, level: float = 0.95
) -> Slope:
    """The first column's coefficient in a linear regression, with CR1 standard error.

    ``b = (X'X)^-1 X'y``; ``V = c (X'X)^-1 (sum_g X_g'e_g e_g'X_g) (X'X)^-1`` with
    ``c = G/(G-1) (n-1)/(n-k)`` (Liang and Zeger 1986; Cameron and Miller 2015). The interval is
    Student's t on ``G - 1`` degrees of freedom. Columns that the others determine are allowed,
    except the first: then there is no value.

    >>> x, y = np.array([0.0, 0, 1, 1]), np.array([0.0, 2, 2, 4])
    >>> fit = clustered_slope("gap", np.column_stack([x, np.ones(4)]), y, np.arange(4))
    >>> round(fit.estimate.value, 6)
    2.0
    """
    if len(design) != len(outcome) or len(design) != len(codes):
        raise InputError(f"{len(design)} rows, {len(outcome)} outcomes, {len(codes)} clusters")
    n, groups = len(outcome), count_clusters(codes)
    problem = _unidentified(design)
    if problem or groups < 3:
        reason = problem or f"{groups} clusters are too few"
        return Slope(Estimate(name=name, value=None, n=n, clusters=groups, reason=reason), None)
    bread = np.linalg.pinv(design.T @ design)
    coefficients = bread @ design.T @ outcome
    rank = int(np.linalg.matrix_rank(design))
    scores = _cluster_scores(design, outcome - design @ coefficients, codes)
    scale = groups / (groups - 1) * (n - 1) / max(n - rank, 1)
    variance = scale * float((bread @ (scores.T @ scores) @ bread)[0, 0])
    return _slope(name, float(coefficients[0]), variance, n, groups, level)


def clustered_mean(name: str, values: Floats, codes: Codes, *, level: float = 0.95) -> Slope:
    """A mean with the cluster-robust error: the regression on a constant.

    >>> clustered_mean("leniency", np.array([1.0, 0, 2]), np.arange(3)).estimate.value
    1.0
    """
    if len(values) == 0:
        empty = Estimate(name=name, value=None, n=0, clusters=0, reason="no unit has both values")
        return Slope(empty, None)
    if count_clusters(codes) < 3:
        groups = count_clusters(codes)
        reason = f"no interval: {groups} clusters are too few"
        value = float(values.mean())
        few = Estimate(name=name, value=value, n=len(values), clusters=groups, reason=reason)
        return Slope(few, None)
    return clustered_slope(name, np.ones((len(values), 1)), values, codes, level=level)


def dummies(values: Floats) -> Floats:
    """One 0/1 column for each distinct value: what "at the same human level" means.

    >>> dummies(np.array([0.0, 2, 0])).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    return np.asarray(values[:, None] == np.unique(values)[None, :], dtype=np.float64)


def _unidentified(design: Floats) -> str:
    others = np.linalg.matrix_rank(design[:, 1:]) if design.shape[1] > 1 else 0
    if np.linalg.matrix_rank(design) == others:
        return "it does not vary once the other terms are held fixed"
    return ""


def _cluster_scores(design: Floats, residuals: Floats, codes: Codes) -> Floats:
    dense = np.unique(codes, return_inverse=True)[1]
    scores = np.zeros((int(dense.max()) + 1, design.shape[1]))
    np.add.at(scores, dense, design * residuals[:, None])
    return scores


def _slope(name: str, value: float, variance: float, n: int, groups: int, level: float) -> Slope:
    error, freedom = float(np.sqrt(variance)), groups - 1
    half = t_quantile(two_sided(level), freedom) * error
    flat = error <= 1e-12 * max(1.0, abs(value))
    reason = "no interval: the residuals are all zero" if flat else ""
    if groups < 20 and not flat:
        reason = f"only {groups} clusters: the interval is rough"
    interval = Interval(low=value - half, high=value + half, level=level, method="cluster-robust t")
    estimate = Estimate(
        name=name, value=value, interval=None if flat else interval, n=n, clusters=groups,
        reason=reason,
    )  # fmt: skip
    return Slope(estimate, None if flat else t_two_sided_p(value / error, freedom))
