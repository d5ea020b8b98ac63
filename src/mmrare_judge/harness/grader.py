"""What every harness needs: a judge made at first use, and a grade as numbers and words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from mmrare_judge._version import __version__
from mmrare_judge.data.items import Item, as_item, read_items
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.judging.judge import Judge, JudgeLike
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.records import content_hash
from mmrare_judge.rubric.model import Rubric

Items = str | Path | Iterable[Item]
"""Items to be found by their id: a file, or the items themselves."""


@dataclass(frozen=True)
class Graded:
    """A grade as a harness takes it.

    Attributes:
        grade: The grade.
        rubric: The rubric it was graded by.
    """

    grade: Grade
    rubric: Rubric

    @property
    def score(self) -> float | None:
        """0 to 1, or ``None``; `reason` then says why."""
        return self.grade.score

    @property
    def reason(self) -> str:
        """Why there is no score; empty where there is one."""
        return self.grade.no_score

    @property
    def criteria(self) -> dict[str, float | None]:
        """Each criterion's share of its best points, 0 to 1; ``None`` where it was not judged."""
        best = {criterion.id: float(criterion.max_points) for criterion in self.rubric.criteria}
        return {
            verdict.criterion: None
            if verdict.points is None
            else verdict.points / best[verdict.criterion]
            for verdict in self.grade.verdicts
        }

    @property
    def explanation(self) -> str:
        """A line for each criterion, with its quotes; first why there is no score, if so."""
        head = [self.reason] if self.reason else []
        return "\n".join([*head, *map(verdict_line, self.grade.verdicts)])

    @property
    def metadata(self) -> dict[str, JsonValue]:
        """What a log should keep: coverage, bounds, signature, cost, key."""
        grade = self.grade
        return {
            "partial_score": grade.partial_score,
            "coverage": grade.coverage,
            "worst": grade.bounds.worst,
            "best": grade.bounds.best,
            "statuses": {verdict.criterion: verdict.status for verdict in grade.verdicts},
            "reason": self.reason,
            "signature": grade.signature.model_dump(mode="json"),
            "signature_hash": content_hash(grade.signature.model_dump(mode="json")),
            "calibration": grade.calibration.status,
            "cost": grade.usage.cost,
            "cached": grade.cached,
            "key": grade.key,
        }


def verdict_line(verdict: Verdict) -> str:
    """One criterion in a line: level or status, then the quotes it rests on."""
    said = verdict.level if verdict.status == "judged" else verdict.status
    quotes = "; ".join(f'"{one.quote}" ({one.match})' for one in verdict.evidence)
    return f"{verdict.criterion}: {said}" + (f" - {quotes}" if quotes else "")


def item_in(holder: Any, place: str) -> Any:
    """What a sample says of its item, under the key ``item``.

    Args:
        holder: Where the harness keeps such things: metadata, expectations, reference outputs.
        place: What the harness calls it.

    Raises:
        InputError: There is no such key.
    """
    item = holder.get("item") if isinstance(holder, Mapping) else None
    if item is None:
        raise InputError(
            f"the sample names no item under {place}['item']",
            remedy="Give it there: an item, its fields, or its id among the grader's items",
        )
    return item


class Grader:
    """A judge inside a harness.

    The judge is made at the first grading, so that registering a scorer costs nothing.

    Args:
        judge: See `mmrare_judge.Judge`.
        items: Where samples carry only an item's id: the items, or their file.
        track: The track of items that do not say it themselves.
        **options: Everything `mmrare_judge.Judge` takes.
    """

    def __init__(
        self,
        judge: JudgeLike = None,
        *,
        items: Items | None = None,
        track: str | None = None,
        **options: Any,
    ) -> None:
        self._judge = judge
        self._items = items
        self._track = track
        self._options = options

    @cached_property
    def judge(self) -> Judge:
        """The judge.

        Raises:
            ConfigError: The judge or one of its settings is wrong.
        """
        return Judge(self._judge, **self._options)

    @property
    def _own_track(self) -> str | None:
        return self.judge.rubric.track if self.judge.rubric else None

    @cached_property
    def items(self) -> Mapping[str, Item]:
        """The items by id.

        Raises:
            InputError: Their file cannot be read.
        """
        if isinstance(self._items, str | Path):
            read = read_items(self._items, track=self._track, default_track=self._own_track)
            return {item.id: item for item in read}
        return {item.id: item for item in self._items or ()}

    @cached_property
    def version(self) -> str:
        """Hash of all that decides how this grader grades, but the item."""
        rubric = self.judge.rubric.hash if self.judge.rubric else "the track's own"
        fixed = [
            self.judge.spec.decisive(),
            rubric,
            self.judge.terms.hash,
            PROMPT_HASH,
            __version__,
        ]
        return content_hash(fixed)

    def item(self, given: Any) -> Item:
        """The item that a sample carries: an `Item`, its fields, or its id among the items.

        Raises:
            InputError: It cannot be read, or no item has that id.
        """
        if isinstance(given, str | int):
            found = self.items.get(str(given))
            if found is None:
                raise InputError(
                    f"no item has the id {str(given)!r}",
                    remedy="Give the items: items=FILE, or the item itself instead of its id",
                )
            return found
        return as_item(given, track=self._track, default_track=self._own_track)

    def __call__(self, prediction: str | Prediction, item: Any, *, system: str = "") -> Graded:
        """Grade one prediction; see `agrade`."""
        found = self.item(item)
        grade = self.judge.grade(prediction, found, system=system)
        return Graded(grade, self.judge.rubric_for(found))

    async def agrade(self, prediction: str | Prediction, item: Any, *, system: str = "") -> Graded:
        """Grade one prediction.

        Args:
            prediction: The text, or a `Prediction`.
            item: What the sample says of its item; see `item`.
            system: The model that answered.

        Raises:
            InputError: Item or prediction cannot be read.
            RubricError: The rubric does not fit the item.
            ConfigError: The judge can never answer.
        """
        found = self.item(item)
        grade = await self.judge.agrade(prediction, found, system=system)
        return Graded(grade, self.judge.rubric_for(found))

    def grade_many(self, pairs: Iterable[tuple[str, Any]], *, concurrency: int = 8) -> list[Graded]:
        """Grade many predictions at once, in their order.

        Args:
            pairs: Prediction and item, as for `agrade`.
            concurrency: How many are in flight at most.
        """
        found = [(text, self.item(item)) for text, item in pairs]
        grades = self.judge.grade_many(found, concurrency=concurrency)
        return [
            Graded(grade, self.judge.rubric_for(item))
            for grade, (_, item) in zip(grades, found, strict=True)
        ]
