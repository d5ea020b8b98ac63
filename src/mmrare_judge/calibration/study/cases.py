"""The predictions on which judge and clinicians disagree most, told in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mmrare_judge.calibration.report.blocks import Case, Quote
from mmrare_judge.calibration.study.sources import Sources
from mmrare_judge.calibration.study.table import Table
from mmrare_judge.judging.grade import Verdict
from mmrare_judge.rubric.model import Criterion

LONGEST = 1500
"""Characters of one text that a report shows; what is cut is said."""


class _Gap(NamedTuple):
    size: float
    table: Table
    row: int


def worst_cases(sources: Sources, tables: Sequence[Table]) -> tuple[Case, ...]:
    """The largest differences between judge and clinicians, in points as a share of the best."""
    gaps = sorted(_gaps(tables), key=lambda gap: (-gap.size, gap.table.places[gap.row]))
    return tuple(_case(sources, gap) for gap in gaps[: sources.options.cases])


def _gaps(tables: Sequence[Table]) -> Iterator[_Gap]:
    for table in tables:
        apart = np.abs(table.judge - table.gold)
        for row in np.flatnonzero(np.nan_to_num(apart) > 0):
            yield _Gap(float(apart[row]), table, int(row))


def _case(sources: Sources, gap: _Gap) -> Case:
    table, place = gap.table, gap.table.places[gap.row]
    item, system = place
    verdict = sources.grades.first[place].verdict(table.criterion.id)
    title = ", ".join(filter(None, (f"Item {item}", system, table.criterion.id)))
    labels = [
        f"{label.rater}: {label.label}"
        for label in sources.gold.labels
        if label.unit == (item, system, table.criterion.id) and label.label is not None
    ]
    facts = (("judge", verdict.level or "–"), ("clinicians", ", ".join(labels)))
    asked = Quote("What was judged", _asked(table.criterion, verdict))
    return Case(title, facts, (asked, *_quotes(sources, place, verdict)))


def _asked(criterion: Criterion, verdict: Verdict) -> str:
    """The criterion's question, and what it was asked of one by one."""
    elements = [f"- {one.element}: {one.level or one.status}" for one in verdict.elements]
    return _cut("\n".join([criterion.question, *elements]))


def _quotes(sources: Sources, place: tuple[str, str], verdict: Verdict) -> Iterator[Quote]:
    item = sources.items.get(place[0])
    if item is not None and item.question:
        yield Quote("The question", _cut(item.question))
    if item is not None and item.reference.answer:
        yield Quote("The reference", _cut(item.reference.answer))
    if sources.texts.get(place):
        yield Quote("The prediction", _cut(sources.texts[place]))
    if verdict.reasoning:
        yield Quote("The judge's reasoning", _cut(verdict.reasoning))
    quoted = [evidence for one in (verdict, *verdict.elements) for evidence in one.evidence]
    for evidence in quoted:
        where = "found in the prediction" if evidence.found else "not found in the prediction"
        yield Quote(f"Quoted by the judge, {where}", _cut(evidence.quote))


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]} [... {len(text) - LONGEST:,} characters more]"
