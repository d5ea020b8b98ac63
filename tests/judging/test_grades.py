"""The way out of a missing score: an error, a mean with its coverage, rows for tables."""

import pytest

from mmrare_judge import Grades, Judge, NoScoreError, Prediction
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.errors import TransportError
from support.makers import make_item, small_rubric

YES = {
    "quality": {"reasoning": "r", "quotes": ["Prednisone"], "level": "YES"},
    "safe": {"reasoning": "r", "quotes": [], "level": "YES"},
}


def graded(*replies: object) -> Grades:
    judge = Judge("m", rubric=small_rubric(), cache="off", backend=FakeBackend(replies))  # type: ignore[arg-type]
    items = [make_item(id=str(n)) for n in range(len(replies))]
    pairs = [(Prediction(item_id=item.id, text="Prednisone."), item) for item in items]
    return judge.grade_many(pairs, concurrency=1)


def test_a_required_score_is_the_score_or_an_error_with_the_reason() -> None:
    good, bad = graded(YES, TransportError("too many requests", kind="rate_limit"))
    assert good.require_score() == 1.0
    with pytest.raises(NoScoreError, match=r"item 1 has no score \(rate_limit: too many"):
        bad.require_score()


def test_a_mean_leaves_out_what_failed_and_says_so() -> None:
    mean = graded(YES, TransportError("no", kind="timeout")).mean()
    assert mean is not None
    assert (mean.value, mean.scored, mean.n, mean.coverage) == (1.0, 1, 2, 0.5)
    assert (mean.bounds.worst, mean.bounds.best) == (0.5, 1.0)


def test_a_mean_of_failures_has_no_value_and_one_of_nothing_is_none() -> None:
    mean = graded(TransportError("no", kind="timeout")).mean()
    assert mean is not None
    assert mean.value is None
    assert Grades().mean() is None


def test_rows_are_one_a_criterion_and_a_failure_has_no_points() -> None:
    good, bad = graded(YES, TransportError("no", kind="timeout"))
    assert [(row["criterion"], row["points"]) for row in good.to_rows()] == [
        ("quality", 1.0),
        ("safe", 1.0),
    ]
    assert {row["points"] for row in bad.to_rows()} == {None}
    assert (bad.to_row()["score"], bad.to_row()["no_score"]) == (None, "timeout: no")
    assert good.to_rows()[0]["quotes"] == "Prednisone"


def test_a_notebook_shows_text_as_text() -> None:
    judge = Judge("embedded")
    grade = judge.grade("Rest.", make_item(id="<b>"))
    for shown in (grade._repr_html_(), Grades([grade])._repr_html_()):
        assert "&lt;b&gt;" in shown
        assert "<b>" not in shown
