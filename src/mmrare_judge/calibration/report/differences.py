"""Differences of judge and clinicians in a report: the Bland-Altman plot and its limits."""

from __future__ import annotations

from mmrare_judge.calibration.plots.bland_altman import bland_altman_plot
from mmrare_judge.calibration.report.blocks import Figure, Table
from mmrare_judge.calibration.report.estimates import estimates_table
from mmrare_judge.calibration.report.findings import CriterionFindings
from mmrare_judge.calibration.report.text import number

_LIMIT_TITLES = (
    "mean difference", "lower limit of agreement", "upper limit of agreement",
    "mean absolute error",
)  # fmt: skip


def differences_figure(one: CriterionFindings, name: str) -> Figure:
    """The Bland-Altman plot of one criterion, with its numbers."""
    return Figure(
        name=name,
        title=one.name,
        caption="Above zero the judge gave more than clinicians. Between the dashed lines lie 95 % "
        "of the differences, if they are roughly normal.",
        svg=bland_altman_plot(one.points, one.limits, name=name, criterion=one.name),
        missing="the scale has no points to subtract, or no unit has both labels",
        table=_limits_table(one),
    )


def _limits_table(one: CriterionFindings) -> Table | None:
    names = ("leniency", "agreement_limit_low", "agreement_limit_high", "mae")
    rows = [
        ((title,), one.statistics[name])
        for name, title in zip(names, _LIMIT_TITLES, strict=True)
        if name in one.statistics
    ]
    if rows:
        return estimates_table("Differences in points", ("what",), rows)
    if one.limits is None:
        return None
    values = (one.limits.mean, one.limits.low, one.limits.high)
    return Table(
        caption="Differences in points",
        head=("what", "value"),
        rows=tuple((t, number(v)) for t, v in zip(_LIMIT_TITLES, values, strict=False)),
    )
