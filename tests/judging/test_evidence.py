from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz  # noqa: TID251  the reference the similarity is held against

from mmrare_judge.judging.evidence import (
    APPROXIMATE,
    Sources,
    _could_stand,
    _same_content,
    fold,
    look_up,
)
from mmrare_judge.judging.grade import Evidence
from support.makers import make_questions

PLAN = (
    "Start **prednisone** 40\u00a0mg daily by mouth for 4 weeks, then taper. Do not give live "
    "vaccines. Order “serum calcium” and ACTH; see the patient again in two weeks."
)


def find(quote: str, prediction: str = PLAN, **changes: Any) -> Evidence:
    (evidence,) = find_all(quote, prediction, **changes)
    return evidence


def find_all(quote: str, prediction: str, **changes: Any) -> list[Evidence]:
    questions = make_questions(prediction, **changes)
    found = look_up((quote,), questions.all[0], Sources(questions))
    return [Evidence.model_validate(fields) for fields in found]


@pytest.mark.parametrize(
    ("quote", "match"),
    [
        pytest.param("by mouth for 4 weeks", "exact", id="letter by letter"),
        pytest.param("prednisone 40 mg daily", "normalised", id="markdown and no-break space"),
        pytest.param('order "serum calcium"', "normalised", id="case and quote marks"),
        pytest.param("Do not\ngive live vaccines", "normalised", id="line break"),
        pytest.param("see the patient again after two weeks", "not_found", id="other words"),
        pytest.param("by mouth for four weeks, then taper", "not_found", id="number as word"),
        pytest.param("prednisone 400 mg daily by mouth", "not_found", id="another dose"),
        pytest.param("prednisolone 40 mg daily by mouth for 4 weeks", "not_found", id="other drug"),
        pytest.param("Do not give prednisone and live vaccines", "not_found", id="joined pieces"),
        pytest.param("Do give live vaccines", "not_found", id="negation left out"),
        pytest.param("daily by mouth for the 4 weeks", "approximate", id="an article added"),
        pytest.param("by mouth for 4 weaks, then taper", "approximate", id="a slip of a letter"),
        pytest.param("CT", "not_found", id="CT is not in ACTH"),
        pytest.param("ACTH", "exact", id="a short word of its own"),
        pytest.param("and", "not_found", id="a function word says nothing"),
        pytest.param("Do not", "not_found", id="a bare negation says nothing"),
        pytest.param("...", "not_found", id="dots alone"),
        pytest.param("", "not_found", id="empty"),
        pytest.param("  ", "not_found", id="blank"),
    ],
)
def test_how_a_quote_is_found(quote: str, match: str) -> None:
    assert find(quote).match == match


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        pytest.param("taper over six weeks", "reference", id="the answer key"),
        pytest.param("Does the plan name the same specific treatments", "criterion", id="question"),
        pytest.param("given only as a class such as", "criterion", id="the meaning of a level"),
        pytest.param("A woman of 40", "item", id="the case"),
    ],
)
def test_a_quote_from_elsewhere_is_a_wrong_source(quote: str, source: str) -> None:
    evidence = find(quote)
    assert (evidence.match, evidence.source, evidence.found) == ("wrong_source", source, False)


def test_a_quote_that_stands_in_both_is_found_in_the_prediction() -> None:
    evidence = find("prednisone 40 mg daily", "We give prednisone 40 mg daily.")
    assert (evidence.match, evidence.source) == ("exact", "prediction")


def test_each_piece_around_dots_is_looked_up_by_itself() -> None:
    found = find_all("taper ... [...] serum copper", PLAN)
    assert [(entry.quote, entry.match) for entry in found] == [
        ("taper", "exact"),
        ("serum copper", "not_found"),
    ]


def test_the_span_of_a_normalised_match_is_the_original_text() -> None:
    evidence = find("prednisone 40 mg")
    assert PLAN[evidence.start : evidence.end] == "prednisone** 40\u00a0mg"


def test_the_similarity_of_an_approximate_match_is_rapidfuzz_ratio() -> None:
    quote = "by mouth for 4 weaks, then taper"
    evidence = find(quote)
    window = PLAN[evidence.start : evidence.end]
    assert window == "by mouth for 4 weeks, then taper"
    assert evidence.similarity == pytest.approx(fuzz.ratio(quote, window) / 100)


WORDS = st.text(st.sampled_from("ab1 .,*“é\u00a0\u200f\n-"), max_size=60)


@given(WORDS, st.data())
def test_every_found_span_slices_to_the_match(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    quote = data.draw(st.just(text[start : start + 25]) | WORDS)
    for evidence in find_all(quote, text or "x"):
        sliced = text[evidence.start : evidence.end] if evidence.found else None
        if evidence.match == "exact":
            assert sliced == evidence.quote
        elif evidence.match == "normalised":
            assert fold(sliced or "").text.strip() == fold(evidence.quote).text.strip()
        elif evidence.match == "approximate":
            ratio = fuzz.ratio(fold(evidence.quote).text.strip(), fold(sliced or "").text.strip())
            assert ratio >= 100 * APPROXIMATE
        else:
            assert evidence.start is None
            assert evidence.similarity is None


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_can_be_looked_up_in_any_text(text: str, quote: str) -> None:
    find_all(quote, text)


SENTENCES = st.lists(
    st.sampled_from("give gives taper taped tapers drugs drug 40 4 mg daily not the of".split()),
    min_size=1,
    max_size=6,
).map(" ".join)


@given(SENTENCES, SENTENCES, SENTENCES)
def test_what_is_refused_at_a_glance_would_be_refused_after_the_search(
    quote: str, window: str, behind: str
) -> None:
    if not _could_stand(quote, f"{window} {behind}"):
        assert not _same_content(quote, window)


@pytest.mark.parametrize(
    "slip", ["prednisone", "predniscone", "predisone", "prednisome", "xrednisone"]
)
def test_a_word_with_one_slip_is_not_refused_at_a_glance(slip: str) -> None:
    assert _could_stand(slip, "start prednisone")
    assert _same_content(slip, "start prednisone".split()[1])


def test_a_question_of_another_item_is_no_source_of_its_neighbour() -> None:
    """What is remembered of a question belongs to it alone."""
    for element, other in [("oral zinc", "serum copper"), ("serum copper", "oral zinc")]:
        questions = make_questions(
            "Rest.", rubric="treatment_elements", reference={"must_include": [element]}
        )
        question = questions.all[0]
        asked = "as specifically as it is written here: "
        here, there = look_up((asked + element, asked + other), question, Sources(questions))
        assert (here["source"], there["source"]) == ("criterion", None)
