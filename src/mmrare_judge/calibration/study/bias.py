"""Bias in a study: by criterion, by system, by length, by family, by subgroup."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmrare_judge.calibration.analyses.bias import (
    GroupBias,
    family_preference,
    leniency_by_group,
    subgroup_bias,
    verbosity_slope,
)
from mmrare_judge.calibration.report.blocks import BiasFindings
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.regression import Slope
from mmrare_judge.calibration.study.sources import Sources
from mmrare_judge.calibration.study.table import Table
from mmrare_judge.errors import InputError

POINTS = "Judge minus clinicians, as a share of the points; above 0 the judge is lenient."
UNKNOWN = "not stated"


def bias_findings(sources: Sources, tables: Sequence[Table]) -> tuple[BiasFindings, ...]:
    """All comparisons of judge and clinicians that the sources allow, criteria taken together."""
    _check_names(sources)
    rows = _Rows(sources, tables)
    return (
        rows.by("Leniency by criterion", POINTS, rows.criteria),
        rows.by("Leniency by system", POINTS, rows.systems),
        _length(rows),
        _family(rows),
        *(_subgroup(rows, name) for name in sources.options.subgroups),
    )


def _check_names(sources: Sources) -> None:
    """Refuse a system or a field that exists nowhere: a typing error would look like a finding."""
    systems = sources.grades.systems
    for name in sources.options.family:
        if name not in systems:
            known = ", ".join(systems)
            raise InputError(f"family names system {name!r}, which was not graded",
                             remedy=f"Graded systems are: {known}")  # fmt: skip
    fields = sorted({field for item in sources.items.values() for field in item.metadata})
    for name in sources.options.subgroups if sources.items else ():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InputError(f"no item has metadata field {name!r} for subgroups",
                             remedy=f"Fields are: {known}")  # fmt: skip


class _Rows:
    """All criteria below each other: a row is a prediction and a criterion."""

    def __init__(self, sources: Sources, tables: Sequence[Table]) -> None:
        self.sources = sources
        self.judge = np.concatenate([table.judge for table in tables])
        self.gold = np.concatenate([table.gold for table in tables])
        self.clusters = [case for table in tables for case in table.clusters]
        self.criteria = [table.criterion.id for table in tables for _ in table.places]
        self.systems = [system or UNKNOWN for table in tables for system in table.systems]
        self.places = [place for table in tables for place in table.places]

    def by(self, title: str, caption: str, groups: Sequence[str]) -> BiasFindings:
        """Leniency within each group that has gold."""
        known = ~np.isnan(self.gold)
        kept = [group for group, has in zip(groups, known, strict=True) if has]
        found = leniency_by_group(
            self.judge[known], self.gold[known], kept, clusters=self.cases(known)
        )
        return BiasFindings(title, caption, tuple(found))

    def cases(self, chosen: np.ndarray) -> list[str]:
        """The cases of some rows."""
        return [case for case, mine in zip(self.clusters, chosen, strict=True) if mine]


def _length(rows: _Rows) -> BiasFindings:
    title, texts = "Length", rows.sources.texts
    caption = (
        "Points that a judge adds when the prediction is e times (2.7 times) as long, at the same "
        "human level."
    )
    words = np.array([len(texts.get(place, "").split()) for place in rows.places], dtype=float)
    known = (words > 0) & ~np.isnan(rows.gold)
    if not known.any():
        return BiasFindings(title, caption, missing="the predictions' texts were not given")
    slope = verbosity_slope(
        rows.judge[known], rows.gold[known], words[known], clusters=rows.cases(known)
    )
    return BiasFindings(title, caption, (_alone("log length", slope),))


def _family(rows: _Rows) -> BiasFindings:
    title, family = "Same family", rows.sources.options.family
    caption = "Points that a judge adds to systems of its own family, at the same human level."
    if not family:
        return BiasFindings(title, caption, missing="no system was declared of the judge's family")
    same = np.array([system in family for system in rows.systems], dtype=float)
    slope = family_preference(rows.judge, rows.gold, same, clusters=rows.clusters)
    return BiasFindings(title, caption, (_alone("own family", slope),))


def _subgroup(rows: _Rows, name: str) -> BiasFindings:
    title = f"Subgroups: {name}"
    caption = "How a group's judging differs from that of all others, at the same human level."
    items = rows.sources.items
    groups = [_group(items[item].metadata.get(name)) if item in items else UNKNOWN
              for item, _ in rows.places]  # fmt: skip
    known = ~np.isnan(rows.gold)
    kept = [group for group, has in zip(groups, known, strict=True) if has]
    if not items:
        return BiasFindings(title, caption, missing="the items were not given")
    if len(set(kept)) < 2:
        alike = f"items with gold are all {kept[0]!r}" if kept else "no item has gold"
        return BiasFindings(title, caption, missing=alike)
    found = _compared(rows, known, kept)
    return BiasFindings(title, caption, found)


def _compared(rows: _Rows, known: np.ndarray, groups: Sequence[str]) -> tuple[GroupBias, ...]:
    judge: Floats = rows.judge[known]
    return tuple(subgroup_bias(judge, rows.gold[known], list(groups), clusters=rows.cases(known)))


def _group(value: object) -> str:
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or UNKNOWN
    return str(value)


def _alone(name: str, slope: Slope) -> GroupBias:
    """One comparison that is no family: nothing to adjust for."""
    p = slope.p_value
    return GroupBias(group=name, estimate=slope.estimate, p_value=p, p_holm=p, p_bh=p)
