"""The forest plot: agreement of every criterion with the human ceiling beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmrare_judge.calibration.plots.intervals import (
    Chart,
    Mark,
    Series,
    anything,
    interval_chart,
)
from mmrare_judge.calibration.plots.style import CLINICIANS, JUDGE


@dataclass(frozen=True)
class ForestRow:
    """One criterion: the judge against clinicians, and clinicians among themselves."""

    name: str
    judge: Mark
    clinicians: Mark


def forest_plot(
    rows: Sequence[ForestRow], *, statistic: str, name: str = "forest", line: float | None = 0.0
) -> str:
    """Draw one row a criterion; empty where no row has a value.

    Args:
        rows: From top to bottom.
        statistic: What is measured, for the axis.
        name: Identifier on the page.
        line: The value of an agreement by chance; ``None`` where there is none such.

    >>> forest_plot([ForestRow("dose", Mark(None), Mark(None))], statistic="Cohen's kappa")
    ''
    """
    series = (
        Series("judge and clinicians", JUDGE, tuple(row.judge for row in rows)),
        Series("clinicians among themselves", CLINICIANS, tuple(row.clinicians for row in rows)),
    )
    if not anything(series):
        return ""
    chart = Chart(
        name=name,
        title=f"Forest plot of {statistic} by criterion",
        description="For every criterion the judge's agreement with clinicians, and beside it the "
        "clinicians' agreement among themselves, with intervals. The table below has the numbers.",
        axis=statistic,
        rows=tuple(row.name for row in rows),
        series=series if anything(series[1:]) else series[:1],
        line=line,
        within=(0.0, 1.0),
    )
    return interval_chart(chart)
