"""Whether a prediction and an item are those that a grade was made of, as far as it was kept."""

from __future__ import annotations

from mmrare_judge.cache.read_only import Replay
from mmrare_judge.errors import InputError
from mmrare_judge.judging.evidence import is_blank
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.prompt import neutralise
from mmrare_judge.judging.questions import Task


def check_texts(grade: Grade, task: Task, replay: Replay) -> None:
    """Check the texts about to be looked into against those that were judged.

    The prediction is sought in the request that was kept, and the elements are compared with those
    of the verdicts. Where no request was kept, another prediction may go unnoticed.

    Raises:
        InputError: They are other ones.
    """
    _check_prediction(grade, task, replay)
    elements = {c.id: list(c.elements(task.item)) for c in task.rubric.criteria}
    for verdict in grade.verdicts:
        judged = [element.element for element in verdict.elements]
        if judged and judged != elements.get(verdict.criterion, judged):
            raise InputError(
                f"item {grade.item_id!r}: the elements of {verdict.criterion!r} are not those "
                "that were judged",
                remedy="Pass the items that were graded",
            )


def _check_prediction(grade: Grade, task: Task, replay: Replay) -> None:
    blank = is_blank(task.prediction)
    asked = None if blank else _asked(grade, replay)
    if blank != grade.empty or (asked is not None and neutralise(task.prediction) not in asked):
        raise InputError(
            f"the prediction of system {grade.system!r} for item {grade.item_id!r} is not the one "
            "that was graded",
            remedy="Pass the predictions that were graded",
        )


def _asked(grade: Grade, replay: Replay) -> str | None:
    """What the judge was shown, or ``None`` where that was not kept."""
    if not grade.requests:
        return None
    try:
        request = replay.request(grade.requests[0])
    except ValueError:  # corrupt: `cache verify` says so
        return None
    messages = request and request.get("messages")
    if not isinstance(messages, list):
        return None
    return "\n".join(str(m.get("content")) for m in messages if isinstance(m, dict))
