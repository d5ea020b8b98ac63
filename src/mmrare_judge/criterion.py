"""One criterion of a rubric, with its levels and what is asked of single elements."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from mmrare_judge.data.items import Item
from mmrare_judge.records import Record

EmbeddedRule = Literal[
    "coverage",
    "doses_and_routes",
    "violations",
    "follow_up",
    "test_specificity",
    "conditional_logic",
    "quantitative_criteria",
    "exact_diagnosis",
    "relation",
]

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


def _fraction(value: object) -> object:
    if isinstance(value, float):
        return Fraction(str(value))
    return Fraction(value) if isinstance(value, (int, str)) else value


Exact = Annotated[Fraction, BeforeValidator(_fraction)]
"""A number kept exactly: an integer, a decimal, or a fraction such as ``1/6``."""


class Level(Record):
    """One level of a criterion.

    Attributes:
        points: What it is worth, at least 0.
        meaning: When it applies, in words the judge reads.
        quote: Whether a verdict of this level must quote the prediction.
    """

    points: Exact = Field(ge=0)
    meaning: str = Field(min_length=1)
    quote: bool = False


class Threshold(Record):
    """The least share of elements that gives a level; ``above`` excludes the share itself."""

    level: str
    at_least: Exact | None = Field(default=None, ge=0, le=1)
    above: Exact | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_bound(self) -> Threshold:
        if (self.at_least is None) == (self.above is None):
            raise ValueError("give either at_least or above")
        return self

    def met(self, share: Fraction) -> bool:
        """Whether a share of 0 to 1 reaches this level."""
        if self.above is not None:
            return share > self.above
        return self.at_least is not None and share >= self.at_least


class PerElement(Record):
    """How every element of a reference list becomes a criterion of its own.

    Attributes:
        question: What is asked of one element; ``{element}`` stands for it.
        levels: Two levels worth 0 and 1 point.
        derive: Shares of elements that give the criterion's level, highest first.
    """

    question: str = Field(min_length=1)
    levels: Mapping[str, Level]
    derive: tuple[Threshold, ...] = Field(min_length=1)


class Criterion(Record):
    """One criterion.

    Attributes:
        id: Its name in replies and grades.
        question: What the judge answers.
        kind: ``quality``, or ``safety`` where a failure can harm a patient.
        weight: Its share of the rubric's total weight.
        needs: The fields of the item it reads.
        levels: Its levels by label, worst first.
        for_each: A list of the reference whose elements are judged one by one.
        element: How, if ``for_each`` is given.
        embedded: The rule by which the embedded judge decides it; it abstains where none is given.
    """

    id: Identifier
    question: str = Field(min_length=1)
    kind: Literal["quality", "safety"] = "quality"
    weight: Exact = Field(gt=0)
    needs: tuple[str, ...] = ()
    levels: Mapping[str, Level]
    for_each: str | None = None
    element: PerElement | None = None
    embedded: EmbeddedRule | None = None

    def ordered(self, scale: tuple[str, ...]) -> Criterion:
        """The same with its levels in the order of the scale, and an element's by their points."""
        levels = {label: self.levels[label] for label in scale if label in self.levels}
        levels |= self.levels
        update: dict[str, object] = {"levels": levels}
        if self.element is not None:
            by_points = sorted(self.element.levels.items(), key=lambda entry: entry[1].points)
            update["element"] = self.element.model_copy(update={"levels": dict(by_points)})
        return self.model_copy(update=update)

    @cached_property
    def max_points(self) -> Fraction:
        """Points of the best level."""
        return max(level.points for level in self.levels.values())

    def elements(self, item: Item) -> tuple[str, ...]:
        """The elements judged one by one for this item; none where the list is empty."""
        return () if self.for_each is None else getattr(item.reference, self.for_each)
