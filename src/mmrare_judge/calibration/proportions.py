"""Intervals for a share: exact, score, the rule of three, and what clusters and weights cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmrare_judge.calibration.estimate import Interval
from mmrare_judge.calibration.quantiles import (
    beta_quantile,
    normal_quantile,
    one_sided,
    t_quantile,
    two_sided,
)
from mmrare_judge.calibration.vectors import Codes, Floats, count_clusters, group_sums
from mmrare_judge.errors import InputError


def clopper_pearson(events: float, n: float, *, level: float = 0.95) -> Interval:
    """Exact interval for a share (Clopper and Pearson 1934).

    The ends are beta quantiles: ``B(a/2; x, n-x+1)`` and ``B(1-a/2; x+1, n-x)``, 0 without events
    and 1 without non-events. Fractional counts are legal: they come from effective sample sizes.

    >>> interval = clopper_pearson(0, 10)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.3085)
    """
    _check(events, n)
    high = two_sided(level)
    return Interval(
        low=beta_quantile(1 - high, events, n - events + 1) if events > 0 else 0.0,
        high=beta_quantile(high, events + 1, n - events) if events < n else 1.0,
        level=level,
        method="clopper-pearson",
    )


def upper_limit(events: float, n: float, *, level: float = 0.95) -> float:
    """One-sided exact upper limit of a share: ``B(level; x+1, n-x)``.

    >>> round(upper_limit(0, 30), 4)
    0.095
    """
    _check(events, n)
    probability = one_sided(level)
    return beta_quantile(probability, events + 1, n - events) if events < n else 1.0


def wilson(events: float, n: float, *, level: float = 0.95) -> Interval:
    """Score interval for a share (Wilson 1927).

    ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``.

    >>> interval = wilson(5, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2366, 0.7634)
    """
    _check(events, n)
    z, share = normal_quantile(two_sided(level)), events / n
    centre = share + z**2 / (2 * n)
    half = z * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    scale = 1 + z**2 / n
    low, high = max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
    return Interval(low=low, high=high, level=level, method="wilson")


def rule_of_three(n: float, *, level: float = 0.95) -> float:
    """Upper limit of a share of which no case was seen in ``n``.

    Exactly ``1 - (1 - level)^(1/n)``; at 95 % about ``3/n`` (Hanley and Lippman-Hand 1983). It is
    one-sided: the two-sided exact interval at zero events ends higher, at about ``3.7/n``.

    >>> round(rule_of_three(100), 4)
    0.0295
    """
    _check(0, n)
    return float(1 - (1 - one_sided(level)) ** (1 / n))


class Share(NamedTuple):
    """A weighted share and the number of independent units it is worth."""

    value: float
    n_effective: float
    n: int
    clusters: int


def design_share(
    values: Floats, weights: Floats, codes: Codes, *, level: float = 0.95
) -> Share | None:
    """A share with the effective sample size of its design (Korn and Graubard 1998).

    ``n_eff = n (V_simple / V_clustered) (t_{n-1} / t_{G-1})^2``, at most n, where ``V_clustered``
    sums the weighted residuals within the ``G`` clusters. Without weights and clusters it is n.
    At a share of 0 or 1 no variance can be estimated: then it is Kish's ``(sum w)^2 / sum w^2``, at
    most the number of clusters, which is on the safe side. ``None`` where there is no unit.

    >>> design_share(np.array([1.0, 0, 1, 1]), np.ones(4), np.arange(4))
    Share(value=0.75, n_effective=4.0, n=4, clusters=4)
    """
    n = len(values)
    if n == 0:
        return None
    groups = count_clusters(codes)
    value = float(np.average(values, weights=weights))
    simple = bool(groups == n and np.all(weights == weights[0]))
    if simple or groups == 1:
        return Share(value, float(n if simple else 1), n, groups)
    if value in (0.0, 1.0):
        kish = float(weights.sum() ** 2 / (weights**2).sum())
        return Share(value, min(kish, float(groups)), n, groups)
    ratio = _variance_ratio(values - value, weights, codes, value)
    tails = t_quantile(two_sided(level), n - 1) / t_quantile(two_sided(level), groups - 1)
    return Share(value, float(np.clip(n * ratio * tails**2, 1, n)), n, groups)


def _variance_ratio(residuals: Floats, weights: Floats, codes: Codes, share: float) -> float:
    n, groups = len(residuals), count_clusters(codes)
    sums = group_sums(weights * residuals, codes) / weights.sum()
    clustered = groups / (groups - 1) * float((sums**2).sum())
    return float("inf") if clustered == 0 else share * (1 - share) / (n - 1) / clustered


def _check(events: float, n: float) -> None:
    if n <= 0 or not 0 <= events <= n:
        raise InputError(f"{events:g} events among {n:g} are no share")
