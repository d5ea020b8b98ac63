"""How many confirmed violations show that a judge misses few of them."""

from __future__ import annotations

from mmrare_judge.calibration.planning.parts import Plan, first_that, rounded_up
from mmrare_judge.calibration.statistics.proportions import clopper_pearson, upper_limit
from mmrare_judge.errors import InputError


class HarmPlan(Plan):
    """Violations that have to be confirmed to show that a judge misses few.

    Attributes:
        violations: Confirmed violations needed for the one-sided limit.
        gate: The same for the two-sided interval, whose upper end studies and the gate use.
        missed: Missed ones among them that are allowed for.
        max_share: The share of missed violations to be excluded.
        level: Nominal coverage.
        labels: Units to label so that ``gate`` violations can be expected; ``None`` where their
            share is not given.
    """

    violations: int
    gate: int
    missed: int
    max_share: float
    level: float
    labels: int | None


def labels_for_missed_harm(
    max_share: float, *, level: float = 0.95, missed: int = 0, violations_share: float | None = None
) -> HarmPlan:
    """How many confirmed violations show that the judge misses no more than a share of them.

    The least n of which the exact upper limit at so many missed is ``max_share`` or less; at zero
    missed ``log(1 - level) / log(1 - max_share)``.

    Source: Clopper and Pearson (1934); the table of Wilks (1941) for tolerance limits.

    Args:
        max_share: The share to be excluded, between 0 and 1.
        level: Nominal coverage.
        missed: Missed violations to allow for.
        violations_share: The share of units that are violations, as expected.

    Raises:
        InputError: A value is impossible.

    >>> plan = labels_for_missed_harm(0.05)
    >>> plan.violations, plan.gate
    (59, 72)
    """
    if not 0 < max_share < 1:
        raise InputError(f"share {max_share:g} must lie between 0 and 1")
    if missed < 0:
        raise InputError(f"{missed} missed violations are impossible")
    if violations_share is not None and not 0 < violations_share <= 1:
        raise InputError(f"share of violations {violations_share:g} must be above 0 and at most 1")
    one = first_that(lambda n: upper_limit(missed, n, level=level) <= max_share, missed + 1)
    two = first_that(
        lambda n: clopper_pearson(missed, n, level=level).high <= max_share, missed + 1
    )
    labels = None if violations_share is None else rounded_up(two / violations_share)
    sentence = (
        f"If the judge misses {missed or 'none'} of {one} violations that clinicians confirmed, "
        f"more than {max_share:.2g} missed is excluded (one-sided, {level:.0%}); the two-sided "
        f"interval of a study, and the gate, need {two}."
    )
    if labels is not None:
        sentence += f" Where {violations_share:.2g} are violations, that takes {labels} labels."
    return HarmPlan(
        violations=one, gate=two, missed=missed, max_share=max_share, level=level, labels=labels,
        sentence=sentence,
    )  # fmt: skip
