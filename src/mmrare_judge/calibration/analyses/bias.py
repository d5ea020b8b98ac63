"""Where a judge errs systematically.

Leniency, what length and family buy, subgroups; the judge against itself and against another one.
Throughout ``judge`` and ``gold`` hold points, nan where there are none; ``clusters`` names the case
of each unit, and ``level`` is nominal coverage.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Estimate,
    Floats,
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
    better are not held against the judge, because the human level is held fixed. No value where
    lengths (words or characters, above 0) do not vary at a fixed human level.

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
    with cluster-robust errors. Families differ in quality, which the human level takes out as far
    as the labels show it; what they do not show is not told apart: see `family_difference`.

    >>> slope = family_preference([1, 1, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0])
    >>> round(slope.estimate.value, 6)
    0.5
    """
    points, labels = _pair(judge, gold)
    same = binary(same_family, "same_family", length=len(points))
    return _held_fixed("family_preference", points, labels, same, clusters, level)


def family_difference(
    judge: ArrayLike,
    others: ArrayLike,
    same_family: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Slope:
    """Points a judge adds to systems of its own family beyond what other judges add to them.

    Difference in differences: least squares of ``judge - mean(others)`` on ``same_family`` (1 or 0)
    and a constant, with cluster-robust errors. It needs no gold. A family that is better, or looks
    better, does so to all judges, and falls out; so does how severe each judge is.

    Args:
        judge: The judge's points.
        others: Units by judges, the others' points; nan where one gave none.
        same_family: 1 where the system is of the judge's own family, else 0.
        clusters: The case of each unit.
        level: Nominal coverage.

    >>> slope = family_difference([1, 1, 0, 0], [[0], [1], [0], [0]], [1, 1, 0, 0])
    >>> round(slope.estimate.value, 6)
    0.5
    """
    points = floats(judge, "judge")
    table = np.asarray(others, dtype=np.float64).reshape(len(points), -1)
    same = binary(same_family, "same_family", length=len(points))
    given = ~np.isnan(table)
    beside = np.where(given, table, 0).sum(axis=1) / np.where(
        given.any(axis=1), given.sum(axis=1), 1
    )
    used = ~np.isnan(points) & given.any(axis=1) & ~np.isnan(same)
    design = np.column_stack([same[used], np.ones(int(used.sum()))])
    codes, missing = cluster_codes(clusters, len(points))[used], int((~used).sum())
    apart = (points - beside)[used]
    return clustered_slope("family_difference", design, apart, codes, level=level, missing=missing)


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
    errors, missing = (points - labels)[used], int((~used).sum())
    return clustered_slope(name, design, errors, codes[used], level=level, missing=missing)


def _leniency(judge: ArrayLike, gold: ArrayLike, clusters: ArrayLike | None, level: float) -> Slope:
    points, labels = _pair(judge, gold)
    codes = cluster_codes(clusters, len(points))
    used = ~(np.isnan(points) | np.isnan(labels))
    errors, missing = (points - labels)[used], int((~used).sum())
    return clustered_mean("leniency", errors, codes[used], level=level, missing=missing)


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


# --- a judge against itself on repeats, and against another judge


class Retest(Record):
    """What changes when the same judge grades the same thing again.

    Attributes:
        agreement: Mean share of pairs of repeats with the same level.
        flipped: Share of units with more than one level among the repeats.
        spread: Mean standard deviation within a unit, in points.
    """

    agreement: Estimate
    flipped: Estimate
    spread: Estimate


class JudgeComparison(Record):
    """Two judges on the same units with gold.

    Attributes:
        same: Share of units on which they gave the same points.
        only_first: Units on which only the first gave the gold points.
        only_second: Units on which only the second did.
        accuracy_gain: Accuracy of the first minus that of the second.
        error_gain: Mean absolute error of the second minus that of the first.
        p_value: Of ``accuracy_gain``, two-sided, cluster-robust.
    """

    same: Estimate
    only_first: int
    only_second: int
    accuracy_gain: Estimate
    error_gain: Estimate
    p_value: float | None


def retest(repeats: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95) -> Retest:
    """Agreement of a judge with itself over repeated gradings.

    Per unit with ``r`` repeats of which ``n_k`` gave level k: ``sum n_k (n_k - 1) / (r (r - 1))``,
    then the mean over units with a clustered t interval. ``repeats`` are units by repeats, nan
    where a repeat gave no verdict; units with fewer than two verdicts are missing.

    >>> result = retest([[2, 2], [1, 2], [0, 0], [1, 1]])
    >>> result.agreement.value, result.flipped.value
    (0.75, 0.25)
    """
    table = np.asarray(repeats, dtype=np.float64)
    if table.ndim != 2:
        raise InputError(f"repeats must be units by repeats, not of shape {table.shape}")
    codes = cluster_codes(clusters, len(table))
    used = (~np.isnan(table)).sum(axis=1) >= 2
    rows, missing = table[used], int((~used).sum())

    def mean(name: str, values: Floats, high: float = 1.0) -> Estimate:
        return clustered_mean(
            name, values, codes[used], low=0, high=high, level=level, missing=missing
        ).estimate

    return Retest(
        agreement=mean("test_retest", _pair_agreement(rows)),
        flipped=mean("flipped", (np.nanmax(rows, axis=1) > np.nanmin(rows, axis=1)).astype(float)),
        spread=mean("spread", np.nanstd(rows, axis=1, ddof=1), np.inf),
    )


def compare_judges(
    first: ArrayLike,
    second: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> JudgeComparison:
    """Two judges against the same gold, paired.

    Differences are taken unit by unit and averaged with a cluster-robust t interval; the
    discordant counts are those of McNemar's table. Units that lack any of the three are missing.

    >>> result = compare_judges([1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0])
    >>> result.only_first, result.only_second, result.accuracy_gain.value
    (1, 1, 0.0)
    """
    labels = floats(gold, "gold")
    one = floats(first, "first", length=len(labels))
    two = floats(second, "second", length=len(labels))
    codes = cluster_codes(clusters, len(labels))
    used = ~(np.isnan(labels) | np.isnan(one) | np.isnan(two))
    right_one, right_two = (one == labels)[used], (two == labels)[used]
    errors = (np.abs(two - labels) - np.abs(one - labels))[used]

    def mean(name: str, values: Floats, low: float = -np.inf, high: float = np.inf) -> Slope:
        missing = int((~used).sum())
        return clustered_mean(
            name, values, codes[used], low=low, high=high, level=level, missing=missing
        )

    gain = mean("accuracy_gain", right_one.astype(float) - right_two, -1, 1)
    return JudgeComparison(
        same=mean("same", (one == two)[used].astype(float), 0, 1).estimate,
        only_first=int((right_one & ~right_two).sum()),
        only_second=int((right_two & ~right_one).sum()),
        accuracy_gain=gain.estimate,
        error_gain=mean("error_gain", errors).estimate,
        p_value=gain.p_value,
    )


def _pair_agreement(rows: Floats) -> Floats:
    counts = (~np.isnan(rows)).sum(axis=1)
    same = sum((rows == level).sum(axis=1) ** 2 for level in np.unique(rows[~np.isnan(rows)]))
    return np.asarray((same - counts) / (counts * (counts - 1)), dtype=np.float64)
