"""Whether stored replies answer a task's questions: the same ones, with the same labels."""

from __future__ import annotations

from typing import Any

from mmrare_judge.cache.read_only import Replay
from mmrare_judge.errors import RubricError
from mmrare_judge.judging.questions import Question, Task
from mmrare_judge.judging.reply_model import reply_schema, shape


def check_labels(
    asked: tuple[Question, ...], request_hash: str, task: Task, replay: Replay
) -> None:
    """Check that the labels are those the judge could choose from, where its request was kept.

    A judge that was not offered a label has not decided against it.

    Raises:
        RubricError: They are other ones.
    """
    offered, wanted = _schema(request_hash, replay), reply_schema(shape(asked))
    for question in asked:
        had, now = _labels(offered, question.key), _labels(wanted, question.key)
        if had is not None and had != now:
            problem = f"{question.key!r} was asked with the labels {had}, and now has {now}"
            raise misfit(task, request_hash, problem)


def _schema(request_hash: str, replay: Replay) -> Any:
    try:
        return (replay.request(request_hash) or {}).get("schema")
    except ValueError:  # corrupt: `cache verify` says so
        return None


def _labels(schema: Any, key: str) -> list[str] | None:
    """The labels a reply's schema allows, or ``None`` where it is not kept or not one of ours."""
    try:
        name = schema["properties"][key]["$ref"].rpartition("/")[2]
        return list(schema["$defs"][name]["properties"]["level"]["enum"])
    except (KeyError, TypeError):
        return None


def misfit(task: Task, request_hash: str, problem: str) -> RubricError:
    """The error for a reply that answers other questions than the task asks."""
    rubric = task.rubric
    return RubricError(
        f"the reply {request_hash} for item {task.item.id!r} does not fit rubric "
        f"{rubric.id!r} {rubric.version}: {problem}",
        remedy="Regrade with a rubric that has the same criteria, elements and labels as the one "
        "that was asked; anything else has to be graded anew",
    )
