"""What every statistic takes in and gives back.

In: plain vectors, cluster codes and sampling weights, checked once. Out: an `Estimate` with its
`Interval`. Quantiles and optional libraries are reached through here, so that importing the
statistics loads numpy alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from mmrare_judge.errors import ConfigError, InputError, from_extra
from mmrare_judge.records import Record

FEW_CLUSTERS = 20
"""Below this many clusters intervals are rough, or there are none."""


class Interval(Record):
    """A confidence interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        level: Nominal coverage, 0 to 1.
        method: How it was made: ``z``, ``score``, ``percentile``, ``bca``, ``clopper-pearson``, ...
        undefined: Resamples in which the statistic was undefined, which were left out.
    """

    low: float
    high: float
    level: float = Field(default=0.95, gt=0, lt=1)
    method: str
    undefined: int = 0

    def cut(self, low: float, high: float) -> Interval:
        """The interval cut at the least and the greatest value the statistic can have."""
        ends = (float(np.clip(end, low, high)) for end in (self.low, self.high))
        return self.model_copy(update=dict(zip(("low", "high"), ends, strict=True)))


class Estimate(Record):
    """One statistic.

    Attributes:
        name: The statistic's name, as in the property table.
        value: The point estimate; ``None`` where it is undefined.
        interval: Its interval; ``None`` where there can be none.
        n: Units it was computed from.
        clusters: Independent groups (cases) among them.
        missing: Units that were left out because a rating was missing.
        reason: Why ``value`` or ``interval`` is ``None``, or what to beware of.
    """

    name: str
    value: float | None
    interval: Interval | None = None
    n: int
    clusters: int
    missing: int = 0
    reason: str = ""


Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def floats(values: ArrayLike, name: str, *, length: int | None = None) -> Floats:
    """The values as a vector of floats; ``None`` becomes nan, which means missing.

    Raises:
        InputError: It is no vector of numbers, has another length than its partners, or holds an
            infinite value.

    >>> floats([1, None, 0], "gold").tolist()
    [1.0, nan, 0.0]
    """
    try:
        given = np.asarray(values)
        vector = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers", remedy=str(error)) from error
    if given.dtype.kind not in "biufO" or any(isinstance(value, str) for value in _objects(given)):
        raise InputError(f"{name} must be numbers, not texts or dates", remedy="Convert them first")
    if vector.ndim != 1:
        raise InputError(f"{name} must be a vector, not of shape {vector.shape}")
    if length is not None and len(vector) != length:
        raise InputError(f"{name} has {len(vector)} values where {length} are needed")
    if np.isinf(vector).any():
        raise InputError(f"{name} holds an infinite value")
    return vector


def binary(values: ArrayLike, name: str, *, length: int | None = None) -> Floats:
    """The values as a vector of 0 and 1 (nan is missing).

    Raises:
        InputError: A value is neither 0 nor 1.

    >>> binary([True, False, None], "flagged").tolist()
    [1.0, 0.0, nan]
    """
    vector = floats(values, name, length=length)
    odd = vector[~np.isnan(vector) & (vector != 0) & (vector != 1)]
    if len(odd):
        raise InputError(f"{name} must be 0 or 1, not {odd[0]:g}")
    return vector


def cluster_codes(clusters: ArrayLike | None, length: int) -> Codes:
    """Cluster ids as codes 0, 1, 2, ...; without ids every unit is its own cluster.

    Raises:
        InputError: There are more or fewer ids than units, one is missing (it would make one case
            of all that lack it), or texts and numbers are mixed.

    >>> cluster_codes(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    if clusters is None:
        return np.arange(length, dtype=np.int64)
    ids = np.asarray(clusters)
    if ids.shape != (length,):
        raise InputError(f"clusters have shape {ids.shape} where {length} ids are needed")
    if any(one is None or one != one for one in (ids if ids.dtype.kind in "fO" else ())):
        raise InputError("a unit's cluster is missing", remedy="Name the case of every unit")
    given = np.asarray(clusters, dtype=object) if ids.dtype.kind in "UO" else ()
    if len({isinstance(one, str) for one in given}) > 1:
        raise InputError("clusters mix texts and other ids", remedy="1 and '1' may be one case")
    return np.unique(ids, return_inverse=True)[1].astype(np.int64)


def sampling_weights(inclusion: ArrayLike | None, labelled: Mask) -> Floats:
    """One over the probability with which each labelled unit was chosen; 0 where unlabelled.

    Raises:
        InputError: A labelled unit's probability is missing or outside (0, 1].

    >>> sampling_weights([0.5, 0.1, 1], np.array([True, False, True])).tolist()
    [2.0, 0.0, 1.0]
    """
    if inclusion is None:
        return labelled.astype(np.float64)
    chances = floats(inclusion, "inclusion", length=len(labelled))
    used = chances[labelled]
    if np.isnan(used).any() or (used <= 0).any() or (used > 1).any():
        raise InputError(
            "a labelled unit's inclusion probability is missing or outside (0, 1]",
            remedy="use the probabilities that were saved when the sample was drawn",
        )
    weights = np.zeros(len(labelled))
    weights[labelled] = 1 / used
    return weights


def _objects(values: NDArray[Any]) -> Iterable[object]:
    return values.flat if values.dtype.kind == "O" else ()


def group_sums(values: Floats, codes: Codes) -> Floats:
    """The sum within each cluster.

    >>> group_sums(np.array([1.0, 2.0, 4.0]), np.array([1, 0, 1])).tolist()
    [2.0, 5.0]
    """
    return np.bincount(codes, weights=values).astype(np.float64)


def count_clusters(codes: Codes) -> int:
    """How many clusters occur.

    >>> count_clusters(np.array([4, 0, 4]))
    2
    """
    return len(np.unique(codes))


# --- quantiles, and the libraries behind them


def two_sided(level: float) -> float:
    """The probability below the upper end of a two-sided interval.

    >>> two_sided(0.95)
    0.975
    """
    return (1 + probability(level)) / 2


def probability(level: float) -> float:
    """The level, if it is a probability.

    Raises:
        ConfigError: It is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level {level} must lie between 0 and 1, as in 0.95")
    return level


def normal_quantile(below: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(below)


def t_quantile(below: float, freedom: float) -> float:
    """Quantile of Student's t distribution."""
    return float(library("scipy.special").stdtrit(freedom, below))


def t_two_sided_p(statistic: float, freedom: float) -> float:
    """Two-sided p-value of a t statistic."""
    return float(2 * library("scipy.special").stdtr(freedom, -abs(statistic)))


def beta_quantile(below: float, a: float, b: float) -> float:
    """Quantile of the beta distribution."""
    return float(library("scipy.special").betaincinv(a, b, below))


def library(module: str) -> Any:
    """A module of scipy, scikit-learn or krippendorff, loaded when it is first needed.

    Raises:
        MissingExtraError: The library is not installed; the message has the install line.
    """
    with from_extra("calibration"):
        loaded = importlib.import_module(module)
    return loaded  # noqa: RET504  inside `with`, mypy would miss a return
