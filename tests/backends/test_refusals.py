"""What a refusal means: this item, the settings, a passing fault, or something sent by habit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Grade, Judge, Limits, Prediction, Run
from mmrare_judge.backends.faults import FaultKind, kind_of
from mmrare_judge.backends.replies import EndpointError
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.errors import (
    ConfigError,
    ContentFilterError,
    RequestRefusedError,
    TruncatedError,
)
from mmrare_judge.run.folder import iter_grades
from support.asking import KEY, Ask, Way, every_way, good, graded
from support.makers import make_item, small_rubric
from support.server import (
    Received,
    ScriptedServer,
    Step,
    chat,
    completion,
    error,
    error_in_200,
    filled,
    raw,
    refused,
    tool_call,
)

# --- In whatever words: the bodies of errors as vendors write them

MODERATED: dict[str, tuple[int, Any]] = {
    "openai": (400, {"error": {"message": "Invalid prompt: your prompt was flagged as potentially "
        "violating our usage policy.", "type": "invalid_request_error", "code": "invalid_prompt"}}),
    "openai-safety": (400, {"error": {"message": "Your request was rejected as a result of our "
        "safety system.", "type": "image_generation_user_error", "code": None}}),
    "azure": (400, {"error": {"message": "The response was filtered.", "param": "prompt",
        "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    "azure-inner": (400, {"error": {"message": "The request failed.", "param": "prompt",
        "code": "BadRequest", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    "xai": (403, {"code": "The caller does not have permission", "error": "Content violates usage "
        "guidelines. Team: x, API key ID: y, Model: grok, Failed check: SAFETY_CHECK_TYPE_CSAM"}),
    "openrouter": (403, {"error": {"code": 403, "message": "Your chosen model requires moderation "
        "and your input was flagged", "metadata": {"reasons": ["violence"]}}}),
    "dashscope": (400, {"error": {"code": "data_inspection_failed", "type": "x",
        "message": "Input data may contain inappropriate content."}}),
    "moonshot": (400, {"error": {"type": "content_filter",
        "message": "The request was rejected because it was considered high risk"}}),
    "moonshot-words": (400, {"error": {"type": "invalid_request_error",
        "message": "The request was rejected because it was considered high risk"}}),
    "deepseek": (400, {"error": {"message": "Content Exists Risk",
        "type": "invalid_request_error", "code": "invalid_request_error"}}),
    "zhipu": (400, {"error": {"code": "1301", "message": "no"}}),
    "zhipu-words": (400, {"error": {"message": "系统检测到输入内容可能包含敏感内容"}}),
    "volcengine": (400, {"error": {"code": "InputTextSensitiveContentDetected", "message": "no"}}),
    "anthropic": (400, {"type": "error", "error": {"type": "invalid_request_error",
        "message": "Output blocked by content filtering policy"}}),
    "bedrock": (400, {"message": "Your prompt was blocked by a guardrail"}),
    "proxy": (403, {"detail": "Request blocked by guardrail: PII in prompt"}),
    "list": (400, [{"error": {"code": "content_filter", "message": "no"}}]),
    "quoted": (400, {"error": {"message": "Provider returned error", "code": 400, "metadata":
        {"raw": '{"error": {"message": "Output blocked by content filtering policy"}}'}}}),
    "as-text": (400, {"detail": '{"error": {"code": "content_filter", "message": "no"}}'}),
    "legal": (451, {"error": "no"}),
}  # fmt: skip
TOO_LONG: dict[str, tuple[int, Any]] = {
    "anthropic": (400, {"type": "error", "error": {"type": "invalid_request_error",
        "message": "prompt is too long: 219898 tokens > 200000 maximum"}}),
    "bedrock": (400, {"message": "Input is too long for requested model."}),
    "gemini": (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "The input "
        "token count (1196265) exceeds the maximum number of tokens allowed (1048575)."}}),
    "cohere": (400, {"message": "too many tokens: total number of tokens in the prompt cannot "
        "exceed 4081 - received 4292. Try using a shorter prompt"}),
    "mistral": (400, {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft "
        "tokens, too large for model with 32768 maximum context length"}),
    "tgi": (422, {"error": "Input validation error: `inputs` must have less than 4096 tokens. "
        "Given: 5000", "error_type": "validation"}),
    "llama.cpp": (400, {"error": {"code": 400, "type": "exceed_context_size_error",
        "message": "the request exceeds the available context size, try increasing it"}}),
    "ollama": (400, {"error": {"message": "input length exceeds the context length"}}),
    "sglang": (400, {"object": "error", "message": "The input (40000 tokens) is longer than the "
        "model's context length (32768 tokens)."}),
    "xai": (400, {"error": "This model's maximum prompt length is 131072 but the request contains "
        "200000 tokens."}),
    "dashscope": (400, {"error": {"code": "invalid_parameter_error",
        "message": "Range of input length should be [1, 30720]"}}),
    "openai-string": (400, {"error": {"message": "Invalid 'messages[1].content': string too long.",
        "param": "messages[1].content", "code": "string_above_max_length"}}),
    "zhipu": (400, {"error": {"code": "1261", "message": "no"}}),
    "zhipu-words": (400, {"error": {"message": "Prompt 超长"}}),
    "bedrock-schema": (400, {"message": "Malformed input request: expected maxLength: 32000, "
        "actual: 45000, please reformat your input and try again."}),
    "llama.cpp-server": (500, {"error": {"code": 500, "message": "context size exceeded"}}),
    "errors": (400, {"errors": [{"code": "context_length_exceeded", "message": "no"}]}),
    "code-only": (400, {"error": {"message": "no", "code": "context_length_exceeded"}}),
    "groq": (413, {"error": {"message": "Request too large for model: Limit 6000, Requested 9000",
        "type": "tokens", "code": "rate_limit_exceeded"}}),
    "server": (500, {"error": {"message": "This model's maximum context length is 8192 tokens"}}),
}  # fmt: skip
PASSING: dict[str, tuple[int, Any]] = {
    **{str(status): (status, {"error": {"message": "no", "type": "invalid_request_error"}})
       for status in (408, 409, 420, 423, 424, 425, 429, 498, 499, 500, 502, 503, 504, 520, 529)},
    "overloaded": (400, {"error": {"message": "The server is currently overloaded"}}),
    "overloaded-code": (400, {"error": {"message": "no", "type": "overloaded_error"}}),
    "capacity": (403, {"error": "No capacity left for this model"}),
    "again": (400, {"error": {"message": "Something went wrong. Please try again later."}}),
    "again-bedrock": (400, {"message": "The system encountered an unexpected error during "
        "processing. Try your request again."}),
    "again-zhipu": (400, {"error": {"message": "该模型当前访问量过大，请您稍后再试"}}),
    "loading": (404, {"error": "Model x is currently loading", "estimated_time": 20.0}),
    "upstream-quoted": (404, {"error": {"message": "Provider returned error", "code": 404,
        "metadata": {"raw": "upstream connect error or disconnect/reset before headers"}}}),
    "upstream": (404, "no healthy upstream"),
    "throttled": (400, {"code": "Throttling.RateQuota", "message": "Requests rate limit exceeded"}),
    "concurrency": (400, {"error": {"message": "Concurrency limit of 4 reached"}}),
    "gemini": (429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message":
        "You exceeded your current quota, please check your plan and billing details."}}),
}  # fmt: skip
SETTINGS: dict[str, tuple[int, Any, FaultKind]] = {
    "key": (401, {"error": {"message": "Incorrect API key provided"}}, "key"),
    "gemini-key": (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message":
        "API key not valid. Please pass a valid API key.", "details":
        [{"reason": "API_KEY_INVALID"}]}}, "key"),
    "balance": (400, {"type": "error", "error": {"type": "invalid_request_error", "message":
        "Your credit balance is too low to access the Anthropic API."}}, "quota"),
    "quota": (429, {"error": {"message": "You exceeded your current quota", "code":
        "insufficient_quota"}}, "quota"),
    "country": (403, {"error": {"message": "Country, region, or territory not supported",
        "code": "unsupported_country_region_territory"}}, "permission"),
    "account": (403, {"error": "Your account was flagged and blocked for a policy violation"},
        "permission"),
    "model": (400, {"error": {"message": "no such model", "code": "model_not_found"}}, "model"),
    "deployment": (404, {"error": {"code": "DeploymentNotFound", "message": "It does not exist. "
        "If you created it within the last 5 minutes, wait a moment and try again."}}, "model"),
    "parameter": (400, {"error": {"message": "Unsupported parameter: 'seed'. Please check and try "
        "again.", "param": "seed", "code": "unsupported_parameter"}}, "request"),
    "case": (400, {"error": "unknown model m; names are case-sensitive"}, "request"),
}  # fmt: skip


def refusal(status: int, body: Any) -> EndpointError:
    return EndpointError(status, {"Content-Type": "application/json"}, body)


@pytest.mark.parametrize(("status", "body"), MODERATED.values(), ids=MODERATED)
def test_moderation_is_known_by_its_code_or_its_words(status: int, body: Any) -> None:
    assert kind_of(refusal(status, body)) == "content_filter"


@pytest.mark.parametrize(("status", "body"), TOO_LONG.values(), ids=TOO_LONG)
def test_an_item_that_is_too_long_is_known_by_its_code_or_its_words(status: int, body: Any) -> None:
    assert kind_of(refusal(status, body)) == "context_window"


@pytest.mark.parametrize(("status", "body"), PASSING.values(), ids=PASSING)
def test_a_passing_fault_in_the_clothes_of_a_4xx_is_one(status: int, body: Any) -> None:
    assert kind_of(refusal(status, body)) in ("server_error", "rate_limit", "timeout")


@pytest.mark.parametrize(("status", "body", "kind"), SETTINGS.values(), ids=SETTINGS)
def test_what_only_the_user_can_mend_is_known(status: int, body: Any, kind: FaultKind) -> None:
    assert kind_of(refusal(status, body)) == kind


def answer(status: int, body: Any) -> Step:
    return raw(json.dumps(body, ensure_ascii=False).encode(), status=status)


@every_way
@pytest.mark.parametrize("name", ["azure-inner", "xai", "zhipu", "legal"])
def test_a_moderated_item_is_withheld_on_every_way(ask: Ask, way: Way, name: str) -> None:
    asked = ask(answer(*MODERATED[name]), **way)
    assert isinstance(asked.fault, ContentFilterError)
    assert len(asked.seen) == 1


@every_way
@pytest.mark.parametrize("name", ["anthropic", "code-only", "tgi", "groq"])
def test_an_item_that_is_too_long_is_truncated_on_every_way(ask: Ask, way: Way, name: str) -> None:
    asked = ask(answer(*TOO_LONG[name]), **way)
    assert isinstance(asked.fault, TruncatedError)
    assert len(asked.seen) == 1


@every_way
@pytest.mark.parametrize("name", ["409", "424", "498", "499", "again", "loading", "throttled"])
def test_a_passing_fault_is_tried_again_on_every_way(ask: Ask, way: Way, name: str) -> None:
    asked = ask(answer(*PASSING[name]), good, **way)
    assert graded(asked)
    assert (len(asked.seen), asked.meter.usage.retries) == (2, 1)


# --- By evidence, where no word is known

ODD = error(400, "E-4711", kind="invalid_request_error")


def test_the_words_of_an_item_at_fault_are_kept(ask: Ask, server: ScriptedServer) -> None:
    asked = ask(ODD, good)
    assert isinstance(asked.fault, RequestRefusedError)
    assert "E-4711" in str(asked.fault)


@every_way
@pytest.mark.parametrize("status", [400, 403, 405, 418, 422])
def test_a_refusal_is_the_items_if_a_tiny_probe_of_the_same_form_is_answered(
    ask: Ask, way: Way, status: int
) -> None:
    asked = ask(error(status, "E-4711"), good, **way)
    assert isinstance(asked.fault, RequestRefusedError)
    first, probe = asked.seen
    assert "prednisone" in first.text
    assert "prednisone" not in probe.text
    assert {**first.body, "messages": 0} == {**probe.body, "messages": 0}
    usage = asked.meter.usage
    assert (usage.calls, usage.retries, usage.reasks) == (2, 0, 0)
    assert (usage.prompt_tokens, usage.extra_tokens) == (1000, 1200)  # those of the probe


@every_way
def test_a_refusal_is_the_items_if_another_request_of_the_same_form_was_answered(
    ask: Ask, way: Way
) -> None:
    assert graded(ask(good, **way))
    asked = ask(ODD, **way)
    assert isinstance(asked.fault, RequestRefusedError)
    assert len(asked.seen) == 1


@every_way
def test_a_refusal_is_the_settings_fault_if_the_probe_is_refused_as_well_and_is_probed_once(
    ask: Ask, way: Way
) -> None:
    first = ask(error(403, "E-4711"), error(403, "E-4711"), **way)
    assert isinstance(first.fault, ConfigError)
    assert len(first.seen) == 2
    again = ask(error(403, "E-4711"), **way)
    assert isinstance(again.fault, ConfigError)
    assert len(again.seen) == 1


@every_way
def test_a_probe_is_sent_again_once_something_was_answered(ask: Ask, way: Way) -> None:
    ask(error(403, "E-4711"), error(403, "E-4711"), **way)
    assert graded(ask(good, **way))
    assert isinstance(ask(error(403, "E"), good, **way).fault, RequestRefusedError)


@every_way
@pytest.mark.parametrize("status", [401, 402, 404])
def test_a_key_a_quota_or_a_model_that_is_refused_at_first_is_not_probed(
    ask: Ask, way: Way, status: int
) -> None:
    asked = ask(error(status, "no"), **way)
    assert isinstance(asked.fault, ConfigError)
    assert len(asked.seen) == 1


@every_way
@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_key_that_is_withdrawn_in_the_middle_stops_the_run(
    ask: Ask, way: Way, status: int
) -> None:
    assert graded(ask(good, **way))
    asked = ask(error(status, "no"), error(status, "no"), **way)
    assert isinstance(asked.fault, ConfigError)
    assert len(asked.seen) == 2


@every_way
def test_an_item_that_is_refused_as_unknown_while_the_model_is_there_is_the_items(
    ask: Ask, way: Way
) -> None:
    assert graded(ask(good, **way))
    asked = ask(error(404, "no route for this text"), good, **way)
    assert isinstance(asked.fault, RequestRefusedError)


@every_way
def test_a_probe_that_is_lost_decides_nothing_and_the_request_is_repeated(
    ask: Ask, way: Way
) -> None:
    asked = ask(ODD, error(503), good, **way)
    assert graded(asked)
    assert (asked.meter.usage.calls, asked.meter.usage.retries) == (3, 1)


@every_way
def test_a_setting_of_the_user_that_is_named_is_at_fault_without_a_probe(
    ask: Ask, way: Way
) -> None:
    assert graded(ask(good, **way, seed=3))
    asked = ask(error(400, "'seed' is not supported with this model"), **way, seed=3)
    assert isinstance(asked.fault, ConfigError)
    assert "take back seed" in str(asked.fault)
    assert len(asked.seen) == 1


def test_a_key_that_an_error_echoes_is_blanked_whatever_the_error_means(ask: Ask) -> None:
    for status in (400, 403, 404, 413, 429, 500):
        asked = ask(error(status, f"you sent {KEY}"), good, retries=0)
        assert KEY not in str(asked.fault)


# --- What is sent by habit is given up


def refusing(*names: str, says: str, status: int = 400) -> Step:
    """An endpoint that refuses requests in whose body one of the names occurs."""

    def step(request: Received) -> Step:
        body = json.dumps({k: v for k, v in request.body.items() if k != "messages"})
        return error(status, says) if any(f'"{name}"' in body for name in names) else good

    return step


HABITS: dict[str, tuple[tuple[str, ...], str]] = {
    "temperature": (("temperature",), "Unsupported value: 'temperature' does not support 0"),
    "limits": (("maxLength",), 'Grammar error: Unimplemented keys: ["maxLength"]'),
    "schema": (("json_schema",), "This response_format type is unavailable now"),
    "object-too": (("response_format",), "response_format is not supported by this model"),
    "grammar": (("json_schema",), "failed to parse grammar"),
    "unnamed-schema": (("json_schema",), "Bad Request"),
    "unnamed-format": (("response_format",), "Bad Request"),
    "unnamed-limits": (("maxLength",), ""),
    "unnamed-temperature": (("temperature",), "E-4711"),
}


@every_way
@pytest.mark.parametrize(("names", "says"), HABITS.values(), ids=HABITS)
def test_what_is_sent_by_habit_is_given_up_when_it_is_refused(
    ask: Ask, way: Way, names: tuple[str, ...], says: str
) -> None:
    step = refusing(*names, says=says)
    assert graded(ask(*[step] * 9, **way))


@every_way
def test_structure_is_given_up_step_by_step(ask: Ask, way: Way) -> None:
    step = refusing("response_format", says="response_format is not supported")
    asked = ask(*[step] * 3, **way)
    formats = [request.body.get("response_format", {}).get("type") for request in asked.seen]
    assert formats == ["json_schema", "json_object", None]
    assert asked.reply is not None
    assert asked.reply.mode == "json"


@every_way
@pytest.mark.parametrize("mode", ["json_schema", "tools"])
def test_a_mode_that_the_user_set_is_not_given_up(ask: Ask, way: Way, mode: str) -> None:
    step = refusing("response_format", "tools", says="response_format and tools are not supported")
    asked = ask(*[step] * 2, **way, mode=mode)
    assert isinstance(asked.fault, ConfigError)
    assert "mode" in str(asked.fault)


@every_way
def test_a_temperature_that_the_user_set_is_not_given_up(ask: Ask, way: Way) -> None:
    asked = ask(error(400, "'temperature' does not support 0.3"), **way, temperature=0.3)
    assert isinstance(asked.fault, ConfigError)
    assert "take back temperature" in str(asked.fault)
    assert len(asked.seen) == 1


@every_way
def test_a_stream_is_asked_for_when_the_endpoint_has_nothing_else(ask: Ask, way: Way) -> None:
    def step(request: Received) -> Step:
        if not request.body.get("stream"):
            return error(400, "This model only supports streaming; set stream to true.")
        chunks: list[dict[str, Any]] = [
            {"model": "scripted-1", "choices": [{"index": 0, "delta": {"content": part}}]}
            for part in (good_text[:30], good_text[30:])
        ]
        chunks[-1]["choices"][0]["finish_reason"] = "stop"
        chunks.append({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 200}})
        lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
        return raw(f"{lines}data: [DONE]\n\n".encode(), content_type="text/event-stream")

    good_text = json.dumps(
        {
            "agents": {"reasoning": "named", "quotes": ["prednisone"], "level": "YES"},
            "doses": {"reasoning": "none given", "quotes": [], "level": "NO"},
        }
    )
    asked = ask(step, step, **way)
    assert graded(asked)
    assert (asked.meter.usage.prompt_tokens, asked.meter.usage.completion_tokens) == (1000, 200)
    assert asked.reply is not None
    assert "stream" not in asked.reply.sampling


# --- The limit of the reply, which follows from the rubric where the user sets none


def graded_at(server: ScriptedServer, way: Way, **settings: Any) -> Grade:
    judge = Judge(
        way["model"],
        backend=way["backend"],
        api_base=server.url,
        api_key=KEY,
        cache="off",
        retries=1,
        rubric=small_rubric(),
        **settings,
    )
    return judge.grade("Start prednisone 40 mg daily.", make_item())


def limits_in(server: ScriptedServer) -> list[tuple[str, int] | None]:
    names = ("max_tokens", "max_completion_tokens")
    sent = [[(n, r.body[n]) for n in names if n in r.body] for r in server.requests]
    return [found[0] if found else None for found in sent]


LIMITS: dict[str, tuple[str, list[Any]]] = {
    "renamed": (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        ["max_tokens", "max_completion_tokens"],
    ),
    "lowered": ("max_tokens is too large. This model supports at most 64 completion tokens.", [64]),
    "range": ("Range of max_tokens should be [1, 64]", [64]),
    "anthropic": ("max_tokens: 9897 > 64, which is the maximum allowed number of tokens", [64]),
    "dropped": ("Unrecognized request argument supplied: max_tokens", [None]),
    "vllm": (
        "This model's maximum context length is 64 tokens. However, you requested 10197 tokens "
        "(300 in the messages, 9897 in the completion).",
        [64],
    ),
}


@every_way
@pytest.mark.parametrize(("says", "then"), LIMITS.values(), ids=LIMITS)
def test_a_limit_of_the_reply_that_was_sent_by_habit_is_renamed_lowered_or_dropped(
    server: ScriptedServer, way: Way, says: str, then: list[Any]
) -> None:
    server.script(error(400, says))
    assert graded_at(server, way).unscored is None
    first, second = limits_in(server)[:2]
    assert first is not None
    wanted = {
        "max_completion_tokens": ("max_completion_tokens", first[1]),
        64: ("max_tokens", 64),
        None: None,
    }
    assert second == wanted[then[-1]]


@every_way
def test_a_limit_of_the_reply_that_the_user_set_is_not_changed(
    server: ScriptedServer, way: Way
) -> None:
    server.otherwise = error(400, "max_tokens is too large: 900. At most 64 completion tokens.")
    with pytest.raises(ConfigError, match="take back max_tokens"):
        graded_at(server, way, max_tokens=900)
    assert limits_in(server) == [("max_tokens", 900)]


@every_way
def test_an_item_that_does_not_fit_without_the_limit_either_is_truncated(
    server: ScriptedServer, way: Way
) -> None:
    server.otherwise = error(
        400,
        "This model's maximum context length is 4096 tokens. However, you requested 10197 tokens "
        "(5000 in the messages, 5197 in the completion). Please reduce the length.",
    )
    grade = graded_at(server, way)
    assert grade.unscored is not None
    assert grade.unscored.kind == "truncated"


@every_way
def test_a_given_up_habit_does_not_show_in_the_signature(server: ScriptedServer, way: Way) -> None:
    usual = graded_at(server, way)
    server.script(error(400, "'max_tokens' is not supported. Use 'max_completion_tokens' instead."))
    assert graded_at(server, way).signature == usual.signature


# --- A whole run

REFUSALS: list[tuple[Step, str]] = [
    *[(answer(*MODERATED[name]), "content_filter") for name in ("openai", "xai", "zhipu", "legal")],
    *[(answer(*TOO_LONG[name]), "truncated") for name in ("anthropic", "tgi", "sglang", "groq")],
    (ODD, "refused_request"),
    (error(403, "E-4711"), "refused_request"),
    (error(404, "no route for this text"), "refused_request"),
    (error(422, "bad character in the text"), "refused_request"),
    (completion({"content": ""}, finish="sensitive"), "content_filter"),
    (completion({"content": '{"qual'}, finish="max_tokens"), "truncated"),
    (refused("I will not."), "refusal"),
]


@pytest.mark.parametrize("backend", ["litellm", "direct"])
def test_fifteen_items_refused_in_fifteen_ways_stop_nothing(
    server: ScriptedServer, tmp_path: Path, backend: Any
) -> None:
    """300 items; 15 more pass at the second try only."""
    assert len(REFUSALS) == 15
    once = {f"case {20 * n + 7} " for n in range(15)}

    def step(request: Received) -> Step:
        for number, (refusal, _) in enumerate(REFUSALS):
            if f"case {20 * number} " in request.text:
                return refusal
        for case in [case for case in once if case in request.text]:
            once.remove(case)
            return error(503)
        return filled()

    server.otherwise = step
    run = Run(
        tmp_path / "run", "hosted_vllm/judge", backend=backend, api_base=server.url, api_key=KEY,
        cache="off", rubric=small_rubric(), backoff=Backoff(base=0), reask=0,
    )  # fmt: skip
    items = [make_item(id=str(n)) for n in range(300)]
    run.grade([(Prediction(item_id=i.id, text=f"This is case {i.id} indeed."), i) for i in items])
    grades = {grade.item_id: grade for grade in iter_grades(tmp_path / "run" / "grades.jsonl")}
    assert len(grades) == 300
    unscored = {
        number: grade.unscored.kind
        for number, grade in grades.items()
        if grade.unscored is not None
    }
    assert unscored == {str(20 * n): kind for n, (_, kind) in enumerate(REFUSALS)}
    assert run.progress.stopped is None


@pytest.mark.parametrize("backend", ["litellm", "direct"])
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_fault_of_the_settings_stops_a_run_at_once(
    server: ScriptedServer, tmp_path: Path, backend: Any, status: int
) -> None:
    server.otherwise = error(status, "Unknown parameter: 'colour'", code="unknown_parameter")
    run = Run(
        tmp_path / "run", "hosted_vllm/judge", backend=backend, api_base=server.url, api_key=KEY,
        cache="off", rubric=small_rubric(), limits=Limits(concurrency=4),
    )  # fmt: skip
    items = [make_item(id=str(n)) for n in range(300)]
    with pytest.raises(ConfigError):
        run.grade([(Prediction(item_id=i.id, text=f"This is case {i.id}."), i) for i in items])
    assert len(server.requests) <= 5  # four at a time, and one probe


@pytest.mark.parametrize("backend", ["litellm", "direct"])
def test_a_key_that_an_endpoint_echoes_is_in_no_file(
    server: ScriptedServer, tmp_path: Path, backend: Any
) -> None:
    key = "planted-0123456789abcdef"
    grading = json.dumps(
        {
            name: {"reasoning": f"you sent {key}", "quotes": [], "level": "YES"}
            for name in ("quality", "safe")
        }
    )
    echoes: list[Step] = [
        chat(grading),
        chat(grading, model=key),
        chat(f"I'm sorry, I cannot use {key}."),
        chat(key, finish="length"),
        chat(key, finish="content_filter"),
        refused(key),
        tool_call(grading),
        error_in_200(f"bad {key}"),
        *[error(status, f"bad {key}") for status in (400, 403, 404, 413, 422, 429, 500)],
        error(400, f"maximum context length passed by {key}"),
        chat(f"no grading but {key}"),
    ]
    run = Run(
        tmp_path / "run", "hosted_vllm/judge", backend=backend, api_base=server.url, api_key=key,
        cache=tmp_path / "cache", rubric=small_rubric(), reask=0, retries=0, verify_reask=0,
        store="all", limits=Limits(concurrency=1),
    )  # fmt: skip
    texts = iter(echoes)
    server.otherwise = lambda request: next(texts) if "This is case" in request.text else filled()
    items = [make_item(id=str(n)) for n in range(len(echoes))]
    run.grade([(Prediction(item_id=i.id, text=f"This is case {i.id}."), i) for i in items])
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "grades.jsonl" for path in kept)
    for path in kept:
        assert key.encode() not in path.read_bytes()
    cache = Replay(tmp_path / "cache")
    entries = [str(cache.entry(request_hash)) for request_hash in cache.hashes()]
    assert len(entries) > 5  # compressed, so they are looked into one by one
    assert key not in "".join(entries)


@pytest.mark.parametrize("text", ["use " * 200_000, "{" * 200_000, "input " * 100_000])
def test_an_error_of_any_length_is_read_in_bounded_time(text: str) -> None:
    started = time.perf_counter()
    assert kind_of(refusal(400, {"error": {"message": text}})) == "request"
    assert time.perf_counter() - started < 1
