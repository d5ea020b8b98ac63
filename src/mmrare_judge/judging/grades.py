"""Many grades in one list, with the mean that says how much it speaks for."""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum

from pydantic import JsonValue

from mmrare_judge.judging.grade import Bounds, Grade, table
from mmrare_judge.records import Record


class MeanScore(Record):
    """The mean score of some grades.

    Attributes:
        value: Mean over the grades that have a score, blank predictions as 0; ``None`` if the
            judge gave none of them: blanks alone make no mean.
        scored: Grades with a score.
        n: All grades.
        coverage: Mean share of the rubric's weight that was judged, over all grades.
        bounds: The mean over all grades if what was not judged were worst, and if it were best.
    """

    value: float | None
    scored: int
    n: int
    coverage: float
    bounds: Bounds


class Grades(list[Grade]):
    """A list of grades."""

    def mean(self) -> MeanScore | None:
        """The mean score, never without what it speaks for; ``None`` of no grades."""
        if not self:
            return None
        scores = [grade.score for grade in self if grade.score is not None]
        blanks = sum(grade.empty for grade in self)
        return MeanScore(
            value=_mean(scores) if len(scores) > blanks else None,
            scored=len(scores),
            n=len(self),
            coverage=_mean(grade.coverage for grade in self),
            bounds=Bounds(
                worst=_mean(grade.bounds.worst for grade in self),
                best=_mean(grade.bounds.best for grade in self),
            ),
        )

    def to_rows(self) -> list[dict[str, JsonValue]]:
        """A flat row for each criterion of each grade."""
        return [row for grade in self for row in grade.to_rows()]

    def _repr_html_(self) -> str:
        """The grades as a table, for notebooks."""
        return table([grade.to_row() for grade in self])


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fsum(known) / len(known)
