"""What may be wrong with a criterion, beside its types: where, what, and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from mmrare_judge.criterion import Criterion, PerElement
from mmrare_judge.data.items import ITEM_FIELDS, LIST_FIELDS


def criterion_problems(
    criterion: Criterion, scale: tuple[str, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """What is wrong with a criterion of a rubric of that scale: where, what, and the remedy."""
    labels = ", ".join(scale)
    for label in scale:
        if label not in criterion.levels:
            yield ("levels",), f"level {label!r} has no meaning", f"The levels are {labels}"
    for label in criterion.levels:
        if label not in scale:
            yield ("levels", label), f"level {label!r} is unknown", f"The levels are {labels}"
    if min((level.points for level in criterion.levels.values()), default=Fraction(0)) > 0:
        yield ("levels",), "no level is worth 0 points", "Give the worst level 0 points"
    if criterion.levels and criterion.max_points == 0:
        yield ("levels",), "no level is worth a point", "Give the best level points above 0"
    for need in criterion.needs:
        if need not in ITEM_FIELDS:
            fields = ", ".join(ITEM_FIELDS)
            yield ("needs",), f"needs {need!r}, which no item has", f"Fields are {fields}"
    if (criterion.for_each is None) != (criterion.element is None):
        yield ("for_each",), "for_each and element go together", "Give both or neither"
    if criterion.for_each is not None and criterion.for_each not in LIST_FIELDS:
        fields = ", ".join(LIST_FIELDS)
        yield ("for_each",), f"{criterion.for_each!r} is no list of the item", f"Lists: {fields}"
    if criterion.element is not None:
        yield from _element_problems(criterion.element, scale)


def _element_problems(
    element: PerElement, scale: tuple[str, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if sorted(level.points for level in element.levels.values()) != [0, 1]:
        yield (
            ("element", "levels"),
            "an element needs two levels, worth 0 and 1",
            "Write one level for stated and one for not stated",
        )
    if "{element}" not in element.question:
        yield (
            ("element", "question"),
            "the question does not name the element",
            "Write {element} where it goes",
        )
    for index, threshold in enumerate(element.derive):
        if threshold.level not in scale:
            labels = ", ".join(scale)
            yield (
                ("element", "derive", index),
                f"level {threshold.level!r} is unknown",
                f"The levels are {labels}",
            )
    if not element.derive[-1].met(Fraction(0)):
        yield (
            ("element", "derive"),
            "a share of 0 reaches no level",
            "End with the worst level and at_least: 0",
        )
