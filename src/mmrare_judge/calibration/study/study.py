"""A calibration study: may this judge stand in for clinicians, and what is the corrected score?

`calibrate` makes a `Study` from grades and gold, `write_study` its files, `certify` a certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from mmrare_judge._version import __version__
from mmrare_judge.calibration.gold.judge import joined, scales_of
from mmrare_judge.calibration.gold.labels import DataCard, Gold, data_card
from mmrare_judge.calibration.report.blocks import CriterionFindings, Findings
from mmrare_judge.calibration.report.checklist import grras
from mmrare_judge.calibration.report.render import write_reports
from mmrare_judge.calibration.report.sections import three_numbers
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.table import statistic, unsuited
from mmrare_judge.calibration.study.account import caveats, design, facts, worst_disagreements
from mmrare_judge.calibration.study.findings import MISSED, measured, on_tuning
from mmrare_judge.calibration.study.grades import grades_of_judge
from mmrare_judge.calibration.study.inputs import StudyInputs, UnitTable, tables_of
from mmrare_judge.calibration.study.options import StudyOptions, StudyPlan
from mmrare_judge.calibration.study.split import Part, StudiedParts, parts_of
from mmrare_judge.calibration.study.verdict import (
    Conditions,
    above_the_ceiling,
    conditions_of,
    decided,
)
from mmrare_judge.certificate import FILE, Certificate, CertifiedCriterion, Measured, Rules
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.files import write_whole
from mmrare_judge.judging.grade import Grade
from mmrare_judge.records import Record, Signature, content_hash
from mmrare_judge.rubric.model import Rubric


class Study(Record):
    """A finished study: everything its report shows, and what it is bound to.

    Attributes:
        format: Version of this record.
        judge: The judge's name.
        signatures: How its grades were made; a certificate needs exactly one.
        rubric: The rubric's id.
        rubric_version: Its version.
        rubric_hash: Hash of its whole content.
        gold: What the gold labels are.
        options: What was decided.
        planned: The date of the plan that declared it beforehand; ``None`` without one.
        plan_hash: Hash of that plan.
        coverage: Share of the verdicts on units with gold that the judge gave.
        unlabelled: Criteria of the rubric of which no graded prediction has gold.
        findings: What was found.
        part: Which cases were studied: ``all``; the ``test`` part of a split; or its ``tuning``
            part, where nothing else has gold.
        no_verdict: Why there is no verdict, and so no certificate; empty where there is one.
        package: Version of this package.
    """

    format: int = 1
    judge: str
    signatures: tuple[Signature, ...]
    rubric: str
    rubric_version: str
    rubric_hash: str
    gold: DataCard
    options: StudyOptions
    planned: date | None = None
    plan_hash: str | None = None
    coverage: float
    unlabelled: tuple[str, ...] = ()
    findings: Findings
    part: Part = "all"
    no_verdict: str = ""
    package: str = __version__


def calibrate(
    grades: Iterable[Grade],
    gold: Gold,
    *,
    rubric: Rubric | None = None,
    items: Iterable[Item] = (),
    predictions: Iterable[Prediction] = (),
    options: StudyOptions | None = None,
    plan: StudyPlan | None = None,
) -> Study:
    """Study how far a judge agrees with clinicians, and what its scores are once corrected.

    Args:
        grades: The judge's grades: of everything the benchmark graded, with gold or without. All
            of them enter the corrected score; several samples enter test-retest; grades by further
            judges are compared with this one's.
        gold: The clinicians' labels, on the rubric's own scales (`scales_of`).
        rubric: The rubric that made the grades; may be left out for a built-in one.
        items: The items, for subgroups and the report's cases.
        predictions: The predictions, for the length of texts and the report's cases.
        options: What was decided.
        plan: Where it was declared beforehand.

    Raises:
        InputError: Grades, gold, options and plan do not fit together; the message says where.
        RubricError: The rubric is not the one that the grades were made by.
        MissingExtraError: A package of the extra ``calibration`` is not installed.
    """
    options = options or StudyOptions()
    chosen = grades_of_judge(grades, judge=options.judge, rubric=rubric)
    _check_scales(gold, chosen.rubric)
    if plan is not None:
        plan.check(options, chosen.rubric)
    gold = joined(gold, chosen.first.keys)
    inputs = StudyInputs(
        chosen, gold, options, plan,
        items={item.id: item for item in items},
        texts={(one.item_id, one.system): one.text for one in predictions},
    )  # fmt: skip
    parts = parts_of(inputs)
    tables = tables_of(parts.studied)
    _check_statistic(options.statistic, tables)
    conditions = conditions_of(parts.studied, tables, judged=parts.part != "tuning")
    findings = _findings(parts, tables, conditions)
    _check_margin(findings, options)
    card = data_card(gold, **options.gold.model_dump())
    return Study(
        judge=chosen.judge,
        signatures=chosen.signatures,
        rubric=chosen.rubric.id,
        rubric_version=chosen.rubric.version,
        rubric_hash=chosen.rubric.hash,
        gold=card,
        options=options,
        coverage=_coverage(tables),
        unlabelled=conditions.unlabelled,
        findings=replace(findings, checklist=grras(card, findings)),
        planned=None if plan is None else plan.dated,
        plan_hash=None if plan is None else plan.hash,
        part=parts.part,
        no_verdict=conditions.no_verdict,
    )


def _findings(parts: StudiedParts, tables: Sequence[UnitTable], conditions: Conditions) -> Findings:
    """Everything that is found, with the verdict on it."""
    inputs, rubric = parts.studied, parts.studied.grades.rubric
    found = decided(measured(inputs, tables), conditions)
    tuned = on_tuning(parts.tuning, tables_of(parts.tuning)) if parts.tuning else ()
    title = f"Calibration of {inputs.grades.judge} on {rubric.id} {rubric.version}"
    return replace(
        found,
        title=inputs.options.title or title,
        facts=facts(inputs),
        keys=three_numbers(found),
        others=(*found.others, *tuned),
        cases=worst_disagreements(inputs, tables),
        design=design(inputs, tables),
        caveats=(*parts.sentences, *caveats(inputs, tables)),
    )


def _check_scales(gold: Gold, rubric: Rubric) -> None:
    scales = scales_of(rubric)
    for criterion in gold.criteria:
        if criterion not in scales:
            raise InputError(
                f"gold labels criterion {criterion!r}, which rubric {rubric.id!r} does not have",
                remedy=f"Its criteria are: {', '.join(scales)}",
            )
        if gold.scales[criterion] != scales[criterion]:
            raise InputError(
                f"the gold's scale of {criterion!r} is not the rubric's",
                remedy="Read the gold with scales_of(rubric), and map its labels to the levels",
            )


def _check_statistic(name: str, tables: Sequence[UnitTable]) -> None:
    why = {unsuited(statistic(name), table.pair) for table in tables}
    if "" not in why:
        raise InputError(
            f"{name} cannot be measured on any criterion: {'; '.join(sorted(why))}",
            remedy="Choose another main statistic, such as cohen_kappa",
        )


def _check_margin(findings: Findings, options: StudyOptions) -> None:
    tested = [one for one in findings.criteria if one.kind != "overall"]
    above = above_the_ceiling(tested, options)
    if above and len(above) == sum(bool(o.clinicians and o.clinicians.value) for o in tested):
        raise InputError(
            f"a margin of {options.margin:g} is not below the clinicians' own agreement "
            f"({', '.join(above)}): a judge at chance would be within it",
            remedy="Give a smaller margin",
        )


def _coverage(tables: Sequence[UnitTable]) -> float:
    """Over all criteria; units on which the judge was not asked count on neither side."""
    asked = [int((~np.isnan(t.gold) & t.asked).sum()) for t in tables]
    given = [(t.coverage or 0.0) * units for t, units in zip(tables, asked, strict=True)]
    return sum(given) / sum(asked) if sum(asked) else 0.0


# --- the files of a study: `study.json`, the report in two formats, and the certificate

STUDY = "study.json"


def write_study(
    study: Study, folder: str | Path, *, expires: date | None = None, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write a study's files into a folder, which is made if need be.

    The certificate is left out, and one from before is removed, where there is no verdict or the
    grades were made in several ways: `why_uncertified` says so.

    Args:
        study: The study.
        folder: Where to.
        expires: The last day on which the certificate holds.
        overwrite: Whether a study that is there already may be written over.

    Returns:
        The files that were written.

    Raises:
        OutputError: The folder cannot be written, or holds a study.
        MissingExtraError: matplotlib or Jinja is not installed.
    """
    folder = Path(folder)
    if not overwrite:
        check_free(folder)
    whole, certificate = folder / STUDY, folder / FILE
    certified = not why_uncertified(study)
    reports = write_reports(study.findings, folder)
    if not certified:
        certificate.unlink(missing_ok=True)
    write_whole(whole, study.model_dump_json(indent=1))
    if not certified:
        return whole, *reports
    write_whole(certificate, certify(study, expires=expires).model_dump_json(indent=1))
    return whole, *reports, certificate


def check_free(folder: Path) -> None:
    """Check that a folder holds no study.

    Raises:
        OutputError: It holds one.
    """
    if (folder / STUDY).exists():
        raise OutputError(
            f"{folder} holds a study already; name another folder, or say --overwrite "
            "(overwrite=True)"
        )


def why_uncertified(study: Study) -> str:
    """Why a study has no certificate; empty if it has one."""
    try:
        certify(study)
    except InputError as error:
        return str(error)
    return ""


def certify(study: Study, *, expires: date | None = None) -> Certificate:
    """Bind a study's outcome to the way of judging that was studied.

    A certificate says what was found, good or bad; whether that is good enough is for
    ``mmrare-judge gate`` and its thresholds to say.

    Args:
        study: The study.
        expires: The last day on which the certificate holds; ``None`` for no end.

    Raises:
        InputError: There is no verdict, or the grades were made in several ways.
    """
    if study.no_verdict:
        remedy = "Grade what is missing, with the same run's folder, and study again"
        if study.part == "tuning":
            remedy = "Label cases that were not used"
        raise InputError(f"there is no verdict to certify: {study.no_verdict}", remedy=remedy)
    if len(study.signatures) != 1:
        raise InputError(
            f"the studied grades were made in {len(study.signatures)} ways, and a certificate is "
            "bound to one",
            remedy=_remedy(study),
        )
    found = study.findings
    harm = {name: estimate for (name, what), estimate in found.harm if what == MISSED}
    return Certificate(
        signature=study.signatures[0],
        rules=Rules(expires=expires),
        dated=study.options.dated,
        package=study.package,
        gold=study.gold.name,
        gold_hash=study.gold.hash,
        statistic=found.statistic,
        margin=study.options.margin,
        margin_reason=study.options.margin_reason,
        planned=study.planned,
        plan_hash=study.plan_hash,
        tone=found.tone,
        verdict=found.verdict,
        coverage=study.coverage,
        criteria={one.name: _certified(one, harm.get(one.name)) for one in found.criteria},
        unstudied=study.unlabelled,
        degenerate=found.remarks,
        study_hash=content_hash(study.model_dump(mode="json")),
    )


def _remedy(study: Study) -> str:
    if not study.signatures:
        return "The judge was asked nothing: every prediction with gold is blank"
    first, second = (one.model_dump(mode="json") for one in study.signatures[:2])
    names = [name for name, value in first.items() if second[name] != value]
    return f"Grade anew in one way; they differ in {', '.join(names)}"


def _certified(one: CriterionFindings, harm: Estimate | None) -> CertifiedCriterion:
    tested, by_kappa = one.non_inferiority, one.judge.name.startswith("cohen_kappa")
    return CertifiedCriterion(
        kind=one.kind,
        agreement=_measured(one.judge),
        clinicians=_measured(one.clinicians) if one.clinicians else None,
        kappa=_measured(one.judge) if by_kappa else None,
        non_inferiority=tested.verdict if tested else None,
        missed_harm=_measured(harm) if harm else None,
        coverage=one.coverage,
    )


def _measured(estimate: Estimate) -> Measured:
    interval = estimate.interval
    return Measured(
        value=estimate.value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        n=estimate.n,
        reason=estimate.reason,
    )
