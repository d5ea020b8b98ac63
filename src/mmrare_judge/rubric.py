"""What a judge decides on, as data: `Rubric`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mmrare_judge.criterion import Criterion, Exact, Identifier
from mmrare_judge.criterion_problems import criterion_problems
from mmrare_judge.data.items import ITEM_FIELDS, REQUIRED_FIELDS, Item, Track, field_value
from mmrare_judge.errors import RubricError
from mmrare_judge.records import Record, content_hash


class Scoring(Record):
    """How verdicts become a score.

    ``weighted_mean``: the mean of ``points / best points``, weighted.
    ``cascade``: that mean where the ``gate`` criterion has its best level; otherwise the same sum
    times ``unmet_factor``.
    """

    rule: Literal["weighted_mean", "cascade"] = "weighted_mean"
    gate: str | None = None
    unmet_factor: Exact | None = Field(default=None, ge=0, le=1)


class Rubric(Record):
    """A rubric.

    Attributes:
        id: Its name.
        version: Changes whenever a word or a number does.
        track: The track it is made for.
        title: One line for lists.
        source: Where criteria and arithmetic come from.
        instructions: What the judge is told before the criteria.
        scale: The labels that every criterion must define, worst first.
        total_weight: What the weights must add up to.
        scoring: How verdicts become a score.
        criteria: The criteria, in the order they are asked and reported.
    """

    id: Identifier
    version: str = Field(min_length=1)
    track: Track
    title: str
    source: str = Field(min_length=1)
    instructions: str = Field(min_length=1)
    scale: tuple[str, ...] = Field(min_length=2)
    total_weight: Exact = Field(gt=0)
    scoring: Scoring = Scoring()
    criteria: tuple[Criterion, ...] = Field(min_length=1)

    @field_validator("criteria")
    @classmethod
    def _worst_first(
        cls, criteria: tuple[Criterion, ...], info: ValidationInfo
    ) -> tuple[Criterion, ...]:
        # The order reaches the prompt, and what is hashed does not tell it.
        scale = info.data.get("scale", ())
        return tuple(criterion.ordered(scale) for criterion in criteria)

    @model_validator(mode="after")
    def _consistent(self) -> Rubric:
        for path, problem, remedy in _problems(self):
            context = {"problem": problem, "remedy": remedy, "path": path}
            raise PydanticCustomError("rubric", "{problem}. {remedy}", context)
        return self

    @cached_property
    def hash(self) -> str:
        """Tagged hash of the whole content."""
        return content_hash(self.model_dump(mode="json"))

    def __hash__(self) -> int:
        return hash(self.hash)

    def criterion(self, id: str) -> Criterion:
        """The criterion of that id.

        Raises:
            KeyError: There is none.
        """
        return self._by_id[id]

    @cached_property
    def _by_id(self) -> dict[str, Criterion]:
        return {criterion.id: criterion for criterion in self.criteria}

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Every field some criterion reads, in the order of `ITEM_FIELDS`."""
        wanted = {need for criterion in self.criteria for need in criterion.needs}
        wanted |= {criterion.for_each for criterion in self.criteria if criterion.for_each}
        return tuple(field for field in ITEM_FIELDS if field in wanted)

    def check_item(self, item: Item) -> None:
        """Check that the item can be graded by this rubric.

        Raises:
            RubricError: The track is another one, or a needed field is empty.
        """
        if item.track != self.track:
            raise RubricError(
                f"rubric {self.id!r} is made for track {self.track!r}, "
                f"and item {item.id!r} is of track {item.track!r}",
                remedy=f"Pass a rubric for {item.track!r}; see `mmrare-judge rubrics list`",
            )
        for name in self.needs:
            if name in REQUIRED_FIELDS and not field_value(item, name):
                raise RubricError(
                    f"rubric {self.id!r} needs {name!r}, which is empty in item {item.id!r}",
                    remedy="Fill it, or use a rubric that does not need it",
                )


def _problems(rubric: Rubric) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    seen: set[str] = set()
    for index, criterion in enumerate(rubric.criteria):
        if criterion.id in seen:
            yield (
                ("criteria", index, "id"),
                f"criterion id {criterion.id!r} is used twice",
                "Give each criterion an id of its own",
            )
        seen.add(criterion.id)
        for path, problem, remedy in criterion_problems(criterion, rubric.scale):
            yield (
                ("criteria", index, *path),
                f"criterion {criterion.id!r}: {problem}",
                remedy,
            )
    total = sum(criterion.weight for criterion in rubric.criteria)
    if total != rubric.total_weight:
        yield (
            ("total_weight",),
            f"the weights add up to {total}, and total_weight is {rubric.total_weight}",
            "Change one or the other",
        )
    yield from _scoring_problems(rubric)


def _scoring_problems(rubric: Rubric) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    scoring = rubric.scoring
    if scoring.rule == "cascade":
        ids = [criterion.id for criterion in rubric.criteria]
        if scoring.gate not in ids:
            yield (
                ("scoring",),
                f"the gate {scoring.gate!r} is no criterion",
                f"Criteria are {', '.join(ids)}",
            )
        if scoring.unmet_factor is None:
            yield ("scoring",), "a cascade needs unmet_factor", "Give a number from 0 to 1"
    elif scoring.gate is not None or scoring.unmet_factor is not None:
        yield (
            ("scoring",),
            "gate and unmet_factor belong to the rule 'cascade'",
            "Write rule: cascade, or leave them out",
        )
