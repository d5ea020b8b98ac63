"""Token F1, clauses, relations and dosing."""

import pytest

from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.elements import clauses_of, list_labels
from mmrare_judge.level2.rules import dosings
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.verify import stated_relations, token_f1

TERMS = Terms.default()


@pytest.mark.parametrize(
    ("prediction", "answers", "f1"),
    [
        ("Graves disease", ["the Graves' disease"], 1.0),
        # 1 common token, 2 and 1 tokens: 2 * 1 / (2 + 1).
        ("primary hyperparathyroidism", ["hyperparathyroidism"], 2 / 3),
        # A bag counts repeats: min(2, 1) = 1 common, 2 * 1 / (2 + 2).
        ("pain pain", ["pain fever"], 0.5),
        ("ECD", ["Erdheim-Chester disease", "ECD"], 1.0),
        ("", ["fever"], 0.0),
        ("fever", [], 0.0),
    ],
    ids=["articles and punctuation", "partly", "bag", "best alias", "blank", "no answer"],
)
def test_token_f1_is_that_of_the_protocol(prediction: str, answers: list[str], f1: float) -> None:
    assert token_f1(prediction, answers) == pytest.approx(f1)


def test_an_answer_is_cut_into_orders_and_not_within_a_list_of_things() -> None:
    answer = "Resect the tumor, node, and margin, followed by radiotherapy; start imatinib."
    assert clauses_of(answer) == (
        "Resect the tumor, node, and margin",
        "followed by radiotherapy",
        "start imatinib",
    )


def test_the_labels_of_a_work_up_are_its_tests() -> None:
    answer = "- **CT chest:** nodules.\n- **Sputum culture:** sterile: no growth"
    assert list_labels(answer) == ("CT chest", "Sputum culture")


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("The MRI confirms the CT.", ["confirm"]),
        ("Contrast-enhanced CT and MRI with contrast.", []),
        ("In contrast, the MRI is normal.", ["contrast"]),
        ("They complement and contradict each other.", ["complement", "contrast"]),
        ("It does not contradict the smear.", []),
        ("Biopsy confirmed it. The relation is complementary.", ["complement"]),
    ],
    ids=["one", "a dye", "in contrast", "two", "negated", "named as relation"],
)
def test_relations_are_words_and_not_dyes(text: str, relations: list[str]) -> None:
    assert list(stated_relations(read_document(text, TERMS))) == relations


def test_each_drug_has_its_own_dose_and_route() -> None:
    text = "IV acyclovir 350 mg with oral prednisolone (60 mg daily); avoid warfarin 5 mg."
    found = dosings(read_document(text, TERMS))
    assert set(found) == {"=aciclovir", "prednisolon"}
    assert found["=aciclovir"].doses == {"#350mg"}
    assert found["=aciclovir"].routes == {"intravenous"}
    assert found["prednisolon"].doses == {"#60mg"}
    assert found["prednisolon"].routes == {"by mouth"}


@pytest.mark.parametrize(
    ("given", "agrees"),
    [
        ("oral prednisone 40 mg", True),
        ("prednisone 40 mg", True),
        ("oral prednisone", True),
        ("oral prednisone 400 mg", False),
        ("prednisone", False),
    ],
)
def test_a_dose_that_differs_outweighs_a_route_that_agrees(given: str, agrees: bool) -> None:
    expected = dosings(read_document("prednisone 40 mg by mouth", TERMS))["prednison"]
    assert dosings(read_document(given, TERMS))["prednison"].agrees(expected) is agrees
