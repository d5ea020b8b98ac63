"""The sections of a report, in the order they are read: `report_of`.

Each section is one function that makes blocks of what was found, with the figures and tables of its
own below it. How estimates become rows of a table stands at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mmrare_judge.calibration.analyses.alt_test import AltTest, ClinicianTest, EpsilonRow
from mmrare_judge.calibration.analyses.ceiling import Ceiling
from mmrare_judge.calibration.analyses.confidence import (
    BrierScore,
    ReliabilityBin,
    RiskCoverage,
    Threshold,
)
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.analyses.recalibration import ConfidenceScores, Recalibration
from mmrare_judge.calibration.report.blocks import (
    NONE,
    NOT_STUDIED,
    REMARK,
    BiasFindings,
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
    count,
    ends,
    number,
    p_value,
    percent,
    with_ends,
)
from mmrare_judge.calibration.report.plots import (
    NEEDED,
    WAYS,
    bias_plot,
    bland_altman_plot,
    column_shares,
    confusion_plot,
    corrected_plot,
    epsilon_plot,
    forest_plot,
    reliability_plot,
    risk_coverage_plot,
)
from mmrare_judge.calibration.statistics.coefficients import Confusion
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import HomogeneityTest
from mmrare_judge.calibration.statistics.table import STATISTICS

Rows = Iterable[tuple[tuple[str, ...], Estimate]]
"""Estimates, each under one name or several."""


def report_of(findings: Findings) -> Report:
    """The report that tells these findings: verdict first, what it rests on after."""
    sections = (
        _agreement(findings),
        _confusion(findings),
        _differences(findings),
        _confidence(findings),
        _bias(findings),
        _alternative(findings),
        _correction(findings),
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


# --- agreement


def _agreement(findings: Findings) -> Section:
    main = [one for one in findings.criteria if one.judge.name == findings.statistic]
    blocks: list[Block] = [_forest(main, findings)]
    blocks += [Paragraph(_by_other_statistic(one)) for one in findings.criteria if one not in main]
    tests = [(one.name, one.non_inferiority) for one in findings.criteria if one.non_inferiority]
    if tests:
        blocks.append(Paragraph("Against the margin of non-inferiority:"))
        blocks.append(Bullets(tuple(f"{name}: {test.sentence}" for name, test in tests)))
    if findings.remarks:
        blocks += [Paragraph("What is peculiar about this judge:"), Bullets(findings.remarks)]
    return Section("agreement", "Agreement with clinicians, and their own", tuple(blocks))


def _forest(criteria: Sequence[CriterionFindings], findings: Findings) -> Figure:
    title = _title(findings.statistic)
    rows: list[tuple[tuple[str, str], Estimate]] = []
    for one in criteria:
        rows.append(((one.name, "judge and clinicians"), one.judge))
        if one.clinicians is not None:
            rows.append(((one.name, "clinicians"), one.clinicians))
    reasons = [f"{one.name}: {one.judge.reason}" for one in criteria if one.judge.reason]
    no_ceiling = findings.no_ceiling
    ceiling = no_ceiling or "Open diamonds: clinicians among themselves, the human ceiling."
    return Figure(
        name="forest",
        title=f"{title}, criterion by criterion",
        caption=f"Filled circles: the judge with clinicians. {ceiling} "
        "Lines are intervals; 1 is perfect agreement.",
        svg=forest_plot([(c.name, c.judge, c.clinicians) for c in criteria], statistic=title),
        missing="; ".join(reasons) or "no criterion was measured",
        table=estimates_table(f"{title} by criterion", ("criterion", "between"), rows),
    )


def _by_other_statistic(one: CriterionFindings) -> str:
    """What is measured by another statistic than the plot's, in a sentence."""
    human = "" if one.clinicians is None else f", clinicians {with_ends(one.clinicians)}"
    title = _title(one.judge.name)
    return f"{title} of {one.name}: judge and clinicians {with_ends(one.judge)}{human}."


def _title(statistic: str) -> str:
    """How people call a statistic; the name itself where the table has none."""
    row = STATISTICS.get(statistic)
    return row.title if row else statistic


# --- confusions


def _confusion(findings: Findings) -> Section:
    matrices = [(one.name, one.confusion) for one in findings.criteria if one.confusion]
    tests = [(one.name, one.homogeneity) for one in findings.criteria if one.homogeneity]
    missing = "no criterion has levels that could be counted"
    blocks: list[Block] = [Figure("confusion", "Confusion matrices", "", missing=missing)]
    if matrices:
        figures = [_matrix(name, m, place) for place, (name, m) in enumerate(matrices, 1)]
        blocks = [Gallery(tuple(figures))]
    if tests:
        blocks.append(_homogeneity_table(tests))
    if findings.harm:
        caption = "Missed harm and false alarms on safety criteria"
        blocks.append(estimates_table(caption, ("criterion", "what"), findings.harm))
    return Section("confusions", "Which level where clinicians gave which", tuple(blocks))


def _matrix(criterion: str, matrix: Confusion, place: int) -> Figure:
    name, levels, counts = f"confusion-{place}", matrix.categories, matrix.counts
    cells = [
        [count(n) if share is None else f"{count(n)} ({percent(share, 0)})" for n, share in pairs]
        for pairs in map(zip, counts, column_shares(counts))
    ]
    return Figure(
        name=name,
        title=criterion,
        caption=f"{matrix.missing} units without both labels are left out." * bool(matrix.missing),
        svg=confusion_plot(levels, counts, name=name, criterion=criterion),
        missing="no unit has a label of the judge and one of clinicians",
        large=len(levels) > 4,
        table=Table(
            caption="Rows: judge; columns: clinicians; in brackets the share of the column",
            head=("judge", *levels),
            rows=tuple((level, *row) for level, row in zip(levels, cells, strict=True)),
        ),
    )


def _homogeneity_table(tests: Sequence[tuple[str, HomogeneityTest]]) -> Table:
    columns: Columns[tuple[str, HomogeneityTest]] = {
        "criterion": lambda row: row[0],
        "test": lambda row: row[1].name,
        "chi-squared": lambda row: number(row[1].statistic, 2),
        "df": lambda row: NONE if row[1].df is None else str(row[1].df),
        "p": lambda row: p_value(row[1].p_value),
        "pairs": lambda row: str(row[1].n),
        REMARK: lambda row: row[1].reason,
    }
    caption = "Do judge and clinicians use the levels equally often?"
    return without_remarks(_table(caption, columns, tests, words=2, remarks=1))


# --- differences

_DIFFERENCES = {
    "leniency": "mean difference",
    "agreement_limit_low": "lower limit of agreement",
    "agreement_limit_high": "upper limit of agreement",
    "mae": "mean absolute error",
}


def _differences(findings: Findings) -> Section:
    figures = tuple(_bland_altman(one, n) for n, one in enumerate(findings.criteria, 1))
    return Section("difference", "How far apart: Bland and Altman", figures)


def _bland_altman(one: CriterionFindings, place: int) -> Figure:
    name = f"differences-{place}"
    return Figure(
        name=name,
        title=one.name,
        caption="Above zero the judge gave more than clinicians. Between the dashed lines lie 95 % "
        "of the differences, if they are roughly normal.",
        svg=bland_altman_plot(one.points, one.limits, name=name, criterion=one.name),
        missing="the scale has no points to subtract, or no unit has both labels",
        table=_differences_table(one),
    )


def _differences_table(one: CriterionFindings) -> Table | None:
    rows = [((t,), one.statistics[n]) for n, t in _DIFFERENCES.items() if n in one.statistics]
    return estimates_table("Differences in points", ("what",), rows) if rows else None


# --- confidence

SHOWN_ROWS = 12
"""Rows of the risk-coverage table; the whole curve is in study.json."""


def _confidence(findings: Findings) -> Section:
    found = findings.confidence
    blocks: list[Block] = [_reliability(found.bins, found.missing)]
    scores = [] if found.brier is None else [("Brier score (0 is best)", found.brier.score)]
    if rows := [((name,), estimate) for name, estimate in (*scores, *found.scores)]:
        blocks.append(estimates_table("How good the confidence is", ("score",), rows))
    if found.brier is not None and found.brier.reliability is not None:
        blocks.append(_brier_table(found.brier))
    if found.recalibration is not None:
        blocks += _recalibration(found.recalibration)
    blocks.append(_risk_coverage(found.curve, found.threshold, found.missing))
    if found.threshold is not None:
        blocks.append(Paragraph(_guarantee(found.threshold)))
    return Section("confidence", "The judge's confidence", tuple(blocks))


def _reliability(bins: Sequence[ReliabilityBin], missing: str) -> Figure:
    columns: Columns[ReliabilityBin] = {
        "confidence from": lambda one: number(one.low, 2),
        "to": lambda one: number(one.high, 2),
        "verdicts": lambda one: str(one.n),
        "mean confidence": lambda one: number(one.confidence),
        "share right": lambda one: number(one.share),
        "interval": lambda one: f"{number(one.interval.low)} to {number(one.interval.high)}",
    }
    caption = "Confidence stated, and share of verdicts that clinicians shared"
    return Figure(
        name="reliability",
        title="Is a stated confidence to be believed?",
        caption="On the dotted diagonal, verdicts stated with 0.8 are right eight times in ten. "
        "Below it the judge is surer than it should be.",
        svg=reliability_plot(bins),
        missing=missing,
        table=_table(caption, columns, bins, words=0) if bins else None,
    )


def _brier_table(brier: BrierScore) -> Table:
    parts = {
        "reliability (0 is best)": brier.reliability,
        "resolution (more is better)": brier.resolution,
        "uncertainty (no merit of the judge)": brier.uncertainty,
        "within bins": brier.within,
    }
    return Table(
        caption="The Brier score: reliability - resolution + uncertainty + within",
        head=("part", "value"),
        rows=tuple((name, number(value)) for name, value in parts.items()),
    )


def _recalibration(found: Recalibration) -> tuple[Block, ...]:
    """A sentence on the map, and how good the confidence is with and without it."""
    if found.recalibrator is None or found.before is None or found.after is None:
        return (Paragraph(f"The confidence was not recalibrated: {found.reason}."),)
    votes = Counter(found.chosen)
    chosen = ", ".join(f"{name} {count}" for name, count in votes.most_common())
    sentence = (
        f"A map from stated to observed confidence ({found.recalibrator.curve.method}) is in "
        f"study.json; the folds by which it was tested chose {chosen}."
    )
    rows = [*_scores("as stated", found.before), *_scores("recalibrated", found.after)]
    if found.gain:
        rows.append((("Brier score", "gain"), found.gain))
    caption = "The confidence as stated, and recalibrated on cases the map has not seen"
    return Paragraph(sentence), estimates_table(caption, ("score", "confidence"), rows)


def _scores(which: str, scores: ConfidenceScores) -> list[tuple[tuple[str, str], Estimate]]:
    named = {"Brier score": scores.brier, "log loss": scores.log_loss, "ECE": scores.ece}
    return [((name, which), estimate) for name, estimate in named.items()]


def _risk_coverage(curve: RiskCoverage, threshold: Threshold | None, missing: str) -> Figure:
    chosen = None
    if threshold is not None and threshold.coverage is not None and threshold.risk is not None:
        chosen = threshold.coverage, threshold.risk
    return Figure(
        name="risk-coverage",
        title="What abstaining would buy",
        caption="The judge decides its surest verdicts and leaves the others to a clinician. "
        "A confidence that tells right from wrong makes the curve rise to the right.",
        svg=risk_coverage_plot(curve.coverage, curve.risk, chosen=chosen),
        missing=curve.reason or missing,
        table=_curve_table(curve) if curve.coverage else None,
    )


def _curve_table(curve: RiskCoverage) -> Table:
    points = list(zip(curve.thresholds, curve.coverage, curve.risk, strict=True))
    shown = [points[step] for step in thinned(len(points), SHOWN_ROWS)]
    some = " (some rows; study.json has all)" if len(shown) < len(points) else ""
    return Table(
        caption=f"Risk and coverage{some}",
        head=("threshold", "coverage", "risk"),
        rows=tuple((number(at), percent(kept), percent(risk)) for at, kept, risk in shown),
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


def _guarantee(threshold: Threshold) -> str:
    most = percent(threshold.max_risk)
    if threshold.value is None:
        return f"No threshold can promise a risk of at most {most}: {threshold.reason}."
    return (
        f"At a confidence of {number(threshold.value)} or more, at most {most} of the verdicts are "
        f"wrong, with {percent(threshold.level, 0)} confidence. On {threshold.held_out} held-out "
        f"verdicts it kept {threshold.kept} ({percent(threshold.coverage)}), "
        f"{percent(threshold.risk)} of them wrong; the upper limit is {percent(threshold.bound)}."
    )


# --- bias


def _bias(findings: Findings) -> Section:
    blocks: list[Block] = [
        _family(f"bias-{place}", family) for place, family in enumerate(findings.bias, 1)
    ]
    if not blocks:
        blocks.append(Figure("bias", "Bias", "", missing=NOT_STUDIED))
    if findings.others:
        rows = [((name,), estimate) for name, estimate in findings.others]
        blocks.append(estimates_table("More about the judge", ("what",), rows))
    return Section("biases", "Bias: lenient where, severe where", tuple(blocks))


def _family(name: str, found: BiasFindings) -> Figure:
    """One family of comparisons, with p-values plain and adjusted."""
    groups = found.groups
    reasons = "; ".join(f"{g.group}: {g.estimate.reason}" for g in groups if g.estimate.reason)
    rows = [((group.group,), group.estimate) for group in groups]
    tests = {
        "p": [p_value(group.p_value) for group in groups],
        "p (Holm)": [p_value(group.p_holm) for group in groups],
        "p (BH)": [p_value(group.p_bh) for group in groups],
    }
    return Figure(
        name=name,
        title=found.title,
        caption=found.caption,
        svg=bias_plot([(group.group, group.estimate) for group in groups], name=name),
        missing=reasons or found.missing,
        table=estimates_table(found.title, ("group",), rows, more=tests) if groups else None,
    )


# --- the alternative annotator test


def _alternative(findings: Findings) -> Section:
    title = "May it stand in for a clinician: the alternative annotator test"
    tests = [(one.name, one.alternative) for one in findings.criteria if one.alternative]
    if not tests:
        missing = findings.no_ceiling or NOT_STUDIED
        blank = Figure("epsilon", "Winning rate at every epsilon", "", missing=missing)
        return Section("alternative", title, (blank,))
    blocks: list[Block] = []
    for place, (criterion, test) in enumerate(tests, 1):
        blocks += [_winning_rates(criterion, test, place), _contests_table(criterion, test)]
    return Section("alternative", title, tuple(blocks))


def _winning_rates(criterion: str, test: AltTest, place: int) -> Figure:
    name = f"epsilon-{place}"
    outcomes = {True: "passed", False: "not passed", None: "no outcome"}
    columns: Columns[EpsilonRow] = {
        "epsilon": lambda row: number(row.epsilon, 2),
        "winning rate ω": lambda row: number(row.winning_rate, 2),
        "outcome": lambda row: outcomes[row.passed],
    }
    how = f"By {test.scoring.replace('neg_rmse', 'negative RMSE')}, {test.errors} errors"
    return Figure(
        name=name,
        title=f"Winning rate at every epsilon ({criterion})",
        caption=" ".join(filter(None, (_beside(test), _advantage(test), test.reason))),
        svg=epsilon_plot([(row.epsilon, row.winning_rate) for row in test.grid], name=name),
        missing=test.reason or "no clinician has enough units",
        table=_table(how, columns, test.grid, words=0, remarks=1),
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


def _contests_table(criterion: str, test: AltTest) -> Table:
    """The contests one by one, with the p-value at every epsilon."""
    columns: dict[str, Callable[[ClinicianTest], str]] = {
        "clinician": lambda one: one.clinician,
        "units": lambda one: str(one.n),
        "cases": lambda one: str(one.clusters),
        "judge's advantage": lambda one: number(one.judge_advantage),
        "clinician's advantage": lambda one: number(one.clinician_advantage),
    }
    for epsilon in (row.epsilon for row in test.grid):
        columns[f"p at {number(epsilon, 2)}"] = partial(_contest_p, epsilon=epsilon)
    columns[REMARK] = lambda one: one.left_out
    caption = (
        f"The judge's contest with each clinician ({criterion}); advantage: the share of "
        "units on which one is at least as near to the other clinicians as the other is"
    )
    return without_remarks(_table(caption, columns, test.clinicians, remarks=1))


def _contest_p(one: ClinicianTest, epsilon: float) -> str:
    return p_value(one.p_values.get(epsilon))


# --- corrected scores


def _correction(findings: Findings) -> Section:
    scores = findings.corrected
    names = {field: title for field, (title, _) in WAYS.items()} | {"raw": "raw"}
    rows = [
        ((of, name), estimate)
        for of, score in scores.items()
        for field, name in names.items()
        if (estimate := getattr(score, field)) is not None
    ]
    caption = "Scores by every way of estimating them"
    figure = Figure(
        name="corrected",
        title="Scores as the judge gave them, and corrected",
        caption="The filled circle is the score to print. The raw score's interval knows nothing "
        "of the judge's errors.",
        svg=corrected_plot(scores),
        missing=findings.not_corrected,
        table=estimates_table(caption, ("score", "estimate"), rows) if scores else None,
    )
    blocks = (figure, _samples_table(scores)) if scores else (figure,)
    return Section("correction", "The benchmark's score, corrected", blocks)


def _samples_table(scores: Mapping[str, CorrectedScore]) -> Table:
    columns: Columns[tuple[str, CorrectedScore]] = {
        "score": lambda row: row[0],
        "graded": lambda row: str(row[1].graded),
        "with gold": lambda row: str(row[1].with_gold),
        "judge abstained": lambda row: str(row[1].abstained),
        "λ": lambda row: _weights(row[1].lam),
    }
    caption = "What each correction rests on; λ is the weight on the judge, 0 ignores it"
    # The weights count as a remark: with many criteria they are a list.
    return _table(caption, columns, scores.items(), remarks=1)


def _weights(lam: Mapping[str, float]) -> str:
    if len(lam) == 1:
        return number(next(iter(lam.values())), 2)
    return ", ".join(f"{name} {number(value, 2)}" for name, value in lam.items()) or NONE


# --- cases, design, and all statistics


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
        for of, found in (
            (one.name, one.statistics),
            (f"clinicians among themselves, {one.name}", one.human),
        ):
            if found:
                rows = [((_title(name),), estimate) for name, estimate in found.items()]
                blocks.append(estimates_table(f"All statistics: {of}", ("statistic",), rows))
    blocks += [_ceiling_table(one.name, one.ceiling) for one in findings.criteria if one.ceiling]
    return Section("statistics", "All statistics", tuple(blocks))


def _ceiling_table(criterion: str, ceiling: Ceiling) -> Table:
    """Judge, clinicians and their difference by every rule, and every clinician alone."""
    rows = []
    for side in ceiling.sides:
        rule = "pair by pair" if side.versus == "pairwise" else side.versus
        parts = {"judge": side.judge, "clinicians": side.clinicians}
        parts |= {"judge minus clinicians": side.difference}
        parts |= {f"clinician {name}": found for name, found in side.each.items()}
        rows += [((rule, part), estimate) for part, estimate in parts.items()]
    caption = f"The human ceiling by every rule: {criterion}, {_title(ceiling.statistic)}"
    return estimates_table(caption, ("rule", "who"), rows)


# --- tables

Row = TypeVar("Row")
Columns = Mapping[str, Callable[[Row], str]]
"""The columns of a table: the head of each, and how its cell is made."""


def _table(
    caption: str, columns: Columns[Row], rows: Iterable[Row], *, words: int = 1, remarks: int = 0
) -> Table:
    cells = tuple(tuple(cell(row) for cell in columns.values()) for row in rows)
    return Table(caption, tuple(columns), cells, words, remarks)


HEAD = ("value", "interval", "method", "units", "cases", "missing", REMARK)
"""The columns of an estimate, after whatever names it."""


def estimates_table(
    caption: str,
    names: tuple[str, ...],
    rows: Rows,
    *,
    more: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """A table of estimates, each under one name or several.

    What all rows share is said once: how the intervals were made, in the caption; that there is
    nothing to remark, by leaving the column out.

    Args:
        caption: What it shows.
        names: Heads of the columns that name the estimates.
        rows: The names of each estimate, and the estimate.
        more: Further columns, before the remarks.

    >>> found = Estimate(name="kappa", value=None, n=0, clusters=0, reason="no labels")
    >>> estimates_table("Agreement", ("criterion",), [(("dose",), found)]).rows[0][-1]
    'no labels'
    """
    further = more or {}
    shown = []
    for place, (name, estimate) in enumerate(rows):
        *numbers, remark = cells(estimate)
        shown.append((*name, *numbers, *(column[place] for column in further.values()), remark))
    head = (*names, *HEAD[:-1], *further, REMARK)
    table = Table(caption, head, tuple(shown), words=len(names), remarks=1)
    return without_remarks(with_one_method(table))


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
    levels = {method.rpartition(", ")[2] for method in methods}
    if len(methods) < 2:
        return replace(_without(table, place), caption=_with(table.caption, methods))
    if len(levels) > 1:
        return table
    rows = tuple(
        (*row[:place], row[place].removesuffix(f", {min(levels)}"), *row[place + 1 :])
        for row in table.rows
    )
    return replace(table, caption=_with(table.caption, levels), rows=rows)


def _with(caption: str, intervals: set[str]) -> str:
    return f"{caption} (intervals: {min(intervals)})" if intervals else caption


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
