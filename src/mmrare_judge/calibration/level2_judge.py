"""Level 2 studied like a judge: its results, which every grade carries, read as verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from mmrare_judge.backends.base import Usage
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.data.items import LIST_FIELDS
from mmrare_judge.judging.grade import Evidence, Grade, Verdict
from mmrare_judge.judging.verdicts import score_verdicts
from mmrare_judge.level2.elements import ElementMatch
from mmrare_judge.level2.rules import FULL_ABOVE, PARTIAL_FROM
from mmrare_judge.level2.verify import Level2, ListCoverage
from mmrare_judge.records import Signature
from mmrare_judge.rubric.model import Criterion, Rubric

LEVEL2 = "level2"
"""The name level 2 is studied under."""


def level2_grades(grades: Iterable[Grade], rubric: Rubric) -> Iterator[Grade]:
    """Grades in which level 2 is the judge.

    A criterion on the coverage of a list takes its level from the share of elements found: by its
    own ``derive`` where it has one, else above .95 the best level, from .60 the middle one of three
    or more, else the worst. A criterion on violations has its worst level where one was found, one
    on the relation its best or worst. Level 2 abstains from everything else, and never says that a
    plan is free of violations.

    Every prediction comes once, however many judges and rubrics graded it: level 2 is the same.

    Args:
        grades: Grades of any judge, by any rubric of this one's track; others are left alone.
        rubric: The rubric.
    """
    seen: set[tuple[str, str]] = set()
    for grade in grades:
        place = (grade.item_id, grade.system)
        unread = grade.unscored is not None and grade.unscored.kind == "too_long"
        if grade.track == rubric.track and place not in seen and not unread:
            seen.add(place)
            yield _graded(grade, rubric)


def _graded(grade: Grade, rubric: Rubric) -> Grade:
    verdicts = tuple(_verdict(criterion, grade.level2) for criterion in rubric.criteria)
    scored = score_verdicts(rubric, verdicts)
    return grade.model_copy(
        update={
            "verdicts": verdicts, "unscored": None, "empty": False, "disagreements": (),
            "sample": 0, "calibration": UNCALIBRATED,
            "usage": Usage(), "saved": Usage(), "requests": (), "cached": False,
            "score": None if scored.score is None else float(scored.score),
            "partial_score": None if scored.partial_score is None else float(scored.partial_score),
            "coverage": float(scored.coverage), "signature": _signature(grade, rubric),
            "bounds": grade.bounds.model_copy(
                update={"worst": float(scored.worst), "best": float(scored.best)}
            ),
        }
    )  # fmt: skip


def _signature(grade: Grade, rubric: Rubric) -> Signature:
    return Signature(
        judge=LEVEL2, rubric=rubric.id, rubric_version=rubric.version, rubric_hash=rubric.hash,
        policy={"terms": grade.signature.policy.get("terms")}, package=grade.signature.package,
    )  # fmt: skip


def _verdict(criterion: Criterion, level2: Level2) -> Verdict:
    label, found = _level(criterion, level2)
    if label is None:
        return Verdict(criterion=criterion.id, status="abstained")
    points = float(criterion.levels[label].points)
    return Verdict(
        criterion=criterion.id, status="judged", level=label, points=points,
        evidence=tuple(_evidence(found)),
    )  # fmt: skip


def _level(criterion: Criterion, level2: Level2) -> tuple[str | None, tuple[ElementMatch, ...]]:
    labels = _worst_first(criterion)
    if criterion.embedded == "coverage":
        entry = _list(criterion, level2)
        if entry is None or entry.coverage is None:
            return None, ()
        found = tuple(match for match in entry.elements if match.found)
        return _of_share(criterion, Fraction(len(found), len(entry.elements))), found
    if criterion.embedded == "violations" and level2.violations:
        return labels[0], level2.violations
    if criterion.embedded == "relation" and level2.relation_found is not None:
        return labels[-1 if level2.relation_found == level2.relation_expected else 0], ()
    return None, ()


def _worst_first(criterion: Criterion) -> list[str]:
    return sorted(criterion.levels, key=lambda label: criterion.levels[label].points)


def _list(criterion: Criterion, level2: Level2) -> ListCoverage | None:
    wanted = criterion.for_each or next((n for n in criterion.needs if n in LIST_FIELDS), None)
    return next((entry for entry in level2.lists if entry.field == wanted), None)


def _of_share(criterion: Criterion, share: Fraction) -> str:
    if criterion.element is not None:
        return next(line.level for line in criterion.element.derive if line.met(share))
    labels = _worst_first(criterion)
    if share > FULL_ABOVE:
        return labels[-1]
    middle = share >= PARTIAL_FROM and len(labels) > 2
    return labels[len(labels) // 2] if middle else labels[0]


def _evidence(found: Iterable[ElementMatch]) -> Iterator[Evidence]:
    for match in found:
        if match.span is not None:
            yield Evidence(
                quote=match.span.text, match="exact", source="prediction",
                start=match.span.start, end=match.span.end, similarity=1.0,
            )  # fmt: skip
