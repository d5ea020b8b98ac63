import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mmrare_judge.judging.questions import (
    MAX_QUOTE,
    MAX_QUOTES,
    MAX_REASONING,
    answers_in,
    longest_reply,
    reply_model,
    reply_schema,
    shape,
)
from support.makers import make_questions

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
    read = answers_in(reply_model(SHAPE).model_validate_json(json.dumps(REPLY)))
    assert read["dose"].level == "YES"
    assert read["dose"].quotes == ("40 mg",)
    assert read["route"].level == "2"


def test_what_a_library_hangs_on_a_reply_is_no_draft() -> None:
    reply = reply_model(SHAPE).model_validate(REPLY)
    vars(reply)["_raw_response"] = "as instructor does"
    assert list(answers_in(reply)) == ["dose", "route"]


def test_cannot_determine_is_no_level() -> None:
    reply = REPLY | {"dose": ANSWER | {"level": "cannot_determine"}}
    assert answers_in(reply_model(SHAPE).model_validate(reply))["dose"].level is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps({"dose": ANSWER}), id="a verdict is missing"),
        pytest.param(json.dumps(REPLY | {"more": ANSWER}), id="a verdict too many"),
        pytest.param(json.dumps(REPLY)[:-1] + f', "dose": {json.dumps(ANSWER)}}}', id="doubled"),
        pytest.param(
            json.dumps(REPLY)
            .replace("because", "\\u0022" * 4, 1)
            .replace('"level"', '"level": "NO", "level"', 1),
            id="doubled, with as many marks too few within a string",
        ),
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


SAID = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", '"', '\\"', "\\", '": ', '{"dose": ', "\\u0022", "µ – “"]
)
ANSWERS = st.fixed_dictionaries(
    {"reasoning": SAID, "quotes": st.lists(SAID, max_size=3), "level": st.just("NO")}
)


@st.composite
def objects(draw: st.DrawFn, values: dict[str, str]) -> tuple[str, bool]:
    """JSON text of an object, one of its keys perhaps given twice, and whether it is."""
    pairs = list(values.items())
    doubled = draw(st.booleans())
    if doubled:
        pairs.append(draw(st.sampled_from(pairs)))
    colon = draw(st.sampled_from([":", ": ", " :\n"]))
    return "{" + ", ".join(
        f"{_key(draw, key)}{colon}{value}" for key, value in pairs
    ) + "}", doubled


def _key(draw: st.DrawFn, key: str) -> str:
    return draw(st.sampled_from([f'"{key}"', f'"\\u{ord(key[0]):04x}{key[1:]}"']))


@st.composite
def replies(draw: st.DrawFn) -> tuple[str, bool]:
    """A reply as JSON text, and whether a key is given twice in it."""
    plain, mark = draw(st.booleans()), draw(st.sampled_from(['\\"', "\\u0022"]))
    parts: dict[str, str] = {}
    any_doubled = False
    for key in ("dose", "drug"):
        answer = {
            name: _marked(json.dumps(said, ensure_ascii=plain), mark)
            for name, said in draw(ANSWERS).items()
        }
        parts[key], doubled = draw(objects(answer))
        any_doubled |= doubled
    text, doubled = draw(objects(parts))
    return text, any_doubled or doubled


def _marked(text: str, mark: str) -> str:
    """JSON with the quotation marks within strings written in another way."""
    return re.sub(r"\\(.)", lambda found: mark if found[1] == '"' else found[0], text)


@given(replies())
def test_a_reply_is_refused_exactly_if_a_key_is_given_twice(reply: tuple[str, bool]) -> None:
    text, doubled = reply
    model = reply_model((("dose", ("NO", "YES")), ("drug", ("NO", "YES"))))
    if doubled:
        with pytest.raises(ValidationError, match="given twice"):
            model.model_validate_json(text)
    else:
        read = json.loads(text)
        assert model.model_validate_json(text).model_dump() == read


def test_the_longest_valid_reply_is_no_longer_than_the_bound() -> None:
    answer = {"reasoning": "r" * 1200, "quotes": ["q" * 400] * 5, "level": "cannot_determine"}
    text = json.dumps({"dose": answer, "route": answer})
    reply_model(SHAPE).model_validate_json(text)
    assert len(text) <= longest_reply(SHAPE)


def test_tasks_with_equal_questions_share_one_model() -> None:
    first, second = make_questions("a"), make_questions("b", id="2")
    assert reply_model(shape(first.all)) is reply_model(shape(second.all))


def test_each_element_has_a_field_of_its_own() -> None:
    questions = make_questions("a", rubric="treatment_elements")
    assert list(reply_model(shape(questions.all)).model_fields)[:2] == [
        "specific_treatments__1",
        "specific_treatments__2",
    ]
