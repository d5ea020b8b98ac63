import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmrare_judge.judging.evidence import _SPACES, fold, folded
from mmrare_judge.records import clean, count_unstorable

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


def test_the_white_space_that_is_looked_for_is_all_there_is() -> None:
    there = {chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()}
    assert {*_SPACES, " "} == there
    assert len(_SPACES) == len(there) - 1


# Of these, what lies side by side has to be told apart: marks, spaces, accents, what is left out.
TRICKY = st.text(
    st.sampled_from("aB .*`\n\t\xa0\u2003\u200b\xadé\u0301\u0327¸–“ﬁß㎎日"), max_size=30
)


@given(ANY_TEXT | TRICKY)
def test_offsets_are_in_order_and_within_the_text(text: str) -> None:
    there_and_back = fold(text)
    spans = [there_and_back.span(i, i + 1) for i in range(len(there_and_back.text))]
    assert spans == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)


@given(STORABLE | TRICKY, st.data())
def test_a_folded_slice_comes_from_the_original_it_names(text: str, data: st.DataObject) -> None:
    there_and_back = fold(text)
    if there_and_back.text:
        start = data.draw(st.integers(0, len(there_and_back.text) - 1))
        end = data.draw(st.integers(start + 1, len(there_and_back.text)))
        original = text[slice(*there_and_back.span(start, end))]
        assert there_and_back.text[start:end].strip() in folded(original)


@pytest.mark.parametrize(
    ("written", "quote", "original"),
    [
        pytest.param("Give  IVIG\nnow", "ivig now", "IVIG\nnow", id="two spaces before it"),
        pytest.param("Give **IVIG** now", "ivig now", "IVIG** now", id="Markdown marks"),
        pytest.param("10\u2009–\u200912 ㎎ now", "mg now", "㎎ now", id="two letters from one"),
        pytest.param("so\xadon: a \xadb", "a b", "a \xadb", id="soft hyphens"),
        pytest.param("a \n\n– – b", "- b", "– b", id="white space around dashes"),
        pytest.param("x " + "日本語の" * 5 + " now", "now", "now", id="a long stretch"),
    ],
)
def test_a_span_leads_back_to_what_was_written(written: str, quote: str, original: str) -> None:
    there_and_back = fold(written)
    start = there_and_back.text.index(quote)
    assert written[slice(*there_and_back.span(start, start + len(quote)))] == original


@given(STORABLE)
@example("\r¸")
def test_folding_twice_is_folding_once(text: str) -> None:
    once = fold(text).text
    assert fold(once).text == once
