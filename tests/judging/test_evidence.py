import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz  # noqa: TID251  the reference the similarity is held against

from mmrare_judge.judging.evidence import APPROXIMATE, Sources, look_up
from mmrare_judge.judging.grade import Evidence
from support.makers import make_questions

PLAN = (
    "Start **prednisone** 40\u00a0mg daily by mouth for 4 weeks, then taper. Do not give live "
    "vaccines. Order “serum calcium” and ACTH; see the patient again in two weeks."
)


def find(quote: str, prediction: str = PLAN, **changes: Any) -> Evidence:
    (evidence,) = find_all(quote, prediction, **changes)
    return evidence


def find_all(quote: str, prediction: str, **changes: Any) -> list[Evidence]:
    questions = make_questions(prediction, **changes)
    found = look_up((quote,), questions.all[0], Sources(questions))
    return [Evidence.model_validate(fields) for fields in found]


@pytest.mark.parametrize(
    ("quote", "match"),
    [
        pytest.param("by mouth for 4 weeks", "exact", id="letter by letter"),
        pytest.param("prednisone 40 mg daily", "normalised", id="markdown and no-break space"),
        pytest.param('order "serum calcium"', "normalised", id="case and quote marks"),
        pytest.param("Do not\ngive live vaccines", "normalised", id="line break"),
        pytest.param("see the patient again after two weeks", "not_found", id="other words"),
        pytest.param("by mouth for four weeks, then taper", "not_found", id="number as word"),
        pytest.param("prednisone 400 mg daily by mouth", "not_found", id="another dose"),
        pytest.param("prednisolone 40 mg daily by mouth for 4 weeks", "not_found", id="other drug"),
        pytest.param("Do not give prednisone and live vaccines", "not_found", id="joined pieces"),
        pytest.param("Do give live vaccines", "not_found", id="negation left out"),
        pytest.param("daily by mouth for the 4 weeks", "approximate", id="an article added"),
        pytest.param("by mouth for 4 weaks, then taper", "approximate", id="a slip of a letter"),
        pytest.param("CT", "not_found", id="CT is not in ACTH"),
        pytest.param("ACTH", "exact", id="a short word of its own"),
        pytest.param("and", "not_found", id="a function word says nothing"),
        pytest.param("Do not", "not_found", id="a bare negation says nothing"),
        pytest.param("...", "not_found", id="dots alone"),
        pytest.param("", "not_found", id="empty"),
        pytest.param("  ", "not_found", id="blank"),
    ],
)
def test_how_a_quote_is_found(quote: str, match: str) -> None:
    assert find(quote).match == match


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        pytest.param("taper over six weeks", "reference", id="the answer key"),
        pytest.param("Does the plan name the same specific treatments", "criterion", id="question"),
        pytest.param("given only as a class such as", "criterion", id="the meaning of a level"),
        pytest.param("A woman of 40", "item", id="the case"),
    ],
)
def test_a_quote_from_elsewhere_is_a_wrong_source(quote: str, source: str) -> None:
    evidence = find(quote)
    assert (evidence.match, evidence.source, evidence.found) == ("wrong_source", source, False)


def test_a_quote_that_stands_in_both_is_found_in_the_prediction() -> None:
    evidence = find("prednisone 40 mg daily", "We give prednisone 40 mg daily.")
    assert (evidence.match, evidence.source) == ("exact", "prediction")


def test_each_piece_around_dots_is_looked_up_by_itself() -> None:
    found = find_all("taper ... [...] serum copper", PLAN)
    assert [(entry.quote, entry.match) for entry in found] == [
        ("taper", "exact"),
        ("serum copper", "not_found"),
    ]


def test_the_span_of_a_normalised_match_is_the_original_text() -> None:
    evidence = find("prednisone 40 mg")
    assert PLAN[evidence.start : evidence.end] == "prednisone** 40\u00a0mg"


def test_the_similarity_of_an_approximate_match_is_rapidfuzz_ratio() -> None:
    quote = "by mouth for 4 weaks, then taper"
    evidence = find(quote)
    window = PLAN[evidence.start : evidence.end]
    assert window == "by mouth for 4 weeks, then taper"
    assert evidence.similarity == pytest.approx(fuzz.ratio(quote, window) / 100)


WORDS = st.text(st.sampled_from("ab1 .,*“é\u00a0\u200f\n-"), max_size=60)


@given(WORDS, st.data())
def test_every_found_span_slices_to_the_match(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    quote = data.draw(st.just(text[start : start + 25]) | WORDS)
    for evidence in find_all(quote, text or "x"):
        sliced = text[evidence.start : evidence.end] if evidence.found else None
        if evidence.match == "exact":
            assert sliced == evidence.quote
        elif evidence.found:
            assert sliced
            assert evidence.similarity is not None
            assert evidence.similarity >= APPROXIMATE
        else:
            assert evidence.start is None
            assert evidence.similarity is None


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_can_be_looked_up_in_any_text(text: str, quote: str) -> None:
    find_all(quote, text)


FAITHFUL = [
    pytest.param("10 mg daily", "Give 10mg daily.", id="a space before the unit"),
    pytest.param("INR >= 2 and < 3", "Keep INR ≥2 and <3.", id="comparison signs"),
    pytest.param("40 mg -> 20 mg", "First 40 mg → 20 mg.", id="arrow"),
    pytest.param("1000 mg", "Give 1,000 mg.", id="grouped digits"),
    pytest.param("at 37.5°C", "Cool at 37.5 °C now", id="degree sign"),
    pytest.param("Start A\nStop B", "1. Start A\n2. Stop B", id="numbers of a list"),
    pytest.param("MRI of the spine now", "[MRI of the spine](http://x) now", id="link"),
    pytest.param("给予阿司匹林每日一百毫克", "建议立即给予阿司匹林每日一百毫克口服", id="Chinese"),
    pytest.param("泼尼松 10 mg", "建议给予泼尼松10mg每日一次", id="Chinese and digits"),
    pytest.param("プレドニゾロン10mg", "患者にはプレドニゾロン１０ｍｇを投与", id="Japanese"),
    pytest.param("เริ่มยาเพรดนิโซโลน", "แนะนำให้เริ่มยาเพรดนิโซโลน 10 มก.", id="Thai"),
    pytest.param("프레드니솔론 10mg", "매일 프레드니솔론 10 mg을 복용", id="Korean"),
    pytest.param("إعطاء 50 ملغ", "يجب إعطاء ٥٠ ملغ يوميا", id="Arabic"),
    pytest.param("2 \times 8$ Gy", "Give $2 \\times 8$ Gy", id="LaTeX that JSON made a tab of"),
    pytest.param("\theta rhythm seen", "A θ rhythm seen", id="LaTeX damaged at its beginning"),
    pytest.param("Dry cough", "Sore throatnDry coughnIf you", id="line breaks that are an n"),
    pytest.param("Start A Stop B", "① Start A\n② Stop B", id="circled numbers"),
    pytest.param("启动治疗 停药", "一、启动治疗\n二、停药", id="Chinese numbering"),
    pytest.param("Start A Stop B", "- [ ] Start A\n- [x] Stop B", id="boxes to tick"),
    pytest.param("10 x 10^9 cells", "$10 \\times 10^{9}$ cells", id="powers"),
    pytest.param("ប្រេដនីសូន", "ផ្តល់ថ្នាំប្រេដនីសូន10", id="Khmer"),
    pytest.param("১০ মিগ্রা", "প্রতিদিন 10 মিগ্রা", id="Bengali digits"),
    pytest.param("haemoglobin below 7 g/dL", "If hemoglobin below 7 g/dL", id="British spelling"),
    pytest.param("predinsone 40 mg", "Give prednisone 40 mg.", id="two letters swapped"),
]


@pytest.mark.parametrize(("quote", "text"), FAITHFUL)
def test_a_quote_in_another_spelling_is_found(quote: str, text: str) -> None:
    evidence = find(quote, text)
    assert (evidence.found, evidence.source) == (True, "prediction")


CHANGED = [
    pytest.param("prednisone 1", "Give prednisone 1.5 mg.", id="the beginning of a number"),
    pytest.param("5 mg daily", "Give 0.5 mg daily.", id="the end of a number"),
    pytest.param("1100 mg prednisone", "On day 1 100 mg prednisone.", id="two numbers joined"),
    pytest.param("3. Stop aspirin", "1. Rest\n2. Stop aspirin", id="another number of a list"),
    pytest.param("109/L platelets", "With 10⁹/L platelets", id="a power"),
    pytest.param("10 mcg daily by mouth", "Give 10 mg daily by mouth.", id="unit"),
    pytest.param("above 38 °F for two days", "If above 38 °C for two days", id="scale"),
    pytest.param("if INR ≤ 3 for two days", "Stop if INR ≥ 3 for two days", id="comparison"),
    pytest.param("twice daily by mouth", "Give it once daily by mouth.", id="frequency"),
    pytest.param("live vaccines are advised", "No: live vaccines are not advised", id="negation"),
    pytest.param("no prednisone", "Aspirin: no. Prednisone: yes", id="negation of another thing"),
    pytest.param("symptomatic patients need rest", "asymptomatic patients need rest", id="prefix"),
    pytest.param("macrocytic anaemia seen", "A microcytic anaemia seen here", id="another word"),
    pytest.param("dysphagia was seen in him", "No dysphasia was seen in him", id="confused word"),
    pytest.param("0.5 mg", "Give 0,05 mg", id="decimals"),
    pytest.param("no longer than 2 weeks", "For longer than 2 weeks", id="negation added"),
    pytest.param("with known drug allergies", "A man with no known drug allergies", id="at an end"),
    pytest.param("severe headache, on therapy", "severe headache, not on therapy", id="behind"),
    pytest.param("停用阿司匹林", "继续使用阿司匹林", id="Chinese verb"),
    pytest.param("prednisone or aspirin now", "Give prednisone and aspirin now", id="or"),
    pytest.param("Start aspirin, stop heparin", "Start heparin, stop aspirin", id="order"),
    pytest.param("每日两次口服", "建议每日一次口服", id="Chinese frequency"),
]


@pytest.mark.parametrize(("quote", "text"), CHANGED)
def test_a_quote_that_says_another_thing_is_not_found(quote: str, text: str) -> None:
    assert not find(quote, text).found


LONG = "If you are experiencing any of these symptoms, call your doctor"


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("Watch for symptoms.n", id="a line break lost its backslash"),
        pytest.param("Watch for symptoms", id="the space was lost"),
        pytest.param("Watch for xyz", id="another word"),
    ],
)
def test_a_long_quote_that_stands_letter_by_letter_stands_wherever_it_begins(before: str) -> None:
    evidence = find(LONG, f"{before}{LONG} at once.")
    assert (evidence.match, evidence.start) == ("exact", len(before))


@pytest.mark.parametrize(
    ("before", "quote"),
    [
        pytest.param("un", "suitable for surgery because of the size of the tumour", id="negation"),
        pytest.param("hydroxy", "chloroquine 200 mg daily for six months by mouth", id="drug"),
        pytest.param("1", "10 mg of prednisone daily for six months by mouth", id="number"),
    ],
)
def test_a_long_quote_may_not_begin_where_the_word_becomes_another_one(
    before: str, quote: str
) -> None:
    assert not find(quote, f"It is {before}{quote}, as said.").found


def test_a_short_quote_begins_and_ends_with_whole_words() -> None:
    assert not find("if you are", "symptomsif you are").found


def test_the_prediction_is_never_accused_of_what_it_says_itself() -> None:
    """The reference has the quote letter by letter, the prediction in another spelling."""
    reference = {"answer": "prednisone 10 mg daily"}
    evidence = find("prednisone 10 mg daily", "Start prednisone 10mg daily.", reference=reference)
    assert (evidence.match, evidence.source) == ("normalised", "prediction")


DRUGS = ("prednisone", "rituximab", "泼尼松", "プレドニゾロン", "เพรดนิโซโลน", "ميثوتريكسات")
UNITS = ("mg", "mL", "µg", "g", "IU", "°C", "%")


@st.composite
def orders(draw: st.DrawFn) -> tuple[str, int, str]:
    """A drug, a dose and its unit."""
    return (
        draw(st.sampled_from(DRUGS)),
        draw(st.integers(2, 99_999)),
        draw(st.sampled_from(UNITS)),
    )


def written(order: tuple[str, int, str], style: int) -> str:
    drug, dose, unit = order
    ascii_unit = unit.replace("µ", "mc")
    styles = (
        f"Give {drug} {dose} {unit} (after ≥ 2 weeks) — then → stop",
        f"Give {drug} {dose:,}{unit} after >=2 weeks - then -> stop",
        f"Give **{drug}** {dose}&nbsp;{ascii_unit} (after &ge; 2 weeks) – then => stop",
        f"GIVE <b>{drug.upper()}</b>\n${dose}$ {unit} after $\\geq 2$ weeks ‑ then ⇒ stop",
    )
    return styles[style]


@given(orders(), st.integers(0, 3), st.integers(0, 3))
def test_an_order_is_found_in_whatever_way_text_and_quote_are_written(
    order: tuple[str, int, str], in_text: int, in_quote: int
) -> None:
    text = f"First rest. {written(order, in_text)}. Then see."
    assert find(written(order, in_quote), text).found


@given(orders(), orders(), st.integers(0, 3), st.integers(0, 3))
def test_an_order_of_another_drug_dose_or_unit_is_never_found(
    order: tuple[str, int, str], other: tuple[str, int, str], in_text: int, in_quote: int
) -> None:
    if order != other:
        text = f"First rest. {written(order, in_text)}. Then see."
        assert not find(written(other, in_quote), text).found


def test_texts_that_repeat_themselves_are_searched_in_bounded_time() -> None:
    text = "give prednisone " * 10_000
    begin = time.process_time()
    assert not find("give prednisone " * 20 + "daily", text).found
    assert time.process_time() - begin < 5


def test_a_question_of_another_item_is_no_source_of_its_neighbour() -> None:
    """What is remembered of a question belongs to it alone."""
    for element, other in [("oral zinc", "serum copper"), ("serum copper", "oral zinc")]:
        questions = make_questions(
            "Rest.", rubric="treatment_elements", reference={"must_include": [element]}
        )
        question = questions.all[0]
        asked = "as specifically as it is written here: "
        here, there = look_up((asked + element, asked + other), question, Sources(questions))
        assert (here["source"], there["source"]) == ("criterion", None)
