"""What a chat backend sends, and how it asks again; the same through litellm and directly."""

from __future__ import annotations

import json

import pytest

from mmrare_judge.backends.base import Mode
from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    FormatError,
    RefusalError,
    TruncatedError,
)
from support.asking import (
    BACKENDS,
    DOUBLED,
    KEY,
    MALFORMED,
    MISSING,
    MODES,
    OTHER,
    TEXT,
    TOO_LONG,
    WRONG_ENUM,
    Ask,
    Way,
    both,
    every_way,
    good,
    graded,
    saying,
    spec_for,
)
from support.server import (
    ScriptedServer,
    Step,
    chat,
    error,
    rate_limited,
    refused,
    reset,
    tool_call,
)

# What is sent


@every_way
@pytest.mark.parametrize("mode", MODES)
def test_a_right_reply_takes_one_request_in_every_mode(ask: Ask, mode: Mode, way: Way) -> None:
    asked = ask(good, mode=mode, **way)
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


@both
def test_the_schema_goes_out_closed_complete_and_strict(ask: Ask, way: Way) -> None:
    response_format = ask(good, mode="json_schema", **way).seen[0].body["response_format"]
    assert response_format["type"] == "json_schema"
    assert response_format["json_schema"]["strict"] is True
    schema = response_format["json_schema"]["schema"]
    for part in (schema, schema["$defs"]["Verdict"]):
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])
    # The order is the order in which a grammar makes the model write.
    assert list(schema["$defs"]["Verdict"]["properties"]) == ["reasoning", "quotes", "level"]


@both
def test_plain_json_mode_sends_the_messages_and_nothing_about_structure(ask: Ask, way: Way) -> None:
    body = ask(good, mode="json", **way).seen[0].body
    assert body.keys() == {"model", "messages", "temperature"}


@both
def test_tools_mode_forces_one_function(ask: Ask, way: Way) -> None:
    body = ask(good, mode="tools", **way).seen[0].body
    (tool,) = body["tools"]
    assert body["tool_choice"]["function"]["name"] == tool["function"]["name"]
    assert set(tool["function"]["parameters"]["properties"]) == {"agents", "doses"}
    assert "response_format" not in body


@every_way
def test_an_endpoint_of_ones_own_gets_a_schema_by_default_with_its_length_limits(
    ask: Ask, way: Way
) -> None:
    asked = ask(good, **way)
    assert asked.reply is not None
    assert asked.reply.mode == "json_schema"
    schema = asked.seen[0].schema
    assert schema is not None
    assert schema["$defs"]["Verdict"]["properties"]["reasoning"]["maxLength"] == 60


@every_way
def test_length_limits_are_left_out_once_an_endpoint_has_refused_them(
    ask: Ask, server: ScriptedServer, way: Way
) -> None:
    spec = spec_for(server, **way)
    backend = BACKENDS[spec.backend](spec)
    refusal = error(
        400, "In context=(), 'maxLength' is not permitted.", kind="invalid_request_error"
    )
    first = ask(refusal, good, using=backend, **way)
    second = ask(good, using=backend, **way)
    assert graded(first)
    assert graded(second)
    assert "maxLength" in json.dumps(first.seen[0].body)
    assert "maxLength" not in json.dumps([first.seen[1].body, second.seen[0].body])


# Sampling


@both
def test_a_temperature_of_zero_is_sent_where_none_is_set(ask: Ask, way: Way) -> None:
    asked = ask(good, **way)
    assert asked.seen[0].body["temperature"] == 0
    assert asked.reply is not None
    assert asked.reply.sampling == {"temperature": 0}


@both
def test_set_parameters_are_sent_and_reported_as_they_are(ask: Ask, way: Way) -> None:
    sampling = {"temperature": 0.7, "top_p": 0.9, "seed": 11, "max_tokens": 900}
    asked = ask(good, **sampling, extra={"repetition_penalty": 1.1}, **way)
    sent = asked.seen[0].body
    assert sent.items() >= (sampling | {"repetition_penalty": 1.1}).items()
    assert asked.reply is not None
    assert asked.reply.sampling == sampling | {"repetition_penalty": 1.1}


@every_way
def test_an_endpoint_that_refuses_the_default_temperature_is_asked_without(
    ask: Ask, way: Way
) -> None:
    refusal = error(400, "Unsupported value: 'temperature' does not support 0 with this model.")
    asked = ask(refusal, good, **way)
    assert graded(asked)
    assert ["temperature" in request.body for request in asked.seen] == [True, False]
    assert asked.meter.usage.retries == 0


# Replies that are no grading, and re-asks


@every_way
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
        f"{TEXT} {OTHER}",
    ],
    ids=["enum", "missing", "doubled", "long", "malformed", "cut", "empty", "list", "blank", "two"],
)
def test_a_reply_of_the_wrong_form_is_asked_for_again(
    ask: Ask, wrong: str, mode: Mode, way: Way
) -> None:
    asked = ask(saying(wrong), good, mode=mode, **way)
    assert graded(asked)
    usage = asked.meter.usage
    assert (usage.calls, usage.retries, usage.reasks) == (2, 0, 1)
    assert (usage.prompt_tokens, usage.completion_tokens) == (2000, 400)
    first, second = asked.seen
    assert second.messages[:2] == first.messages
    structure = {"response_format", "tools", "tool_choice", "temperature"}
    kept = [{k: v for k, v in r.body.items() if k in structure} for r in asked.seen]
    assert kept[0] == kept[1]


@both
@pytest.mark.parametrize("mode", MODES)
def test_a_re_ask_shows_the_model_its_reply_and_what_is_wrong_with_it(
    ask: Ask, way: Way, mode: Mode
) -> None:
    second = ask(saying(WRONG_ENUM), good, mode=mode, **way).seen[1]
    added = second.messages[2:]
    assert "MOSTLY" in json.dumps(added[0])
    assert [message["role"] for message in added] == [
        "assistant",
        "tool" if mode == "tools" else "user",
    ]
    assert "agents.level" in added[1]["content"]
    assert "'NO', 'YES' or 'cannot_determine'" in added[1]["content"]


@both
def test_a_doubled_criterion_is_named_in_the_re_ask(ask: Ask, way: Way) -> None:
    second = ask(chat(DOUBLED), good, **way).seen[1]
    assert "given twice: agents" in second.messages[-1]["content"]


@both
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reask", [0, 1, 2])
def test_after_that_many_re_asks_the_request_fails_and_keeps_the_last_reply(
    ask: Ask, way: Way, reask: int, mode: Mode
) -> None:
    asked = ask(*[saying(MISSING)] * reask, saying(WRONG_ENUM), mode=mode, reask=reask, **way)
    assert isinstance(asked.fault, FormatError)
    assert asked.fault.raw == WRONG_ENUM
    assert "agents.level" in str(asked.fault)
    assert "MOSTLY" not in str(asked.fault)
    assert (asked.meter.usage.calls, asked.meter.usage.reasks) == (reask + 1, reask)


@both
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
def test_what_ends_a_request_ends_it_during_a_re_ask_too(ask: Ask, way: Way, fault: Step) -> None:
    asked = ask(chat("{}"), fault, **way)
    assert isinstance(asked.fault, (RefusalError, ContentFilterError, TruncatedError, ConfigError))
    assert asked.meter.usage.reasks == 1


@both
def test_a_re_ask_is_repeated_after_transport_faults_like_any_request(ask: Ask, way: Way) -> None:
    asked = ask(chat("{}"), error(503), reset(), chat(WRONG_ENUM), rate_limited(2), good, **way)
    assert graded(asked)
    usage = asked.meter.usage
    # Six requests: the first, two re-asks, and after those one repeat of three.
    assert (usage.calls, usage.reasks, usage.retries) == (6, 2, 3)
    assert usage.prompt_tokens == 3 * 1000


@both
def test_several_tool_calls_are_several_gradings_and_none_is_taken(ask: Ask, way: Way) -> None:
    asked = ask(tool_call(TEXT, TEXT), good, mode="tools", **way)
    assert graded(asked)
    assert asked.meter.usage.reasks == 1


@both
def test_text_instead_of_a_tool_call_is_asked_for_again(ask: Ask, way: Way) -> None:
    asked = ask(chat("Let me think about that plan first."), good, mode="tools", **way)
    assert graded(asked)
    assert asked.meter.usage.reasks == 1


@both
def test_the_assistants_empty_turn_is_not_sent_back(ask: Ask, way: Way) -> None:
    second = ask(chat(None), good, **way).seen[1]
    assert [message["role"] for message in second.messages] == ["system", "user", "user"]


@both
def test_what_instructor_raises_about_a_reply_is_a_format_fault(
    ask: Ask, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    import instructor  # noqa: TID251
    from instructor.core import IncompleteOutputException  # noqa: TID251

    class Client:
        async def create(self, **_: object) -> None:
            raise IncompleteOutputException("half a reply")

    monkeypatch.setattr(instructor, "from_litellm", lambda *_, **__: Client())
    asked = ask(chat("{}"), **way)
    assert isinstance(asked.fault, FormatError)
    assert "half a reply" in str(asked.fault)


# Text around the object


@both
@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}\n```",
        f"Here is my {{grading}}:\n{TEXT}.",
        f"<think>Is {{dose}} given?</think>\n{TEXT}",
        f"the dose is missing</think>{TEXT}",
        f"\ufeff \n{TEXT}\n",
    ],
    ids=["fence", "bare-fence", "prose", "thinking", "thinking-without-start", "white-space"],
)
@pytest.mark.parametrize("mode", ["json", "json_schema"])
def test_one_object_is_found_between_fences_prose_and_thinking(
    ask: Ask, way: Way, text: str, mode: Mode
) -> None:
    asked = ask(chat(text), mode=mode, **way)
    assert graded(asked)
