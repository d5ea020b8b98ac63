"""The judge of a study against itself on repeats, and beside every other judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mmrare_judge.calibration.analyses.bias import compare_judges, retest
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.study.grades import JudgeGrades, Place
from mmrare_judge.calibration.study.table import Table
from mmrare_judge.judging.grade import Grade


def other_findings(
    grades: JudgeGrades, tables: Sequence[Table], level: float
) -> Iterator[tuple[str, Estimate]]:
    """Test-retest from repeats, and this judge beside every other."""
    clusters = [case for table in tables for case in table.clusters]
    repeats = _repeats(grades, tables)
    if repeats.shape[1] > 1:
        found = retest(repeats, clusters=clusters, level=level)
        yield "test-retest: same level again", found.agreement
        yield "test-retest: more than one level", found.flipped
        yield "test-retest: spread in points", found.spread
    for name, theirs in grades.others.items():
        yield from _beside(name, theirs, tables, clusters, level)


def _beside(
    name: str,
    grades: Mapping[Place, Grade],
    tables: Sequence[Table],
    clusters: Sequence[str],
    level: float,
) -> Iterator[tuple[str, Estimate]]:
    """Being right needs a level that clinicians decided on; an error counts soft labels as well."""
    judge, gold, decided = (
        np.concatenate([getattr(table, of) for table in tables])
        for of in ("judge", "gold", "decided")
    )
    other = np.concatenate([_other(grades, table) for table in tables])
    soft = compare_judges(judge, other, gold, clusters=clusters, level=level)
    hard = compare_judges(judge, other, decided, clusters=clusters, level=level)
    yield f"same points as {name}", soft.same
    yield f"accuracy minus that of {name}", hard.accuracy_gain
    yield f"absolute error of {name} minus its own", soft.error_gain


def _repeats(grades: JudgeGrades, tables: Sequence[Table]) -> Floats:
    width = max(len(samples) for samples in grades.repeats.values())
    rows = [
        [_share(one, table) for one in grades.repeats[place]] for table in tables
        for place in table.places
    ]  # fmt: skip
    return np.array([row + [np.nan] * (width - len(row)) for row in rows])


def _other(grades: Mapping[Place, Grade], table: Table) -> Floats:
    return np.array([
        _share(grades[place], table) if place in grades else np.nan for place in table.places
    ])  # fmt: skip


def _share(grade: Grade, table: Table) -> float:
    """The judge's points; NaN where it gave none, or was not asked about a blank prediction."""
    points = grade.verdict(table.criterion.id).points
    if points is None or grade.empty:
        return float("nan")
    return points / float(table.criterion.max_points)
