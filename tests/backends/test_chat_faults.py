"""The same faults have the same kinds, through litellm and directly."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest
from pydantic import SecretStr

from mmrare_judge.backends.base import JudgeSpec, Meter, Mode
from mmrare_judge.errors import (
    BackendError,
    ConfigError,
    ContentFilterError,
    RefusalError,
    TransportError,
    TruncatedError,
)
from support.asking import (
    BACKENDS,
    KEY,
    MODES,
    TEXT,
    Ask,
    Way,
    both,
    every_way,
    good,
    graded,
    request_for,
)
from support.server import (
    Step,
    chat,
    cut_off,
    drip,
    error,
    error_in_200,
    hang,
    rate_limited,
    raw,
    refused,
    reset,
    tool_call,
)

# Answers that are none


@every_way
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
    ask: Ask, step: Step, cls: type[BackendError], raw_text: str, mode: Mode, way: Way
) -> None:
    asked = ask(step, mode=mode, **way)
    assert type(asked.fault) is cls
    assert isinstance(asked.fault, (RefusalError, ContentFilterError, TruncatedError))
    assert asked.fault.raw.startswith(raw_text)
    assert asked.meter.usage.prompt_tokens == 1000


@both
@pytest.mark.parametrize(
    "text",
    ["I'm sorry to say the plan has gaps.", "I can see no dose.", "Sorry state of affairs."],
    ids=["sorry-to-say", "can-see", "sorry-state"],
)
def test_prose_that_only_sounds_like_a_refusal(ask: Ask, way: Way, text: str) -> None:
    """An opening "I'm sorry" is taken for a refusal; other openings are asked again."""
    asked = ask(chat(text), good, **way)
    assert isinstance(asked.fault, RefusalError) == text.startswith("I'm sorry")


@both
def test_a_grading_that_contains_a_refusals_words_is_a_grading(ask: Ask, way: Way) -> None:
    text = TEXT.replace("named", "I'm sorry, but I cannot see a dose")
    asked = ask(chat(text), **way)
    assert asked.reply is not None


# Transport faults


@every_way
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
        (cut_off(chat(TEXT)), "connection"),
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
        "cut-off",
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
    ask: Ask, step: Step, kind: str, way: Way
) -> None:
    passing = ask(step, good, **way)
    assert graded(passing)
    assert (passing.meter.usage.calls, passing.meter.usage.retries) == (2, 1)
    lasting = ask(step, step, step, **way, retries=2)
    assert isinstance(lasting.fault, TransportError)
    assert lasting.fault.kind == kind
    assert (lasting.meter.usage.calls, lasting.meter.usage.retries) == (3, 2)
    assert KEY not in str(lasting.fault)


@every_way
@pytest.mark.parametrize("step", [hang(30, chat(TEXT)), drip(chat(TEXT), 30)], ids=["hang", "drip"])
def test_an_attempt_ends_at_its_time_limit_whatever_trickles_in(
    ask: Ask, step: Step, way: Way
) -> None:
    """The server would answer well after 30 seconds, without a second call."""
    asked = ask(step, good, **way, timeout=0.3)
    assert graded(asked)
    assert asked.meter.usage.retries == 1
    lasting = ask(step, **way, timeout=0.3, retries=0)
    assert isinstance(lasting.fault, TransportError)
    assert lasting.fault.kind == "timeout"


@every_way
@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_honoured_as_seconds_and_as_a_date(ask: Ask, status: int, way: Way) -> None:
    date = formatdate(time.time() + 40, usegmt=True)
    asked = ask(
        error(status, headers={"Retry-After": "7"}),
        error(status, headers={"Retry-After": date}),
        good,
        **way,
    )
    assert graded(asked)
    assert 7 <= asked.waits[0] <= 8  # up to a second is added
    assert 35 <= asked.waits[1] <= 41


@every_way
def test_an_unreachable_endpoint_is_a_connection_fault(way: Way) -> None:
    spec = JudgeSpec(**way, api_base="http://127.0.0.1:1/v1", api_key=SecretStr(KEY), retries=0)
    with pytest.raises(TransportError) as caught:
        asyncio.run(BACKENDS[spec.backend](spec).complete(request_for(spec), Meter()))
    assert caught.value.kind == "connection"


# Faults for the caller


@every_way
@pytest.mark.parametrize(
    ("step", "says"),
    [
        (
            error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key"),
            "wants another key. Set ",
        ),
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
    ask: Ask, step: Step, says: str, way: Way
) -> None:
    asked = ask(step, **way, retries=0)
    assert isinstance(asked.fault, ConfigError)
    assert says in str(asked.fault)
    assert asked.meter.usage.calls <= 2  # a tiny probe is refused as well


@every_way
def test_a_key_never_shows_in_an_error_or_behind_it(ask: Ask, way: Way) -> None:
    fault = ask(error(401, f"Incorrect API key provided: {KEY}"), **way).fault
    shown: BaseException | None = fault
    while shown is not None:
        assert KEY not in str(shown)
        shown = None if shown.__suppress_context__ else shown.__cause__ or shown.__context__


@every_way
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
    ask: Ask, step: Step, cls: type[BackendError], says: str, way: Way
) -> None:
    asked = ask(step, **way)
    assert type(asked.fault) is cls
    assert says in str(asked.fault)
