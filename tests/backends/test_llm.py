"""The LLM backend with the real litellm and the real instructor, against the scripted server."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mmrare_judge.backends import litellm_door
from mmrare_judge.backends.answer import read
from mmrare_judge.backends.base import Meter, Reply, Request
from mmrare_judge.backends.llm import LLMBackend
from mmrare_judge.errors import (
    BackendError,
    ConfigError,
    ContentFilterError,
    FormatError,
    MMRareJudgeError,
    RefusalError,
    TransportError,
    TruncatedError,
)
from mmrare_judge.retry import Backoff
from mmrare_judge.schema import ReplyModel
from mmrare_judge.spec import JudgeSpec, Mode
from server import (
    Received,
    ScriptedServer,
    Step,
    chat,
    completion,
    drip,
    error,
    error_in_200,
    filled,
    hang,
    rate_limited,
    raw,
    refused,
    reset,
    tool_call,
)

KEY = "sk-scripted-0123456789"
MODES: tuple[Mode, ...] = ("json_schema", "json", "tools")
MODELS = ("hosted_vllm/judge", "openai/judge")  # litellm's own HTTP handler, and the openai SDK


class Verdict(BaseModel):
    """A verdict with the fields and the caps that rubric replies have."""

    model_config = ConfigDict(extra="forbid")

    reasoning: str = Field(max_length=60)
    quotes: list[str] = Field(max_length=3)
    level: Literal["NO", "YES", "cannot_determine"]


class Grading(ReplyModel):
    """A reply to a rubric of two criteria."""

    agents: Verdict
    doses: Verdict


GOOD = {
    "agents": {"reasoning": "named", "quotes": ["prednisone"], "level": "YES"},
    "doses": {"reasoning": "none given", "quotes": [], "level": "NO"},
}
TEXT = json.dumps(GOOD)
WRONG_ENUM = TEXT.replace('"YES"', '"MOSTLY"')
MISSING = json.dumps({"agents": GOOD["agents"]})
DOUBLED = f'{{"agents": {json.dumps(GOOD["doses"])}, {TEXT[1:]}'
TOO_LONG = TEXT.replace("none given", "x" * 61)
MALFORMED = TEXT.replace(":", "", 1)


@dataclass
class Asked:
    """A finished request: what came back, what was counted, what the server saw, the waits."""

    reply: Reply | None
    fault: MMRareJudgeError | None
    meter: Meter
    seen: list[Received]
    waits: list[float] = field(default_factory=list)


Ask = Callable[..., Asked]


@pytest.fixture
def ask(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the server once, following a script; check that every request it saw was counted."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def ask(*steps: Step, backend: LLMBackend | None = None, **settings: Any) -> Asked:
        server.script(*steps)
        server.otherwise = error(418, "the script is used up")
        before = len(server.requests)
        waits: list[float] = []
        options: dict[str, Any] = {"model": MODELS[0], "api_base": server.url, "api_key": KEY}
        spec = JudgeSpec(**(options | {"timeout": 5.0} | settings))
        asked = Asked(None, None, Meter(), [], waits)
        backend = backend or LLMBackend(spec, backoff=noting(waits))
        try:
            asked.reply = asyncio.run(backend.complete(request_for(spec), asked.meter))
        except MMRareJudgeError as fault:
            asked.fault = fault
        asked.seen = server.requests[before:]
        assert asked.meter.usage.calls == len(asked.seen)
        return asked

    return ask


def noting(waits: list[float]) -> Backoff:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    return Backoff(sleep=sleep)


def request_for(spec: JudgeSpec) -> Request:
    names = ("temperature", "top_p", "seed", "max_tokens")
    sampling = {name: value for name in names if (value := getattr(spec, name)) is not None}
    return Request(
        model=spec.model,
        messages=(
            {"role": "system", "content": "You grade treatment plans. Answer in JSON."},
            {"role": "user", "content": "The plan: prednisone."},
        ),
        sampling=sampling | dict(spec.extra),
        schema=Grading.model_json_schema(),
        mode=spec.mode,
        endpoint=spec.api_base,
        reply_model=Grading,
    )


def graded(asked: Asked) -> bool:
    """Whether the reply is the good one."""
    return asked.reply is not None and json.loads(asked.reply.text) == GOOD


good = filled(lambda _: GOOD)


def saying(text: str) -> Step:
    """That text, as content or as the tool's arguments, whichever was asked for."""
    return filled(lambda _: text)


# What is sent


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mode", MODES)
def test_a_right_reply_takes_one_request_in_every_mode(ask: Ask, mode: Mode, model: str) -> None:
    asked = ask(good, mode=mode, model=model)
    assert graded(asked)
    assert asked.reply is not None
    assert (asked.reply.mode, asked.reply.model) == (mode, "scripted-1")
    assert asked.reply.finish == "complete"
    assert asked.reply.usage == asked.meter.usage
    usage = asked.meter.usage
    # The server says 1000 and 200 tokens of every completion.
    assert (usage.calls, usage.retries, usage.reasks) == (1, 0, 0)
    assert (usage.prompt_tokens, usage.completion_tokens) == (1000, 200)
    assert asked.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert [message["role"] for message in asked.seen[0].messages] == ["system", "user"]


def test_the_schema_goes_out_closed_complete_and_strict(ask: Ask) -> None:
    response_format = ask(good, mode="json_schema").seen[0].body["response_format"]
    assert response_format["type"] == "json_schema"
    assert response_format["json_schema"]["strict"] is True
    schema = response_format["json_schema"]["schema"]
    for part in (schema, schema["$defs"]["Verdict"]):
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])
    # The order is the order in which a grammar makes the model write.
    assert list(schema["$defs"]["Verdict"]["properties"]) == ["reasoning", "quotes", "level"]


def test_plain_json_mode_sends_the_messages_and_nothing_about_structure(ask: Ask) -> None:
    body = ask(good, mode="json").seen[0].body
    assert body.keys() == {"model", "messages", "temperature"}


def test_tools_mode_forces_one_function(ask: Ask) -> None:
    body = ask(good, mode="tools").seen[0].body
    (tool,) = body["tools"]
    assert body["tool_choice"]["function"]["name"] == tool["function"]["name"]
    assert set(tool["function"]["parameters"]["properties"]) == {"agents", "doses"}
    assert "response_format" not in body


def test_an_endpoint_of_ones_own_gets_a_schema_by_default_with_its_length_limits(ask: Ask) -> None:
    asked = ask(good, model="openai/whatever-i-run")
    assert asked.reply is not None
    assert asked.reply.mode == "json_schema"
    schema = asked.seen[0].schema
    assert schema is not None
    assert schema["$defs"]["Verdict"]["properties"]["reasoning"]["maxLength"] == 60


def test_length_limits_are_left_out_once_an_endpoint_has_refused_them(
    ask: Ask, server: ScriptedServer
) -> None:
    spec = JudgeSpec(model="openai/gateway", api_base=server.url, api_key=SecretStr(KEY))
    backend = LLMBackend(spec)
    refusal = error(
        400, "In context=(), 'maxLength' is not permitted.", kind="invalid_request_error"
    )
    first = ask(refusal, good, backend=backend, model=spec.model)
    second = ask(good, backend=backend, model=spec.model)
    assert graded(first)
    assert graded(second)
    assert "maxLength" in json.dumps(first.seen[0].body)
    assert "maxLength" not in json.dumps([first.seen[1].body, second.seen[0].body])


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        ("hosted_vllm/anything", "json_schema"),
        ("ollama/qwen3:8b", "json_schema"),
        ("openai/gpt-5-mini", "json_schema"),
        ("openai/gpt-4", "json"),
    ],
)
def test_the_automatic_mode_is_a_schema_where_it_is_supported_and_else_plain_json(
    model: str, mode: Mode
) -> None:
    """OpenAI's own documentation: structured outputs came with gpt-4o, gpt-4 has none."""
    request = request_for(JudgeSpec(model=model))
    assert LLMBackend(JudgeSpec(model=model))._mode(request) == mode


# Sampling


def test_a_temperature_of_zero_is_sent_where_none_is_set(ask: Ask) -> None:
    asked = ask(good)
    assert asked.seen[0].body["temperature"] == 0
    assert asked.reply is not None
    assert asked.reply.sampling == {"temperature": 0}


def test_set_parameters_are_sent_and_reported_as_they_are(ask: Ask) -> None:
    sampling = {"temperature": 0.7, "top_p": 0.9, "seed": 11, "max_tokens": 900}
    asked = ask(good, **sampling, extra={"repetition_penalty": 1.1})
    sent = asked.seen[0].body
    assert sent.items() >= (sampling | {"repetition_penalty": 1.1}).items()
    assert asked.reply is not None
    assert asked.reply.sampling == sampling | {"repetition_penalty": 1.1}


def test_a_model_that_litellm_knows_to_take_no_temperature_gets_none(ask: Ask) -> None:
    asked = ask(good, model="openai/gpt-5-mini")
    assert "temperature" not in asked.seen[0].body
    assert asked.reply is not None
    assert asked.reply.sampling == {}
    # Listed at 0.25 and 2 dollars a million tokens: 1000 * 0.25e-6 + 200 * 2e-6.
    assert asked.meter.usage.cost == pytest.approx(0.00065)


def test_an_endpoint_that_refuses_the_default_temperature_is_asked_without(ask: Ask) -> None:
    refusal = error(400, "Unsupported value: 'temperature' does not support 0 with this model.")
    asked = ask(refusal, good, model="openai/reasoner")
    assert graded(asked)
    assert ["temperature" in request.body for request in asked.seen] == [True, False]
    assert asked.meter.usage.retries == 0


def test_a_set_temperature_that_is_not_taken_is_for_the_caller_to_mend(ask: Ask) -> None:
    asked = ask(model="openai/gpt-5-mini", temperature=0.3)
    assert isinstance(asked.fault, ConfigError)
    assert "temperature" in str(asked.fault)
    assert asked.seen == []


# Replies that are no grading, and re-asks


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "wrong",
    [
        WRONG_ENUM,
        MISSING,
        DOUBLED,
        TOO_LONG,
        MALFORMED,
        TEXT[:-30],
        "{}",
        "[]",
        "",
        f"{TEXT} {TEXT}",
    ],
    ids=["enum", "missing", "doubled", "long", "malformed", "cut", "empty", "list", "blank", "two"],
)
def test_a_reply_of_the_wrong_form_is_asked_for_again(
    ask: Ask, wrong: str, mode: Mode, model: str
) -> None:
    asked = ask(saying(wrong), good, mode=mode, model=model)
    assert graded(asked)
    usage = asked.meter.usage
    assert (usage.calls, usage.retries, usage.reasks) == (2, 0, 1)
    assert (usage.prompt_tokens, usage.completion_tokens) == (2000, 400)
    first, second = asked.seen
    assert second.messages[:2] == first.messages
    structure = {"response_format", "tools", "tool_choice", "temperature"}
    kept = [{k: v for k, v in r.body.items() if k in structure} for r in asked.seen]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("mode", MODES)
def test_a_re_ask_shows_the_model_its_reply_and_what_is_wrong_with_it(ask: Ask, mode: Mode) -> None:
    second = ask(saying(WRONG_ENUM), good, mode=mode).seen[1]
    added = second.messages[2:]
    assert "MOSTLY" in json.dumps(added[0])
    assert [message["role"] for message in added] == [
        "assistant",
        "tool" if mode == "tools" else "user",
    ]
    assert "agents.level" in added[1]["content"]
    assert "'NO', 'YES' or 'cannot_determine'" in added[1]["content"]


def test_a_doubled_criterion_is_named_in_the_re_ask(ask: Ask) -> None:
    second = ask(chat(DOUBLED), good).seen[1]
    assert "given twice: agents" in second.messages[-1]["content"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reask", [0, 1, 2])
def test_after_that_many_re_asks_the_request_fails_and_keeps_the_last_reply(
    ask: Ask, reask: int, mode: Mode
) -> None:
    asked = ask(*[saying(MISSING)] * reask, saying(WRONG_ENUM), mode=mode, reask=reask)
    assert isinstance(asked.fault, FormatError)
    assert asked.fault.raw == WRONG_ENUM
    assert "agents.level" in str(asked.fault)
    assert "MOSTLY" not in str(asked.fault)
    assert (asked.meter.usage.calls, asked.meter.usage.reasks) == (reask + 1, reask)


@pytest.mark.parametrize(
    "fault",
    [
        refused("no"),
        chat(None, finish="content_filter"),
        chat(TEXT[:9], finish="length"),
        error(401),
    ],
    ids=["refusal", "filter", "length", "key"],
)
def test_what_ends_a_request_ends_it_during_a_re_ask_too(ask: Ask, fault: Step) -> None:
    asked = ask(chat("{}"), fault)
    assert isinstance(asked.fault, (RefusalError, ContentFilterError, TruncatedError, ConfigError))
    assert asked.meter.usage.reasks == 1


def test_a_re_ask_is_repeated_after_transport_faults_like_any_request(ask: Ask) -> None:
    asked = ask(chat("{}"), error(503), reset(), chat(WRONG_ENUM), rate_limited(2), good)
    assert graded(asked)
    usage = asked.meter.usage
    # Six requests: the first, two re-asks, and after those one repeat of three.
    assert (usage.calls, usage.reasks, usage.retries) == (6, 2, 3)
    assert usage.prompt_tokens == 3 * 1000


def test_several_tool_calls_are_several_gradings_and_none_is_taken(ask: Ask) -> None:
    asked = ask(tool_call(TEXT, TEXT), good, mode="tools")
    assert graded(asked)
    assert asked.meter.usage.reasks == 1


def test_text_instead_of_a_tool_call_is_asked_for_again(ask: Ask) -> None:
    asked = ask(chat("Let me think about that plan first."), good, mode="tools")
    assert graded(asked)
    assert asked.meter.usage.reasks == 1


def test_the_assistants_empty_turn_is_not_sent_back(ask: Ask) -> None:
    second = ask(chat(None), good).seen[1]
    assert [message["role"] for message in second.messages] == ["system", "user", "user"]


# Text around the object


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}\n```",
        f"Here is my grading:\n{TEXT}\nI hope it helps.",
        f"<think>Is {{dose}} given?</think>\n{TEXT}",
        f"the dose is missing</think>{TEXT}",
        f"\ufeff \n{TEXT}\n",
    ],
    ids=["fence", "bare-fence", "prose", "thinking", "thinking-without-start", "white-space"],
)
@pytest.mark.parametrize("mode", ["json", "json_schema"])
def test_one_object_is_found_between_fences_prose_and_thinking(
    ask: Ask, text: str, mode: Mode
) -> None:
    asked = ask(chat(text), mode=mode)
    assert graded(asked)


@pytest.mark.parametrize(
    "text",
    [
        f"First {TEXT} then {TEXT}",
        f"Use {{this}}: {TEXT}",
        f"Broken: {MALFORMED} and so on",
        "{" * 100_000,
        'x {"a":' * 20_000,
        "no braces at all",
        "",
        "null",
    ],
    ids=["two", "brace", "broken", "deep", "deep-after-prose", "prose", "empty", "null"],
)
def test_nothing_is_guessed_from_text_that_holds_no_single_object(text: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match="validation error"):
        read(text, Grading)
    assert time.process_time() - started < 1.0


def test_a_quoted_end_of_thinking_inside_the_reply_does_not_cut_it() -> None:
    text = TEXT.replace("named", "says </think> itself")
    assert read(text, Grading) == text


# Answers that are none


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("step", "cls", "raw_text"),
    [
        (refused("I can't assist with that."), RefusalError, "I can't assist with that."),
        (chat("I'm sorry, but I can't help with that."), RefusalError, "I'm sorry, but"),
        (chat("I cannot grade medical content."), RefusalError, "I cannot grade"),
        (chat(None, finish="content_filter"), ContentFilterError, ""),
        (chat(TEXT[:40], finish="length"), TruncatedError, TEXT[:40]),
        (tool_call(TEXT[:40], finish="length"), TruncatedError, TEXT[:40]),
        (chat(TEXT, finish="length"), TruncatedError, TEXT),
    ],
    ids=["field", "sorry", "cannot", "filter", "length", "length-tool", "length-at-the-end"],
)
def test_refusals_filters_and_truncation_are_told_apart_and_not_asked_again(
    ask: Ask, step: Step, cls: type[BackendError], raw_text: str, mode: Mode, model: str
) -> None:
    asked = ask(step, mode=mode, model=model)
    assert type(asked.fault) is cls
    assert isinstance(asked.fault, (RefusalError, ContentFilterError, TruncatedError))
    assert asked.fault.raw.startswith(raw_text)
    assert asked.meter.usage.prompt_tokens == 1000


@pytest.mark.parametrize(
    "text",
    ["I'm sorry to say the plan has gaps.", "I can see no dose.", "Sorry state of affairs."],
    ids=["sorry-to-say", "can-see", "sorry-state"],
)
def test_prose_that_only_sounds_like_a_refusal(ask: Ask, text: str) -> None:
    """An opening "I'm sorry" is taken for a refusal; other openings are asked again."""
    asked = ask(chat(text), good)
    assert isinstance(asked.fault, RefusalError) == text.startswith("I'm sorry")


def test_a_grading_that_contains_a_refusals_words_is_a_grading(ask: Ask) -> None:
    text = TEXT.replace("named", "I'm sorry, but I cannot see a dose")
    asked = ask(chat(text))
    assert asked.reply is not None


# Transport faults


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (rate_limited(), "rate_limit"),
        (rate_limited(retry_after=2), "rate_limit"),
        (error(500), "server_error"),
        (error(502), "server_error"),
        (error(503), "server_error"),
        (error(529, "overloaded"), "server_error"),
        (error(504), "timeout"),
        (reset(), "connection"),
        (raw(b"<html>502 Bad Gateway</html>", content_type="text/html"), "server_error"),
        (raw(b'{"id": "chatcmpl-1", "choi'), "server_error"),
        (raw(b""), "server_error"),
        (raw(b'{"id":"1","object":"chat.completion","model":"m","choices":[]}'), "server_error"),
        (error_in_200("Rate limit exceeded", 429), "rate_limit"),
        (error_in_200("The upstream model is overloaded"), "server_error"),
        (chat("Error: upstream returned 503"), "server_error"),
        (chat("Failed to obtain answer via API."), "server_error"),
    ],
    ids=[
        "429",
        "429-after",
        "500",
        "502",
        "503",
        "529",
        "504",
        "reset",
        "html",
        "cut-body",
        "no-body",
        "no-choices",
        "429-in-200",
        "error-in-200",
        "error-as-text",
        "failure-as-text",
    ],
)
def test_a_passing_fault_is_repeated_and_a_lasting_one_reported(
    ask: Ask, step: Step, kind: str, model: str
) -> None:
    passing = ask(step, good, model=model)
    assert graded(passing)
    assert (passing.meter.usage.calls, passing.meter.usage.retries) == (2, 1)
    lasting = ask(step, step, step, model=model, retries=2)
    assert isinstance(lasting.fault, TransportError)
    assert lasting.fault.kind == kind
    assert (lasting.meter.usage.calls, lasting.meter.usage.retries) == (3, 2)
    assert KEY not in str(lasting.fault)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("step", [hang(30), drip(chat(TEXT), 30)], ids=["hang", "drip"])
def test_an_attempt_ends_at_its_time_limit_whatever_trickles_in(
    ask: Ask, step: Step, model: str
) -> None:
    started = time.monotonic()
    asked = ask(step, good, model=model, timeout=0.3)
    assert graded(asked)
    assert asked.meter.usage.retries == 1
    assert time.monotonic() - started < 5  # the server would take 30 s
    lasting = ask(step, model=model, timeout=0.3, retries=0)
    assert isinstance(lasting.fault, TransportError)
    assert lasting.fault.kind == "timeout"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_honoured_as_seconds_and_as_a_date(
    ask: Ask, status: int, model: str
) -> None:
    date = formatdate(time.time() + 40, usegmt=True)
    asked = ask(
        error(status, headers={"Retry-After": "7"}),
        error(status, headers={"Retry-After": date}),
        good,
        model=model,
    )
    assert graded(asked)
    assert 7 <= asked.waits[0] <= 8  # up to a second is added
    assert 35 <= asked.waits[1] <= 41


def test_an_unreachable_endpoint_is_a_connection_fault() -> None:
    spec = JudgeSpec(model=MODELS[0], api_base="http://127.0.0.1:1/v1", retries=0)
    with pytest.raises(TransportError) as caught:
        asyncio.run(LLMBackend(spec).complete(request_for(spec), Meter()))
    assert caught.value.kind == "connection"


# Faults for the caller


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("step", "says"),
    [
        (error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key"), "_API_KEY"),
        (error(403, "not for you"), "may not use"),
        (error(402, "pay first"), "billing"),
        (error(429, "quota", code="insufficient_quota", kind="insufficient_quota"), "billing"),
        (error(404, "The model `judge` does not exist", code="model_not_found"), "no model"),
        (error(400, "unknown field 'colour'"), "colour"),
        (error(422, "unknown field 'colour'"), "colour"),
    ],
    ids=["401", "403", "402", "quota", "404", "400", "422"],
)
def test_what_can_never_work_fails_at_once_and_says_what_to_set(
    ask: Ask, step: Step, says: str, model: str
) -> None:
    asked = ask(step, model=model)
    assert isinstance(asked.fault, ConfigError)
    assert says in str(asked.fault)
    assert asked.meter.usage.calls == 1


@pytest.mark.parametrize("model", MODELS)
def test_a_key_never_shows_in_an_error_or_behind_it(ask: Ask, model: str) -> None:
    fault = ask(error(401, f"Incorrect API key provided: {KEY}"), model=model).fault
    shown: BaseException | None = fault
    while shown is not None:
        assert KEY not in str(shown)
        shown = None if shown.__suppress_context__ else shown.__cause__ or shown.__context__


def test_a_missing_key_names_the_variable_to_set(ask: Ask) -> None:
    asked = ask(model="openai/gpt-5-mini", api_key=None)
    assert isinstance(asked.fault, ConfigError)
    assert "OPENAI_API_KEY" in str(asked.fault)
    assert asked.seen == []


@pytest.mark.parametrize("model", ["judge", "nosuchprovider/judge"])
def test_a_model_without_a_known_provider_says_how_to_write_one(model: str) -> None:
    spec = JudgeSpec(model=model)
    with pytest.raises(ConfigError, match=r"provider/model.*openai/gpt-5-mini"):
        asyncio.run(LLMBackend(spec).complete(request_for(spec), Meter()))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("step", "cls", "says"),
    [
        (
            error(
                400,
                "This model's maximum context length is 4096 tokens.",
                kind="invalid_request_error",
            ),
            TruncatedError,
            "context window",
        ),
        (error(413, "Request too big"), TruncatedError, "context window"),
        (
            error(400, "rejected", code="content_policy_violation", kind="invalid_request_error"),
            ContentFilterError,
            "rejected",
        ),
    ],
    ids=["context", "413", "policy"],
)
def test_an_item_that_cannot_be_graded_does_not_end_the_run(
    ask: Ask, step: Step, cls: type[BackendError], says: str, model: str
) -> None:
    asked = ask(step, model=model)
    assert type(asked.fault) is cls
    assert says in str(asked.fault)


# Cost


def test_the_cost_of_every_attempt_is_counted(ask: Ask) -> None:
    asked = ask(error(500), chat("{}"), good, model="openai/gpt-5-mini")
    # Two completions of 1000 and 200 tokens at 0.25 and 2 dollars a million.
    assert asked.meter.usage.cost == pytest.approx(2 * 0.00065)


@pytest.mark.parametrize("model", ["hosted_vllm/judge", "openai/nobody-has-priced-this"])
def test_a_model_without_a_known_price_costs_none_and_not_zero(ask: Ask, model: str) -> None:
    assert ask(good, model=model).meter.usage.cost is None


def test_a_reply_without_a_token_count_has_no_cost(ask: Ask) -> None:
    asked = ask(completion({"content": TEXT}, usage=None), model="openai/gpt-5-mini")
    assert graded(asked)
    assert asked.meter.usage.cost is None


def test_what_a_cancelled_request_sent_is_counted(server: ScriptedServer) -> None:
    server.otherwise = hang(30)
    spec = JudgeSpec(model=MODELS[0], api_base=server.url)
    meter = Meter()

    async def cancel() -> None:
        task = asyncio.create_task(LLMBackend(spec).complete(request_for(spec), meter))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert meter.usage.calls == 1


# Living in a process


async def test_concurrent_requests_each_get_their_own_reply(server: ScriptedServer) -> None:
    def fill(request: Received) -> Mapping[str, Any]:
        return json.loads(TEXT.replace("named", request.messages[0]["content"]))  # type: ignore[no-any-return]

    server.otherwise = filled(fill)
    spec = JudgeSpec(model="openai/reasoner", api_base=server.url, api_key=SecretStr(KEY))
    backend = LLMBackend(spec)

    async def one(number: int) -> str:
        asked = request_for(spec)
        own = Request(
            **{**vars(asked), "messages": ({"role": "user", "content": f"case {number}"},)}
        )
        return (await backend.complete(own, Meter())).text

    texts = await asyncio.gather(*(one(number) for number in range(50)))
    names = [json.loads(text)["agents"]["reasoning"] for text in texts]
    assert names == [f"case {number}" for number in range(50)]
    assert len(server.requests) == 50


async def test_requests_that_find_out_together_about_the_temperature_all_succeed(
    server: ScriptedServer,
) -> None:
    def step(request: Received) -> Step:
        refusal = error(400, "'temperature' is not supported with this model")
        return refusal if "temperature" in request.body else good

    server.otherwise = step
    spec = JudgeSpec(model="openai/reasoner", api_base=server.url, api_key=SecretStr(KEY))
    backend, meter = LLMBackend(spec), Meter()
    await asyncio.gather(*(backend.complete(request_for(spec), meter) for _ in range(20)))
    assert meter.usage.calls == len(server.requests)
    assert 21 <= len(server.requests) <= 40


@pytest.mark.parametrize("model", MODELS)
def test_event_loops_come_and_go_without_leaving_anything_open(
    server: ScriptedServer, model: str
) -> None:
    server.otherwise = good
    spec = JudgeSpec(model=model, api_base=server.url, api_key=SecretStr(KEY))
    backend = LLMBackend(spec)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(5):
            asyncio.run(backend.complete(request_for(spec), Meter()))
            assert len(litellm_door.sessions) == 0
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert len(server.requests) == 5


async def test_connections_can_be_closed_while_the_loop_goes_on(server: ScriptedServer) -> None:
    server.otherwise = good
    spec = JudgeSpec(model=MODELS[0], api_base=server.url)
    backend = LLMBackend(spec)
    await backend.complete(request_for(spec), Meter())
    await backend.aclose()
    await backend.aclose()
    assert len(litellm_door.sessions) == 0
    assert json.loads((await backend.complete(request_for(spec), Meter())).text) == GOOD


def test_litellm_comes_in_late_quietly_and_alone(tmp_path: Path) -> None:
    """In a fresh process, with warnings as errors, the network cut and a stray .env about."""
    (tmp_path / ".env").write_text("STRAY_VARIABLE=clinical\n")
    script = """
        import os, socket, sys

        def cut(*args, **kwargs):
            raise SystemExit(f"network access: {args}")

        before = dict(os.environ)
        import mmrare_judge.backends.llm
        assert not {"litellm", "instructor", "openai", "tenacity", "aiohttp"} & sys.modules.keys()
        socket.getaddrinfo = socket.create_connection = socket.socket.connect = cut
        socket.socket.connect_ex = cut
        from mmrare_judge.backends import litellm_door
        module = litellm_door.litellm()
        assert module.suppress_debug_info and not module.telemetry
        assert dict(os.environ) == before, os.environ.keys() ^ before.keys()
        assert not (module.callbacks or module.success_callback or module.failure_callback)
        assert module.disable_aiohttp_transport is False
        assert litellm_door.supports_schema("openai/gpt-5-mini")
    """
    source = Path(litellm_door.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
