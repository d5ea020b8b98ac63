"""Whether an element is stated: names, orders, statements, drugs, numbers, polarity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.elements import (
    ElementMatch,
    clauses_of,
    compile_element,
    compile_prohibited,
    list_labels,
    match_element,
)
from mmrare_judge.level2.terms import Terms

TERMS = Terms.default()


def _match(element: str, text: str, question: str = "") -> ElementMatch:
    return match_element(
        read_document(text, TERMS), compile_element(element, TERMS, question=question)
    )


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("Lexapro", "Give escitalopram 10 mg."),
        ("IVIG", "intravenous immunoglobulins"),
        ("MRI of the spine", "Order a spinal magnetic resonance imaging."),
        ("chest X-ray", "CXR"),
        ("X-ray", "Chest radiograph"),
        ("1 g methylprednisolone", "methylprednisolone 1000 mg"),
        ("Stop ibuprofen", "Discontinue ibuprofen"),
        ("avoid NSAIDs", "NSAIDs should be avoided"),
        ("Perform surgical excision of the cyst", "**Surgical** excision of the cyst"),
        ("premature ejaculation", "Premature ejaculation (PE) is common."),
        ("dose &lt;5 mg", "The dose is < 5 mg."),
        ("Clobetasol is applied topically", "Clobetasol: a topical cream."),
    ],
)
def test_an_element_is_stated_in_other_words_of_the_same_meaning(element: str, text: str) -> None:
    assert _match(element, text).found


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("prednisolone", "Give prednisone."),
        ("hydroxyzine", "Give hydralazine."),
        ("CT", "Measure ACTH."),
        ("prednisone 10 mg", "prednisone 100 mg"),
        ("prednisone 10 mg", "prednisone for 10 days"),
        ("heparin", "low molecular weight heparin"),
        ("amoxicillin", "amoxicillin-clavulanate"),
        ("oral prednisone and methotrexate weekly", "oral methotrexate weekly"),
        ("brain MRI", "MRI of the knee. The brain is fine."),
    ],
)
def test_what_only_looks_alike_is_not_stated(element: str, text: str) -> None:
    assert not _match(element, text).found


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("biopsy", "A biopsy is not needed."),
        ("MRI", "There is no need for MRI."),
        ("warfarin", "Use apixaban instead of warfarin."),
        ("avoid NSAIDs", "Give NSAIDs."),
        ("asthma", "No history of asthma."),
    ],
)
def test_a_mention_of_the_other_polarity_is_negated_and_not_found(element: str, text: str) -> None:
    match = _match(element, text)
    assert (match.found, match.negated) == (False, True)
    assert match.span is not None


def test_a_statement_needs_what_it_says_beyond_the_subject_of_the_question() -> None:
    question = "What causes back pain?"
    statement = "A cause of back pain can be trauma."
    assert not _match(statement, "Back pain has many causes.", question).found
    assert _match(statement, "It may come from trauma.", question).found


def test_a_long_question_is_a_case_and_names_no_subject() -> None:
    case = "Plan? " + "The patient fell and has a trauma of the brain. " * 6
    element = "The cause is a trauma of the brain"
    demands = compile_element(element, TERMS, question=case).demands
    assert [demand.key for demand in demands] == ["trauma", "=brain"]


def test_a_violation_needs_every_word_in_one_sentence() -> None:
    element = "Avoid platelet transfusion without bleeding"
    prohibited = compile_prohibited(element, TERMS)
    spread = read_document("Count the platelet. Transfusion later.", TERMS)
    assert not match_element(spread, prohibited).found
    given = read_document("Give a platelet transfusion without bleeding.", TERMS)
    match = match_element(given, prohibited)
    assert match.found
    assert match.element == element


@given(st.text(alphabet="ab MRI.\n,*é\u200b10mg(avoid)no", max_size=80))
def test_a_span_is_what_it_says(text: str) -> None:
    for element in ("MRI", "10 mg", "avoid a b"):
        span = _match(element, text).span
        assert span is None or text[span.start : span.end] == span.text != ""


@given(st.sampled_from(["prednisone 10 mg", "brain MRI", "excise the hydatid cyst with care"]))
def test_an_element_states_itself(element: str) -> None:
    assert _match(element, f"Then {element}, as said.").found


def test_an_answer_is_cut_into_orders_and_not_within_a_list_of_things() -> None:
    answer = "Resect the tumor, node, and margin, followed by radiotherapy; start imatinib."
    assert clauses_of(answer) == (
        "Resect the tumor, node, and margin",
        "followed by radiotherapy",
        "start imatinib",
    )


def test_an_entity_is_not_cut_by_its_semicolon() -> None:
    assert clauses_of("Keep the INR &lt;3; stop aspirin.") == ("Keep the INR <3", "stop aspirin")
    assert list_labels("- **CT &amp; MRI:** normal") == ("CT & MRI",)


def test_the_labels_of_a_work_up_are_its_tests() -> None:
    answer = "- **CT chest:** nodules.\n- **Sputum culture:** sterile: no growth"
    assert list_labels(answer) == ("CT chest", "Sputum culture")
