"""Whole scores of a cascade, whose gate keeps them from being a mean of criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.study.sources import Sources
from mmrare_judge.calibration.study.table import Table
from mmrare_judge.judging.verdicts import score_shares
from mmrare_judge.rubric.model import Rubric


@dataclass(frozen=True, eq=False)
class Cascade:
    """One entry a graded prediction.

    Attributes:
        judge: The judge's score, 0 to 1; NaN where it left a criterion open.
        gold: The clinicians'; NaN without gold on every criterion.
        inclusion: With which probability it was chosen for gold; ``None`` if alike for all.
    """

    judge: Floats
    gold: Floats
    inclusion: Floats | None


def cascade_points(sources: Sources, tables: Sequence[Table]) -> Cascade:
    """What every prediction scores by the judge, and by the clinicians taken together.

    A prediction whose criteria were chosen for gold one by one has no known probability of having
    all of them, and counts as one without gold.
    """
    first, places = sources.grades.first, tables[0].places
    gold = _floats([_gold(sources.grades.rubric, tables, row) for row in range(len(places))])
    chances = _joint_inclusion(tables)
    return Cascade(
        judge=_floats([first[place].score for place in places]),
        gold=gold if chances is None else np.where(np.isnan(chances), np.nan, gold),
        inclusion=chances,
    )


def _gold(rubric: Rubric, tables: Sequence[Table], row: int) -> float | None:
    """What a prediction scores by the clinicians taken together.

    Where they are split on a gate of two levels, its share of points s is the chance that it is
    met: ``s`` times the score with the gate met, and ``1 - s`` times that without. A gate of more
    levels has to be decided.
    """
    values = {table.criterion.id: float(table.gold[row]) for table in tables}
    gate = next(table for table in tables if table.criterion.id == rubric.scoring.gate)
    id, met = gate.criterion.id, values[gate.criterion.id]
    if len(gate.criterion.levels) > 2:
        values[id] = met = float(gate.decided[row])
    if any(np.isnan(value) for value in values.values()):
        return None
    shares = {name: Fraction(value) for name, value in values.items()}
    if len(gate.criterion.levels) > 2:
        return full_score(rubric, shares)
    with_gate, without = (full_score(rubric, {**shares, id: Fraction(end)}) for end in (1, 0))
    return met * (with_gate or 0.0) + (1 - met) * (without or 0.0)


def _joint_inclusion(tables: Sequence[Table]) -> Floats | None:
    """With which probability a prediction got labels on all criteria; NaN where it is not known."""
    chances = [table.inclusion for table in tables if table.inclusion is not None]
    if not chances:
        return None
    alike = np.all([chance == chances[0] for chance in chances], axis=0)
    return np.where(alike, chances[0], np.nan)


def full_score(rubric: Rubric, shares: Mapping[str, Fraction]) -> float | None:
    """The rubric's score; ``None`` unless every criterion has a share of its points."""
    if len(shares) < len(rubric.criteria):
        return None
    found = score_shares(rubric, shares)
    return None if found is None else float(found)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
