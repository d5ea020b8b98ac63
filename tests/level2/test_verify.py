"""Level 2, track by track."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.data.items import TRACKS, Track
from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.terms import Term, Terms
from mmrare_judge.level2.verify import LISTS, Level2, stated_relations, token_f1, verify
from support.makers import make_item


def _coverages(result: Level2) -> dict[str, float | None]:
    return {coverage.field: coverage.coverage for coverage in result.lists}


def test_treatment_has_inclusions_and_violations() -> None:
    result = verify("Prednisone 40 mg daily. Give a live vaccine.", make_item("treatment"))
    assert _coverages(result) == {"must_include": 0.5, "must_not": 1.0}
    assert [violation.element for violation in result.violations] == ["live vaccine"]


def test_what_is_advised_against_is_no_violation() -> None:
    result = verify("No live vaccine should be given.", make_item("treatment"))
    assert result.violations == ()
    assert result.lists[1].elements[0].negated


def test_examination_has_three_lists_and_ruling_out_is_no_negation() -> None:
    text = "Brain MRI to rule out meningitis; a lumbar puncture is not needed."
    assert _coverages(verify(text, make_item("examination"))) == {
        "key_tests": 0.5,
        "red_flags": 1.0,
        "must_not": 0.0,
    }


def test_diagnosis_has_token_f1_over_answer_and_aliases_and_no_list() -> None:
    result = verify("ECD.", make_item("diagnosis"))
    assert result.lists == ()
    assert result.token_f1 == 1.0


def test_cross_image_has_findings_and_one_relation() -> None:
    text = "A hypoechoic mass. The CT with contrast confirms it."
    result = verify(text, make_item("cross_image"))
    assert _coverages(result) == {"key_findings": 0.5}
    assert (result.relation_expected, result.relation_found) == ("confirm", "confirm")


def test_two_relations_are_none() -> None:
    result = verify("They complement and contradict each other.", make_item("cross_image"))
    assert result.relation_found is None


def test_an_empty_list_has_no_coverage() -> None:
    item = make_item("treatment", reference={"must_not": []})
    assert _coverages(verify("Rest.", item))["must_not"] is None


def test_a_table_of_ones_own_is_used() -> None:
    item = make_item("treatment", reference={"must_include": ["nusinersen"]})
    terms = Terms([Term("nusinersen", "drug", ("Spinraza",))])
    assert _coverages(verify("Spinraza", item, terms=terms))["must_include"] == 1.0
    assert _coverages(verify("Spinraza", item))["must_include"] == 0.0


@pytest.mark.parametrize("track", TRACKS)
def test_each_track_has_its_lists_in_order(track: Track) -> None:
    result = verify("", make_item(track))
    assert tuple(coverage.field for coverage in result.lists) == LISTS[track]


@given(st.text(max_size=200))
def test_any_text_is_verified_with_spans_that_slice_it(text: str) -> None:
    for track in TRACKS:
        result = verify(text, make_item(track))
        spans = [match.span for found in result.lists for match in found.elements if match.span]
        assert all(text[span.start : span.end] == span.text for span in spans)
        assert all(0 <= (found.coverage or 0) <= 1 for found in result.lists)


def test_two_megabytes_are_verified() -> None:
    text = "Avoid NSAIDs, start prednisone (PE) 40 mg daily, and taper. " * 33_000
    assert _coverages(verify(text, make_item("treatment")))["must_include"] == 0.5


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
    assert list(stated_relations(read_document(text, Terms.default()))) == relations
