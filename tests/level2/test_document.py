"""A text read once: its terms, their parts, and what it abbreviates."""

from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.terms import Term, Terms


def test_of_names_with_the_same_first_words_the_longest_is_found() -> None:
    table = Terms(
        [
            Term("bone", "word"),
            Term("bone marrow", "word"),
            Term("bone marrow biopsy", "test"),
            Term("bone scan", "test"),
        ]
    )
    document = read_document("bone marrow biopsy, bone scan, bone marrow, bone", table)
    found = [name for _, name, _ in document.kinds]
    assert found == ["bone marrow biopsy", "bone scan", "bone marrow", "bone"]


def test_a_part_of_a_test_is_named_by_it_in_the_order_of_the_text() -> None:
    table = Terms([Term("x-ray", "test"), Term("chest x-ray", "test")])
    document = read_document("X-ray, then a chest X-ray, then an X-ray.", table)
    assert [mention.last for mention in document.mentions("=x-ray")] == [1, 6, 10]
    assert document.mentions("=chest x-ray")
    assert not document.mentions("=mri")


def test_a_function_word_is_no_mention_and_an_abbreviation_stands_for_its_words() -> None:
    document = read_document("The plasma exchange (PE) is on. Then PE.", Terms([]))
    assert not document.mentions("the")
    assert [mention.first for mention in document.mentions("plasma")] == [1, 3, 7]
