"""Stored replies graded again without a call: under another scoring, a newer parser or evidence.

The questions have to be the same ones, with the same labels; weights, points, thresholds, the
scoring rule and the wording may differ. The signature then says which rubric was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import EMBEDDED, JudgeSpec, Reply, Usage
from mmrare_judge.backends.replies import read_completion
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import ReplyCache, in_short
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import CacheMissError, InputError, OutputError, RubricError
from mmrare_judge.files import make_folder, whole_file
from mmrare_judge.judging.evidence import APPROXIMATE, Sources, is_blank
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.judging.grading import (
    Grading,
    blank_grade,
    finish,
    open_questions,
    unscored_grade,
    verdicts_of,
)
from mmrare_judge.judging.model_judge import answers_of
from mmrare_judge.judging.prompt import neutralise
from mmrare_judge.judging.questions import (
    Answer,
    Answers,
    Question,
    Questions,
    reply_model,
    reply_schema,
    shape,
)
from mmrare_judge.level2.terms import Terms
from mmrare_judge.records import Signature, content_hash
from mmrare_judge.rubric.model import Rubric, load_rubric
from mmrare_judge.run.folder import GRADES
from mmrare_judge.run.summary import Progress, Summariser, write_summary

Pair = tuple[Prediction, Item]


def regrade(
    grades: Iterable[Grade],
    pairs: Iterable[Pair],
    *,
    rubric: Rubric | str | Path | None = None,
    cache: Replay | ReplyCache | str | Path | None = None,
    terms: Terms | None = None,
) -> Iterator[Grade]:
    """Grade again what was graded, from the stored replies and without a call.

    The raw replies are read by this version, their quotes looked up and the verdicts scored by
    ``rubric``. What was not judged for want of a reply stays so. Under the same rubric and version
    the grades come out as they were.

    Args:
        grades: Grades of a judge with a model, as a run wrote them.
        pairs: The predictions that were graded, with their items; further ones do no harm.
        rubric: The rubric to score by; by default each item's track decides.
        cache: The cache that holds the replies; by default the user's. It is only read.
        terms: Abbreviations and other names for level 2.

    Yields:
        A grade for each grade, in order. Its signature names the new rubric, the prompt that was
        asked then, and, as ``asked_rubric`` of its policy, the rubric that was asked if it differs.

    Raises:
        InputError: A grade has no prediction or two, or the prediction or item is not the one
            graded.
        RubricError: The rubric asks other questions than the replies answer.
        CacheMissError: A reply is not in the cache.
    """
    if not isinstance(cache, Replay):
        cache = Replay(cache.directory if isinstance(cache, ReplyCache) else cache)
    regrader = _Regrader(
        pairs=_by_id(pairs),
        rubric=rubric if isinstance(rubric, Rubric | None) else load_rubric(rubric),
        replay=cache,
        terms=terms or Terms.default(),
    )
    return (regrader.regrade(grade) for grade in grades)


def _by_id(pairs: Iterable[Pair]) -> dict[tuple[str, str], Pair]:
    found: dict[tuple[str, str], Pair] = {}
    for prediction, item in pairs:
        first, _ = found.setdefault((prediction.system, item.id), (prediction, item))
        if first.text != prediction.text:
            raise InputError(
                f"system {prediction.system!r} has two predictions for item {item.id!r}, and "
                "nothing says which of them was graded",
                remedy="Pass the predictions that were graded, each system under its name",
            )
    return found


def write_regraded(folder: Path, grades: Iterable[Grade]) -> int:
    """Write regraded grades and their summary to a folder that has none yet; return how many.

    Raises:
        OutputError: It has grades already, or cannot be written.
    """
    path = folder / GRADES
    if path.exists():
        raise OutputError(f"{path} exists already; name another folder")
    make_folder(folder, private=True)
    summariser, progress = Summariser(), Progress()
    with whole_file(path, private=True) as stream:  # half a regrading would look like a whole one
        for grade in grades:
            stream.write(grade.model_dump_json().encode() + b"\n")
            summariser.add(grade)
            progress.add(grade)
    write_summary(folder, summariser.summaries(), progress, UNCALIBRATED)
    return progress.graded


@dataclass(frozen=True)
class _Regrader:
    """What all grades are graded again with; ``pairs`` by system and item id."""

    pairs: Mapping[tuple[str, str], Pair]
    rubric: Rubric | None
    replay: Replay
    terms: Terms

    def regrade(self, grade: Grade) -> Grade:
        if grade.signature.judge == EMBEDDED:
            remedy = "Grade its predictions anew: that needs no call either"
            raise InputError("the embedded judge keeps no replies to regrade", remedy=remedy)
        grading = self._grading(grade)
        again = self._made_again(grade, grading)
        kept = {name: getattr(grade, name) for name in ("prediction", "question", "reference")}
        signature = _signature(grade.signature, grading)
        return again.model_copy(update={"signature": signature, **kept})

    def _grading(self, grade: Grade) -> Grading:
        prediction, item = self._pair(grade)
        rubric = self.rubric or load_rubric(item.track)
        rubric.check_item(item)
        return Grading(
            questions=Questions(rubric, item, prediction.text, grade.sample),
            spec=JudgeSpec(model=grade.signature.judge),
            terms=self.terms,
            settings=content_hash(["regrade", grade.key, rubric.hash, self.terms.hash]),
            system=grade.system,
            notes=grade.notes,
        )

    def _pair(self, grade: Grade) -> Pair:
        try:
            return self.pairs[grade.system, grade.item_id]
        except KeyError:
            problem = f"no prediction of system {grade.system!r} for item {grade.item_id!r}"
            remedy = "Pass the items and predictions that were graded"
            raise InputError(problem, remedy=remedy) from None

    def _made_again(self, grade: Grade, grading: Grading) -> Grade:
        if grade.unscored is not None and grade.unscored.kind == "no_answer":
            return unscored_grade(grading, grade.unscored)
        _check_texts(grade, grading.questions, self.replay)
        if grade.empty:
            return blank_grade(grading)
        if grade.unscored is not None and not grade.requests:
            return unscored_grade(grading, grade.unscored)
        return _judged(grade, grading, _stored_replies(grade, grading.questions, self.replay))


def _judged(grade: Grade, grading: Grading, replies: _StoredReplies) -> Grade:
    """Settle first answers and second looks as the judge does."""
    questions, sources = grading.questions, Sources(grading.questions)
    verdicts = verdicts_of(questions, replies.first, sources)
    for look in replies.again:
        still_open = open_questions(questions, verdicts)
        again = verdicts_of(questions, look, sources)
        verdicts |= {key: again[key] for key in look if key in still_open}
    unscored = any(verdict.status == "unscored" for verdict in verdicts.values())
    answers = Answers(
        answers=replies.first,
        failure=grade.unscored if unscored else None,
        saved=replies.saved,
        cached=True,
        requests=grade.requests,
    )
    return finish(grading, [answers], verdicts)


def _signature(asked: Signature, grading: Grading) -> Signature:
    """How the grade was made: asked as it was then, settled and scored as it is now."""
    rubric = grading.questions.rubric
    policy: dict[str, JsonValue] = dict(asked.policy)
    asked_rubric = policy.pop("asked_rubric", asked.rubric_hash)
    policy |= {"terms": grading.terms.hash, "approximate_quote": APPROXIMATE}
    if asked_rubric != rubric.hash:
        policy["asked_rubric"] = asked_rubric
    changes = {
        "rubric": rubric.id,
        "rubric_version": rubric.version,
        "rubric_hash": rubric.hash,
        "policy": policy,
        "package": __version__,
    }
    return asked.model_copy(update=changes)


# --- the answers a grade was made of, read back from its stored replies


@dataclass
class _StoredReplies:
    """What the replies to a grade's requests say.

    Attributes:
        first: The first answer to each question, by its key.
        again: Answers to what was asked again, in order.
        absent: Hashes of requests whose reply is not kept.
        saved: What the replies cost when they were bought.
    """

    first: dict[str, Answer] = field(default_factory=dict)
    again: list[dict[str, Answer]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    saved: Usage = field(default_factory=Usage)


def _stored_replies(grade: Grade, questions: Questions, replay: Replay) -> _StoredReplies:
    found = _StoredReplies()
    for request_hash in grade.requests:
        reply = replay.get(request_hash)
        if reply is None:
            found.absent.append(request_hash)
            continue
        found.saved += reply.usage
        if reply.finish == "complete":
            answers = _answers(reply, request_hash, questions, replay)
            if answers.keys() & found.first.keys():  # the first look asks no key twice
                found.again.append(answers)
            else:
                found.first |= answers
    _rescue(grade, questions, found)
    _check_whole(grade, questions, replay, found)
    return found


def _answers(
    reply: Reply, request_hash: str, questions: Questions, replay: Replay
) -> dict[str, Answer]:
    keys = json.loads(reply.text)
    known = {question.key for question in questions.all}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise _misfit(
            questions, request_hash, f"it judges {', '.join(unknown)}, which is not asked"
        )
    asked = tuple(q for q in questions.all if q.key in keys)
    _check_labels(asked, request_hash, questions, replay)
    try:
        return _read(reply, asked)
    except ValidationError as error:
        raise _misfit(questions, request_hash, in_short(error)) from error


def _read(reply: Reply, asked: tuple[Question, ...]) -> dict[str, Answer]:
    model = reply_model(shape(asked))
    text = read_completion(reply.text, model.model_validate_json)
    return answers_of(reply.model_copy(update={"text": text}), model.model_validate_json(text))


def _rescue(grade: Grade, questions: Questions, found: _StoredReplies) -> None:
    """Read a reply that did not match the schema once more: this version may be able to."""
    failure = grade.unscored
    if failure is None or failure.kind != "format" or len(found.absent) != 1:
        return
    try:
        missing = tuple(q for q in questions.all if q.key not in found.first)
        found.first |= _read(Reply(text=failure.raw), missing)
    except ValidationError:
        return
    found.absent.clear()


def _check_whole(grade: Grade, questions: Questions, replay: Replay, found: _StoredReplies) -> None:
    """Tell what was never had, which stays as it was, from what was had and is lost."""
    statuses = {verdict.criterion: set(_statuses(verdict)) for verdict in grade.verdicts}
    for question in questions.all:
        was = statuses.get(question.criterion.id)
        if question.key in found.first or was == {"unscored"}:
            continue
        if was is None or not found.absent:
            what = f"no reply judges {question.key!r}"
            raise _misfit(questions, ", ".join(grade.requests), what)
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


# --- whether rubric, prediction and item are those the grade was made of, as far as that was kept


def _check_labels(
    asked: tuple[Question, ...], request_hash: str, questions: Questions, replay: Replay
) -> None:
    """Check that the judge could choose from the same labels, where its request was kept."""
    # A judge that was not offered a label has not decided against it.
    request = _request(request_hash, replay)
    offered, wanted = request.get("schema"), reply_schema(shape(asked))
    for question in asked:
        had, now = _labels(offered, question.key), _labels(wanted, question.key)
        if had is not None and had != now:
            problem = f"{question.key!r} was asked with the labels {had}, and now has {now}"
            raise _misfit(questions, request_hash, problem)


def _labels(schema: Any, key: str) -> list[str] | None:
    """The labels a reply's schema allows, or ``None`` where it is not kept or not one of ours."""
    try:
        name = schema["properties"][key]["$ref"].rpartition("/")[2]
        return list(schema["$defs"][name]["properties"]["level"]["enum"])
    except (KeyError, TypeError):
        return None


def _misfit(questions: Questions, request_hash: str, problem: str) -> RubricError:
    rubric = questions.rubric
    return RubricError(
        f"the reply {request_hash} for item {questions.item.id!r} does not fit rubric "
        f"{rubric.id!r} {rubric.version}: {problem}",
        remedy="Regrade with a rubric that has the same criteria, elements and labels as the one "
        "that was asked; anything else has to be graded anew",
    )


def _check_texts(grade: Grade, questions: Questions, replay: Replay) -> None:
    """Check prediction and elements against those that were judged.

    The prediction is sought in the request that was kept, and the elements are compared with those
    of the verdicts. Where no request was kept, another prediction may go unnoticed.
    """
    blank = is_blank(questions.prediction)
    shown = None if blank or not grade.requests else _shown(_request(grade.requests[0], replay))
    changed = shown is not None and neutralise(questions.prediction) not in shown
    if blank != grade.empty or changed:
        raise InputError(
            f"the prediction of system {grade.system!r} for item {grade.item_id!r} is not the one "
            "that was graded",
            remedy="Pass the predictions that were graded",
        )
    elements = {c.id: list(c.elements(questions.item)) for c in questions.rubric.criteria}
    for verdict in grade.verdicts:
        judged = [element.element for element in verdict.elements]
        if judged and judged != elements.get(verdict.criterion, judged):
            raise InputError(
                f"item {grade.item_id!r}: the elements of {verdict.criterion!r} are not those "
                "that were judged",
                remedy="Pass the items that were graded",
            )


def _request(request_hash: str, replay: Replay) -> Mapping[str, Any]:
    try:
        return replay.request(request_hash) or {}
    except ValueError:  # corrupt: `cache verify` says so
        return {}


def _shown(request: Mapping[str, Any]) -> str | None:
    """What the judge was shown, or ``None`` where that was not kept."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        return None
    return "\n".join(str(m.get("content")) for m in messages if isinstance(m, dict))
