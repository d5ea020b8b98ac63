import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.backends.base import JudgeSpec, Request
from mmrare_judge.judging.prompt import make_request
from mmrare_judge.records import Signature, canonical_json, content_hash
from support.makers import make_questions

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
)


@given(st.dictionaries(st.text("abc"), JSON))
def test_the_order_of_keys_does_not_change_the_hash(value: dict[str, Any]) -> None:
    assert content_hash(dict(reversed(value.items()))) == content_hash(value)


@given(JSON, JSON)
def test_different_values_have_different_canonical_forms(a: Any, b: Any) -> None:
    assert (canonical_json(a) == canonical_json(b)) == (repr(a) == repr(b) or _equal(a, b))


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def test_the_hash_is_sha256_of_the_canonical_form() -> None:
    # printf '{"a":1}' | sha256sum
    digest = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert content_hash({"a": 1}) == f"sha256-c1:{digest}"


def test_nan_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def request(text: str = "plan", **options: Any) -> Request:
    task = make_questions(text)
    return make_request(JudgeSpec(model="openai/x", **options), task, task.all)


BASE = request()


@pytest.mark.parametrize(
    "change",
    [
        {"model": "openai/y"},
        {"messages": ({"role": "user", "content": "other"},)},
        {"sampling": {"temperature": 0.5}},
        {"schema": {}},
        {"mode": "json"},
        {"endpoint": "http://127.0.0.1:8000/v1"},
        {"sample": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_cache_key_changes_with_everything_that_can_change_the_answer(
    change: dict[str, Any],
) -> None:
    assert dataclasses.replace(BASE, **change).hash != BASE.hash


def test_every_field_of_a_request_is_in_its_key_but_the_model_its_schema_stands_for() -> None:
    tried = {"model", "messages", "sampling", "schema", "mode", "endpoint", "sample"}
    assert {field.name for field in dataclasses.fields(Request)} == tried | {"reply_model"}


@pytest.mark.parametrize(
    "options",
    [{"timeout": 5.0}, {"retries": 0}, {"reask": 0}, {"api_key": "secret"}, {"store": "all"}],
    ids=lambda options: next(iter(options)),
)
def test_the_cache_key_does_not_change_with_what_cannot_change_the_answer(
    options: dict[str, Any],
) -> None:
    assert request(**options).hash == BASE.hash


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.3},
        {"top_p": 0.9},
        {"seed": 1},
        {"max_tokens": 9000},
        {"mode": "tools"},
        {"api_base": "http://127.0.0.1:1/v1"},
        {"extra": {"reasoning_effort": "low"}},
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_cache_key_changes_with_every_sampling_parameter(options: dict[str, Any]) -> None:
    assert request(**options).hash != BASE.hash


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_cache_key_changes_with_the_prediction(text: str) -> None:
    assert (request(text).hash == BASE.hash) == (text == "plan")


def test_a_signature_is_read_by_its_fields_though_model_names_hold_colons() -> None:
    made = Signature(
        judge="ollama/qwen3:8b", rubric="r", rubric_version="1", rubric_hash="h", package="0"
    )
    assert made.short() == "ollama/qwen3:8b | r 1 | mmrare-judge 0"
    assert "judge: ollama/qwen3:8b\n" in made.long()
    assert Signature.model_validate_json(made.model_dump_json()) == made
