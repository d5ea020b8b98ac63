"""A report in the order it is read: `report_of`.

The answer comes first, on one screen: the verdict, the three numbers behind it, and what would
change it. Then come the criteria, the judge, and how the study was made. What has nothing to show
is left out, and the last section says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mmrare_judge.calibration.report.agreement import agreement, criteria
from mmrare_judge.calibration.report.blocks import (
    Block,
    Bullets,
    CriterionFindings,
    Figure,
    Findings,
    Fold,
    Key,
    Paragraph,
    Report,
    Section,
    Table,
    ends,
    figures_in,
    number,
    percent,
    signed,
    title_of,
)
from mmrare_judge.calibration.report.scores import bias, confidence, correction
from mmrare_judge.calibration.report.tables import statistic_title


def report_of(findings: Findings) -> Report:
    """The report that tells these findings."""
    told = (
        agreement(findings),
        criteria(findings),
        confidence(findings),
        bias(findings),
        correction(findings),
        _cases(findings),
    )
    shown = [_shown(section) for section in told]
    missing = [line for section in told for line in _left_out(section.blocks)]
    sections = (*shown, _design(findings, missing))
    return Report(
        title=findings.title,
        facts=findings.facts,
        tone=findings.tone,
        verdict=findings.verdict,
        keys=findings.keys or three_numbers(findings),
        sections=tuple(section for section in sections if section.blocks),
        would_change=findings.would_change or tuple(_would_change(findings)),
    )


# --- the first screen


def three_numbers(findings: Findings) -> tuple[Key, ...]:
    """How it agrees where it agrees worst, the worst missed harm, and the score to print."""
    return tuple(_numbers(findings))


def _numbers(findings: Findings) -> Iterator[Key]:
    rated = [one for one in _single(findings) if one.judge.value is not None]
    if rated:
        worst = min(rated, key=_standing)
        human = worst.clinicians
        beside = f"; clinicians {number(human.value, 2)}" if human and human.value else ""
        title = f"{statistic_title(worst.judge.name)}, {title_of(worst)}"
        note = f"{ends(worst.judge, 2)}{beside}"
        yield Key(title, number(worst.judge.value, 2), note)
    harms = [
        (harm.value, name, harm)
        for (name, what), harm in findings.harm
        if what == "missed harm" and harm.value is not None
    ]
    if harms:
        _, name, harm = max(harms, key=lambda one: one[:2])
        inside = harm.interval
        note = f"{percent(inside.low)} to {percent(inside.high)}, " if inside else ""
        title = f"Missed harm, {findings.titled(name)}"
        yield Key(title, percent(harm.value), f"{note}of {harm.n} violations")
    scored = [of for of, score in findings.corrected.items() if score.ppi.value is not None]
    for of in scored[:1]:
        score = findings.corrected[of]
        note = f"{ends(score.ppi)}; as the judge gave it {number(score.raw.value)}"
        title = f"Corrected score, {findings.titled(of)}"
        yield Key(title, number(score.ppi.value), note)


def _single(findings: Findings) -> list[CriterionFindings]:
    """The criteria by the study's main statistic, without what is put together from them."""
    main = [one for one in findings.criteria if one.judge.name == findings.statistic]
    return [one for one in main if one.kind != "overall"] or main


def _standing(one: CriterionFindings) -> float:
    """How far a criterion is from failing: by its test against the margin, else by agreement."""
    test = one.non_inferiority
    interval = test.side.difference.interval if test else None
    return interval.low if interval else one.judge.value or 0.0


SHOWN_CHANGES = 3
"""Criteria of which the first screen says what would decide."""


def _would_change(findings: Findings) -> Iterator[str]:
    tested = [one for one in _single(findings) if one.non_inferiority is not None]
    if not tested and findings.no_ceiling:
        yield "Labels of a second clinician on the same units."
    elif not tested:
        yield "A margin of non-inferiority, declared before the labels are seen."
    if not tested:
        return
    if findings.tone == "good":
        nearest = min(tested, key=_standing)
        yield (
            f"A lower agreement on {title_of(nearest)}: there the difference may be as low as "
            f"{signed(_standing(nearest), 2)}, and the margin is {_margin(nearest):g}."
        )
        yield "Another model, prompt, rubric or version: the verdict is on this way of judging."
        return
    lower = [title_of(one) for one in tested if _verdict(one) == "inferior"]
    if lower:
        names = ", ".join(lower)
        yield f"Another judge or a clearer rubric on {names}: more labels alone would not."
    open_ones = [one for one in sorted(tested, key=_standing) if _needed(one)]
    for one in open_ones[:SHOWN_CHANGES]:
        yield f"{title_of(one)} – {_needed(one)}."
    if len(open_ones) > SHOWN_CHANGES:
        yield f"And on {len(open_ones) - SHOWN_CHANGES} further criteria, which stand better."


def _needed(one: CriterionFindings) -> str:
    return one.non_inferiority.needed if one.non_inferiority else ""


def _verdict(one: CriterionFindings) -> str:
    return one.non_inferiority.verdict if one.non_inferiority else ""


def _margin(one: CriterionFindings) -> float:
    return one.non_inferiority.margin if one.non_inferiority else 0.0


# --- what is left out


def _shown(section: Section) -> Section:
    return replace(section, blocks=tuple(block for block in section.blocks if not _bare(block)))


def _bare(block: Block) -> bool:
    """A figure that has neither plot nor numbers."""
    return isinstance(block, Figure) and not block.svg and block.table is None


def _left_out(blocks: Sequence[Block]) -> Iterator[str]:
    for figure in figures_in(blocks):
        if _bare(figure):
            yield f"{figure.title} – {figure.missing}."


# --- cases and design

TOLD = 3
"""Cases that stand open; the others are folded away."""


def _cases(findings: Findings) -> Section:
    title = "Where judge and clinicians disagree most"
    if not findings.cases:
        return Section("cases", title, (Paragraph(f"None: {findings.no_cases}."),))
    first, others = findings.cases[:TOLD], findings.cases[TOLD:]
    folded = (Fold(f"{len(others)} more", others),) if others else ()
    return Section("cases", title, (*first, *folded))


def _design(findings: Findings, missing: Sequence[str]) -> Section:
    blocks: list[Block] = []
    if findings.caveats:
        blocks += [Paragraph("What to beware of:"), Bullets(findings.caveats)]
    if findings.design:
        blocks.append(Table("How the study was made", ("what", "how"), findings.design, words=2))
    if findings.checklist:
        caption = "What GRRAS asks of a study of agreement, and what is stated"
        table = Table(caption, ("item", "stated"), findings.checklist, words=2)
        blocks.append(Fold("Checklist for reviewers (GRRAS)", (table,)))
    if missing:
        blocks += [Paragraph("Left out, since there is nothing to show:"), Bullets(tuple(missing))]
    return Section("design", "Design and caveats", tuple(blocks))
