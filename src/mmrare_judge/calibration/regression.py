"""Least squares with cluster-robust errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmrare_judge.calibration.cluster_robust import Fit, first_coefficient
from mmrare_judge.calibration.estimate import FEW_CLUSTERS, Estimate, Interval
from mmrare_judge.calibration.quantiles import t_quantile, t_two_sided_p, two_sided
from mmrare_judge.calibration.vectors import Codes, Floats, count_clusters
from mmrare_judge.errors import InputError

FEW_FREEDOM = 4
"""Below so many degrees of freedom the t interval is not to be relied on (Tipton 2015)."""


class Slope(NamedTuple):
    """One coefficient with its p-value (``None`` where there is no interval)."""

    estimate: Estimate
    p_value: float | None


def clustered_slope(
    name: str, design: Floats, outcome: Floats, codes: Codes, *, level: float = 0.95
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
    if len(outcome) == 0:
        reason = "no unit has both values"
        return Slope(Estimate(name=name, value=None, n=0, clusters=0, reason=reason), None)
    blank = Estimate(name=name, value=None, n=len(outcome), clusters=count_clusters(codes))
    if _unidentified(design):
        reason = "it does not vary once the other terms are held fixed"
        return Slope(blank.model_copy(update={"reason": reason}), None)
    return _slope(blank, first_coefficient(design, outcome, codes), level)


def clustered_mean(name: str, values: Floats, codes: Codes, *, level: float = 0.95) -> Slope:
    """A mean with the cluster-robust error: the regression on a constant.

    >>> clustered_mean("leniency", np.array([1.0, 0, 2]), np.arange(3)).estimate.value
    1.0
    """
    slope = clustered_slope(name, np.ones((len(values), 1)), values, codes, level=level)
    if slope.estimate.value is None:
        return slope
    exact = {"value": float(values.mean())}
    return slope._replace(estimate=slope.estimate.model_copy(update=exact))


def cut(estimate: Estimate, *, low: float = -np.inf, high: float = np.inf) -> Estimate:
    """The estimate with its interval cut at what the statistic can be.

    >>> share = clustered_mean("share", np.array([1.0, 1, 1, 0]), np.arange(4)).estimate
    >>> share.interval.high > 1, cut(share, low=0, high=1).interval.high
    (True, 1.0)
    """
    if estimate.interval is None:
        return estimate
    ends = (
        float(np.clip(end, low, high)) for end in (estimate.interval.low, estimate.interval.high)
    )
    interval = estimate.interval.model_copy(update=dict(zip(("low", "high"), ends, strict=True)))
    return estimate.model_copy(update={"interval": interval})


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
