"""A judge against itself on repeats, and against another judge."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import Estimate, Floats, cluster_codes, floats
from mmrare_judge.calibration.statistics.regression import Slope, clustered_mean, cut
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record


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
    then the mean over units with a clustered t interval. Units with fewer than two verdicts are
    missing.

    Args:
        repeats: Units by repeats, the judge's points; nan where a repeat gave no verdict.
        clusters: The case of each unit.
        level: Nominal coverage.

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
        estimate = clustered_mean(name, values, codes[used], level=level).estimate
        return cut(estimate, low=0, high=high).model_copy(update={"missing": missing})

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

    def mean(name: str, values: Floats) -> Slope:
        slope = clustered_mean(name, values.astype(np.float64), codes[used], level=level)
        changed = slope.estimate.model_copy(update={"missing": int((~used).sum())})
        return Slope(changed, slope.p_value)

    gain = mean("accuracy_gain", right_one.astype(float) - right_two.astype(float))
    return JudgeComparison(
        same=cut(mean("same", (one == two)[used].astype(float)).estimate, low=0, high=1),
        only_first=int((right_one & ~right_two).sum()),
        only_second=int((right_two & ~right_one).sum()),
        accuracy_gain=cut(gain.estimate, low=-1, high=1),
        error_gain=mean("error_gain", errors).estimate,
        p_value=gain.p_value,
    )


def _pair_agreement(rows: Floats) -> Floats:
    counts = (~np.isnan(rows)).sum(axis=1)
    same = sum((rows == level).sum(axis=1) ** 2 for level in np.unique(rows[~np.isnan(rows)]))
    return np.asarray((same - counts) / (counts * (counts - 1)), dtype=np.float64)
