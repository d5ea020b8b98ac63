import pytest

from mmrare_judge import Judge
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cli.output import level2_text, not_judged_text, score_text, summary_lines
from mmrare_judge.errors import TruncatedError
from mmrare_judge.level2.verify import Level2, ListCoverage
from mmrare_judge.run.summary import summarise
from support.makers import make_item


def test_a_partly_judged_grade_is_shown_as_a_range_never_as_a_number() -> None:
    grade = Judge("embedded").grade(
        "Start prednisone 40 mg daily, taper over six weeks.", make_item()
    )
    assert grade.score is None
    assert score_text(grade) == f"{grade.bounds.worst:.2f} to {grade.bounds.best:.2f}"
    assert not_judged_text(grade).startswith("abstained: ")


def test_an_unscored_grade_is_shown_as_such() -> None:
    backend = FakeBackend([TruncatedError("cut")])
    grade = Judge("fake/model", backend=backend, cache="off").grade("Rest.", make_item())
    assert score_text(grade) == "unscored"
    assert not_judged_text(grade) == "everything: truncated"
    (line,) = summary_lines(summarise([grade]))
    assert "1 graded, 0 judged in full, 0% of the weight judged" in line
    assert "between 0.000 and 1.000" in line


def test_a_blank_prediction_is_shown_as_a_zero_by_rule() -> None:
    assert score_text(Judge("embedded").grade("", make_item())) == "0.00 (blank)"


@pytest.mark.parametrize(
    ("level2", "text"),
    [
        (Level2(), ""),
        (Level2(token_f1=2 / 3), "token F1 0.67"),
        (Level2(relation_expected="confirm"), "relation unclear"),
        (Level2(relation_expected="confirm", relation_found="contrast"), "relation contrast"),
        (Level2(lists=(ListCoverage(field="red_flags", elements=(), coverage=None),)), ""),
    ],
    ids=["nothing", "diagnosis", "no relation", "relation", "empty list"],
)
def test_level_2_in_a_few_words(level2: Level2, text: str) -> None:
    assert level2_text(level2) == text
