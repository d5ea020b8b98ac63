from hypothesis import given
from hypothesis import strategies as st

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
