"""A judge's side of the comparison: the scales of its rubric and the labels it gave."""

from __future__ import annotations

from collections.abc import Iterable

from mmrare_judge.calibration.gold_label import Unit
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.judging.grade import Grade
from mmrare_judge.rubric.model import Rubric


def scales_of(rubric: Rubric) -> dict[str, Scale]:
    """The scale of each criterion of a rubric: its levels, worst first, with their points.

    Two levels make a nominal scale, more an ordinal one. For a safety criterion the positive
    category is the violation, which is what a judge must not miss: the level worth the least.

    >>> from mmrare_judge.rubric.load import load_rubric
    >>> scales_of(load_rubric("examination"))["precision"].categories
    ('0', '1', '2')
    """
    return {criterion.id: _scale(rubric, criterion.id) for criterion in rubric.criteria}


def _scale(rubric: Rubric, criterion_id: str) -> Scale:
    criterion = rubric.criterion(criterion_id)
    points = {label: float(level.points) for label, level in criterion.levels.items()}
    categories = tuple(sorted(points, key=points.__getitem__))  # whichever way the YAML lists them
    return Scale(
        level="nominal" if len(categories) == 2 else "ordinal",
        categories=categories,
        points=tuple(points[label] for label in categories),
        positive=categories[0] if criterion.kind == "safety" else None,
    )


def labels_of(grades: Iterable[Grade]) -> dict[Unit, str | float | None]:
    """A judge's levels by unit, for `Gold.with_rater`; what it did not decide is ``None``."""
    return {
        (grade.item_id, grade.system, verdict.criterion): verdict.level
        for grade in grades
        for verdict in grade.verdicts
    }
