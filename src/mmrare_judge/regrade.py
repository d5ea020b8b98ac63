"""Stored replies graded again without a call: under another scoring, a newer parser or evidence.

The questions have to be the same ones, with the same labels; weights, points, thresholds, the
scoring rule and the wording may differ. The signature then says which rubric was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import EMBEDDED, JudgeSpec
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError
from mmrare_judge.graded_texts import check_texts
from mmrare_judge.judging.evidence import APPROXIMATE, Sources
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.judging.grading import Grading, blank_grade, finish, unscored_grade
from mmrare_judge.judging.questions import Assessment, Task
from mmrare_judge.judging.verdicts import doubts, settle
from mmrare_judge.level2.terms import Terms
from mmrare_judge.records import Signature, content_hash
from mmrare_judge.rubric.load import load_rubric
from mmrare_judge.rubric.model import Rubric
from mmrare_judge.stored_answers import Answers, read_answers

Pairs = Mapping[tuple[str, str], tuple[Prediction, Item]]
"""Prediction and item by system and item id."""


def regrade(
    grades: Iterable[Grade],
    pairs: Iterable[tuple[Prediction, Item]],
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
        InputError: A grade has no prediction, or the prediction or item is not the one graded.
        RubricError: The rubric asks other questions than the replies answer.
        CacheMissError: A reply is not in the cache.
    """
    regrader = _Regrader(
        pairs={(p.system, item.id): (p, item) for p, item in pairs},
        rubric=rubric if isinstance(rubric, Rubric | None) else load_rubric(rubric),
        replay=_replay(cache),
        terms=terms or Terms.default(),
    )
    return (regrader.regrade(grade) for grade in grades)


def _replay(cache: Replay | ReplyCache | str | Path | None) -> Replay:
    if isinstance(cache, Replay):
        return cache
    return Replay(cache.directory if isinstance(cache, ReplyCache) else cache)


@dataclass(frozen=True)
class _Regrader:
    """What all grades are graded again with; see `regrade`."""

    pairs: Pairs
    rubric: Rubric | None
    replay: Replay
    terms: Terms

    def regrade(self, grade: Grade) -> Grade:
        """One grade, made again."""
        if grade.signature.judge == EMBEDDED:
            remedy = "Grade its predictions anew: that needs no call either"
            raise InputError("the embedded judge keeps no replies to regrade", remedy=remedy)
        grading = self._grading(grade)
        again = self._made_again(grade, grading)
        signature = _signature(grade.signature, grading)
        return again.model_copy(update={"signature": signature})

    def _made_again(self, grade: Grade, grading: Grading) -> Grade:
        check_texts(grade, grading.task, self.replay)
        if grade.empty:
            return blank_grade(grading)
        if grade.unscored is not None and not grade.requests:
            return unscored_grade(grading, grade.unscored)
        answers = read_answers(grade, grading.task, self.replay)
        return _judged(grade, grading, answers)

    def _grading(self, grade: Grade) -> Grading:
        prediction, item = self._pair(grade)
        rubric = self.rubric or load_rubric(item.track)
        rubric.check_item(item)
        return Grading(
            task=Task(rubric, item, prediction.text, grade.sample),
            spec=JudgeSpec(model=grade.signature.judge),
            terms=self.terms,
            settings=content_hash(["regrade", grade.key, rubric.hash, self.terms.hash]),
            system=grade.system,
            notes=grade.notes,
        )

    def _pair(self, grade: Grade) -> tuple[Prediction, Item]:
        try:
            return self.pairs[grade.system, grade.item_id]
        except KeyError:
            problem = f"no prediction of system {grade.system!r} for item {grade.item_id!r}"
            remedy = "Pass the items and predictions that were graded"
            raise InputError(problem, remedy=remedy) from None


def _judged(grade: Grade, grading: Grading, answers: Answers) -> Grade:
    """Settle first answers and second looks as the judge does."""
    task, sources = grading.task, Sources(grading.task)
    verdicts = settle(task, answers.first, sources)
    for look in answers.again:
        doubtful = doubts(task, verdicts)
        again = settle(task, look, sources)
        verdicts |= {key: again[key] for key in look if key in doubtful}
    assessment = Assessment(
        drafts=answers.first,
        failure=grade.unscored if _any_unscored(verdicts) else None,
        saved=answers.saved,
        cached=True,
        requests=grade.requests,
    )
    return finish(grading, [assessment], verdicts)


def _any_unscored(verdicts: Mapping[str, Verdict]) -> bool:
    return any(verdict.status == "unscored" for verdict in verdicts.values())


def _signature(asked: Signature, grading: Grading) -> Signature:
    """How the grade was made: asked as it was then, settled and scored as it is now."""
    rubric = grading.task.rubric
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
