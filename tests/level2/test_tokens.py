"""Tokens, numbers with units, and sentences; compared with a plain reading of the same text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrare_judge.level2.tokens import (
    UNIT,
    Tokens,
    plain_number,
    plain_unit,
    sentence_starts,
    words_of,
)

INSIDE = "\u00ad\u200b-\u200d\u2060\ufeff\u0300-\u036f"

NUMBER = rf"\d++(?:[.,]\d++)*+(?:[ \u00a0]?(?i:{UNIT})(?![^\W_]))?(?![^\W\d_])"

PLAIN_TOKEN = re.compile(rf"{NUMBER}|[^\W_](?:[^\W_]|[{INSIDE}]|['’](?=[^\W_]))*")

ABBREVIATED = "e.g i.e etc vs approx dr mr mrs fig al resp incl esp ca st".split()

PARTS = st.sampled_from(
    "a,m,Mg,mg,10,2,8.8,1,000,x,7,T,µg,µ,Μg,é,ſ,K,\u0301,\u200b,\u00ad,\u00a0,_,',’,-,–,/,%,.,;,²,٣,"
    'week,drops,approx,resp,Dr,e.g,etc,words,final,step,(,),!,?,\n,\n\n,*,#,",”'.split(",")
    + [" "] * 9
)

TEXTS = st.lists(PARTS, max_size=25).map("".join)


def plain_starts(text: str) -> list[int]:
    """Sentence starts, mark by mark, as the documentation has them."""
    starts: list[int] = []
    for at, mark in enumerate(text):
        following = text[at + 1 : at + 2]
        ends = mark in ".!?" and (not following or following.isspace() or ends_before(following))
        new_line = mark == "\n" and following != "\n"
        if new_line or (ends and not (mark == "." and is_spared(text, at))):
            starts.append(at + 1)
    return [start for start in starts if start < len(text)]


def ends_before(following: str) -> bool:
    return following in '"”' or "A" <= following <= "Z"


def is_spared(text: str, stop: int) -> bool:
    before = text[:stop].removesuffix("\n")
    if before[-1:].isalpha():
        known = (*map(re.escape, ABBREVIATED), "[a-z]")
        return any(re.search(rf"\b{word}\Z", before, re.IGNORECASE) for word in known)
    return text[max(0, stop - 8) : stop].rpartition("\n")[2].strip(" -*#").isdigit()


@settings(max_examples=300)
@given(TEXTS)
def test_sentences_begin_where_a_mark_by_mark_reading_has_them(text: str) -> None:
    assert sentence_starts(text) == plain_starts(text)


@settings(max_examples=300)
@given(TEXTS.filter(lambda text: not re.search(r"(?i)two|week|[-–—]", text)))
def test_tokens_are_those_of_the_plain_pattern(text: str) -> None:
    plain = [match.span() for match in PLAIN_TOKEN.finditer(text)]
    assert list(zip(Tokens(text).starts, Tokens(text).ends, strict=True)) == plain


def test_whole_numbers_are_compared_like_those_with_a_point() -> None:
    assert plain_number("007", "mg") == plain_number("7.0", "mg") == "#7mg"
    assert plain_number("0", "") == plain_number("0.0", "") == "#0"
    assert plain_number("1234567890123456", "") == "#1234567890123456"


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


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("10 mg and 10mg", ("#10mg", "and", "#10mg")),
        ("1 g/day", ("#1000mg",)),
        ("1,000 mg", ("#1000mg",)),
        ("2–4 mg/kg", ("#2mg/kg", "#4mg/kg")),
        ("two weeks", ("#2week",)),
        ("0.50 %", ("#0.5%",)),
        ("500 µg", ("#500mcg",)),
        ("18F", ("18f",)),
        ("HbA1c", ("hba1c",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_number_keeps_its_value_and_unit(text: str, keys: tuple[str, ...]) -> None:
    assert words_of(text) == keys


def test_a_unit_has_one_spelling() -> None:
    assert plain_unit("Milligrams") == plain_unit("mg") == "mg"


def test_tokens_slice_the_text_they_come_from() -> None:
    text = "Give **IVIG** 2 g/kg."
    places = zip(Tokens(text).starts, Tokens(text).ends, strict=True)
    assert [text[start:end] for start, end in places] == ["Give", "IVIG", "2 g/kg"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("See Dr. Fox. Then rest.", 2),
        ("Give e.g. IVIG. Wait.", 2),
        ("1. Rest\n2. Sleep", 2),
        ("0.5 mg is low.", 1),
        ("It is safe.Ask first.", 2),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: int) -> None:
    assert len(sentence_starts(text)) + 1 == sentences
