"""Inspect AI: the scorer `mmrare_scorer` and the task `mmrare`.

Every sample has the keys ``score``, ``coverage``, ``worst`` and ``best``, and with a rubric that is
named also its criteria. What was not judged is NaN under its key: Inspect leaves it out of the mean
and counts it as unscored. Coverage and bounds are over all samples, so that the mean is never read
without what it speaks for.
"""

from __future__ import annotations

from typing import Any

from mmrare_judge.data.items import Item, read_items
from mmrare_judge.errors import from_extra
from mmrare_judge.harness.grader import Graded, Grader, item_in

with from_extra("inspect"):
    from inspect_ai import Task, task
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
    from inspect_ai.solver import TaskState, generate

_NOT_JUDGED = float("nan")


@scorer(metrics={"*": [mean(), stderr()]})  # type: ignore[untyped-decorator]
def mmrare_scorer(
    judge: str | None = None,
    rubric: str | None = None,
    items: str | None = None,
    track: str | None = None,
    cache: str = "default",
    grader: Grader | None = None,
) -> Scorer:
    """Grades a sample's completion against the item in its ``metadata["item"]``.

    Args:
        judge: A model as litellm names it, ``embedded``, or a judge file.
        rubric: The rubric of all samples; then each criterion has a value of its own.
        items: A file of items, where samples carry only an item's id.
        track: The track of items that do not say it themselves.
        cache: See `mmrare_judge.Judge`.
        grader: All of the above in one, with any further options; not for the command line.
    """
    used = grader or Grader(judge, items=items, track=track, rubric=rubric, cache=cache)

    async def score(state: TaskState, target: Target) -> Score:
        item = item_in(state.metadata, "metadata")
        graded = await used.agrade(state.output.completion, item, system=str(state.model))
        failure = graded.grade.unscored
        return Score(
            value=_values(graded, criteria=used.judge.rubric is not None),
            answer=state.output.completion,
            explanation=graded.explanation,
            reason=failure.kind if failure else None,
            metadata=graded.metadata,
        )

    return score


def _values(graded: Graded, *, criteria: bool) -> dict[str, float]:
    grade = graded.grade
    known = {"coverage": grade.coverage, "worst": grade.bounds.worst, "best": grade.bounds.best}
    judged = {"score": graded.score, **(graded.criteria if criteria else {})}
    return {
        **{name: _NOT_JUDGED if share is None else share for name, share in judged.items()},
        **known,
    }


@task  # type: ignore[untyped-decorator]
def mmrare(
    items: str, track: str | None = None, judge: str | None = None, rubric: str | None = None
) -> Task:
    """The items of a file, answered by the evaluated model and graded.

    Args:
        items: A file of items, as `mmrare_judge.read_items` takes it.
        track: The track of items that do not say it themselves.
        judge: See `mmrare_scorer`.
        rubric: See `mmrare_scorer`.
    """
    return Task(
        dataset=[_sample(item) for item in read_items(items, track=track)],
        solver=generate(),
        scorer=mmrare_scorer(judge, rubric),
    )


def _sample(item: Item) -> Sample:
    asked = f"{item.context}\n\n{item.question}" if item.context else item.question
    kept: dict[str, Any] = item.model_dump(mode="json", exclude={"images", "metadata"})
    return Sample(input=asked, id=item.id, target=item.reference.answer, metadata={"item": kept})
