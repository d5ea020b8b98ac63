"""Every ordinary shape of a valid reply is read, alike through litellm and directly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmrare_judge.backends.replies import Ending, ending_of
from mmrare_judge.errors import (
    ContentFilterError,
    FormatError,
    RefusalError,
    TransportError,
    TruncatedError,
)
from support.asking import GOOD, OTHER, TEXT, Ask, Way, every_way, good, graded
from support.server import Answer, completion, raw

USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}


def body(**changes: Any) -> Answer:
    """A completion as JSON, with fields of the choice, the message or the whole replaced."""
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE}
    choice = {"index": 0, "finish_reason": "stop"}
    message = {"role": "assistant", "content": TEXT} | changes.pop("message", {})
    choice |= {"message": message} | changes.pop("choice", {})
    return raw(json.dumps(whole | {"choices": [choice]} | changes).encode())


def call(arguments: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "type": "function",
        "function": {"name": "grade", "arguments": arguments},
    } | (changes)


def without(answer: Answer, *names: str) -> Answer:
    content = json.loads(answer.body)
    for name in names:
        del content[name]
    return raw(json.dumps(content).encode())


SHAPES: dict[str, Answer] = {
    "parts": body(message={"content": [{"type": "text", "text": TEXT}]}),
    "parts-in-two": body(
        message={
            "content": [{"type": "text", "text": TEXT[:50]}, {"type": "text", "text": TEXT[50:]}]
        }
    ),
    "parts-without-type": body(message={"content": [{"text": TEXT}]}),
    "parts-of-text": body(message={"content": [TEXT]}),
    "output-text": body(message={"content": [{"type": "output_text", "text": {"value": TEXT}}]}),
    "thinking-part": body(
        message={
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": OTHER}]},
                {"type": "reasoning", "text": OTHER},
                {"type": "text", "text": TEXT},
            ]
        }
    ),
    "thought-part": body(
        message={"content": [{"text": OTHER, "thought": True}, {"type": "text", "content": TEXT}]}
    ),
    "summary-part": body(
        message={"content": [{"type": "summary_text", "text": OTHER}, {"text": TEXT}]}
    ),
    "one-part": body(message={"content": {"type": "text", "text": TEXT}}),
    "object": body(message={"content": GOOD}),
    "arguments": body(message={"content": None, "tool_calls": [call(TEXT)]}),
    "arguments-as-object": body(message={"content": None, "tool_calls": [call(GOOD)]}),
    "call-without-type": body(message={"content": None, "tool_calls": [call(TEXT, type=None)]}),
    "call-without-id": body(message={"content": None, "tool_calls": [call(TEXT, id=None)]}),
    "function-call": body(
        message={"content": None, "function_call": {"name": "grade", "arguments": TEXT}}
    ),
    "empty-calls": body(message={"tool_calls": []}),
    "role-null": body(message={"role": None}),
    "role-other": body(message={"role": "model"}),
    "refusal-empty": body(message={"refusal": ""}),
    "reasoning-beside": body(message={"reasoning_content": OTHER, "reasoning": OTHER}),
    "finish-null": body(choice={"finish_reason": None}),
    "finish-upper": body(choice={"finish_reason": "STOP"}),
    "finish-end-turn": body(choice={"finish_reason": "end_turn"}),
    "finish-unknown": body(choice={"finish_reason": "wonderful"}),
    "index-null": body(choice={"index": None}),
    "usage-null": body(usage=None),
    "usage-fractions": body(usage={"prompt_tokens": 12.5, "completion_tokens": 3.0}),
    "usage-text": body(usage={"prompt_tokens": "12", "completion_tokens": "3"}),
    "usage-list": body(usage=[]),
    "usage-details": body(usage={**USAGE, "completion_tokens_details": None, "cost": "0.1"}),
    "model-null": body(model=None),
    "created-fraction": body(created=1.5),
    "created-text": body(created="now"),
    "error-null": body(error=None),
    "object-other": body(object="text"),
    "bare": without(body(), "id", "object", "created", "model", "usage"),
    "status-201": Answer(body().body, status=201),
    "extra": body(service_tier=3, system_fingerprint=[], provider={"name": "x"}),
}


@every_way
@pytest.mark.parametrize("name", SHAPES)
def test_an_ordinary_shape_of_a_reply_is_read_at_once(ask: Ask, way: Way, name: str) -> None:
    mode = "tools" if "call" in name or "arguments" in name else "json_schema"
    asked = ask(SHAPES[name], **way, mode=mode)
    assert graded(asked)


@every_way
@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 12.5, "completion_tokens": 3}, (13, 3)),
        ({"prompt_tokens": "12", "completion_tokens": None}, (12, 0)),
        ({"input_tokens": 7, "output_tokens": 8}, (7, 8)),
        (None, (0, 0)),
        ("many", (0, 0)),
    ],
    ids=["fraction", "text", "other-names", "null", "word"],
)
def test_tokens_are_counted_as_told(
    ask: Ask, way: Way, usage: Any, counted: tuple[int, int]
) -> None:
    spent = ask(body(usage=usage), **way).meter.usage
    assert (spent.prompt_tokens, spent.completion_tokens) == counted


# --- How a reply ended

ENDINGS: dict[Ending, str] = {
    "complete": "stop end_turn STOP eos_token stop_sequence tool_calls tool_use complete COMPLETE",
    "truncated": "length max_tokens MAX_TOKENS max_output_tokens model_length MaxTokens "
    "model_context_window_exceeded token_limit length_limit ERROR_LIMIT",
    "content_filter": "content_filter sensitive SAFETY RECITATION PROHIBITED_CONTENT SPII "
    "guardrail_intervened ERROR_TOXIC content_filtered moderation blocked content-filter",
    "refusal": "refusal refused",
    "error": "error ERROR failed abort network_error insufficient_system_resource upstream_error",
}


@pytest.mark.parametrize(
    ("word", "ending"), [(word, end) for end, words in ENDINGS.items() for word in words.split()]
)
def test_every_vendors_word_for_the_end_of_a_reply_is_known(word: str, ending: Ending) -> None:
    assert ending_of(word) == ending


@every_way
@pytest.mark.parametrize(
    ("finish", "content", "cls"),
    [
        ("max_tokens", TEXT[:40], TruncatedError),
        ("MAX_TOKENS", "", TruncatedError),
        ("sensitive", "", ContentFilterError),
        ("SAFETY", "", ContentFilterError),
        ("refusal", "", RefusalError),
        ("refusal", "Not this.", RefusalError),
        ("error", "", TransportError),
        ("stop", "", FormatError),
    ],
)
def test_a_reply_that_did_not_end_well_has_its_own_reason_and_its_tokens_are_booked(
    ask: Ask, way: Way, finish: str, content: str, cls: type[Exception]
) -> None:
    asked = ask(completion({"content": content}, finish=finish), **way, reask=0, retries=0)
    assert type(asked.fault) is cls
    assert (asked.meter.usage.prompt_tokens, asked.meter.usage.completion_tokens) == (1000, 200)


@every_way
@pytest.mark.parametrize(
    ("code", "kind"), [(502, "server_error"), (429, "rate_limit"), ("504", "timeout")]
)
def test_an_error_in_a_choice_is_known_by_its_code_and_its_tokens_are_booked(
    ask: Ask, way: Way, code: Any, kind: str
) -> None:
    fault = {"error": {"code": code, "message": "upstream died"}, "finish_reason": "error"}
    step = body(message={"content": ""}, choice=fault)
    assert graded(ask(step, good, **way))
    asked = ask(step, **way, retries=0)
    assert isinstance(asked.fault, TransportError)
    assert asked.fault.kind == kind
    assert asked.meter.usage.prompt_tokens == 1000


@every_way
def test_tokens_of_an_error_that_came_in_the_place_of_a_reply_are_booked(
    ask: Ask, way: Way
) -> None:
    step = raw(json.dumps({"error": {"message": "overloaded"}, "usage": USAGE}).encode())
    asked = ask(step, **way, retries=0)
    assert isinstance(asked.fault, TransportError)
    assert asked.meter.usage.prompt_tokens == 1000


# --- Streams


def events(*chunks: Any, done: bool = True, separator: str = "\n\n") -> Answer:
    lines = [f"data: {json.dumps(chunk)}" for chunk in chunks] + ["data: [DONE]"] * done
    content = separator.join(["", ": keep-alive", *lines, ""]).lstrip("\n\r")
    return raw(content.encode(), content_type="text/event-stream")


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more


HALVES = (chunk({"role": "assistant", "content": TEXT[:40]}), chunk({"content": TEXT[40:]}, "stop"))
LAST = {"choices": [], "usage": USAGE}
STREAMS: dict[str, Answer] = {
    "usage-last": events(*HALVES, LAST),
    "usage-beside": events(HALVES[0], HALVES[1] | {"usage": USAGE}),
    "without-done": events(*HALVES, LAST, done=False),
    "carriage-returns": events(*HALVES, LAST, separator="\r\n\r\n"),
    "nulls": events(HALVES[0], chunk({"content": None}), chunk({}), HALVES[1], LAST),
    "reasoning": events(chunk({"reasoning_content": OTHER, "content": None}), *HALVES, LAST),
    "second-choice": events(
        HALVES[0], {"choices": [{"index": 1, "delta": {"content": "no"}}]}, HALVES[1], LAST
    ),
    "whole-message": events({**json.loads(body().body)}),
    "tool": events(
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "grade"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": TEXT[:40]}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": TEXT[40:]}}]}, "tool_calls"),
        LAST,
    ),
}


@every_way
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_assembled(ask: Ask, way: Way, name: str) -> None:
    asked = ask(STREAMS[name], **way, extra={"stream": True})
    assert graded(asked)
    assert (asked.meter.usage.prompt_tokens, asked.meter.usage.completion_tokens) == (1000, 200)


@every_way
@pytest.mark.parametrize(
    "step",
    [
        events(HALVES[0], done=False),
        events(HALVES[0], {"error": {"message": "upstream died", "code": 502}}, done=False),
    ],
    ids=["cut", "error"],
)
def test_a_stream_that_breaks_off_is_no_reply(ask: Ask, way: Way, step: Answer) -> None:
    asked = ask(step, STREAMS["usage-last"], **way, extra={"stream": True})
    assert graded(asked)
    assert asked.meter.usage.retries == 1


@every_way
def test_a_stream_that_was_not_asked_for_is_read_as_well(ask: Ask, way: Way) -> None:
    assert graded(ask(STREAMS["usage-last"], **way))
