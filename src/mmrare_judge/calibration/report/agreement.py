"""Agreement in a report: the forest plot, and each criterion by its title.

Of each criterion stand the few numbers that matter and the matrix of levels; all else is folded
away below them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mmrare_judge.calibration.analyses.alt_test import AltTest, ClinicianTest, EpsilonRow
from mmrare_judge.calibration.analyses.ceiling import Ceiling
from mmrare_judge.calibration.report.blocks import (
    NONE,
    REMARK,
    Block,
    Bullets,
    Card,
    CriterionFindings,
    Figure,
    Findings,
    Fold,
    Paragraph,
    Section,
    Table,
    count,
    number,
    p_value,
    percent,
    signed,
    title_of,
    with_ends,
)
from mmrare_judge.calibration.report.plots import (
    NEEDED,
    bland_altman_plot,
    column_shares,
    confusion_plot,
    epsilon_plot,
    forest_plot,
)
from mmrare_judge.calibration.report.tables import (
    Columns,
    estimates_table,
    statistic_title,
    table_of,
    without_remarks,
)
from mmrare_judge.calibration.statistics.coefficients import Confusion
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import HomogeneityTest


def agreement(findings: Findings) -> Section:
    """All criteria beside each other, by the study's main statistic."""
    main = [one for one in findings.criteria if one.judge.name == findings.statistic]
    blocks: list[Block] = [_forest(main, findings)]
    blocks += [Paragraph(_by_other_statistic(one)) for one in findings.criteria if one not in main]
    if findings.remarks:
        blocks += [Paragraph("What is peculiar about this judge:"), Bullets(findings.remarks)]
    return Section("agreement", "Agreement with clinicians, and their own", tuple(blocks))


def _forest(criteria: Sequence[CriterionFindings], findings: Findings) -> Figure:
    title = statistic_title(findings.statistic)
    rows: list[tuple[tuple[str, str], Estimate]] = []
    for one in criteria:
        rows.append(((title_of(one), "judge and clinicians"), one.judge))
        if one.clinicians is not None:
            rows.append(((title_of(one), "clinicians"), one.clinicians))
    reasons = [f"{title_of(one)}: {one.judge.reason}" for one in criteria if one.judge.reason]
    no_ceiling = findings.no_ceiling
    ceiling = no_ceiling or "Open diamonds: clinicians among themselves, the human ceiling."
    plotted = [(title_of(one), one.judge, one.clinicians) for one in criteria]
    return Figure(
        name="forest",
        title=f"{title}, criterion by criterion",
        caption=f"Filled circles: the judge with clinicians. {ceiling} "
        "Lines are intervals; 1 is perfect agreement.",
        svg=forest_plot(plotted, statistic=title),
        missing="; ".join(reasons) or "no criterion was measured",
        table=estimates_table(f"{title} by criterion", ("criterion", "between"), rows),
    )


def _by_other_statistic(one: CriterionFindings) -> str:
    """What is measured by another statistic than the plot's, in a sentence."""
    human = "" if one.clinicians is None else f", clinicians {with_ends(one.clinicians)}"
    title = statistic_title(one.judge.name)
    return f"{title} of {title_of(one)}: judge and clinicians {with_ends(one.judge)}{human}."


def criteria(findings: Findings) -> Section:
    """Each criterion by its title: what matters, and the rest folded away."""
    cards = [_card(one, place, findings) for place, one in enumerate(findings.criteria, 1)]
    by = f"Agreement is {statistic_title(findings.statistic)}, where nothing else is said."
    return Section("criteria", "Criterion by criterion", (Paragraph(by), *cards))


def _card(one: CriterionFindings, place: int, findings: Findings) -> Card:
    blocks: list[Block] = []
    if one.confusion is not None and any(map(any, one.confusion.counts)):
        blocks.append(_matrix(title_of(one), one.confusion, place))
    blocks += _folded(one, place)
    return Card(title_of(one), tuple(_facts(one, findings)), tuple(blocks))


def _facts(one: CriterionFindings, findings: Findings) -> Iterator[tuple[str, str]]:
    other = one.judge.name != findings.statistic
    by = f" ({statistic_title(one.judge.name)})" if other else ""
    yield f"Judge and clinicians{by}", f"{with_ends(one.judge)}, {one.judge.n} units"
    if one.clinicians is not None:
        yield f"Clinicians{by}", with_ends(one.clinicians)
    if one.non_inferiority is not None:
        yield "Non-inferiority", one.non_inferiority.sentence
    if (lenient := one.statistics.get("leniency")) is not None and lenient.value is not None:
        yield "Leniency, in points", _signed(lenient)
    for (name, what), harm in findings.harm:
        if name == one.name:
            yield what.capitalize(), _share(harm)
    if one.coverage is not None:
        yield "Verdict given on", f"{percent(one.coverage)} of the units with gold"
    if one.homogeneity is not None and one.homogeneity.p_value is not None:
        shown = p_value(one.homogeneity.p_value)
        yield "Levels used equally often", f"p {shown}" if shown[0] == "<" else f"p = {shown}"
    if one.alternative is not None:
        yield "Alternative annotator test", _passed(one.alternative)


def _signed(estimate: Estimate) -> str:
    interval = estimate.interval
    inside = f" ({signed(interval.low)} to {signed(interval.high)})" if interval else ""
    return f"{signed(estimate.value)}{inside}"


def _share(harm: Estimate) -> str:
    if harm.value is None:
        return harm.reason or NONE
    interval = harm.interval
    inside = f" ({percent(interval.low)} to {percent(interval.high)})" if interval else ""
    return f"{percent(harm.value)}{inside} of {harm.n}"


def _passed(test: AltTest) -> str:
    passed = [row.epsilon for row in test.grid if row.passed]
    if not passed:
        return f"not passed{f': {test.reason}' if test.reason else ''}"
    return f"passed from an epsilon of {number(min(passed), 2)} on"


def _folded(one: CriterionFindings, place: int) -> Iterator[Fold]:
    if one.limits is not None and one.points and not _two_levels(one):
        yield Fold("How far apart: Bland and Altman", (_bland_altman(one, place),))
    if one.alternative is not None:
        test = one.alternative
        contests = _contests_table(title_of(one), test)
        yield Fold(
            "The alternative annotator test",
            (_winning_rates(title_of(one), test, place), contests),
        )
    if one.ceiling is not None:
        table = _ceiling_table(title_of(one), one.ceiling)
        yield Fold("The human ceiling by every rule", (table,))
    tables = [
        estimates_table(
            caption, ("statistic",), [((statistic_title(n),), e) for n, e in found.items()]
        )
        for caption, found in (
            (f"All statistics: {title_of(one)}", one.statistics),
            (f"All statistics: clinicians among themselves, {title_of(one)}", one.human),
        )
        if found
    ]
    if one.homogeneity is not None:
        tables.append(_homogeneity_table([(title_of(one), one.homogeneity)]))
    if tables:
        yield Fold("All statistics", tuple(tables))


def _two_levels(one: CriterionFindings) -> bool:
    """With two levels a difference is -1, 0 or 1, and limits about its mean say nothing."""
    return one.confusion is not None and len(one.confusion.categories) == 2


# --- figures and tables of one criterion


def _matrix(criterion: str, matrix: Confusion, place: int) -> Figure:
    name, levels, counts = f"confusion-{place}", matrix.categories, matrix.counts
    cells = [
        [count(n) if share is None else f"{count(n)} ({percent(share, 0)})" for n, share in pairs]
        for pairs in map(zip, counts, column_shares(counts))
    ]
    return Figure(
        name=name,
        title="Which level where clinicians gave which",
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
    return without_remarks(table_of(caption, columns, tests, words=2, remarks=1))


_DIFFERENCES = {
    "leniency": "mean difference",
    "agreement_limit_low": "lower limit of agreement",
    "agreement_limit_high": "upper limit of agreement",
    "mae": "mean absolute error",
}


def _bland_altman(one: CriterionFindings, place: int) -> Figure:
    name = f"differences-{place}"
    return Figure(
        name=name,
        title=f"Judge minus clinicians: {title_of(one)}",
        caption="Above zero the judge gave more than clinicians. Between the dashed lines lie 95 % "
        "of the differences, if they are roughly normal.",
        svg=bland_altman_plot(one.points, one.limits, name=name, criterion=title_of(one)),
        missing="the scale has no points to subtract, or no unit has both labels",
        table=_differences_table(one),
    )


def _differences_table(one: CriterionFindings) -> Table | None:
    rows = [((t,), one.statistics[n]) for n, t in _DIFFERENCES.items() if n in one.statistics]
    return estimates_table("Differences in points", ("what",), rows) if rows else None


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
        table=table_of(how, columns, test.grid, words=0, remarks=1),
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
    return without_remarks(table_of(caption, columns, test.clinicians, remarks=1))


def _contest_p(one: ClinicianTest, epsilon: float) -> str:
    return p_value(one.p_values.get(epsilon))


def _ceiling_table(criterion: str, ceiling: Ceiling) -> Table:
    """Judge, clinicians and their difference by every rule, and every clinician alone."""
    rows = []
    for side in ceiling.sides:
        rule = "pair by pair" if side.versus == "pairwise" else side.versus
        parts = {"judge": side.judge, "clinicians": side.clinicians}
        parts |= {"judge minus clinicians": side.difference}
        parts |= {f"clinician {name}": found for name, found in side.each.items()}
        rows += [((rule, part), estimate) for part, estimate in parts.items()]
    caption = f"The human ceiling by every rule: {criterion}, {statistic_title(ceiling.statistic)}"
    return estimates_table(caption, ("rule", "who"), rows)
