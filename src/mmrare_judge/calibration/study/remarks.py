"""What is peculiar about a judge, in plain words: remarks, by which no verdict is decided.

A judge is degenerate on a criterion where it is constant, or at chance by the study's own
statistic, and clinicians among themselves are not. What it did not answer is no part of that.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmrare_judge.calibration.report.blocks import CriterionFindings, with_ends
from mmrare_judge.calibration.statistics.ratings import Ints
from mmrare_judge.calibration.statistics.table import Statistic, statistic

LEAST = 10
"""Units, or quotes, below which nothing is said."""

LEAST_RARE = 5
"""Clinicians' labels beside the judge's only level, below which a constant judge is no wonder."""

QUOTES_LOST = 0.5
"""Share of quotes that cannot be found above which the judge's evidence is not worth much."""


def degenerate(
    found: CriterionFindings, judge: Ints, clinicians: Ints, levels: tuple[str, ...]
) -> Iterator[str]:
    """Why a judge is degenerate on a criterion; nothing where it is not.

    Args:
        found: What was found about the criterion.
        judge: The judge's levels as indices; -1 where it gave none.
        clinicians: The clinicians' levels taken together; -1 where there is none.
        levels: The names of the levels.
    """
    both = (judge >= 0) & (clinicians >= 0)
    mine, theirs = judge[both], clinicians[both]
    if len(mine) < LEAST:
        return
    other = int((theirs != mine[0]).sum())
    if len(np.unique(mine)) == 1 and other >= LEAST_RARE:
        yield (
            f"{found.name}: degenerate: it gives {levels[mine[0]]!r} in all {len(mine)} verdicts, "
            f"and clinicians another level in {other} of them."
        )
    elif _at_chance(found):
        human = found.clinicians
        yield (
            f"{found.name}: degenerate: its {statistic(found.judge.name).title} with clinicians "
            f"cannot be told from chance, {with_ends(found.judge, 2)}; theirs is "
            f"{with_ends(human, 2) if human else 'unknown'}."
        )


def corrected_for_chance(row: Statistic) -> bool:
    """Whether 0 is what chance gives, and 1 the best: so for kappa, not for percent agreement."""
    return row.low < 0 and row.perfect == 1.0


def _at_chance(found: CriterionFindings) -> bool:
    """The judge's interval reaches 0, and ends below that of the clinicians among themselves."""
    judge, human = found.judge.interval, found.clinicians.interval if found.clinicians else None
    if judge is None or human is None or not corrected_for_chance(statistic(found.judge.name)):
        return False
    return judge.low <= 0 and judge.high < human.low


def lost_quotes(quotes: Ints) -> Iterator[str]:
    """What is wrong with a judge's quotes; nothing where it is sound, or gave hardly any.

    Args:
        quotes: By grade, how many there are, stand nowhere, and stand in another text.
    """
    total, nowhere, elsewhere = (int(count) for count in quotes.sum(axis=0))
    lost = nowhere + elsewhere
    if total >= LEAST and lost / total > QUOTES_LOST:
        yield (
            f"{lost} of {total} quotes do not stand in the prediction; {elsewhere} of them stand "
            "in the reference, the criterion or the question instead."
        )
