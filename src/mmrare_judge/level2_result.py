"""What level 2 found: `Level2`."""

from __future__ import annotations

from mmrare_judge.data.items import Relation
from mmrare_judge.element_match import ElementMatch
from mmrare_judge.records import Record


class ListCoverage(Record):
    """How much of one reference list the prediction states.

    Attributes:
        field: The field of `Reference`.
        elements: One entry an element, in the reference's order.
        coverage: Share of the elements found, 0 to 1; ``None`` for an empty list.
    """

    field: str
    elements: tuple[ElementMatch, ...]
    coverage: float | None


class Level2(Record):
    """Deterministic verification of a prediction; no model takes part.

    Attributes:
        lists: Coverage of every list the track has.
        violations: Elements of ``must_not`` that the prediction recommends.
        relation_expected: The reference's relation (cross-image).
        relation_found: The one relation the prediction states; ``None`` if none or several.
        token_f1: 0 to 1, best over the answer and its aliases (diagnosis).
    """

    lists: tuple[ListCoverage, ...] = ()
    violations: tuple[ElementMatch, ...] = ()
    relation_expected: Relation | None = None
    relation_found: Relation | None = None
    token_f1: float | None = None
