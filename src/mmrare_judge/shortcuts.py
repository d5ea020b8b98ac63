"""Grading in one call, without a `Judge` to keep: `grade`, `agrade` and `grade_many`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmrare_judge.backends.limits import Limits
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.grade import Grade
from mmrare_judge.judge import Judge, JudgeLike, RubricLike


def grade(
    prediction: str | Prediction,
    item: Any,
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    **options: Any,
) -> Grade:
    """Grade one prediction: ``Judge(judge, rubric=rubric, **options).grade(prediction, item)``.

    Args:
        prediction: The text, or a `Prediction`.
        item: An `Item`, or a dict or table row that can be read as one.
        rubric: See `Judge`.
        judge: See `Judge`.
        **options: ``system``, and everything `Judge` takes.

    >>> item = {
    ...     "id": "1",
    ...     "track": "treatment",
    ...     "question": "Plan?",
    ...     "reference": {"answer": "Prednisone 40 mg daily.", "must_include": ["prednisone"]},
    ... }
    >>> grade("Start prednisone 40 mg daily.", item, judge="embedded").verdicts[0].level
    'YES'
    """
    system = options.pop("system", "")
    return Judge(judge, rubric=rubric, **options).grade(prediction, item, system=system)


async def agrade(
    prediction: str | Prediction,
    item: Any,
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    **options: Any,
) -> Grade:
    """Grade one prediction inside asynchronous code; see `grade`."""
    system = options.pop("system", "")
    return await Judge(judge, rubric=rubric, **options).agrade(prediction, item, system=system)


def grade_many(
    pairs: Iterable[tuple[str | Prediction, Any]],
    *,
    rubric: RubricLike = None,
    judge: JudgeLike = None,
    concurrency: int = 8,
    limits: Limits | None = None,
    **options: Any,
) -> list[Grade]:
    """Grade many predictions at once and return the grades in the order of the pairs.

    The wire is used as in a run: as many requests at a time as the provider stands, fewer after a
    429. Nothing is written but the reply cache; see `Judge.grade_many`.

    Args:
        pairs: Prediction and item.
        rubric: See `Judge`.
        judge: See `Judge`.
        concurrency: Requests on the wire at most, where no ``limits`` are given.
        limits: As for a run; a budget that is used up raises `BudgetError`.
        **options: Everything `Judge` takes.
    """
    chosen = limits or Limits(concurrency=concurrency)
    many = Judge(judge, rubric=rubric, limits=chosen, **options)
    return many.grade_many(pairs, concurrency=chosen.workers)
