"""The sections of a report, in the order they are read."""

from __future__ import annotations

from mmrare_judge.calibration.report.agreement import (
    ceiling_table,
    confusion_gallery,
    forest_figure,
    homogeneity_table,
    statistics_table,
    title_of,
)
from mmrare_judge.calibration.report.alternative import clinicians_table, epsilon_figure
from mmrare_judge.calibration.report.bias import bias_figure
from mmrare_judge.calibration.report.blocks import (
    Block,
    Bullets,
    Figure,
    Paragraph,
    Report,
    Section,
    Table,
)
from mmrare_judge.calibration.report.confidence import (
    confidence_rows,
    parts_table,
    reliability_figure,
    risk_coverage_figure,
    threshold_sentence,
)
from mmrare_judge.calibration.report.corrected import corrected_figure, sample_table
from mmrare_judge.calibration.report.differences import differences_figure
from mmrare_judge.calibration.report.estimates import estimates_table
from mmrare_judge.calibration.report.findings import (
    NOT_STUDIED,
    CriterionFindings,
    Findings,
)
from mmrare_judge.calibration.report.recalibration import recalibration_blocks
from mmrare_judge.calibration.report.text import with_ends


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
    blocks += [Paragraph(_beside(one)) for one in findings.criteria if one not in main]
    tested = [one for one in findings.criteria if one.non_inferiority is not None]
    if tested:
        blocks.append(Paragraph("Against the margin of non-inferiority declared beforehand:"))
        blocks.append(Bullets(tuple(f"{one.name}: {_tested(one)}" for one in tested)))
    if findings.remarks:
        blocks.append(Paragraph("What is peculiar about this judge:"))
        blocks.append(Bullets(findings.remarks))
    return Section("agreement", "Agreement with clinicians, and their own", tuple(blocks))


def _beside(one: CriterionFindings) -> str:
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
