"""Bias in a report: leniency, length, family, subgroups."""

from __future__ import annotations

from collections.abc import Sequence

from mmrare_judge.calibration.analyses.bias import GroupBias
from mmrare_judge.calibration.plots.bias import bias_plot
from mmrare_judge.calibration.report.blocks import Figure, Table
from mmrare_judge.calibration.report.estimates import (
    HEAD,
    cells,
    mark,
    with_one_method,
    without_remarks,
)
from mmrare_judge.calibration.report.text import p_value


def bias_figure(
    groups: Sequence[GroupBias],
    *,
    name: str,
    title: str,
    caption: str,
    missing: str,
    axis: str = "",
) -> Figure:
    """One family of comparisons: plot and numbers.

    Args:
        groups: What is compared.
        name: Identifier on the page.
        title: What it shows.
        caption: How to read it.
        missing: Why there is nothing to show, where there is not.
        axis: What the numbers are.
    """
    rows = [(group.group, mark(group.estimate)) for group in groups]
    reasons = "; ".join(f"{g.group}: {g.estimate.reason}" for g in groups if g.estimate.reason)
    return Figure(
        name=name,
        title=title,
        caption=caption,
        svg=bias_plot(rows, name=name, axis=axis),
        missing=reasons or missing,
        table=groups_table(title, groups) if groups else None,
    )


def groups_table(caption: str, groups: Sequence[GroupBias]) -> Table:
    """Groups with their estimates and p-values, plain and adjusted."""
    table = Table(
        caption=caption,
        head=("group", *HEAD[:-1], "p", "p (Holm)", "p (BH)", HEAD[-1]),
        rows=tuple(_group(group) for group in groups),
        remarks=1,
    )
    return without_remarks(with_one_method(table))


def _group(group: GroupBias) -> tuple[str, ...]:
    *estimate, remark = cells(group.estimate)
    tests = map(p_value, (group.p_value, group.p_holm, group.p_bh))
    return (group.group, *estimate, *tests, remark)
