"""Agreement in a report: the forest plot, the human ceiling, all statistics, the confusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmrare_judge.calibration.analyses.ceiling import Ceiling, Versus
from mmrare_judge.calibration.plots.confusion import column_shares, confusion_plot
from mmrare_judge.calibration.plots.forest import ForestRow, forest_plot
from mmrare_judge.calibration.report.blocks import REMARK, Figure, Gallery, Table
from mmrare_judge.calibration.report.estimates import estimates_table, mark, without_remarks
from mmrare_judge.calibration.report.text import NONE, count, number, p_value, percent
from mmrare_judge.calibration.statistics.coefficients import Confusion
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import HomogeneityTest
from mmrare_judge.calibration.statistics.table import STATISTICS

Compared = tuple[str, Estimate, Estimate | None]
"""A criterion, the judge with clinicians, and clinicians among themselves where there are two."""


def title_of(statistic: str) -> str:
    """How people call a statistic; the name itself where the table has none.

    >>> title_of("cohen_kappa"), title_of("own")
    ("Cohen's kappa", 'own')
    """
    row = STATISTICS.get(statistic)
    return row.title if row else statistic


def forest_figure(rows: Sequence[Compared], statistic: str, *, no_ceiling: str = "") -> Figure:
    """The forest plot with its numbers.

    Args:
        rows: From top to bottom.
        statistic: Its name in the table of statistics.
        no_ceiling: Why there is no human ceiling, where there is none.
    """
    title = title_of(statistic)
    marks = [ForestRow(name, mark(judge), mark(human)) for name, judge, human in rows]
    reasons = "; ".join(f"{name}: {judge.reason}" for name, judge, _ in rows if judge.reason)
    table = estimates_table(f"{title} by criterion", ("criterion", "between"), list(_pairs(rows)))
    ceiling = no_ceiling or "Open diamonds: clinicians among themselves, the human ceiling."
    return Figure(
        name="forest",
        title=f"{title}, criterion by criterion",
        caption=f"Filled circles: the judge with clinicians. {ceiling} "
        "Lines are intervals; 1 is perfect agreement.",
        svg=forest_plot(marks, statistic=title),
        missing=reasons or "no criterion was measured",
        table=table,
    )


def _pairs(rows: Sequence[Compared]) -> list[tuple[tuple[str, str], Estimate]]:
    found = []
    for name, judge, human in rows:
        found.append(((name, "judge and clinicians"), judge))
        if human is not None:
            found.append(((name, "clinicians"), human))
    return found


def ceiling_table(criterion: str, ceiling: Ceiling) -> Table:
    """Judge, clinicians and their difference by every rule, and every clinician alone."""
    rows = []
    for side in ceiling.sides:
        parts = {"judge": side.judge, "clinicians": side.clinicians}
        parts |= {"judge minus clinicians": side.difference}
        parts |= {f"clinician {name}": found for name, found in side.each.items()}
        rows += [((_rule(side.versus), part), estimate) for part, estimate in parts.items()]
    caption = f"The human ceiling by every rule: {criterion}, {title_of(ceiling.statistic)}"
    return estimates_table(caption, ("rule", "who"), rows)


def _rule(versus: Versus) -> str:
    return "pair by pair" if versus == "pairwise" else versus


def statistics_table(criterion: str, found: Mapping[str, Estimate]) -> Table:
    """Every agreement statistic of one criterion."""
    rows = [((title_of(name),), estimate) for name, estimate in found.items()]
    return estimates_table(f"All statistics: {criterion}", ("statistic",), rows)


def confusion_gallery(matrices: Mapping[str, Confusion]) -> Gallery:
    """One small matrix a criterion, with its counts."""
    return Gallery(
        tuple(
            confusion_figure(criterion, matrix, f"confusion-{place}")
            for place, (criterion, matrix) in enumerate(matrices.items(), 1)
        )
    )


def confusion_figure(criterion: str, matrix: Confusion, name: str) -> Figure:
    """The confusion matrix of one criterion, with its numbers."""
    counts = matrix.counts
    return Figure(
        name=name,
        title=criterion,
        caption=f"{matrix.missing} units without both labels are left out." * bool(matrix.missing),
        svg=confusion_plot(matrix.categories, counts, name=name, criterion=criterion),
        missing="no unit has a label of the judge and one of clinicians",
        large=len(matrix.categories) > 4,
        table=Table(
            caption="Rows: judge; columns: clinicians; in brackets the share of the column",
            head=("judge", *matrix.categories),
            rows=tuple(
                (category, *(_cell(cell, share) for cell, share in zip(row, shares, strict=True)))
                for category, row, shares in zip(
                    matrix.categories, counts, column_shares(counts), strict=True
                )
            ),
        ),
    )


def _cell(cell: float, share: float | None) -> str:
    return f"{count(cell)} ({percent(share, 0)})" if share is not None else count(cell)


def homogeneity_table(tests: Mapping[str, HomogeneityTest]) -> Table:
    """Whether judge and clinicians use the levels equally often."""
    table = Table(
        caption="Do judge and clinicians use the levels equally often?",
        head=("criterion", "test", "chi-squared", "df", "p", "pairs", REMARK),
        rows=tuple(
            (
                criterion,
                test.name,
                number(test.statistic, 2),
                NONE if test.df is None else str(test.df),
                p_value(test.p_value),
                str(test.n),
                test.reason,
            )
            for criterion, test in tests.items()
        ),
        words=2,
        remarks=1,
    )
    return without_remarks(table)
