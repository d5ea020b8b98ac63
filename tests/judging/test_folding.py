"""Spellings that mean the same become the same tokens, and keep their place in the text."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.judging.evidence import is_blank
from mmrare_judge.judging.folding import fold


def said(text: str, **options: bool) -> str:
    """The tokens of a text, in one line."""
    return " ".join(fold(text, **options).words)


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        pytest.param("a \n\t b", "a b", id="white space"),
        pytest.param("T4–T6 − x", "t 4 t 6 – x", id="dashes"),
        pytest.param("**MRI** `brain` _now_", "mri brain now", id="Markdown"),
        pytest.param("zero\u200bwidth\u00adsoft\u202e", "zerowidthsoft", id="invisible"),
        pytest.param("５ ㎎ ﬁne", "5 mg fine", id="compatibility forms"),
        pytest.param("STRASSE Straße", "strasse strasse", id="case"),
        pytest.param("10mg 10 mg", "10 mg 10 mg", id="number and unit"),
        pytest.param("1,000 1\u202f000 1'000 1 000", "1000 1000 1000 1000", id="grouped digits"),
        pytest.param("day 1 100 mg", "day 1 100 mg", id="two numbers side by side"),
        pytest.param("1,5 0,125 1·5 .5", "1.5 0.125 1.5 0.5", id="decimals"),
        pytest.param("1.000 1000", "1.000 1000", id="a point may be one of decimals"),
        pytest.param("٥٠ ۵۰ ५० 50", "50 50 50 50", id="digits of other scripts"),
        pytest.param(">=2 ≥ 2 &ge;2 \\geq 2", "≥ 2 ≥ 2 ≥ 2 ≥ 2", id="comparison signs"),
        pytest.param("-> → --> =>", "→ → → →", id="arrows"),
        pytest.param("2x8 2 × 8 2*8 $2\\times8$", "2 × 8 2 × 8 2 × 8 2 × 8", id="times"),
        pytest.param("5 µg 5 μg 5 mcg 5 ug", "5 μg 5 μg 5 μg 5 μg", id="micro"),
        pytest.param("38 °C 38ºC 38 ℃ 38 degrees Celsius", "38 ° c " * 4, id="degrees"),
        pytest.param("10⁹ 10^9 10<sup>9</sup> $10^{9}$", "10 ^ 9 " * 4, id="powers"),
        pytest.param("m² m2 H₂O H<sub>2</sub>O", "m 2 m 2 h 2 o h 2 o", id="raised and lowered"),
        pytest.param("1½ 1 1/2 11/2", "1 1 / 2 1 1 / 2 11 / 2", id="fractions"),
        pytest.param("\\frac{1}{2} \frac{1}{2}", "1 / 2 1 / 2", id="LaTeX fractions, one damaged"),
        pytest.param("2 \times 8 \text{mg}", "2 × 8 mg", id="LaTeX that JSON made tabs of"),
        pytest.param("β-blocker beta-blocker \\beta-blocker", "β blocker " * 3, id="Greek"),
        pytest.param("a &lt;5 &amp;lt;5 &#60;5", "a < 5 < 5 < 5", id="entities"),
        pytest.param("a<br/>b <b>c</b> x<y", "a b c x < y", id="HTML, and a sign"),
        pytest.param("see [the MRI](http://x.org/a_(b)) now", "see the mri now", id="link"),
        pytest.param("follow-up IL-6 5-10 -5", "follow up il 6 5 - 10 - 5", id="hyphen and minus"),
        pytest.param("ends.nIf you", "ends . if you", id="a line break without its backslash"),
        pytest.param("ends.\\nIf you", "ends . if you", id="a line break as text"),
        pytest.param("每日10mg。", "每 日 10 mg .", id="a script without spaces"),
        pytest.param("ﾌﾟﾚﾄﾞ プレド", "プ レ ド プ レ ド", id="half-width kana"),
        pytest.param("TNFα TNF-α TNF alpha TGFβ1", "tnf α tnf α tnf α tgf β 1", id="Greek behind"),
        pytest.param("HCO₃⁻ HCO3-", "hco 3 – hco 3 –", id="charge"),
        pytest.param("İlaç ilaç", "ilaç ilaç", id="Turkish"),
        pytest.param('מ״ג מ"ג', "מ ג מ ג", id="Hebrew abbreviation"),
        pytest.param("✅ Start", "start", id="a tick for a bullet"),
        pytest.param("إعطاء اعطاءً", "اعطاء اعطاء", id="Arabic letters and vowel points"),
    ],
)
def test_folding(written: str, tokens: str) -> None:
    assert said(written) == tokens.strip()


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        pytest.param("1. Start\n2) Stop\n(3) Rest", "start stop rest", id="numbered list"),
        pytest.param("# Plan\n> a) Start", "plan start", id="heading and letters"),
        pytest.param("i. Start\nii. Stop\n1.2. Rest", "start stop rest", id="other numbers"),
        pytest.param("**1.** Start\n- [x] Stop", "start stop", id="bold numbers and tasks"),
        pytest.param("> Start\n> Stop\n> 5 mg", "start stop > 5 mg", id="quoted lines, and a sign"),
        pytest.param("1、给\n2、停 ① Start", "给 停 start", id="Chinese and circled numbers"),
        pytest.param("Plan\n====\nStart", "plan start", id="underlined heading"),
        pytest.param("pre-\noperative", "preoperative", id="a word broken at a line's end"),
        pytest.param("helps [3] and [4, 5]", "helps and", id="sources"),
        pytest.param("Dose:\n10. 5 mg", "dose : 10. 5 mg".replace("10.", "10 ."), id="a number"),
    ],
)
def test_numbering_can_be_left_out(written: str, tokens: str) -> None:
    assert said(written, numbering=False) == tokens


DIFFERENT = [
    ("10 mg", "100 mg"),
    ("10 mg", "10 mcg"),
    ("10⁹", "109"),
    ("1½", "11/2"),
    ("1.000", "1000"),
    ("≥ 2", "≤ 2"),
    ("< 2", "≤ 2"),
    ("38 °C", "38 °F"),
    ("5-10", "5 10"),
    ("0.5", "5"),
    ("no pain", "nopain"),
    ("T1", "T 11"),
    ("5 mg/kg", "5 mg kg"),
    ("가", "각"),
    ("か", "が"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_means_another_thing_stays_another_thing(one: str, other: str) -> None:
    assert said(one) != said(other)


STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
TRICKY = st.text(
    st.sampled_from("aB1 .,*_`\n\t\xa0\u2003\u200b\xadé\u0301¸–“ﬁß㎎日½²<>&;[](){}\\n$^-x×"),
    max_size=30,
)


@given(STORABLE | TRICKY)
def test_tokens_come_in_order_from_within_the_text(text: str) -> None:
    folded = fold(text)
    spans = [folded.span(place, place) for place in range(len(folded.words))]
    assert spans == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(word and " " not in word for word in folded.words)


UNMARKED = st.text(
    st.characters(exclude_categories=["Cs", "Mn"], exclude_characters="\x00\\~_*`&<>$^[](){}")
    | st.sampled_from("\u0301\u0327\u0308\u3099")
)


@given(UNMARKED)
def test_nfc_and_nfd_fold_alike(text: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert said(composed) == said(decomposed)


@pytest.mark.parametrize(
    ("written", "token", "original"),
    [
        pytest.param("Give **IVIG** now", "ivig", "IVIG", id="Markdown marks"),
        pytest.param("10\u2009–\u200912 ㎎ now", "mg", "㎎", id="two letters from one"),
        pytest.param("a &ge; b", "≥", "&ge;", id="an entity"),
        pytest.param("1,000 mg", "1000", "1,000", id="grouped digits"),
        pytest.param("so\xadon", "soon", "so\xadon", id="a soft hyphen"),
    ],
)
def test_a_token_leads_back_to_what_was_written(written: str, token: str, original: str) -> None:
    folded = fold(written)
    place = folded.words.index(token)
    assert written[slice(*folded.span(place, place))] == original


@pytest.mark.parametrize(
    "part",
    [
        "< ",
        "&amp;",
        "](a",
        "\\n",
        "1,",
        "1 000",
        "_",
        "\n1. ",
        "<b ",
        "-",
        "<-",
        ".n",
        "[1,",
        "½",
        "汉",
    ],
)
def test_folding_takes_time_in_proportion_to_the_text(part: str) -> None:
    begin = time.process_time()
    fold(part * (50_000 // len(part)))
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("text", "blank"),
    [("", True), (" \n\u200b** `", True), ("0", False), ("-", False), ("。", False)],
)
def test_blank_is_what_shows_nothing(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
