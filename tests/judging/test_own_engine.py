"""A model that is called elsewhere: what to send it, and a grade out of its reply."""

import json

from mmrare_judge import Judge, messages, read_reply
from mmrare_judge.backends.fake import FakeBackend
from support.makers import make_item, small_rubric

REPLY = json.dumps(
    {
        "quality": {"reasoning": "r", "quotes": ["Prednisone"], "level": "YES"},
        "safe": {"reasoning": "r", "quotes": [], "level": "YES"},
    }
)


def test_the_messages_are_those_that_a_judge_sends() -> None:
    backend = FakeBackend([REPLY])
    Judge("m", rubric=small_rubric(), cache="off", backend=backend).grade(
        "Prednisone.", make_item()
    )
    (sent,) = backend.requests
    assert messages(make_item(), "Prednisone.", small_rubric()) == sent.messages


def test_the_grade_is_the_one_that_a_judge_gives_but_for_who_it_was() -> None:
    judge = Judge("batch/model-1", rubric=small_rubric(), cache="off", backend=FakeBackend([REPLY]))
    grade = judge.grade("Prednisone.", make_item())
    read = read_reply(REPLY, make_item(), "Prednisone.", small_rubric(), judge="batch/model-1")
    assert (read.score, read.verdicts, read.bounds) == (1.0, grade.verdicts, grade.bounds)
    assert read.signature.judge == "batch/model-1"


def test_prose_and_a_code_fence_around_the_reply_are_passed_over() -> None:
    text = f"Here it is:\n```json\n{REPLY}\n```"
    assert read_reply(text, make_item(), "Prednisone.", small_rubric()).score == 1.0


def test_a_reply_that_does_not_match_the_schema_is_no_score_and_never_zero() -> None:
    grade = read_reply('{"quality": 1}', make_item(), "Prednisone.", small_rubric())
    assert grade.score is None
    assert grade.unscored is not None
    assert (grade.unscored.kind, grade.unscored.raw) == ("format", '{"quality": 1}')
