"""The answers a grade was made of, read back from its stored replies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from mmrare_judge.asked_labels import check_labels, misfit
from mmrare_judge.backends.base import Reply, Request, Usage
from mmrare_judge.backends.replies import read
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import in_short
from mmrare_judge.errors import CacheMissError
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.judging.questions import Draft, Question, Task
from mmrare_judge.judging.reply import drafts_of
from mmrare_judge.judging.reply_model import reply_model, shape


@dataclass
class Answers:
    """What the replies to a grade's requests say.

    Attributes:
        first: The first answer to each question, by its key.
        again: Answers to what was asked again, in order.
        absent: Hashes of requests whose reply is not kept.
        saved: What the replies cost when they were bought.
    """

    first: dict[str, Draft] = field(default_factory=dict)
    again: list[dict[str, Draft]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    saved: Usage = field(default_factory=Usage)


def read_answers(grade: Grade, task: Task, replay: Replay) -> Answers:
    """The stored replies of a grade, read as answers to a task's questions.

    Raises:
        CacheMissError: A reply that the grade was made of is not kept.
        RubricError: The replies do not answer the task's questions.
    """
    found = Answers()
    for request_hash in grade.requests:
        reply = replay.get(request_hash)
        if reply is None:
            found.absent.append(request_hash)
            continue
        found.saved += reply.usage
        if reply.finish == "complete":
            _sort_in(_drafts(reply, request_hash, task, replay), found)
    _rescue(grade, task, found)
    _check_whole(grade, task, replay, found)
    return found


def _sort_in(answers: dict[str, Draft], found: Answers) -> None:
    """A key that was answered before was asked again; the first look asks no key twice."""
    if answers.keys() & found.first.keys():
        found.again.append(answers)
    else:
        found.first |= answers


def _drafts(reply: Reply, request_hash: str, task: Task, replay: Replay) -> dict[str, Draft]:
    keys = json.loads(reply.text)
    known = {question.key for question in task.questions}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise misfit(task, request_hash, f"it judges {', '.join(unknown)}, which is not asked")
    asked = tuple(q for q in task.questions if q.key in keys)
    check_labels(asked, request_hash, task, replay)
    try:
        return _read(reply, asked)
    except ValidationError as error:
        raise misfit(task, request_hash, in_short(error)) from error


def _read(reply: Reply, asked: tuple[Question, ...]) -> dict[str, Draft]:
    model = reply_model(shape(asked))
    request = Request(model="", messages=(), sampling={}, schema={}, reply_model=model)
    return drafts_of(request, reply.model_copy(update={"text": read(reply.text, model)}))


def _rescue(grade: Grade, task: Task, found: Answers) -> None:
    """Try a reply that was no grading once more: this version may be able to read it."""
    failure = grade.unscored
    if failure is None or failure.kind != "format" or len(found.absent) != 1:
        return
    try:
        missing = tuple(q for q in task.questions if q.key not in found.first)
        found.first |= _read(Reply(text=failure.raw), missing)
    except ValidationError:
        return
    found.absent.clear()


def _check_whole(grade: Grade, task: Task, replay: Replay, found: Answers) -> None:
    """Tell what was never had, which stays as it was, from what was had and is lost."""
    statuses = {verdict.criterion: set(_statuses(verdict)) for verdict in grade.verdicts}
    for question in task.questions:
        was = statuses.get(question.criterion.id)
        if question.key in found.first or was == {"unscored"}:
            continue
        if was is None or not found.absent:
            what = f"no reply judges {question.key!r}"
            raise misfit(task, ", ".join(grade.requests), what)
        raise _lost(grade, replay, found.absent[0])
    seen = set().union(*statuses.values())
    if found.absent and not seen & {"unscored", "unverified"}:
        raise _lost(grade, replay, found.absent[0])


def _statuses(verdict: Verdict) -> Iterator[str]:
    if not verdict.elements:
        yield verdict.status
    for element in verdict.elements:
        yield from _statuses(element)


def _lost(grade: Grade, replay: Replay, request_hash: str) -> CacheMissError:
    return CacheMissError(
        f"item {grade.item_id!r}, system {grade.system!r}: the reply to request {request_hash} is "
        f"not in cache {replay.directory}, and the grade was made of it. Regrading never asks. "
        "Name the cache of that run, or import its bundle: mmrare-judge cache import",
        request_hash=request_hash,
        model=grade.signature.judge,
        item_id=grade.item_id,
    )
