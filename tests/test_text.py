import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmrare_judge.text import clean, count_unstorable, fold

ANY_TEXT = st.text(st.characters())
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(ANY_TEXT)
def test_clean_text_can_be_encoded_and_keeps_every_offset(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert len(cleaned) == len(text)
    assert "\x00" not in cleaned


@given(STORABLE)
def test_clean_leaves_storable_text_alone(text: str) -> None:
    assert clean(text) == text
    assert count_unstorable(text) == 0


def test_clean_keeps_right_to_left_marks() -> None:
    assert clean("a\u200f\u202eb") == "a\u200f\u202eb"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        pytest.param("a \n\t b", "a b", id="white space"),
        pytest.param("5\u00a0mg", "5 mg", id="no-break space"),
        pytest.param("“Don’t”", '"don\'t"', id="quote marks"),
        pytest.param("T4–T6 − x", "t4-t6 - x", id="dashes"),
        pytest.param("**MRI** `brain`", "mri brain", id="markdown"),
        pytest.param("a * b", "a b", id="a dropped mark between spaces"),
        pytest.param("zero\u200bwidth\u00adsoft\u202e", "zerowidthsoft", id="invisible"),
        pytest.param("５ ㎎", "5 mg", id="compatibility forms"),
        pytest.param("µg", "μg", id="micro sign is mu"),
        pytest.param("STRASSE Straße", "strasse strasse", id="case"),
    ],
)
def test_folding(written: str, folded: str) -> None:
    assert fold(written).text == folded


@given(STORABLE)
def test_nfc_and_nfd_fold_alike(text: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert fold(composed).text == fold(decomposed).text


@given(ANY_TEXT)
def test_offsets_are_in_order_and_within_the_text(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert folded.starts == sorted(folded.starts)
    assert all(0 <= a < b <= len(text) for a, b in zip(folded.starts, folded.ends, strict=True))


@given(STORABLE, st.data())
def test_a_folded_slice_comes_from_the_original_it_names(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    if folded.text:
        start = data.draw(st.integers(0, len(folded.text) - 1))
        end = data.draw(st.integers(start + 1, len(folded.text)))
        original = text[slice(*folded.span(start, end))]
        assert folded.text[start:end].strip() in fold(original).text


@given(STORABLE)
@example("\r¸")
def test_folding_twice_is_folding_once(text: str) -> None:
    once = fold(text).text
    assert fold(once).text == once
