import json

import pytest
from pydantic import ValidationError

from makers import make_task
from mmrare_judge.schema import (
    MAX_QUOTE,
    MAX_QUOTES,
    MAX_REASONING,
    drafts,
    longest_reply,
    reply_model,
    reply_schema,
    shape,
)

SHAPE = (("dose", ("NO", "YES")), ("route", ("0", "1", "2")))
ANSWER = {"reasoning": "because", "quotes": ["40 mg"], "level": "YES"}
REPLY = {"dose": ANSWER, "route": ANSWER | {"level": "2"}}


def test_reasoning_and_quotes_come_before_the_level() -> None:
    definitions = reply_schema(SHAPE)["$defs"].values()
    assert all(list(d["properties"]) == ["reasoning", "quotes", "level"] for d in definitions)
    assert all(d["required"] == ["reasoning", "quotes", "level"] for d in definitions)


def test_every_string_and_list_is_capped() -> None:
    properties = reply_schema(SHAPE)["$defs"]["Verdict_NO_YES"]["properties"]
    assert properties["reasoning"]["maxLength"] == MAX_REASONING
    assert properties["quotes"]["maxItems"] == MAX_QUOTES
    assert properties["quotes"]["items"]["maxLength"] == MAX_QUOTE
    assert properties["level"]["enum"] == ["NO", "YES", "cannot_determine"]


def test_a_reply_becomes_drafts() -> None:
    read = drafts(reply_model(SHAPE).model_validate_json(json.dumps(REPLY)))
    assert read["dose"].level == "YES"
    assert read["dose"].quotes == ("40 mg",)
    assert read["route"].level == "2"


def test_cannot_determine_is_no_level() -> None:
    reply = REPLY | {"dose": ANSWER | {"level": "cannot_determine"}}
    assert drafts(reply_model(SHAPE).model_validate(reply))["dose"].level is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"dose": ANSWER}), id="a verdict is missing"),
        pytest.param(json.dumps(REPLY | {"more": ANSWER}), id="a verdict too many"),
        pytest.param(json.dumps(REPLY)[:-1] + f', "dose": {json.dumps(ANSWER)}}}', id="doubled"),
        pytest.param(json.dumps(REPLY | {"dose": ANSWER | {"level": "PARTLY"}}), id="level"),
        pytest.param(json.dumps(REPLY | {"dose": ANSWER | {"level": "2"}}), id="another's level"),
        pytest.param(json.dumps(REPLY | {"dose": ANSWER | {"reasoning": "x" * 1201}}), id="long"),
        pytest.param(json.dumps(REPLY)[:-30], id="cut"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_reply_of_another_form_is_a_format_fault(text: str) -> None:
    with pytest.raises(ValidationError):
        reply_model(SHAPE).model_validate_json(text)


def test_the_longest_valid_reply_is_no_longer_than_the_bound() -> None:
    answer = {"reasoning": "r" * 1200, "quotes": ["q" * 400] * 5, "level": "cannot_determine"}
    text = json.dumps({"dose": answer, "route": answer})
    reply_model(SHAPE).model_validate_json(text)
    assert len(text) <= longest_reply(SHAPE)


def test_tasks_with_equal_questions_share_one_model() -> None:
    first, second = make_task("a"), make_task("b", id="2")
    assert reply_model(shape(first.questions)) is reply_model(shape(second.questions))


def test_each_element_has_a_field_of_its_own() -> None:
    task = make_task("a", rubric="treatment_elements")
    assert list(reply_model(shape(task.questions)).model_fields)[:2] == [
        "specific_treatments__1",
        "specific_treatments__2",
    ]
