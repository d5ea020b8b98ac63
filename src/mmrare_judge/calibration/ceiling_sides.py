"""The judge beside the human ceiling, as data, by each rule of comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.records import Record

Versus = Literal["pairwise", "leave one out, ties dropped", "leave one out, ties split"]


class Side(Record):
    """Judge and clinicians, measured by one rule.

    Attributes:
        versus: The rule: ``pairwise`` against every other clinician, or each against the majority
            of the other clinicians with ties dropped or split.
        judge: The judge: the mean over clinicians j of its value against j, or against the
            majority without j.
        clinicians: The ceiling: the mean over pairs of clinicians, or over clinicians j of the
            value of j against the majority without j.
        difference: Judge minus clinicians, from the same resamples; above zero the judge is
            better, also for statistics of which less is better.
        each: The clinicians one by one.
    """

    versus: Versus
    judge: Estimate
    clinicians: Estimate
    difference: Estimate
    each: Mapping[str, Estimate]


class Ceiling(Record):
    """The judge beside the human ceiling, by all three rules.

    Attributes:
        statistic: What is measured.
        judge: The judge's name.
        sides: One entry a rule.
    """

    statistic: str
    judge: str
    sides: tuple[Side, ...]

    def side(self, versus: Versus) -> Side:
        """The values by one rule."""
        return next(side for side in self.sides if side.versus == versus)
