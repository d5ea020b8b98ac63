"""Tokens that depend on their neighbours, and offsets that always name what was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.level2.tokens import Tokens, sentence_starts


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param("8.8x7 cm", ["8", "8x7", "cm"], id="a product is no number"),
        pytest.param("8.8 x 7 cm", ["#8.8", "x", "#7cm"], id="a product with spaces is two"),
        pytest.param("two weeks", ["#2week"], id="number word and time"),
        pytest.param("2-4 mg", ["#2mg", "#4mg"], id="the lower end of a range takes its unit"),
        pytest.param("weeks", ["week"], id="time at the very beginning"),
        pytest.param("10mgx", ["10mgx"], id="letters and digits that go on"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_a_token_is_read_together_with_its_neighbours(text: str, keys: list[str]) -> None:
    assert Tokens(text).keys == keys


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        pytest.param("Give i.v. now", [], id="one letter is an initial"),
        pytest.param("Give approx. 5", [], id="the longest abbreviation"),
        pytest.param("1. Rest\n2. Sleep", [8], id="a list number ends nothing"),
        pytest.param("Rest? Sleep! Eat\n\nNow", [5, 12, 18], id="marks and lines"),
    ],
)
def test_a_sentence_ends_where_a_reader_would_end_it(text: str, starts: list[int]) -> None:
    assert [start for start in sentence_starts(text) if text[start:].strip()] == starts


@given(st.text(alphabet=st.sampled_from("ab1 .,-\nméµ’'\u0301\u200b²weks"), max_size=40))
def test_tokens_follow_each_other_and_lists_have_equal_lengths(text: str) -> None:
    parts = Tokens(text)
    features = (parts.keys, parts.said, parts.words, parts.gaps, parts.starts, parts.ends)
    assert len({len(feature) for feature in features}) == 1
    assert all(start < end for start, end in zip(parts.starts, parts.ends, strict=True))
    assert all(end <= start for end, start in zip(parts.ends, parts.starts[1:], strict=False))
