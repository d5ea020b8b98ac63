"""A judge of one's own: a function from messages and schema to text, or a client."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Judge, Run, grade
from mmrare_judge.backends.base import Message
from mmrare_judge.backends.own import OwnJudge, identity_of
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import ConfigError
from support.makers import make_item

PLAN = "Start prednisone 40 mg daily. See the patient in two weeks."


def reply_to(schema: Mapping[str, Any], level: str = "YES") -> str:
    answer = {"reasoning": "said", "quotes": ["prednisone 40 mg"], "level": level}
    return json.dumps(dict.fromkeys(schema["properties"], answer))


def says_yes(messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
    assert [message["role"] for message in messages] == ["system", "user"]
    return f"Here it is:\n{reply_to(schema)}"


async def says_yes_later(messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
    return says_yes(messages, schema)


class SaysYes:
    """A judge that keeps something between calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        self.calls += 1
        return says_yes(messages, schema)


class SaysYesLater(SaysYes):
    """The same, asynchronous."""

    async def __call__(  # type: ignore[override]  # what is tried
        self, messages: Sequence[Message], schema: Mapping[str, Any]
    ) -> str:
        return super().__call__(messages, schema)


@pytest.mark.parametrize(
    "judge",
    [
        pytest.param(says_yes, id="function"),
        pytest.param(says_yes_later, id="asynchronous function"),
        pytest.param(lambda messages, schema: says_yes(messages, schema), id="lambda"),
        pytest.param(functools.partial(says_yes), id="partial"),
        pytest.param(SaysYes(), id="object"),
        pytest.param(SaysYesLater(), id="asynchronous object"),
        pytest.param(OwnJudge(says_yes, "mine-1"), id="with a name"),
    ],
)
def test_whatever_makes_text_of_messages_can_judge(judge: Any) -> None:
    result = grade(PLAN, make_item(), judge=judge, cache="off")
    assert result.score == 1.0
    assert result.signature.judge.startswith("function/")
    assert (result.signature.policy["backend"], result.usage.cost) == ("own", None)


def test_replies_are_cached_and_a_second_look_is_taken_as_with_any_judge(tmp_path: Path) -> None:
    judge = SaysYes()
    first, second = (grade(PLAN, make_item(), judge=judge, cache=tmp_path) for _ in range(2))
    assert (judge.calls, first.cached, second.cached) == (1, False, True)
    assert first.signature == second.signature


def test_a_run_takes_functions_and_resumes_with_them(tmp_path: Path) -> None:
    judge = SaysYes()
    pairs = [(Prediction(item_id=n, text=f"{n}. {PLAN}"), make_item(id=n)) for n in "123"]
    for _ in range(2):
        report = Run(tmp_path / "run", judge, cache="off").grade(pairs)
    assert (report.summaries[0].mean_score, judge.calls) == (1.0, 3)


def test_the_name_tells_functions_apart_by_code_and_given_arguments() -> None:
    yes = identity_of(says_yes)
    assert yes.startswith(f"{__name__}.says_yes@sha256:")
    assert identity_of(functools.partial(says_yes, schema={})) != yes
    assert identity_of(lambda m, s: "a") != identity_of(lambda m, s: "b")
    assert identity_of(SaysYes()) == identity_of(SaysYes()) != identity_of(SaysYesLater())
    named = Judge(says_yes, model="gpt-9 by my gateway", cache="off")
    assert named.spec.model == "function/gpt-9 by my gateway"


def test_an_answer_in_the_wrong_form_is_asked_again_and_then_unscored() -> None:
    told: list[int] = []

    def wrong_once(messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        told.append(len(messages))
        return "{}" if len(told) == 1 else reply_to(schema)

    assert grade(PLAN, make_item(), judge=wrong_once, cache="off").score == 1.0
    assert told[0] < told[1]  # it is told what was wrong
    never = grade(PLAN, make_item(), judge=lambda m, s: "{}", cache="off")
    assert never.unscored is not None
    assert (never.score, never.unscored.kind) == (None, "format")


def test_an_error_of_the_function_is_a_status_and_not_a_zero() -> None:
    def fails(messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        raise TimeoutError("too slow")

    result = grade(PLAN, make_item(), judge=fails, cache="off", retries=0)
    assert result.unscored is not None
    assert (result.score, result.unscored.kind) == (None, "timeout")


@pytest.mark.parametrize(
    ("judge", "options", "problem"),
    [
        (lambda m, s: {"a": 1}, {}, "returned dict; return the model's text"),
        (says_yes, {"temperature": 0.5}, "has no setting temperature"),
        (says_yes, {"backend": "direct"}, "leave out backend='direct'"),
        (5, {}, "not int"),
        ("embedded", {"model": "x"}, "names the model of a function"),
    ],
    ids=["not text", "setting", "backend", "no judge", "model of a name"],
)
def test_what_cannot_work_is_said_at_once(
    judge: Any, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        grade(PLAN, make_item(), judge=judge, cache="off", **options)


class Client:
    """As openai's, with what it was asked."""

    def __init__(self, base_url: str = "https://api.example.org/v1") -> None:
        self.base_url = base_url
        self.asked: list[dict[str, Any]] = []
        self.chat = self.completions = self

    def create(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        schema = asked["response_format"]["json_schema"]["schema"]
        message = {"role": "assistant", "content": reply_to(schema)}
        return {
            "model": "gpt-9-2026",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        }


class AsyncClient(Client):
    """The same, asynchronous."""

    async def create(self, **asked: Any) -> dict[str, Any]:  # type: ignore[override]  # is tried
        return super().create(**asked)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_is_asked_as_litellm_would_be(kind: type[Client]) -> None:
    client = kind()
    result = grade(PLAN, make_item(), judge=client, model="gpt-9", seed=3, cache="off")
    assert result.score == 1.0
    assert (client.asked[0]["model"], client.asked[0]["seed"]) == ("gpt-9", 3)
    signature = result.signature
    assert (signature.judge, signature.reported_model) == ("client/gpt-9", "gpt-9-2026")
    assert signature.endpoint == "https://api.example.org/v1"
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (10, 5)


def test_two_clients_at_two_addresses_share_no_reply(tmp_path: Path) -> None:
    clients = [Client("http://one/v1"), Client("http://two/v1")]
    for client in clients:
        grade(PLAN, make_item(), judge=OwnJudge(client, "m"), cache=tmp_path)
    assert [len(client.asked) for client in clients] == [1, 1]


def test_a_client_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="which model the client is asked for"):
        Judge(Client(), cache="off")
