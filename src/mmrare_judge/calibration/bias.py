"""Where a judge errs systematically: leniency, length, family, subgroups."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Estimate,
    Floats,
    Mask,
    binary,
    cluster_codes,
    floats,
)
from mmrare_judge.calibration.statistics.proportions import benjamini_hochberg, holm
from mmrare_judge.calibration.statistics.regression import (
    Slope,
    clustered_mean,
    clustered_slope,
    dummies,
)
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record


class GroupBias(Record):
    """One group's bias.

    Attributes:
        group: The group's name.
        estimate: The bias with its interval, which is not adjusted.
        p_value: Two-sided, against no bias; ``None`` where it cannot be told.
        p_holm: Adjusted over the groups by Holm.
        p_bh: Adjusted over the groups by Benjamini and Hochberg.
    """

    group: str
    estimate: Estimate
    p_value: float | None
    p_holm: float | None
    p_bh: float | None


def leniency(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The mean signed difference ``mean(judge - gold)``: above 0 the judge is lenient.

    Cluster-robust t interval; units without verdict or gold are counted as missing.

    >>> leniency([2, 1, 2, 1], [1, 1, 2, 1]).value
    0.25
    """
    return _leniency(judge, gold, clusters, level).estimate


def leniency_by_group(
    judge: ArrayLike,
    gold: ArrayLike,
    groups: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> list[GroupBias]:
    """Leniency within each group (criterion, system), with p-values adjusted over the groups.

    >>> found = leniency_by_group([2, 1, 2, 1], [1, 1, 2, 1], ["dose", "dose", "follow", "follow"])
    >>> [(bias.group, bias.estimate.value) for bias in found]
    [('dose', 0.5), ('follow', 0.0)]
    """
    points, labels = _pair(judge, gold)
    names = _names(groups, len(points))
    codes = cluster_codes(clusters, len(points))
    slopes = {}
    for name in np.unique(names):
        mine = names == name
        slopes[str(name)] = _leniency(points[mine], labels[mine], codes[mine], level)
    return _adjusted(slopes)


def verbosity_slope(
    judge: ArrayLike,
    gold: ArrayLike,
    length: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Slope:
    """Points a judge adds per unit of log length, at the same human level.

    Least squares of ``judge - gold`` on ``ln(length)`` and one constant per gold level, with
    cluster-robust errors. Times ``ln 2`` it is what twice the length buys. Long answers that are
    better are not held against the judge, because the human level is held fixed.

    Args:
        judge: The judge's points.
        gold: The clinicians' points.
        length: Words (or characters) of the prediction; above 0.
        clusters: The case of each unit.
        level: Nominal coverage.

    Returns:
        The slope and its p-value; no value where lengths do not vary at a fixed human level.

    >>> verbosity_slope([0, 1, 2, 3], [0, 0, 0, 0], [1, np.e, np.e**2, np.e**3]).estimate.reason
    'no interval: the residuals are all zero'
    """
    points, labels = _pair(judge, gold)
    words = floats(length, "length", length=len(points))
    if (words <= 0).any():
        raise InputError("length must be above 0", remedy="leave blank predictions out")
    return _held_fixed("verbosity_slope", points, labels, np.log(words), clusters, level)


def family_preference(
    judge: ArrayLike,
    gold: ArrayLike,
    same_family: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Slope:
    """Points a judge adds to systems of its own family, at the same human level.

    Least squares of ``judge - gold`` on ``same_family`` (1 or 0) and one constant per gold level,
    with cluster-robust errors. Only one judge's verdicts at a time: families differ in quality,
    which the human level takes out, and judges in severity, which it does not.

    >>> slope = family_preference([1, 1, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0])
    >>> round(slope.estimate.value, 6)
    0.5
    """
    points, labels = _pair(judge, gold)
    same = binary(same_family, "same_family", length=len(points))
    return _held_fixed("family_preference", points, labels, same, clusters, level)


def subgroup_bias(
    judge: ArrayLike,
    gold: ArrayLike,
    groups: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    error: Literal["signed", "absolute"] = "signed",
    level: float = 0.95,
) -> list[GroupBias]:
    """How a group's judging differs from that of all other groups together.

    For each group, least squares of the error on membership (1 or 0) and one constant per gold
    level, cluster-robust errors, p-values adjusted over the groups. ``signed`` errors show favour,
    ``absolute`` ones that the judge is worse there.

    >>> [b.group for b in subgroup_bias([1, 0, 1, 0], [1, 1, 1, 1], ["a", "b", "a", "b"])]
    ['a', 'b']
    """
    points, labels = _pair(judge, gold)
    names = _names(groups, len(points))
    if error == "absolute":
        points = labels + np.abs(points - labels)
    elif error != "signed":
        raise InputError(f"error {error!r} is neither 'signed' nor 'absolute'")
    slopes = {
        str(name): _held_fixed(
            f"{error}_difference", points, labels, (names == name).astype(float), clusters, level
        )
        for name in np.unique(names)
    }
    return _adjusted(slopes)


def _held_fixed(
    name: str,
    points: Floats,
    labels: Floats,
    term: Floats,
    clusters: ArrayLike | None,
    level: float,
) -> Slope:
    codes = cluster_codes(clusters, len(points))
    used = ~(np.isnan(points) | np.isnan(labels) | np.isnan(term))
    design = np.column_stack([term[used], dummies(labels[used])])
    slope = clustered_slope(name, design, (points - labels)[used], codes[used], level=level)
    return _with_missing(slope, used)


def _leniency(judge: ArrayLike, gold: ArrayLike, clusters: ArrayLike | None, level: float) -> Slope:
    points, labels = _pair(judge, gold)
    codes = cluster_codes(clusters, len(points))
    used = ~(np.isnan(points) | np.isnan(labels))
    slope = clustered_mean("leniency", (points - labels)[used], codes[used], level=level)
    return _with_missing(slope, used)


def _with_missing(slope: Slope, used: Mask) -> Slope:
    estimate = slope.estimate.model_copy(update={"missing": int((~used).sum())})
    return Slope(estimate, slope.p_value)


def _adjusted(slopes: dict[str, Slope]) -> list[GroupBias]:
    p_values = [slope.p_value for slope in slopes.values()]
    rows = zip(slopes.items(), holm(p_values), benjamini_hochberg(p_values), strict=True)
    return [
        GroupBias(group=name, estimate=slope.estimate, p_value=slope.p_value, p_holm=h, p_bh=bh)
        for (name, slope), h, bh in rows
    ]


def _pair(judge: ArrayLike, gold: ArrayLike) -> tuple[Floats, Floats]:
    labels = floats(gold, "gold")
    return floats(judge, "judge", length=len(labels)), labels


def _names(groups: ArrayLike, length: int) -> np.ndarray:
    given = np.asarray(groups, dtype=object)
    if any(one is None or one != one for one in given.flat):
        raise InputError("a unit's group is missing", remedy="Give it a name of its own")
    names = given.astype(str)
    if names.shape != (length,):
        raise InputError(f"groups have shape {names.shape} where {length} names are needed")
    return names
