"""The bias plot: how far, and which way, the judge's points lie from the clinicians'."""

from __future__ import annotations

from collections.abc import Sequence

from mmrare_judge.calibration.plots.intervals import (
    Chart,
    Mark,
    Series,
    anything,
    interval_chart,
)
from mmrare_judge.calibration.plots.style import JUDGE


def bias_plot(rows: Sequence[tuple[str, Mark]], *, name: str = "bias", axis: str = "") -> str:
    """Draw one row a group about a line at zero; empty where no group has a value.

    >>> bias_plot([("dose", Mark(None))])
    ''
    """
    series = (Series("", JUDGE, tuple(mark for _, mark in rows)),)
    if not anything(series):
        return ""
    chart = Chart(
        name=name,
        title="Bias of the judge",
        description="For every group the judge's points minus the clinicians', with intervals. "
        "Right of the line the judge is lenient, left of it severe.",
        axis=axis or "difference in points; above zero the judge gives more",
        rows=tuple(name for name, _ in rows),
        series=series,
        within=(-0.1, 0.1),
    )
    return interval_chart(chart)
