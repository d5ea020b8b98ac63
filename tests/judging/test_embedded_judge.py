"""The embedded judge: what it decides, what it quotes, and where it abstains."""

import os
import subprocess
import sys
from typing import Any

import pytest

from mmrare_judge.data.items import Item
from mmrare_judge.judging.embedded_judge import NO_RULE, OFF_TOPIC, RULES, EmbeddedJudge
from mmrare_judge.judging.questions import Answer, Questions
from mmrare_judge.rubric.model import Rubric, load_rubric, parse_rubric
from support.makers import make_item

JUDGE = EmbeddedJudge()


def _judge(prediction: str, item: Item, rubric: str | None = None) -> dict[str, Answer]:
    return JUDGE.judge(Questions(load_rubric(rubric or item.track), item, prediction))


def _level(key: str, prediction: str, track: str, **reference: Any) -> str | None:
    return _judge(prediction, make_item(track, reference=reference))[key].level


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("Prednisone 40 mg daily, taper over six weeks.", "YES"),
        ("Prednisone 40 mg daily.", "NO"),
        ("Prednisolone 40 mg daily, taper over six weeks.", "NO"),
    ],
    ids=["all", "half", "another drug"],
)
def test_specific_treatments_takes_every_element(prediction: str, level: str) -> None:
    assert _level("specific_treatments", prediction, "treatment") == level


@pytest.mark.parametrize(
    ("tests", "level"),
    [("MRI", "0"), ("MRI, CT", "1"), ("MRI, CT, EEG", "2")],
    ids=["a third", "two thirds", "all"],
)
def test_graded_coverage_has_the_lines_of_the_benchmark(tests: str, level: str) -> None:
    key_tests = ["MRI", "CT", "EEG"]
    assert _level("key_test_coverage", tests, "examination", key_tests=key_tests) == level


def test_an_empty_list_is_replaced_by_the_clauses_of_the_answer() -> None:
    prediction = "Prednisone 40 mg daily; taper over six weeks."
    assert _level("specific_treatments", prediction, "treatment", must_include=[]) == "YES"


def test_neither_list_nor_answer_is_an_abstention() -> None:
    empty: dict[str, Any] = {"must_include": [], "answer": "  "}
    assert _level("specific_treatments", "Rest.", "treatment", **empty) is None


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("Give a live vaccine.", "NO"),
        ("No live vaccine.", None),
        ("Rest.", None),
    ],
    ids=["a violation", "advised against", "not mentioned"],
)
def test_safety_is_denied_for_a_violation_and_never_asserted(
    prediction: str, level: str | None
) -> None:
    assert _level("safety", prediction, "treatment") == level
    assert _level("safety", prediction, "treatment", must_not=[]) is None


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("Prednisone 40 mg daily.", "YES"),
        ("Prednisone 400 mg daily.", "NO"),
        ("Prednisone.", "NO"),
    ],
)
def test_doses_are_those_of_the_reference(prediction: str, level: str) -> None:
    assert _level("drug_dose_route", prediction, "treatment") == level


def test_without_a_dose_in_the_reference_doses_are_not_judged() -> None:
    reference: dict[str, Any] = {"answer": "Resect the cyst.", "must_include": ["resect the cyst"]}
    assert _level("drug_dose_route", "Prednisone 4 mg.", "treatment", **reference) is None


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("Prednisone 40 mg daily. Follow up in 2 weeks with a CBC.", "YES"),
        ("Prednisone 40 mg daily. Monitor closely.", "NO"),
        ("Prednisone 40 mg daily.", "NO"),
        ("Resect it. Follow up in 2 weeks with a CBC.", None),
    ],
    ids=["time and parameter", "neither", "no follow-up", "right form for another case"],
)
def test_follow_up_needs_a_time_a_parameter_and_the_case(
    prediction: str, level: str | None
) -> None:
    answer = _judge(prediction, make_item("treatment"))["follow_up"]
    assert answer.level == level
    assert (OFF_TOPIC in answer.reasoning) == (level is None)


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("MRI of the brain first. If it is normal, lumbar puncture.", "2"),
        ("MRI of the brain, then lumbar puncture.", "1"),
        ("MRI of the brain, lumbar puncture.", "0"),
    ],
    ids=["order and branch", "order", "flat"],
)
def test_conditional_logic_is_order_and_branches(prediction: str, level: str) -> None:
    assert _level("conditional_logic", prediction, "examination") == level


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("Lumbar puncture with CSF protein above 45 mg/dL. MRI of the brain.", "2"),
        ("Lumbar puncture. MRI of the brain.", "0"),
    ],
    ids=["a threshold", "none"],
)
def test_quantitative_criteria_are_thresholds(prediction: str, level: str) -> None:
    assert _level("quantitative_criteria", prediction, "examination") == level


@pytest.mark.parametrize(
    ("prediction", "level"),
    [("Brain MRI; CT chest", "2"), ("MRI; CT", "0"), ("Rest.", None)],
    ids=["regions", "bare", "no key test"],
)
def test_tests_are_specific_by_their_parameters(prediction: str, level: str | None) -> None:
    key_tests = ["MRI", "CT"]
    assert _level("test_specificity", prediction, "examination", key_tests=key_tests) == level


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("Erdheim-Chester disease.", "YES"),
        ("The diagnosis is ECD.", "YES"),
        ("Not Erdheim-Chester disease.", None),
        ("Histiocytosis.", None),
        ("Erdheim-Chester disease, or " + "else " * 60, None),
    ],
    ids=["the answer", "an alias", "negated", "another name", "among much else"],
)
def test_a_diagnosis_is_exact_in_its_own_words_or_not_judged(
    prediction: str, level: str | None
) -> None:
    assert _level("exact_match", prediction, "diagnosis") == level


@pytest.mark.parametrize(
    ("prediction", "level"),
    [
        ("The CT confirms the ultrasound.", "YES"),
        ("The CT contradicts the ultrasound.", "NO"),
        ("The CT confirms and complements it.", None),
        ("Both show a mass.", None),
    ],
    ids=["expected", "another", "two", "none"],
)
def test_a_relation_is_judged_where_one_is_stated(prediction: str, level: str | None) -> None:
    assert _level("relation_type", prediction, "cross_image") == level


@pytest.mark.parametrize("track", ["treatment", "examination", "diagnosis", "cross_image"])
def test_every_criterion_without_a_rule_is_abstained_from(track: str) -> None:
    item = make_item(track)
    answers = _judge(item.reference.answer, item)
    for criterion in load_rubric(track).criteria:
        if criterion.embedded is None:
            assert answers[criterion.id] == Answer(level=None, reasoning=NO_RULE)
        else:
            assert criterion.embedded in RULES


@pytest.mark.parametrize("rubric", ["treatment_elements", "examination_elements"])
def test_elements_are_judged_one_by_one(rubric: str) -> None:
    track = rubric.removesuffix("_elements")
    item = make_item(track)
    criterion = next(one for one in load_rubric(rubric).criteria if one.for_each)
    elements = criterion.elements(item)
    answers = _judge(elements[0], item, rubric)
    assert [answers[f"{criterion.id}__{n}"].level for n in (1, 2)] == ["YES", "NO"]


RULES_OF_ONES_OWN = """
id: own
version: "1"
track: treatment
title: Elements that must not be
source: made for the tests
instructions: Judge.
scale: ["NO", "YES"]
total_weight: 1
criteria:
  - id: harm
    question: Is it free of these?
    weight: 1
    for_each: must_not
    levels:
      "NO": {points: 0, meaning: It is not., quote: true}
      "YES": {points: 1, meaning: It is.}
    element:
      question: "Is the plan free of {element}?"
      levels:
        "NO": {points: 0, meaning: It is not., quote: true}
        "YES": {points: 1, meaning: It is.}
      derive:
        - {level: "YES", at_least: 1}
        - {level: "NO", at_least: 0}
    embedded: violations
"""


@pytest.mark.parametrize(
    ("prediction", "level"),
    [("Give a live vaccine.", "NO"), ("Avoid the live vaccine.", "YES"), ("Rest.", None)],
)
def test_an_element_that_must_not_be_is_decided_where_it_is_mentioned(
    prediction: str, level: str | None
) -> None:
    rubric: Rubric = parse_rubric(RULES_OF_ONES_OWN)
    answer = JUDGE.judge(Questions(rubric, make_item("treatment"), prediction))["harm__1"]
    assert answer.level == level


@pytest.mark.parametrize("track", ["treatment", "examination", "diagnosis", "cross_image"])
def test_a_level_that_needs_a_quote_has_one_that_stands_in_the_prediction(track: str) -> None:
    item = make_item(track)
    prediction = f"First, **{item.reference.answer}** Follow up in 2 weeks with a CBC."
    questions = Questions(load_rubric(track), item, prediction)
    for question in questions.all:
        answer = JUDGE.judge(questions)[question.key]
        assert all(quote in prediction for quote in answer.quotes)
        if answer.level is not None and question.levels[answer.level].quote:
            assert answer.quotes


async def test_no_model_is_asked_and_every_question_answered() -> None:
    questions = Questions(load_rubric("treatment"), make_item("treatment"), "Rest.")
    assert JUDGE.requests(questions) == ()
    answers = await JUDGE.answer(questions)
    assert set(answers.answers) == {question.key for question in questions.all}
    assert (answers.usage.calls, answers.failure) == (0, None)


PRINT_ANSWERS = """
from mmrare_judge.judging.embedded_judge import EmbeddedJudge
from mmrare_judge.data.items import Item, Reference
from mmrare_judge.rubric.model import load_rubric
from mmrare_judge.judging.questions import Questions
reference = Reference(answer="Start IVIG 2 g/kg.", must_include=("IVIG 2 g/kg", "taper steroids"))
item = Item(id="1", track="treatment", question="Plan?", reference=reference)
plan = "IVIG 2 g/kg, oral prednisone. Follow up in 2 weeks with CBC."
print(EmbeddedJudge().judge(Questions(load_rubric("treatment"), item, plan)))
"""


def test_the_same_input_gives_the_same_output_whatever_the_hash_seed() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PRINT_ANSWERS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1
    assert "IVIG 2 g/kg" in outputs.pop()
