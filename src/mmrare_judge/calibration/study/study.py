"""A calibration study: may this judge stand in for clinicians, and what is the corrected score?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmrare_judge._version import __version__
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.analyses.degenerate import peculiarities, quote_peculiarities
from mmrare_judge.calibration.gold.labels import DataCard, Gold, data_card, scales_of
from mmrare_judge.calibration.report.blocks import CriterionFindings, Findings
from mmrare_judge.calibration.statistics.table import statistic, unsuited
from mmrare_judge.calibration.study.findings import (
    bias_findings,
    confidence_findings,
    corrected_criteria,
    corrected_systems,
    criterion_findings,
    harm_findings,
    other_findings,
    pooled_findings,
    score_findings,
    score_ratings,
)
from mmrare_judge.calibration.study.inputs import (
    StudyInputs,
    StudyOptions,
    UnitTable,
    grades_of_judge,
    tables_of,
    texts_of,
)
from mmrare_judge.calibration.study.verdict import (
    caveats,
    decision,
    design,
    facts,
    keys,
    terms_of,
    worst_cases,
)
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.records import Record, Signature
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
        options: What was decided beforehand.
        coverage: Share of the verdicts on units with gold that the judge gave.
        unlabelled: Criteria of the rubric of which no graded prediction has gold.
        findings: What was found.
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
    coverage: float
    unlabelled: tuple[str, ...] = ()
    findings: Findings
    package: str = __version__

    def write(self, folder: str | Path) -> tuple[Path, ...]:
        """Write ``study.json``, the reports and the certificate; see `write_study`."""
        from mmrare_judge.calibration.study.write import write_study

        return write_study(self, Path(folder))


def calibrate(
    grades: Iterable[Grade],
    gold: Gold,
    *,
    rubric: Rubric | None = None,
    items: Iterable[Item] = (),
    predictions: Iterable[Prediction] = (),
    options: StudyOptions | None = None,
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
        options: What was decided beforehand.

    Raises:
        InputError: Grades and gold do not fit together; the message says where.
        RubricError: The rubric is not the one that the grades were made by.
        MissingExtraError: A package of the extra ``calibration`` is not installed.
    """
    options = options or StudyOptions()
    chosen = grades_of_judge(grades, judge=options.judge, rubric=rubric)
    _check_scales(gold, chosen.rubric)
    known = {item.id: item for item in items}
    sources = StudyInputs(chosen, gold, options, known, texts_of(predictions))
    tables = tables_of(sources)
    _check_statistic(options.statistic, tables)
    return Study(
        judge=chosen.judge,
        signatures=chosen.signatures,
        rubric=chosen.rubric.id,
        rubric_version=chosen.rubric.version,
        rubric_hash=chosen.rubric.hash,
        gold=data_card(gold, **options.gold.model_dump()),
        options=options,
        coverage=_coverage(tables),
        unlabelled=terms_of(sources, tables).unlabelled,
        findings=findings_of(sources, tables),
    )


def findings_of(sources: StudyInputs, tables: Sequence[UnitTable]) -> Findings:
    """Everything that is found, with the verdict on it."""
    options, level = sources.options, sources.options.resampling.level
    criteria = tuple(_criteria(sources, tables))
    bare = Findings(
        title=options.title or f"Calibration of {sources.grades.judge} on {_rubric(sources)}",
        facts=facts(sources),
        tone="open",
        verdict=(),
        statistic=options.statistic,
        criteria=criteria,
        no_ceiling=_no_ceiling(sources),
        remarks=_remarks(sources, tables, criteria),
        bias=bias_findings(sources, tables),
        confidence=confidence_findings(tables, options),
        corrected=_corrected(sources, tables, level),
        harm=tuple(harm_findings(tables, level)),
        others=tuple(other_findings(sources.grades, tables, level)),
        cases=worst_cases(sources, tables),
        design=design(sources, tables),
        caveats=caveats(sources, tables),
    )
    found = decision(bare, terms_of(sources, tables))
    return replace(bare, tone=found.tone, verdict=found.sentences, keys=keys(bare))


def _criteria(sources: StudyInputs, tables: Sequence[UnitTable]) -> Iterator[CriterionFindings]:
    yield from (criterion_findings(table, sources.options) for table in tables)
    pooled = pooled_findings(tables, sources.options)
    if pooled is not None:
        yield pooled
    scores = score_ratings(sources)
    if scores is not None:
        yield score_findings(*scores, sources.options)


def _corrected(
    sources: StudyInputs, tables: Sequence[UnitTable], level: float
) -> dict[str, CorrectedScore]:
    """Whole scores first; with one criterion that is the criterion's own."""
    systems, criteria = corrected_systems(sources, tables, level), corrected_criteria(tables, level)
    return {**criteria, **systems} if len(criteria) == 1 else {**systems, **criteria}


def _rubric(sources: StudyInputs) -> str:
    rubric = sources.grades.rubric
    return f"{rubric.id} {rubric.version}"


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


def _coverage(tables: Sequence[UnitTable]) -> float:
    """Over all criteria; units on which the judge was not asked count on neither side."""
    asked = [int((~np.isnan(t.gold) & t.asked).sum()) for t in tables]
    given = [(t.coverage or 0.0) * units for t, units in zip(tables, asked, strict=True)]
    return sum(given) / sum(asked) if sum(asked) else 0.0


def _no_ceiling(sources: StudyInputs) -> str:
    if len(sources.raters) > 1:
        return ""
    return f"a human ceiling needs two clinicians, and there is {len(sources.raters)}"


def _remarks(
    sources: StudyInputs, tables: Sequence[UnitTable], criteria: Sequence[CriterionFindings]
) -> tuple[str, ...]:
    kappas = {one.name: one.statistics.get("cohen_kappa") for one in criteria}
    found: list[str] = []
    for table in tables:
        name = table.criterion.id
        kappa = kappas[name]
        levels = table.ratings.scale.categories
        found += peculiarities(
            name, table.judge_codes, table.gold_codes, levels, kappa.value if kappa else None
        )
    return (*found, *quote_peculiarities(sources.grades.first.values()))
