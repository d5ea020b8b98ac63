"""Intervals by resampling clusters: weights over patterns, no loop over resamples.

A cluster (a case) is drawn whole. Clusters that hold the same patterns are interchangeable, so
that a resample is one multinomial draw over kinds of clusters, and a matrix product turns it into
weights over patterns, from which every statistic is computed for thousands of resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from mmrare_judge.calibration.statistics.estimate import FEW_CLUSTERS, Floats, Interval, library
from mmrare_judge.calibration.statistics.ratings import TINY, Ints, Ratings
from mmrare_judge.records import Record

_FEW = f"fewer than {FEW_CLUSTERS} clusters"
CELLS_AT_ONCE = 4_000_000

Functional = Callable[[Floats], Floats]
"""From weights over patterns (B by P) to B values; NaN where undefined."""


class Resampling(Record):
    """How intervals are made.

    Attributes:
        resamples: How many resamples.
        seed: The seed of the random draws: the same seed, the same interval.
        level: Nominal coverage.
        method: ``influence``, which asks what each case adds (see `influence`), and is
            ``percentile`` where a scale has no categories or a statistic no bounds; or
            ``percentile``; or ``bca`` (bias-corrected and accelerated; Efron, 1987). Judge beside
            clinicians is measured by influences whatever is asked for, where it can be.
    """

    resamples: int = Field(default=2000, ge=100)
    seed: int = Field(default=0, ge=0)
    level: float = Field(default=0.95, gt=0, lt=1)
    method: Literal["influence", "percentile", "bca"] = "influence"


RESAMPLING = Resampling()
"""95 %, from influences; 2,000 resamples where there is a bootstrap."""


@dataclass(frozen=True, eq=False)
class ClusterTable:
    """The kinds of clusters there are.

    Attributes:
        kinds: Kinds by patterns, sparse: how much of each pattern a cluster of the kind holds.
        multiplicity: How many clusters are of each kind.
    """

    kinds: Any
    multiplicity: Ints

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.multiplicity.sum())

    @property
    def total(self) -> Floats:
        """The sample's own weights over patterns, one row."""
        return np.asarray(self.kinds.T @ self.multiplicity.astype(float))[None, :]


def cluster_table(ratings: Ratings) -> ClusterTable:
    """Sort the clusters of ratings into kinds that hold the same patterns.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    rows = np.unique(ratings.clusters, return_inverse=True)[1].reshape(-1)
    shape = (int(rows.max(initial=-1)) + 1, len(ratings.patterns.codes))
    held = library("scipy.sparse").csr_array(
        (ratings.weights, (rows, ratings.pattern_of_unit)), shape=shape
    )
    held.sum_duplicates()
    kinds: dict[bytes, list[int]] = {}
    for row, (start, end) in enumerate(zip(held.indptr[:-1], held.indptr[1:], strict=True)):
        key = held.indices[start:end].tobytes() + held.data[start:end].tobytes()
        kinds.setdefault(key, []).append(row)
    first = [members[0] for members in kinds.values()]
    sizes = [len(members) for members in kinds.values()]
    return ClusterTable(held[first], np.array(sizes, dtype=np.int64))


def resampled(table: ClusterTable, resampling: Resampling) -> Iterator[Floats]:
    """Weights over patterns of bootstrap samples of clusters, some thousand rows at a time."""
    random = np.random.default_rng(resampling.seed)
    shares = table.multiplicity / table.clusters
    left = resampling.resamples
    while left:
        rows = min(left, _rows_at_once(table))
        drawn = random.multinomial(table.clusters, shares, size=rows)
        yield np.ascontiguousarray((table.kinds.T @ drawn.T.astype(float)).T)
        left -= rows


def left_out(table: ClusterTable) -> Iterator[Floats]:
    """Weights over patterns with one cluster of each kind left out."""
    step = _rows_at_once(table)
    for start in range(0, len(table.multiplicity), step):
        yield np.maximum(table.total - table.kinds[start : start + step].toarray(), 0)


def _rows_at_once(table: ClusterTable) -> int:
    return max(1, CELLS_AT_ONCE // int(max(table.kinds.shape)))


def replicates(
    functionals: Mapping[str, Functional], samples: Iterable[Floats]
) -> dict[str, Floats]:
    """The values of each functional over all samples."""
    parts: dict[str, list[Floats]] = {name: [] for name in functionals}
    for weights in samples:
        for name, functional in functionals.items():
            parts[name].append(functional(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def intervals(
    functionals: Mapping[str, Functional], table: ClusterTable, resampling: Resampling
) -> dict[str, tuple[Interval | None, str]]:
    """An interval for each functional, or the reason why there is none or what to beware of.

    From 20 clusters on the bootstrap that ``resampling`` names; below, a jackknife-t: ``estimate
    ± t sqrt((G - 1) / G sum (leave-one-out value - their mean)²)`` with G - 1 degrees of freedom.

    Source: Efron and Tibshirani (1993); Cameron and Miller (2015) for few clusters.
    """
    few = table.clusters < FEW_CLUSTERS
    if table.clusters < 2:
        return dict.fromkeys(functionals, (None, "fewer than two clusters: no interval"))
    points = {name: float(functional(table.total)[0]) for name, functional in functionals.items()}
    if few or resampling.method == "bca":
        without = replicates(functionals, left_out(table))
    if few:
        return {
            name: _jackknife_t(points[name], without[name], table.multiplicity, resampling.level)
            for name in functionals
        }
    drawn = replicates(functionals, resampled(table, resampling))
    if resampling.method != "bca":
        return {name: _percentile(drawn[name], resampling.level) for name in functionals}
    return {
        name: _bca(points[name], drawn[name], without[name], table.multiplicity, resampling.level)
        for name in functionals
    }


def _percentile(drawn: Floats, level: float) -> tuple[Interval | None, str]:
    tail = (1 - level) / 2
    return _quantiles(drawn, tail, 1 - tail, level, "percentile")


def _quantiles(
    drawn: Floats, low: float, high: float, level: float, method: str
) -> tuple[Interval | None, str]:
    defined = drawn[~np.isnan(drawn)]
    undefined = len(drawn) - len(defined)
    reason = f"undefined in {undefined:,} of {len(drawn):,} resamples" if undefined else ""
    if undefined > len(defined):
        return None, f"{reason}: too many for an interval"
    if np.ptp(defined) == 0:
        reason = "; ".join(filter(None, (reason, "every resample gave the same value")))
        return None, f"{reason}: no interval"
    ends = np.quantile(defined, [low, high])
    interval = Interval(
        low=float(ends[0]), high=float(ends[1]), level=level, method=method, undefined=undefined
    )
    return interval, f"{reason}: these were left out" if undefined else reason


def _bca(
    point: float, drawn: Floats, without: Floats, multiplicity: Ints, level: float
) -> tuple[Interval | None, str]:
    """Quantiles ``Phi(z0 + (z0 + z) / (1 - a (z0 + z)))``; source: Efron (1987)."""
    defined = drawn[~np.isnan(drawn)]
    if not len(defined) or np.isnan(without).any():
        return _fallback(drawn, level, "a cluster left out leaves it undefined")
    below = float((defined < point - TINY).mean() + (np.abs(defined - point) <= TINY).mean() / 2)
    if not 0 < below < 1:
        return _fallback(drawn, level, "all resamples lie on one side of the estimate")
    normal = library("scipy.stats").norm
    apart = (without * multiplicity).sum() / multiplicity.sum() - without
    spread = float((multiplicity * apart**2).sum())
    skew = 0.0 if spread <= TINY**2 else float((multiplicity * apart**3).sum()) / spread**1.5 / 6
    z0, tail = normal.ppf(below), normal.ppf((1 - level) / 2)
    low, high = (normal.cdf(z0 + (z0 + z) / (1 - skew * (z0 + z))) for z in (tail, -tail))
    return _quantiles(drawn, float(low), float(high), level, "bca")


def _fallback(drawn: Floats, level: float, why: str) -> tuple[Interval | None, str]:
    interval, reason = _percentile(drawn, level)
    return interval, "; ".join(filter(None, (f"percentile instead of bca: {why}", reason)))


def _jackknife_t(
    point: float, without: Floats, multiplicity: Ints, level: float
) -> tuple[Interval | None, str]:
    count = int(multiplicity.sum())
    if np.isnan(without).any() or np.isnan(point):
        return None, f"{_FEW}, and without one of them it is undefined: no interval"
    mean = (multiplicity * without).sum() / count
    variance = (count - 1) / count * float((multiplicity * (without - mean) ** 2).sum())
    if variance <= TINY**2:
        return None, "no interval: nothing varies in this sample"
    half = float(library("scipy.stats").t.ppf((1 + level) / 2, count - 1)) * variance**0.5
    interval = Interval(low=point - half, high=point + half, level=level, method="jackknife-t")
    return interval, f"{_FEW}: a jackknife-t interval, which is approximate"
