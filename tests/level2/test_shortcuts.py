"""The shortcuts by which texts are read quickly find what plain reading finds."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.negation import negated_items
from mmrare_judge.level2.terms import Term, Terms
from mmrare_judge.level2.tokens import UNIT, Tokens, plain_number, sentence_starts

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


def test_a_heading_is_found_with_a_bullet_before_it_and_white_space_behind() -> None:
    text = "- Avoid: \r\n  - aspirin\r\n"
    assert [text[start:end].strip() for start, end in negated_items(text)] == ["aspirin"]


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
