"""Which part of a reply is the answer: the one object at its end, and nothing that comes before."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mmrare_judge.backends.replies import completion, read_completion, text_of
from mmrare_judge.errors import MMRareJudgeError
from support.asking import GOOD, MALFORMED, MISSING, OTHER, TEXT, Ask, Grading, Way, both, graded
from support.server import chat

read = Grading.model_validate_json

ANSWERS = {
    "alone": TEXT,
    "white-space": f"\ufeff \n{TEXT}\n",
    "fence": f"```json\n{TEXT}\n```",
    "prose-before": f"Here is my {{grading}}:\n{TEXT}",
    "punctuation": f"The grading is {TEXT}.",
    "bold": f"**{TEXT}**",
    "tag": f"<answer>{TEXT}</answer>",
    "token": f"{TEXT}<|im_end|>",
    "thinking": f"<think>Is {{dose}} given? {OTHER}</think>\n{TEXT}",
    "thinking-without-start": f"the dose is missing, so {OTHER}</think>{TEXT}",
    "thinking-with-name": f"<thinking>{OTHER}</thinking>{TEXT}",
    "magistral": f"[THINK]{OTHER}[/THINK]{TEXT}",
    "kimi": f"◁think▷{OTHER}◁/think▷{TEXT}",
    "cohere": f"<|START_THINKING|>{OTHER}<|END_THINKING|>{TEXT}",
    "seed": f"<seed:think>{OTHER}</seed:think>{TEXT}",
    "monologue": f"<inner_monologue>{OTHER}</inner_monologue>{TEXT}",
    "block": f"<step>\n{OTHER}\n</step>\n{TEXT}",
    "nested": f"<think>a <think>{OTHER}</think> b</think>{TEXT}",
    "mixed-names": f"<thinking>{OTHER}</think>{TEXT}",
    "evaluation-tag": f"<evaluation>{TEXT}</evaluation>",
    "granite": f"Here is my thought process: {OTHER}\nHere is my response: {TEXT}",
    "harmony": f"<|channel|>analysis<|message|>{OTHER}<|end|><|start|>assistant"
    f"<|channel|>final<|message|>{TEXT}<|return|>",
    "harmony-without-tokens": f"analysisWe need {OTHER}.assistantfinal{TEXT}",
    "twice-the-same": f"{TEXT}\n\nSo, once more:\n{TEXT}",
    "another-object-before": f'Format: {{"level": "YES or NO"}}. {TEXT}',
    "half-an-answer-before": f"{MISSING}\n{TEXT}",
    "end-of-thinking-quoted": TEXT.replace("named", "says </think> itself"),
    "start-of-thinking-quoted": TEXT.replace("named", "says <think> itself"),
}

NO_ANSWERS = {
    "two": f"First {TEXT} then {OTHER}",
    "prose-after": f"{TEXT} I hope it helps.",
    "draft": f"Draft: {TEXT} but wait, the plan does state it, so",
    "example": f"For example {TEXT} would be a valid reply.",
    "unclosed": f"<think>Draft: {TEXT}",
    "unclosed-prose": f"<think>Draft: {TEXT} but wait",
    "unclosed-again": f"<think>a</think><think>Draft: {TEXT}",
    "closed-behind": f"{TEXT}</think>",
    "closed-behind-and-nothing": f"<think>{TEXT}</think>\n",
    "unclosed-with-attribute": f'<think time="3s">{TEXT}',
    "unclosed-other-name": f"<reasoning>{TEXT}",
    "unclosed-monologue": f"so <inner_monologue>{TEXT}",
    "unclosed-chain": f"<chain_of_thought>{TEXT}",
    "unclosed-plan": f"<plan>{TEXT}",
    "unclosed-unknown-name": f"Well:\n<musings>\n{TEXT}",
    "unclosed-outer": f"<think>a <think>b</think> {TEXT}",
    "unclosed-around-another": f"<reasoning><analysis>b</analysis> {TEXT}",
    "unclosed-before-another-end": f"<think>a</details> {TEXT}",
    "unclosed-escaped": f"&lt;think&gt;{TEXT}",
    "unclosed-granite": f"Here is my thought process: {TEXT}",
    "unclosed-magistral": f"[THINK]{TEXT}",
    "unclosed-kimi": f"◁think▷{TEXT}",
    "unclosed-cohere": f"<|START_THINKING|>{TEXT}",
    "unclosed-gemma": f"<unused94>thought\n{TEXT}",
    "harmony-analysis-only": f"<|channel|>analysis<|message|>{TEXT}<|end|>",
    "harmony-commentary": f"<|channel|>commentary<|message|>{TEXT}",
    "harmony-without-tokens": f"analysisWe need {TEXT}",
    "fence-and-prose": f"```json\n{TEXT}\n```\nWait, the second is wrong.",
    "in-a-list": f"[{TEXT}]",
    "in-an-object": f'{{"draft": {TEXT}}}',
    "one-brace-more": f"{TEXT}}}",
    "broken": f"Broken: {MALFORMED} and so on",
    "half": TEXT[: len(TEXT) // 2],
    "answer-then-half": f"{TEXT} {OTHER[:-9]}",
    "braces": "{" * 100_000,
    "deep": 'x {"a":' * 20_000,
    "prose": "no braces at all",
    "empty": "",
    "null": "null",
}


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_the_object_at_the_end_of_a_reply_is_the_answer(text: str) -> None:
    assert read(read_completion(text, read)) in (
        read(TEXT),
        read(TEXT.replace("named", "says </think> itself")),
        read(TEXT.replace("named", "says <think> itself")),
    )


@pytest.mark.parametrize("text", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_nothing_is_guessed_from_text_that_does_not_end_with_its_only_answer(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError, match="validation error"):
        read_completion(text, read)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("\\geq 2", "\\geq 2"),
        ("\\\\geq 2", "\\geq 2"),
        ("\\underline x", "\\underline x"),
        ("\\n", "\n"),
    ],
    ids=["not-an-escape", "escaped", "half-a-code", "an-escape"],
)
def test_a_backslash_that_begins_no_escape_stands_for_itself(written: str, said: str) -> None:
    reply = TEXT.replace("named", written)
    answer = json.loads(read_completion(reply, read))
    assert said in json.dumps(answer, ensure_ascii=False).replace("\\\\", "\\").replace("\\n", "\n")


@both
@pytest.mark.parametrize("name", ["unclosed", "harmony-analysis-only", "draft", "two", "example"])
def test_a_draft_is_asked_for_again_on_every_way(ask: Ask, way: Way, name: str) -> None:
    asked = ask(chat(NO_ANSWERS[name]), chat(ANSWERS["thinking"]), **way)
    assert graded(asked)
    assert asked.meter.usage.reasks == 1


# --- Whatever comes


def outcome(body: bytes) -> str | None:
    """The answer in an HTTP body, or ``None`` where there is a reason why there is none."""
    with suppress(MMRareJudgeError, ValidationError):
        try:
            return read_completion(text_of(completion(200, {}, body)), read)
        except Exception as error:
            if type(error).__name__ == "EndpointError":
                return None
            raise
    return None


@given(st.binary(max_size=400))
def test_any_bytes_end_as_a_reason(body: bytes) -> None:
    assert outcome(body) is None


pieces = st.sampled_from(
    [
        TEXT, OTHER, MISSING, MALFORMED, TEXT[:50], TEXT[50:], "{", "}", '"', "\\", "<think>",
        "</think>", "```", "<|channel|>analysis", "<|channel|>final", "so ", "\n", ". ", "\ud800",
    ]
)  # fmt: skip


@given(st.lists(pieces | st.text(max_size=8), max_size=8).map("".join))
@settings(max_examples=400)
def test_an_answer_is_an_object_at_the_end_that_says_what_is_read_from_it(text: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})
    answer = outcome(body.encode())
    if answer is None:
        return
    place = text.rindex(answer)
    assert not any(letter.isalnum() for letter in text[place + len(answer) :].split("<|")[0])
    said = json.loads(answer)
    assert set(said) == set(GOOD)
    assert read(answer).model_dump() == said


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from([TEXT, "stop", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "choices message content role tool_calls function arguments finish_reason usage "
                "prompt_tokens error code text type refusal logprobs index delta".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.booleans())
@settings(max_examples=400)
def test_any_json_ends_as_the_answer_in_it_or_as_a_reason(value: object, stream: bool) -> None:
    text = json.dumps(value)
    answer = outcome(f"data: {text}\n\ndata: [DONE]\n\n".encode() if stream else text.encode())
    assert answer in (None, TEXT)
