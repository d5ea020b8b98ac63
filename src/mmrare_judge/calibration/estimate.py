"""A statistic with everything a reader needs to believe it: `Estimate`."""

from __future__ import annotations

from pydantic import Field

from mmrare_judge.records import Record

FEW_CLUSTERS = 20
"""Below this many clusters intervals are rough, or there are none."""


class Interval(Record):
    """A confidence interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        level: Nominal coverage, 0 to 1.
        method: How it was made: ``percentile``, ``bca``, ``jackknife-t``, ``clopper-pearson``, ...
        undefined: Resamples in which the statistic was undefined, which were left out.
    """

    low: float
    high: float
    level: float = Field(default=0.95, gt=0, lt=1)
    method: str
    undefined: int = 0


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
