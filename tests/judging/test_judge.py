import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Grade, Judge, agrade, grade, grade_many
from mmrare_judge.backends.base import Reply, Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.data.items import TRACKS
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    FormatError,
    InputError,
    RefusalError,
    RubricError,
    TransportError,
    TruncatedError,
)
from mmrare_judge.rubric.model import load_rubric
from support.makers import REFERENCES, keys_of, make_item, small_rubric
from support.paths import TESTS

PLAN = "Start prednisone 40 mg daily. See the patient in two weeks."
BEST = {"NO": "YES", "0": "2"}


def answer(level: str, *quotes: str, **others: dict[str, Any]) -> Callable[[Request], str]:
    """The same verdict for every key that is asked, but for those given by name."""

    def reply(request: Request) -> str:
        verdict = {"reasoning": "r", "quotes": list(quotes), "level": level}
        return json.dumps({key: others.get(key, verdict) for key in keys_of(request)})

    return reply


def fake_judge(*replies: Any, **options: Any) -> tuple[Judge, FakeBackend]:
    """A judge over the fake backend; the last reply, if a function, serves all that follow."""
    waiting = list(replies)

    def next_reply(request: Request) -> Any:
        reply = waiting[0] if len(waiting) == 1 and callable(waiting[0]) else waiting.pop(0)
        return reply(request) if callable(reply) else reply

    backend = FakeBackend(next_reply)
    return Judge("fake/model", backend=backend, cache="off", **options), backend


def test_a_plan_that_meets_everything_scores_one() -> None:
    judge, backend = fake_judge(answer("YES", "prednisone 40 mg daily"))
    result = judge.grade(PLAN, make_item())
    assert (result.score, result.partial_score, result.coverage) == (1.0, 1.0, 1.0)
    assert (result.bounds.worst, result.bounds.best) == (1.0, 1.0)
    assert len(backend.requests) == 1
    assert result.usage.calls == 1


@pytest.mark.parametrize("track", TRACKS)
def test_every_track_can_be_graded_from_best_to_worst(track: str) -> None:
    item, text = make_item(track), REFERENCES[track]["answer"]
    labels = list(load_rubric(track).criteria[0].levels)
    for label, score in ((labels[-1], 1.0), (labels[0], 0.0)):
        judge, _ = fake_judge(answer(label, text))
        assert judge.grade(text, item).score == score


def test_an_abstention_leaves_no_score_and_is_counted_in_no_mean() -> None:
    unsure = {"reasoning": "r", "quotes": [], "level": "cannot_determine"}
    judge, _ = fake_judge(answer("YES", "prednisone 40 mg", pathophysiology=unsure))
    result = judge.grade(PLAN, make_item())
    assert (result.score, result.partial_score, result.coverage) == (None, 1.0, 5 / 6)
    assert (result.bounds.worst, result.bounds.best) == (5 / 6, 1.0)
    assert result.verdict("pathophysiology").status == "abstained"


def test_an_unfound_quote_is_asked_again_once_with_the_reason() -> None:
    judge, backend = fake_judge(
        answer("YES", "prednisone", follow_up=_verdict("YES", "in six weeks")),
        answer("YES", "in two weeks"),
    )
    result = judge.grade(PLAN, make_item())
    second = backend.requests[1]
    assert keys_of(second) == ["follow_up"]
    assert '"in six weeks" does not stand in the response' in second.messages[1]["content"]
    assert result.verdict("follow_up").level == "YES"
    assert (result.score, result.usage.calls, result.usage.reasks) == (1.0, 2, 1)


def test_a_quote_that_stays_unfound_earns_nothing_and_is_not_a_zero() -> None:
    judge, backend = fake_judge(answer("YES", "taper over six weeks"))
    result = judge.grade(PLAN, make_item())
    assert len(backend.requests) == 2
    assert result.score is None
    unverified = [verdict for verdict in result.verdicts if verdict.status == "unverified"]
    assert [v.criterion for v in unverified] == [
        c.id for c in load_rubric("treatment").criteria if c.id != "safety"
    ]
    assert {(v.level, v.points, v.claimed) for v in unverified} == {(None, None, "YES")}
    assert unverified[0].evidence[0].match == "wrong_source"


def test_the_second_look_can_be_switched_off() -> None:
    judge, backend = fake_judge(answer("YES", "nowhere"), verify_reask=0)
    judge.grade(PLAN, make_item())
    assert len(backend.requests) == 1


def test_a_second_look_that_fails_leaves_the_first_as_it_was() -> None:
    judge, _ = fake_judge(
        answer("YES", "prednisone", follow_up=_verdict("YES", "never said")),
        TransportError("gone", kind="timeout"),
    )
    result = judge.grade(PLAN, make_item())
    assert result.unscored is None
    assert result.verdict("follow_up").status == "unverified"
    assert result.coverage == 5 / 6


def _verdict(level: str, *quotes: str) -> dict[str, Any]:
    return {"reasoning": "r", "quotes": list(quotes), "level": level}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (TransportError("slow", kind="timeout"), "timeout"),
        (TransportError("busy", kind="rate_limit"), "rate_limit"),
        (TransportError("down", kind="server_error"), "server_error"),
        (TransportError("reset", kind="connection"), "connection"),
        (FormatError("no JSON", raw="YES!"), "format"),
        (RefusalError("no", raw="I cannot"), "refusal"),
        (ContentFilterError("withheld"), "content_filter"),
        (TruncatedError("cut", raw='{"a"'), "truncated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failed_call_is_a_status_with_its_reason_and_never_a_zero(
    fault: Exception, kind: str
) -> None:
    judge, _ = fake_judge(fault)
    result = judge.grade(PLAN, make_item())
    assert result.unscored is not None
    assert (result.unscored.kind, result.unscored.raw) == (kind, getattr(fault, "raw", ""))
    assert (result.score, result.partial_score, result.coverage) == (None, None, 0.0)
    assert (result.bounds.worst, result.bounds.best) == (0.0, 1.0)
    assert {verdict.status for verdict in result.verdicts} == {"unscored"}
    assert result.usage.calls == 1
    assert result.level2.lists[0].coverage == 0.5


def test_a_judge_that_can_never_answer_raises() -> None:
    judge, _ = fake_judge(ConfigError("set OPENAI_API_KEY"))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        judge.grade(PLAN, make_item())


@pytest.mark.parametrize("text", ["", "   ", "\n\t ", "\u200b\u200f", "\u00a0"], ids=repr)
def test_a_blank_prediction_scores_0_by_rule_without_a_call(text: str) -> None:
    judge, backend = fake_judge(answer("YES"))
    result = judge.grade(text, make_item())
    assert (result.score, result.empty, result.coverage) == (0.0, True, 1.0)
    assert backend.requests == []


def test_a_prediction_over_the_limit_is_unscored_and_never_cut() -> None:
    judge, backend = fake_judge(answer("YES"), max_prediction_chars=1000)
    result = judge.grade("x" * 1001, make_item())
    assert result.unscored is not None
    assert result.unscored.kind == "too_long"
    assert "1001 characters; the limit max_prediction_chars is 1000" in result.unscored.message
    assert result.score is None
    assert backend.requests == []


def test_two_megabytes_can_be_graded_if_the_limit_is_raised() -> None:
    judge, backend = fake_judge(answer("YES", "prednisone"), max_prediction_chars=3_000_000)
    text = "Start prednisone. " + "Further advice. " * 131_072
    assert judge.grade(text, make_item()).score == 1.0
    assert text.strip() in backend.requests[0].messages[1]["content"]


def test_what_no_text_file_can_hold_is_replaced_and_noted() -> None:
    judge, backend = fake_judge(answer("YES", "prednisone"))
    result = judge.grade("prednisone \ud800\x00 40 mg \u202e", make_item())
    assert result.score == 1.0
    assert result.notes == ("2 characters that no text file can hold were replaced",)
    assert "\u202e" in backend.requests[0].messages[1]["content"]
    assert Grade.model_validate_json(result.model_dump_json()) == result


def test_a_grade_survives_json_unchanged() -> None:
    judge, _ = fake_judge(answer("YES", "prednisone", follow_up=_verdict("YES", "wrong")))
    result = judge.grade(PLAN, make_item())
    assert Grade.model_validate_json(result.model_dump_json()) == result


def test_the_cache_answers_the_second_time_and_the_grades_are_equal(tmp_path: Path) -> None:
    backend = FakeBackend(answer("YES", "prednisone", follow_up=_verdict("YES", "not there")))
    first, second = (
        Judge("fake/model", backend=backend, cache=tmp_path).grade(PLAN, make_item())
        for _ in range(2)
    )
    assert len(backend.requests) == 2
    assert (first.cached, second.cached) == (False, True)
    assert (first.usage.calls, second.usage.calls) == (2, 0)
    assert first.signature == second.signature
    assert first.verdicts == second.verdicts


def test_failures_are_not_cached_unless_asked_for(tmp_path: Path) -> None:
    backend = FakeBackend([RefusalError("no", raw="I cannot"), RefusalError("no", raw="I cannot")])
    for store in ("complete", "all", "all"):
        judge = Judge("fake/model", backend=backend, cache=tmp_path, store=store)
        result = judge.grade(PLAN, make_item())
        assert result.unscored is not None
        assert result.unscored.kind == "refusal"
    assert len(backend.requests) == 2
    assert result.cached


def test_a_cached_reply_that_is_no_grading_is_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ReplyCache(tmp_path)
    backend = FakeBackend(answer("NO"))
    judge = Judge("fake/model", backend=backend, cache=cache)
    first = judge.grade(PLAN, make_item())
    cache.put(first.requests[0], Reply(text="{}"))
    assert judge.grade(PLAN, make_item()).verdicts == first.verdicts
    assert "asked again" in caplog.text


def test_equal_signatures_mean_made_the_same_way() -> None:
    def signed(text: str = PLAN, **options: Any) -> Any:
        judge, _ = fake_judge(answer("NO"), **options)
        return judge.grade(text, make_item()).signature

    assert signed() == signed("Another plan.")
    assert signed() != signed(reask=0)
    assert signed() != signed(rubric=small_rubric())
    assert signed() != signed(api_base="http://127.0.0.1:1/v1")
    assert signed(timeout=1.0) == signed(retries=0)


def test_the_signature_keeps_secrets_out_of_the_endpoint() -> None:
    judge, _ = fake_judge(answer("NO"), api_base="http://me:pw@h:1/v1?key=k", api_key="sk-1")
    text = judge.grade(PLAN, make_item()).model_dump_json()
    assert "pw" not in text.replace("pwd", "")
    assert "sk-1" not in text
    assert "http://h:1/v1" in text


def test_a_rubric_of_ones_own_decides() -> None:
    judge, backend = fake_judge(answer("YES", "prednisone"), rubric=small_rubric())
    result = judge.grade(PLAN, make_item())
    assert [verdict.criterion for verdict in result.verdicts] == ["quality", "safe"]
    assert "Is it good?" in backend.requests[0].messages[0]["content"]


def test_a_rubric_for_another_track_is_refused_before_any_call() -> None:
    judge, backend = fake_judge(answer("YES"), rubric="treatment")
    with pytest.raises(RubricError, match="diagnosis"):
        judge.grade(PLAN, make_item("diagnosis"))
    assert backend.requests == []


def test_items_may_be_dicts_and_predictions_may_bring_their_system() -> None:
    row = {"index": 7, "question": "Plan?", "answer": "Rest.", "track": "treatment"}
    judge, _ = fake_judge(answer("NO"))
    result = judge.grade(Prediction(item_id="7", text="Rest.", system="o3"), row)
    assert (result.item_id, result.system) == ("7", "o3")


@pytest.mark.parametrize(
    ("prediction", "system"),
    [
        pytest.param("Rest.", "r1", id="text"),
        pytest.param(Prediction(item_id="1", text="Rest."), "r1", id="a prediction without one"),
        pytest.param(Prediction(item_id="1", text="Rest.", system="o3"), "o3", id="one with one"),
    ],
)
def test_a_system_that_is_given_is_that_of_a_prediction_without_one(
    prediction: str | Prediction, system: str
) -> None:
    judge, _ = fake_judge(answer("NO"))
    assert judge.grade(prediction, make_item(), system="r1").system == system
    assert grade(prediction, make_item(), judge="embedded", system="r1").system == system


@pytest.mark.parametrize("prediction", [None, 5, ["a"]])
def test_a_prediction_that_is_no_text_is_refused(prediction: Any) -> None:
    with pytest.raises(InputError, match="a prediction is text"):
        fake_judge(answer("NO"))[0].grade(prediction, make_item())


def test_a_prediction_of_another_item_is_refused() -> None:
    with pytest.raises(InputError, match="item '2' given for item '1'"):
        fake_judge(answer("NO"))[0].grade(Prediction(item_id="2", text="x"), make_item())


def test_many_grades_come_back_in_the_order_of_the_pairs() -> None:
    judge, _ = fake_judge(answer("NO"))
    pairs = [(f"plan {n}", make_item(id=str(n))) for n in range(30)]
    grades = judge.grade_many(pairs, concurrency=4)
    assert [result.item_id for result in grades] == [str(n) for n in range(30)]


async def test_grading_works_inside_a_running_loop() -> None:
    assert grade(PLAN, make_item(), judge="embedded").item_id == "1"
    assert (await agrade(PLAN, make_item(), judge="embedded")).item_id == "1"
    assert len(grade_many([(PLAN, make_item())], judge="embedded")) == 1


def test_the_environment_names_the_default_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMRARE_JUDGE", "ollama/qwen3:8b")
    assert Judge().spec.model == "ollama/qwen3:8b"


NO_JUDGE_NAMED = """
from mmrare_judge import grade
from support.makers import make_item
print({grade("Rest.", make_item()).signature.judge for _ in range(3)})
"""


def test_the_first_silent_default_is_logged_once(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", NO_JUDGE_NAMED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "{'embedded'}\n"
    assert done.stderr.count("the embedded judge grades") == 1


def test_the_embedded_judge_refuses_settings_it_does_not_have() -> None:
    with pytest.raises(ConfigError, match="no setting temperature"):
        Judge("embedded", temperature=0.5)


def test_level_2_contradicting_the_judge_is_said() -> None:
    judge, _ = fake_judge(answer("YES", "live vaccine"))
    result = judge.grade("Give a live vaccine.", make_item())
    assert {entry.criterion for entry in result.disagreements} == {"specific_treatments", "safety"}
