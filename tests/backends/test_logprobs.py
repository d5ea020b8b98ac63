"""Log probabilities as endpoints send them, and the confidence that comes of them."""

from __future__ import annotations

import json
import re
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from mmrare_judge import Grade, Judge
from mmrare_judge.backends.replies import token_records, token_text
from support.makers import make_item, small_rubric
from support.server import ScriptedServer, Step, chat, completion, refused

Entry = dict[str, Any]
Backend = Literal["litellm", "direct"]


def entry(text: str, logprob: Any = -0.5, **more: Any) -> Entry:
    return {"token": text, "logprob": logprob, **more}


def recorded(logprobs: Any) -> Any:
    """What is recorded of an answer with this under ``logprobs``."""
    return token_records(SimpleNamespace(choices=[SimpleNamespace(logprobs=logprobs)]))


# Records


def test_a_record_is_the_token_its_log_probability_and_the_top() -> None:
    top = [entry("YES", -0.5), entry("NO", -1.0)]
    assert recorded({"content": [entry("YES", -0.5, top_logprobs=top)]}) == (
        ("YES", -0.5, (("YES", -0.5), ("NO", -1.0))),
    )


def test_objects_are_read_like_mappings() -> None:
    """The openai SDK and litellm give objects, a JSON answer is made of dicts."""
    token = SimpleNamespace(token="YES", logprob=-0.5, bytes=None, top_logprobs=[])
    assert recorded(SimpleNamespace(content=[token])) == (("YES", -0.5, ()),)


@pytest.mark.parametrize(
    ("text", "given", "kept"),
    [
        ("\ufffd", [0xE2, 0x89], (0xE2, 0x89)),
        ("≥", [0xE2, 0x89, 0xA5], "≥"),
        ("\ufffd", [0xEF, 0xBF, 0xBD], "\ufffd"),
        ("<0xA5>", [0xA5], (0xA5,)),
        ("YES", [89, 69, 83], "YES"),
        ("YES", None, "YES"),
        ("", [], ""),
    ],
    ids=["part", "whole", "replacement", "escaped", "ascii", "no-bytes", "empty"],
)
def test_a_part_of_a_character_is_kept_as_bytes(text: str, given: Any, kept: Any) -> None:
    assert recorded({"content": [entry(text, bytes=given)]}) == ((kept, -0.5, ()),)


def test_parts_of_a_character_can_be_joined_again() -> None:
    joined = token_text((0xE2, 0x89)) + token_text((0xA5,)) + token_text(" 5")
    assert joined.encode("utf-8", "surrogateescape") == "≥ 5".encode()


@pytest.mark.parametrize("logprob", [float("-inf"), float("nan"), "-inf"], ids=str)
def test_what_json_cannot_hold_is_kept_as_very_unlikely(logprob: Any) -> None:
    """Python's JSON writes -Infinity, which no other reader takes."""
    records = recorded({"content": [entry("YES", logprob)]})
    assert records == (("YES", -9999.0, ()),)


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        {"content": None},
        {"content": []},
        {"tokens": ["YES"], "token_logprobs": [-0.1]},
        {"content": "YES"},
        {"content": 5},
        {"content": {"YES": -0.1}},
        {"content": ["YES"]},
        {"content": [{"token": "YES"}]},
        {"content": [entry("YES", "likely")]},
        {"content": [entry("YES", 10**400)]},
        {"content": [entry("YES", top_logprobs={"YES": -0.1})]},
        {"content": [entry("é", bytes=[300])]},
        {"content": [entry("é", bytes=3)]},
        [],
        "none",
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_what_has_another_form_is_not_recorded(logprobs: Any) -> None:
    assert recorded(logprobs) is None


# From an answer to the verdicts

PLAN = "Start prednisone 40 mg daily. See the patient in two weeks."
REPLY = {
    "quality": {"reasoning": "dose ≥ 5 mg", "quotes": ["prednisone 40 mg"], "level": "YES"},
    "safe": {"reasoning": 'nothing against it, "level": "NO"?', "quotes": [], "level": "YES"},
}
TEXT = json.dumps(REPLY, ensure_ascii=False)
SURE = {"quality": 0.9, "safe": 0.6}


def tokens_of(text: str, *, halves: bool = False) -> list[Entry]:
    """A text in tokens; where a level begins, YES has the share in `SURE`, and NO the rest."""
    shares = iter(SURE.values())
    tokens = []
    for match in re.finditer(r"\w+|\s+|[^\w\s]", text):
        word = match.group()
        if word == "YES":
            tokens.append(_level(next(shares)))
        elif halves and word == "≥":
            first, second = word.encode()[:2], word.encode()[2:]
            tokens += [_plain("\ufffd", list(first)), _plain("\ufffd", list(second))]
        else:
            tokens.append(_plain(word, list(word.encode())))
    return tokens


def _plain(text: str, given: list[int]) -> Entry:
    return entry(text, 0.0, bytes=given, top_logprobs=[entry(text, 0.0, bytes=given)])


def _level(share: float) -> Entry:
    top = [
        entry("YES", log(share), bytes=[89, 69, 83]),
        entry("NO", log(1 - share), bytes=[78, 79]),
    ]
    return {**top[0], "top_logprobs": top}


def answering(text: str = TEXT, logprobs: Any = None) -> Step:
    return completion({"content": text}, logprobs=logprobs)


def graded(server: ScriptedServer, backend: Backend, step: Step, **options: Any) -> Grade:
    server.script(step)
    settings: dict[str, Any] = {
        "confidence": "logprobs",
        "cache": "off",
        "mode": "json",
        "retries": 0,
    }
    judge = Judge(
        "hosted_vllm/judge",
        backend=backend,
        api_base=server.url,
        rubric=small_rubric(),
        **({"confidence": "logprobs"} | settings | options),
    )
    return judge.grade(PLAN, make_item())


def confidences(grade: Grade) -> dict[str, float | None]:
    return {verdict.criterion: verdict.confidence for verdict in grade.verdicts}


both = pytest.mark.parametrize("backend", ["litellm", "direct"])


@both
@pytest.mark.parametrize("mode", ["json", "json_schema"])
def test_each_verdict_has_the_share_of_its_level(
    server: ScriptedServer, backend: Backend, mode: str
) -> None:
    grade = graded(server, backend, answering(logprobs={"content": tokens_of(TEXT)}), mode=mode)
    assert confidences(grade) == pytest.approx(SURE)
    assert grade.score == 1.0
    assert grade.usage.calls == 1
    assert grade.signature.policy["confidence"] == "logprobs"
    sent = server.requests[0].body
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 20)


@both
@pytest.mark.parametrize(
    ("before", "after"),
    [("```json\n", "\n```"), ("<think>Is it ≥ 5?</think>\n", ""), ("Here it is: ", ".")],
    ids=["fence", "thinking", "prose"],
)
def test_what_is_stripped_around_the_reply_shifts_nothing(
    server: ScriptedServer, backend: Backend, before: str, after: str
) -> None:
    whole = f"{before}{TEXT}{after}"
    step = answering(whole, {"content": tokens_of(whole)})
    assert confidences(graded(server, backend, step)) == pytest.approx(SURE)


@both
def test_a_fence_that_the_server_has_stripped_from_the_content_shifts_nothing(
    server: ScriptedServer, backend: Backend
) -> None:
    tokens = tokens_of(f"```json\n{TEXT}\n```")
    step = answering(TEXT, {"content": tokens})
    assert confidences(graded(server, backend, step)) == pytest.approx(SURE)


@both
def test_tokens_may_end_within_a_character(server: ScriptedServer, backend: Backend) -> None:
    step = answering(logprobs={"content": tokens_of(TEXT, halves=True)})
    assert confidences(graded(server, backend, step)) == pytest.approx(SURE)


@both
@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {"content": None},
        {"tokens": ["YES"], "token_logprobs": [-0.1], "top_logprobs": None, "text_offset": [0]},
        ["YES"],
        {"content": tokens_of(TEXT.replace("dose", "Dose"))},
        {"content": tokens_of(TEXT) * 2},
    ],
    ids=["missing", "null", "legacy", "list", "another-text", "twice"],
)
def test_without_usable_log_probabilities_the_reply_holds_and_confidence_is_none(
    server: ScriptedServer, backend: Backend, logprobs: Any
) -> None:
    grade = graded(server, backend, answering(logprobs=logprobs))
    assert confidences(grade) == {"quality": None, "safe": None}
    assert (grade.score, grade.unscored, grade.usage.calls) == (1.0, None, 1)


@both
@pytest.mark.parametrize("token", [{"token": "YES"}, entry("YES", "likely")], ids=["none", "word"])
def test_a_token_without_a_number_is_no_log_probability(
    server: ScriptedServer, backend: Backend, token: Entry
) -> None:
    grade = graded(server, backend, answering(logprobs={"content": [token]}))
    assert confidences(grade) == {"quality": None, "safe": None}
    assert (grade.score, grade.unscored) == (1.0, None)


@both
def test_a_re_ask_brings_the_log_probabilities_of_its_own_reply(
    server: ScriptedServer, backend: Backend
) -> None:
    wrong = TEXT.replace("YES", "MOSTLY")
    server.script(answering(wrong, {"content": tokens_of(wrong)}))
    grade = graded(server, backend, answering(logprobs={"content": tokens_of(TEXT)}))
    assert confidences(grade) == pytest.approx(SURE)
    assert grade.usage.reasks == 1


@both
def test_log_probabilities_of_a_reply_that_was_not_taken_are_not_kept(
    server: ScriptedServer, backend: Backend
) -> None:
    server.script(answering(TEXT[:-9], {"content": tokens_of(TEXT)}))
    assert confidences(graded(server, backend, chat(TEXT))) == {"quality": None, "safe": None}


@both
def test_the_cache_keeps_them(server: ScriptedServer, backend: Backend, tmp_path: Path) -> None:
    step = answering(logprobs={"content": tokens_of(TEXT)})
    first = graded(server, backend, step, cache=tmp_path)
    again = graded(server, backend, refused("not asked"), cache=tmp_path)
    assert (first.cached, again.cached) == (False, True)
    assert confidences(again) == pytest.approx(SURE)


@both
def test_they_are_neither_asked_for_nor_used_by_default(
    server: ScriptedServer, backend: Backend
) -> None:
    step = answering(logprobs={"content": tokens_of(TEXT)})
    grade = graded(server, backend, step, confidence="none")
    assert confidences(grade) == {"quality": None, "safe": None}
    assert not {"logprobs", "top_logprobs"} & server.requests[0].body.keys()
