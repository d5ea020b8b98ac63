import pytest

from mmrare_judge.judging.evidence import Sources
from mmrare_judge.judging.grade import Verdict
from mmrare_judge.judging.grading import by_criterion, empty_verdicts, open_questions, verdicts_of
from mmrare_judge.judging.questions import Answer, Questions
from support.makers import answers_for, make_questions, small_rubric

PLAN = "Start prednisone 40 mg daily. No taper."


def judge(questions: Questions, answers: dict[str, Answer]) -> dict[str, Verdict]:
    return verdicts_of(questions, answers, Sources(questions))


def test_a_level_that_needs_a_quote_and_has_one_is_judged() -> None:
    questions = make_questions(PLAN, rubric=small_rubric())
    verdict = judge(questions, {"quality": Answer("YES", "r", ("prednisone 40 mg",))})["quality"]
    assert (verdict.status, verdict.level, verdict.points) == ("judged", "YES", 1.0)


@pytest.mark.parametrize("quotes", [(), ("taper over six weeks",), ("methotrexate",)])
def test_a_level_that_needs_a_quote_and_has_none_earns_nothing(quotes: tuple[str, ...]) -> None:
    questions = make_questions(PLAN, rubric=small_rubric())
    verdict = judge(questions, {"quality": Answer("YES", "r", quotes)})["quality"]
    assert (verdict.status, verdict.level, verdict.points) == ("unverified", None, None)
    assert verdict.claimed == "YES"


def test_a_violation_without_a_quote_that_holds_is_not_held_against_the_plan() -> None:
    questions = make_questions(PLAN, rubric=small_rubric())
    verdict = judge(questions, {"safe": Answer("NO", "r", ("give live vaccines",))})["safe"]
    assert (verdict.status, verdict.points) == ("unverified", None)


def test_a_level_that_needs_no_quote_stands_without_one() -> None:
    questions = make_questions(PLAN, rubric=small_rubric())
    verdicts = judge(questions, {"quality": Answer("NO"), "safe": Answer("YES")})
    assert [verdict.points for verdict in verdicts.values()] == [0.0, 1.0]


def test_abstention_and_absence_are_told_apart() -> None:
    questions = make_questions(PLAN, rubric=small_rubric())
    verdicts = judge(questions, {"quality": Answer(None, "cannot tell")})
    assert verdicts["quality"].status == "abstained"
    assert verdicts["safe"].status == "unscored"


def test_only_unverified_verdicts_get_a_second_look_and_the_reason_names_the_quote() -> None:
    questions = make_questions(PLAN, rubric=small_rubric())
    verdicts = judge(questions, {"quality": Answer("YES", "r", ("taper over six weeks",))})
    (reason,) = open_questions(questions, verdicts).values()
    assert '"taper over six weeks" stands in the reference, not in the response.' in reason


@pytest.mark.parametrize(
    ("levels", "level", "status"),
    [
        pytest.param(("YES", "YES", "YES", "YES", "YES"), "2", "judged", id="all, above 95 %"),
        pytest.param(("YES", "YES", "YES", "YES", "NO"), "1", "judged", id="80 %"),
        pytest.param(("YES", "YES", "YES", "NO", "NO"), "1", "judged", id="60 % is enough"),
        pytest.param(("YES", "YES", "NO", "NO", "NO"), "0", "judged", id="40 %"),
        pytest.param(("YES", "NO", "NO", "NO", None), "0", "judged", id="20 to 40 % is 0"),
        pytest.param(("YES", "YES", "YES", "NO", None), "1", "judged", id="60 to 80 % is 1"),
        pytest.param(("YES", "YES", "NO", "NO", None), None, "abstained", id="40 to 60 %"),
        pytest.param(("YES", "YES", "YES", "YES", None), None, "abstained", id="80 to 100 %"),
        pytest.param((None,) * 5, None, "abstained", id="none"),
    ],
)
def test_the_coverage_level_follows_from_the_elements(
    levels: tuple[str | None, ...], level: str | None, status: str
) -> None:
    tests = ["MRI", "EEG", "lumbar puncture", "serum copper", "slit lamp examination"]
    questions = make_questions(
        "We order everything.",
        track="examination",
        rubric="examination_elements",
        reference={"key_tests": tests},
    )
    answers = {
        f"key_test_coverage__{number}": Answer(answer, "r", ("order everything",))
        for number, answer in enumerate(levels, start=1)
    }
    verdict = by_criterion(questions, judge(questions, answers))[0]
    assert (verdict.level, verdict.status) == (level, status)
    assert [entry.element for entry in verdict.elements] == tests


def test_the_gravest_reason_is_reported_for_a_criterion_of_elements() -> None:
    questions = make_questions(PLAN, rubric="treatment_elements")
    first, second = (question.key for question in questions.all[:2])
    verdicts = judge(questions, {first: Answer(None), second: Answer("YES")})
    assert by_criterion(questions, verdicts)[0].status == "unverified"


def test_there_is_one_verdict_a_criterion_in_the_rubrics_order() -> None:
    for rubric in ("treatment", "treatment_elements"):
        questions = make_questions(PLAN, rubric=rubric)
        verdicts = by_criterion(questions, judge(questions, answers_for(questions, "NO")))
        assert [v.criterion for v in verdicts] == [c.id for c in questions.rubric.criteria]


def test_a_blank_prediction_has_the_worst_level_of_everything() -> None:
    verdicts = empty_verdicts(make_questions("", rubric="treatment"))
    assert {(v.status, v.level, v.points) for v in verdicts} == {("judged", "NO", 0.0)}
