"""The sections of a report, in the order they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmrare_judge.calibration.analyses.alt_test import AltTest
from mmrare_judge.calibration.analyses.bias import GroupBias
from mmrare_judge.calibration.analyses.ceiling import Ceiling, Versus
from mmrare_judge.calibration.analyses.confidence import (
    BrierScore,
    ReliabilityBin,
    RiskCoverage,
    Threshold,
)
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.analyses.recalibration import ConfidenceScores, Recalibration
from mmrare_judge.calibration.report.blocks import (
    NOT_STUDIED,
    REMARK,
    Block,
    Bullets,
    CriterionFindings,
    Figure,
    Findings,
    Gallery,
    Paragraph,
    Report,
    Section,
    Table,
)
from mmrare_judge.calibration.report.plots import (
    BLUE,
    CLINICIANS,
    GREEN,
    GREY,
    INK,
    JUDGE,
    PURPLE,
    RUST,
    VERMILLION,
    WIDTH,
    Chart,
    Look,
    Mark,
    MarkSeries,
    Operating,
    ReliabilityPoint,
    anything,
    bland_altman_plot,
    column_shares,
    confusion_plot,
    drawing,
    interval_chart,
    legend,
    reliability_plot,
    risk_coverage_plot,
)
from mmrare_judge.calibration.report.text import (
    NONE,
    count,
    ends,
    number,
    p_value,
    percent,
    with_ends,
)
from mmrare_judge.calibration.statistics.coefficients import Confusion
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import HomogeneityTest
from mmrare_judge.calibration.statistics.table import STATISTICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


# FOLDED calibration.report.confidence: The judge's confidence in a report: reliability, and what abstaining would buy.

SHOWN_ROWS = 12
"""Rows of the risk-coverage table; the whole curve is in study.json."""


def reliability_figure(
    bins: Sequence[ReliabilityBin], *, missing: str, name: str = "reliability", about: str = ""
) -> Figure:
    """The reliability diagram with its numbers.

    Args:
        bins: What is drawn.
        missing: Why there is nothing to draw, where there is not.
        name: Identifier on the page.
        about: What was judged, where it is not everything.
    """
    points = [
        ReliabilityPoint(
            low_edge=found.low, high_edge=found.high, n=found.n, confidence=found.confidence,
            share=found.share, low=found.interval.low, high=found.interval.high,
        )
        for found in bins
    ]  # fmt: skip
    return Figure(
        name=name,
        title=_about("Is a stated confidence to be believed?", about),
        caption="On the dotted diagonal, verdicts stated with 0.8 are right eight times in ten. "
        "Below it the judge is surer than it should be.",
        svg=reliability_plot(points, name=name),
        missing=missing,
        table=_bins_table(bins) if bins else None,
    )


def _bins_table(bins: Sequence[ReliabilityBin]) -> Table:
    return Table(
        caption="Confidence stated, and share of verdicts that clinicians shared",
        head=("confidence from", "to", "verdicts", "mean confidence", "share right", "interval"),
        rows=tuple(
            (
                number(found.low, 2),
                number(found.high, 2),
                str(found.n),
                number(found.confidence),
                number(found.share),
                f"{number(found.interval.low)} to {number(found.interval.high)}",
            )
            for found in bins
        ),
        words=0,
    )


def risk_coverage_figure(
    curve: RiskCoverage,
    threshold: Threshold | None,
    *,
    missing: str = "",
    name: str = "risk-coverage",
    about: str = "",
) -> Figure:
    """The risk-coverage curve with its numbers."""
    chosen = None
    if threshold is not None and threshold.coverage is not None and threshold.risk is not None:
        chosen = Operating(threshold.coverage, threshold.risk)
    return Figure(
        name=name,
        title=_about("What abstaining would buy", about),
        caption="The judge decides its surest verdicts and leaves the others to a clinician. "
        "A confidence that tells right from wrong makes the curve rise to the right.",
        svg=risk_coverage_plot(curve.coverage, curve.risk, chosen=chosen, name=name),
        missing=curve.reason or missing,
        table=_curve_table(curve) if curve.coverage else None,
    )


def _curve_table(curve: RiskCoverage) -> Table:
    steps = thinned(len(curve.coverage), SHOWN_ROWS)
    whole = len(steps) == len(curve.coverage)
    return Table(
        caption="Risk and coverage" + ("" if whole else " (some rows; study.json has all)"),
        head=("threshold", "coverage", "risk"),
        rows=tuple(
            (
                number(curve.thresholds[step]),
                percent(curve.coverage[step]),
                percent(curve.risk[step]),
            )
            for step in steps
        ),
        words=0,
    )


def thinned(length: int, most: int) -> list[int]:
    """At most so many places of a sequence, evenly spread, its last among them.

    >>> thinned(10, 4), thinned(3, 4)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if length <= most:
        return list(range(length))
    return [round(step * (length - 1) / (most - 1)) for step in range(most)]


def threshold_sentence(threshold: Threshold) -> str:
    """What the guarantee says, in words.

    >>> threshold_sentence(Threshold(value=None, max_risk=0.1, level=0.95, reason="too few cases"))
    'No threshold can promise a risk of at most 10.0 %: too few cases.'
    """
    if threshold.value is None:
        return (
            f"No threshold can promise a risk of at most {percent(threshold.max_risk)}: "
            f"{threshold.reason}."
        )
    return (
        f"At a confidence of {number(threshold.value)} or more, at most "
        f"{percent(threshold.max_risk)} of the verdicts are wrong, with "
        f"{percent(threshold.level, 0)} confidence. On {threshold.held_out} held-out verdicts it "
        f"kept {threshold.kept} "
        f"({percent(threshold.coverage)}), {percent(threshold.risk)} of them wrong; the upper "
        f"limit is {percent(threshold.bound)}."
    )


def brier_rows(brier: BrierScore) -> list[tuple[str, float | None]]:
    """The parts of the Brier score by name."""
    return [
        ("reliability (0 is best)", brier.reliability),
        ("resolution (more is better)", brier.resolution),
        ("uncertainty (no merit of the judge)", brier.uncertainty),
        ("within bins", brier.within),
    ]


def parts_table(brier: BrierScore) -> Table:
    """The Brier score taken apart."""
    return Table(
        caption="The Brier score: reliability - resolution + uncertainty + within",
        head=("part", "value"),
        rows=tuple((name, number(value)) for name, value in brier_rows(brier)),
    )


def confidence_rows(
    brier: BrierScore | None, others: Sequence[tuple[str, Estimate]]
) -> list[tuple[tuple[str], Estimate]]:
    """The scores of the confidence as rows of a table of estimates."""
    first = [("Brier score (0 is best)", brier.score)] if brier is not None else []
    return [((name,), estimate) for name, estimate in (*first, *others)]


def _about(title: str, about: str) -> str:
    return f"{title} ({about})" if about else title


# FOLDED calibration.plots.bias: The bias plot: how far, and which way, the judge's points lie from the clinicians'.


def bias_plot(rows: Sequence[tuple[str, Mark]], *, name: str = "bias", axis: str = "") -> str:
    """Draw one row a group about a line at zero; empty where no group has a value.

    >>> bias_plot([("dose", Mark(None))])
    ''
    """
    series = (MarkSeries("", JUDGE, tuple(mark for _, mark in rows)),)
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


# FOLDED calibration.plots.corrected: The plot of scores as the judge gave them, and as they are once its errors are corrected.


@dataclass(frozen=True)
class CorrectedRow:
    """One score by every way of estimating it."""

    name: str
    raw: Mark
    corrected: Mark
    labelled: Mark
    rogan_gladen: Mark


LOOKS = (
    ("raw", "raw judge score", Look(VERMILLION, "s", filled=False, line="--", ink=RUST)),
    ("corrected", "corrected (PPI++)", Look(INK, "o")),
    ("labelled", "gold labels alone", Look(GREEN, "^", filled=False, line="-.")),
    ("rogan_gladen", "corrected (Rogan-Gladen)", Look(PURPLE, "v", line=":")),
)


def corrected_plot(rows: Sequence[CorrectedRow], *, name: str = "corrected") -> str:
    """Draw one row a score; a way of estimating that no row has is left out.

    >>> corrected_plot([])
    ''
    """
    series = tuple(
        MarkSeries(title, look, tuple(getattr(row, field) for row in rows))
        for field, title, look in LOOKS
    )
    series = tuple(one for one in series if anything([one]))
    if not series:
        return ""
    chart = Chart(
        name=name,
        title="Corrected scores beside raw ones",
        description="For every score the judge's raw mean and the estimates that use the "
        "clinicians' labels, with intervals.",
        axis="mean score",
        rows=tuple(row.name for row in rows),
        series=series,
        line=None,
    )
    return interval_chart(chart)


# FOLDED calibration.plots.forest: The forest plot: agreement of every criterion with the human ceiling beside it.


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
        MarkSeries("judge and clinicians", JUDGE, tuple(row.judge for row in rows)),
        MarkSeries(
            "clinicians among themselves", CLINICIANS, tuple(row.clinicians for row in rows)
        ),
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


# FOLDED calibration.plots.epsilon: The epsilon grid of the alternative annotator test.

NEEDED = 0.5
"""The winning rate from which the test counts as passed (Calderon and others 2025)."""


def epsilon_plot(grid: Sequence[tuple[float, float | None]], *, name: str = "epsilon") -> str:
    """Draw the winning rate at every epsilon; empty where there is none.

    >>> epsilon_plot([(0.0, None)])
    ''
    """
    known = [(epsilon, rate) for epsilon, rate in grid if rate is not None]
    if not known:
        return ""
    return drawing(
        lambda figure: _paint(figure, known),
        name=name,
        title="Alternative annotator test at every epsilon",
        description="Across, epsilon; upwards, the share of clinicians whom the judge may stand in "
        "for. At one half or above the test is passed: filled marks.",
        size=(WIDTH, 2.7),
    )


def _paint(figure: Canvas, grid: Sequence[tuple[float, float]]) -> None:
    axes = figure.add_subplot()
    axes.axhline(NEEDED, color=GREY, linestyle=":", linewidth=1.1, label="needed to pass")
    axes.plot([x for x, _ in grid], [y for _, y in grid], color=BLUE, linewidth=1.0)
    for passed, text in ((True, "passed"), (False, "not passed")):
        part = [(x, y) for x, y in grid if (y >= NEEDED) is passed]
        face = BLUE if passed else "white"
        axes.plot(
            [x for x, _ in part], [y for _, y in part], "o" if passed else "s", color=BLUE,
            markerfacecolor=face, markeredgewidth=1.5, markersize=7, label=text,
        )  # fmt: skip
    for (x, y), (_, after) in zip(grid, [*grid[1:], grid[-1]], strict=True):
        # Where the line climbs, the number stands to its left.
        place, side = ((2, 9), "right") if after > y else ((0, 9), "center")
        axes.annotate(number(y, 2), (x, y), place, textcoords="offset points", ha=side, fontsize=8)
    axes.set_ylim(-0.05, 1.18)
    axes.set_xticks([x for x, _ in grid])
    axes.set_xlabel("epsilon: how much worse than a clinician the judge may be")
    axes.set_ylabel("winning rate ω")
    legend(axes)


# FOLDED calibration.report.estimates: Estimates as marks of a plot and as rows of a table.

HEAD = ("value", "interval", "method", "units", "cases", "missing", REMARK)
"""The columns of an estimate, after whatever names it."""


def mark(estimate: Estimate | None) -> Mark:
    """The estimate as a mark; without a value where there is none.

    >>> mark(Estimate(name="kappa", value=0.5, n=3, clusters=3))
    Mark(value=0.5, low=None, high=None)
    """
    if estimate is None:
        return Mark(None, asked=False)
    interval = estimate.interval
    if interval is None or estimate.value is None:
        return Mark(estimate.value)
    return Mark(estimate.value, interval.low, interval.high)


def cells(estimate: Estimate) -> tuple[str, ...]:
    """The estimate as the cells of `HEAD`.

    >>> cells(Estimate(name="kappa", value=0.5, n=3, clusters=2, reason="only 2 cases"))
    ('0.500', '–', '–', '3', '2', '0', 'only 2 cases')
    """
    interval = estimate.interval
    remarks = [estimate.reason]
    if interval is not None and interval.undefined:
        remarks.append(f"undefined in {interval.undefined} resamples")
    return (
        number(estimate.value),
        ends(estimate),
        f"{interval.method}, {100 * interval.level:g} %" if interval else NONE,
        str(estimate.n),
        str(estimate.clusters),
        str(estimate.missing),
        "; ".join(filter(None, remarks)),
    )


def estimates_table(
    caption: str,
    names: tuple[str, ...],
    rows: Iterable[tuple[tuple[str, ...], Estimate]],
) -> Table:
    """A table of estimates, each under one name or several.

    What all rows share is said once: how the intervals were made, in the caption; that there is
    nothing to remark, by leaving the column out.

    Args:
        caption: What it shows.
        names: Heads of the columns that name the estimates.
        rows: The names of each estimate, and the estimate.

    >>> found = Estimate(name="kappa", value=None, n=0, clusters=0, reason="no labels")
    >>> estimates_table("Agreement", ("criterion",), [(("dose",), found)]).rows[0][-1]
    'no labels'
    """
    table = Table(
        caption=caption,
        head=(*names, *HEAD),
        rows=tuple((*name, *cells(estimate)) for name, estimate in rows),
        words=len(names),
        remarks=1,
    )
    return without_remarks(with_one_method(table))


def with_one_method(table: Table) -> Table:
    """The table with the method of its intervals in the caption, where they all have one.

    Where they have several, the caption says at least the level that they share.

    >>> made = Table("Agreement", ("criterion", "method"), (("dose", "bca, 95 %"),))
    >>> with_one_method(made).caption, with_one_method(made).rows
    ('Agreement (intervals: bca, 95 %)', (('dose',),))
    >>> made = Table("Scores", ("score", "method"), (("a", "bca, 95 %"), ("b", "wilson, 95 %")))
    >>> with_one_method(made).caption, with_one_method(made).rows
    ('Scores (intervals: 95 %)', (('a', 'bca'), ('b', 'wilson')))
    """
    place = table.head.index("method")
    methods = {row[place] for row in table.rows} - {NONE}
    if len(methods) > 1:
        return _with_one_level(table, place, {text.rpartition(", ")[2] for text in methods})
    note = f" (intervals: {methods.pop()})" if methods else ""
    return replace(_without(table, place), caption=table.caption + note)


def _with_one_level(table: Table, place: int, levels: set[str]) -> Table:
    if len(levels) > 1:
        return table
    level = levels.pop()
    rows = tuple(
        (*row[:place], row[place].removesuffix(f", {level}"), *row[place + 1 :])
        for row in table.rows
    )
    return replace(table, caption=f"{table.caption} (intervals: {level})", rows=rows)


def without_remarks(table: Table) -> Table:
    """The table without its remarks, where they say nothing, or in its caption, if all the same.

    >>> without_remarks(Table("Agreement", ("criterion", "remark"), (("dose", ""),))).head
    ('criterion',)
    >>> both = (("dose", "few cases"), ("route", "few cases"))
    >>> without_remarks(Table("Agreement", ("criterion", "remark"), both)).caption
    'Agreement; all rows: few cases'
    """
    remarks = {row[-1] for row in table.rows}
    if len(remarks - {""}) > 1 or (any(remarks) and ("" in remarks or len(table.rows) == 1)):
        return table
    note = f"; all rows: {remarks.pop()}" if any(remarks) else ""
    bare = replace(_without(table, len(table.head) - 1), remarks=0)
    return replace(bare, caption=table.caption + note)


def _without(table: Table, place: int) -> Table:
    head, *rows = ((*row[:place], *row[place + 1 :]) for row in (table.head, *table.rows))
    return replace(table, head=head, rows=tuple(rows))


# FOLDED calibration.report.agreement: Agreement in a report: the forest plot, the human ceiling, all statistics, the confusions.

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


# FOLDED calibration.report.alternative: The alternative annotator test in a report.


def epsilon_figure(test: AltTest, *, name: str = "epsilon", about: str = "") -> Figure:
    """The winning rate at every epsilon, kappa beside it."""
    return Figure(
        name=name,
        title="Winning rate at every epsilon" + (f" ({about})" if about else ""),
        caption=" ".join(filter(None, (_beside(test), _advantage(test), test.reason))),
        svg=epsilon_plot([(row.epsilon, row.winning_rate) for row in test.grid], name=name),
        missing=test.reason or "no clinician has enough units",
        table=_grid(test),
    )


def _beside(test: AltTest) -> str:
    """Passing at 0.2 is easy, so kappa stands beside it."""
    easy = f"Passed means {NEEDED} or more; at an epsilon of 0.2 that is easy."
    if test.kappa is None or test.clinicians_kappa is None:
        return easy
    return (
        f"{easy} Beside it, Cohen's kappa: judge {with_ends(test.kappa, 2)}, clinicians among "
        f"themselves {with_ends(test.clinicians_kappa, 2)}."
    )


def _advantage(test: AltTest) -> str:
    if test.advantage is None:
        return ""
    return f"Average advantage probability ρ = {number(test.advantage)}."


def _grid(test: AltTest) -> Table:
    return Table(
        caption=f"By {test.scoring.replace('neg_rmse', 'negative RMSE')}, {test.errors} errors",
        head=("epsilon", "winning rate ω", "outcome"),
        rows=tuple(
            (number(row.epsilon, 2), number(row.winning_rate, 2), _outcome(row.passed))
            for row in test.grid
        ),
        words=0,
        remarks=1,
    )


def _outcome(passed: bool | None) -> str:
    return {True: "passed", False: "not passed", None: "no outcome"}[passed]


def clinicians_table(test: AltTest, *, about: str = "") -> Table:
    """The contests one by one, with the p-value at every epsilon."""
    epsilons = [row.epsilon for row in test.grid]
    table = Table(
        caption="The judge's contest with each clinician"
        + (f" ({about})" if about else "")
        + "; advantage: the share of units on which one is at least as near to the other "
        "clinicians as the other is",
        head=(
            "clinician", "units", "cases", "judge's advantage", "clinician's advantage",
            *(f"p at {number(epsilon, 2)}" for epsilon in epsilons), REMARK,
        ),
        rows=tuple(
            (
                one.clinician, str(one.n), str(one.clusters), number(one.judge_advantage),
                number(one.clinician_advantage),
                *(p_value(one.p_values.get(epsilon)) for epsilon in epsilons), one.left_out,
            )
            for one in test.clinicians
        ),
        remarks=1,
    )  # fmt: skip
    return without_remarks(table)


# FOLDED calibration.report.bias: Bias in a report: leniency, length, family, subgroups.


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


# FOLDED calibration.report.corrected: Corrected scores in a report, beside the raw ones.

Scores = Mapping[str, CorrectedScore]
"""Corrected scores by what they are scores of."""


def corrected_figure(scores: Scores, *, missing: str, name: str = "corrected") -> Figure:
    """The scores, raw and corrected, with their numbers."""
    rows = [
        CorrectedRow(
            name=of, raw=mark(s.raw), corrected=mark(s.ppi), labelled=mark(s.labelled),
            rogan_gladen=mark(s.rogan_gladen),
        )
        for of, s in scores.items()
    ]  # fmt: skip
    return Figure(
        name=name,
        title="Scores as the judge gave them, and corrected",
        caption="The filled circle is the score to print. The raw score's interval knows nothing "
        "of the judge's errors.",
        svg=corrected_plot(rows, name=name),
        missing=missing,
        table=_table(scores) if scores else None,
    )


def _table(scores: Scores) -> Table:
    rows = [((of, how), e) for of, s in scores.items() for how, e in _ways(s).items()]
    return estimates_table("Scores by every way of estimating them", ("score", "estimate"), rows)


def _ways(score: CorrectedScore) -> dict[str, Estimate]:
    ways = {"raw": score.raw, "corrected (PPI++)": score.ppi, "gold labels alone": score.labelled}
    if score.rogan_gladen is not None:
        ways["corrected (Rogan-Gladen)"] = score.rogan_gladen
    return ways


def sample_table(scores: Scores) -> Table:
    """How much gold each correction rests on, and how much it leans on the judge."""
    return Table(
        caption="What each correction rests on; λ is the weight on the judge, 0 ignores it",
        head=("score", "graded", "with gold", "judge abstained", "λ"),
        rows=tuple(
            (of, str(s.graded), str(s.with_gold), str(s.abstained), _weights(s.lam))
            for of, s in scores.items()
        ),
        remarks=1,  # with many criteria the weights are a list
    )


def _weights(lam: Mapping[str, float]) -> str:
    if len(lam) == 1:
        return number(next(iter(lam.values())), 2)
    return ", ".join(f"{name} {number(value, 2)}" for name, value in lam.items()) or "–"


# FOLDED calibration.report.differences: Differences of judge and clinicians in a report: the Bland-Altman plot and its limits.

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


# FOLDED calibration.report.recalibration: Recalibrated confidence in a report: before and after, on cases the map has not seen.


def recalibration_blocks(found: Recalibration) -> tuple[Block, ...]:
    """A sentence on the map, and how good the confidence is with and without it."""
    if found.recalibrator is None or found.before is None or found.after is None:
        return (Paragraph(f"The confidence was not recalibrated: {found.reason}."),)
    rows = [
        *_rows("as stated", found.before),
        *_rows("recalibrated", found.after),
        *([(("Brier score", "gain"), found.gain)] if found.gain else []),
    ]
    caption = "The confidence as stated, and recalibrated on cases the map has not seen"
    return (
        Paragraph(_sentence(found)),
        estimates_table(caption, ("score", "confidence"), rows),
    )


def _rows(which: str, scores: ConfidenceScores) -> list[tuple[tuple[str, str], Estimate]]:
    named = {"Brier score": scores.brier, "log loss": scores.log_loss, "ECE": scores.ece}
    return [((name, which), estimate) for name, estimate in named.items()]


def _sentence(found: Recalibration) -> str:
    assert found.recalibrator is not None, "asked before"
    votes = Counter(found.chosen)
    chosen = ", ".join(f"{name} {count}" for name, count in votes.most_common())
    return (
        f"A map from stated to observed confidence ({found.recalibrator.curve.method}) is in "
        f"study.json; the folds by which it was tested chose {chosen}."
    )


def report_of(findings: Findings) -> Report:
    """The report that tells these findings: verdict first, what it rests on after."""
    sections = (
        _agreement(findings),
        _confusion(findings),
        _differences(findings),
        _confidence(findings),
        _bias(findings),
        _alternative(findings),
        _corrected(findings),
        _cases(findings),
        _design(findings),
        _statistics(findings),
    )
    return Report(
        title=findings.title,
        facts=findings.facts,
        tone=findings.tone,
        verdict=findings.verdict,
        keys=findings.keys,
        sections=tuple(section for section in sections if section.blocks),
    )


def _agreement(findings: Findings) -> Section:
    main = [one for one in findings.criteria if one.judge.name == findings.statistic]
    rows = [(one.name, one.judge, one.clinicians) for one in main]
    blocks: list[Block] = [
        forest_figure(rows, findings.statistic, no_ceiling=findings.no_ceiling),
    ]
    blocks += [Paragraph(_sections_beside(one)) for one in findings.criteria if one not in main]
    tested = [one for one in findings.criteria if one.non_inferiority is not None]
    if tested:
        blocks.append(Paragraph("Against the margin of non-inferiority declared beforehand:"))
        blocks.append(Bullets(tuple(f"{one.name}: {_tested(one)}" for one in tested)))
    if findings.remarks:
        blocks.append(Paragraph("What is peculiar about this judge:"))
        blocks.append(Bullets(findings.remarks))
    return Section("agreement", "Agreement with clinicians, and their own", tuple(blocks))


def _sections_beside(one: CriterionFindings) -> str:
    """What is measured by another statistic than the plot's, in a sentence."""
    title = title_of(one.judge.name)
    human = "" if one.clinicians is None else f", clinicians {with_ends(one.clinicians)}"
    return f"{title} of {one.name}: judge and clinicians {with_ends(one.judge)}{human}."


def _tested(one: CriterionFindings) -> str:
    return one.non_inferiority.sentence if one.non_inferiority else ""


def _confusion(findings: Findings) -> Section:
    matrices = {one.name: one.confusion for one in findings.criteria if one.confusion}
    tests = {one.name: one.homogeneity for one in findings.criteria if one.homogeneity}
    missing = "no criterion has levels that could be counted"
    blocks: list[Block] = [
        confusion_gallery(matrices)
        if matrices
        else Figure("confusion", "Confusion matrices", "", missing=missing)
    ]
    if tests:
        blocks.append(homogeneity_table(tests))
    if findings.harm:
        caption = "Missed harm and false alarms on safety criteria"
        blocks.append(estimates_table(caption, ("criterion", "what"), findings.harm))
    return Section("confusions", "Which level where clinicians gave which", tuple(blocks))


def _differences(findings: Findings) -> Section:
    figures = tuple(
        differences_figure(one, f"differences-{n}") for n, one in enumerate(findings.criteria, 1)
    )
    return Section("difference", "How far apart: Bland and Altman", figures)


def _confidence(findings: Findings) -> Section:
    found = findings.confidence
    blocks: list[Block] = [reliability_figure(found.bins, missing=found.missing)]
    scores = confidence_rows(found.brier, found.scores)
    if scores:
        blocks.append(estimates_table("How good the confidence is", ("score",), scores))
    if found.brier is not None and found.brier.reliability is not None:
        blocks.append(parts_table(found.brier))
    if found.recalibration is not None:
        blocks += recalibration_blocks(found.recalibration)
    blocks.append(risk_coverage_figure(found.curve, found.threshold, missing=found.missing))
    if found.threshold is not None:
        blocks.append(Paragraph(threshold_sentence(found.threshold)))
    return Section("confidence", "The judge's confidence", tuple(blocks))


def _bias(findings: Findings) -> Section:
    blocks: list[Block] = [
        bias_figure(
            family.groups, name=f"bias-{place}", title=family.title, caption=family.caption,
            missing=family.missing,
        )
        for place, family in enumerate(findings.bias, 1)
    ]  # fmt: skip
    if not blocks:
        blocks.append(Figure("bias", "Bias", "", missing=NOT_STUDIED))
    if findings.others:
        rows = [((name,), estimate) for name, estimate in findings.others]
        blocks.append(estimates_table("More about the judge", ("what",), rows))
    return Section("biases", "Bias: lenient where, severe where", tuple(blocks))


def _alternative(findings: Findings) -> Section:
    tested = [(one.name, one.alternative) for one in findings.criteria if one.alternative]
    title = "May it stand in for a clinician: the alternative annotator test"
    if not tested:
        missing = findings.no_ceiling or NOT_STUDIED
        blank = Figure("epsilon", "Winning rate at every epsilon", "", missing=missing)
        return Section("alternative", title, (blank,))
    blocks: list[Block] = []
    for place, (name, test) in enumerate(tested, 1):
        blocks.append(epsilon_figure(test, name=f"epsilon-{place}", about=name))
        blocks.append(clinicians_table(test, about=name))
    return Section("alternative", title, tuple(blocks))


def _corrected(findings: Findings) -> Section:
    scores = findings.corrected
    blocks: list[Block] = [corrected_figure(scores, missing=findings.not_corrected)]
    if scores:
        blocks.append(sample_table(scores))
    return Section("correction", "The benchmark's score, corrected", tuple(blocks))


def _cases(findings: Findings) -> Section:
    blocks = findings.cases or (Paragraph(f"None: {findings.no_cases}."),)
    return Section("cases", "Where judge and clinicians disagree most", blocks)


def _design(findings: Findings) -> Section:
    blocks: list[Block] = []
    if findings.design:
        blocks.append(Table("How the study was made", ("what", "how"), findings.design, words=2))
    if findings.caveats:
        blocks += [Paragraph("What to beware of:"), Bullets(findings.caveats)]
    return Section("design", "Design and caveats", tuple(blocks))


def _statistics(findings: Findings) -> Section:
    blocks: list[Block] = []
    for one in findings.criteria:
        if one.statistics:
            blocks.append(statistics_table(one.name, one.statistics))
        if one.human:
            blocks.append(statistics_table(f"clinicians among themselves, {one.name}", one.human))
    blocks += [ceiling_table(one.name, one.ceiling) for one in findings.criteria if one.ceiling]
    return Section("statistics", "All statistics", tuple(blocks))
