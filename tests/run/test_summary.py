import pytest

from mmrare_judge import Grades, Judge, summarise
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cli.output import summary_lines
from mmrare_judge.errors import RefusalError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.questions import CANNOT_DETERMINE
from mmrare_judge.run.summary import RunningMean
from support.makers import make_item


def _grade(levels: str, system: str = "o3", judge: str = "fake/model") -> Grade:
    """A treatment grade from Y, N and ? for the six criteria; ``!`` for a refusal."""
    words = {"Y": "YES", "N": "NO", "?": CANNOT_DETERMINE}
    backend = FakeBackend(lambda request: _reply(request.schema["properties"], levels, words))
    if levels == "!":
        backend = FakeBackend([RefusalError("no")])
    asked = Judge(judge, backend=backend, cache="off")
    return asked.grade("" if levels == "0" else "Rest.", make_item(), system=system)


def _reply(keys: object, levels: str, words: dict[str, str]) -> dict[str, object]:
    assert isinstance(keys, dict)
    return {
        key: {"reasoning": "", "quotes": ["Rest"], "level": words[mark]}
        for key, mark in zip(keys, levels, strict=True)
    }


def test_a_mean_says_how_much_of_it_was_judged() -> None:
    (summary,) = summarise([_grade("YYYNNN"), _grade("YN????"), _grade("!"), _grade("0")])
    assert (summary.graded, summary.scored, summary.empty) == (4, 2, 1)
    assert summary.unscored == {"refusal": 1}
    # Scores 3/6 and the blank 0; shares 3/6, 1/2 and 0; coverages 1, 2/6, 0 and 1.
    assert summary.mean_score == pytest.approx((3 / 6 + 0) / 2)
    assert summary.mean_partial_score == pytest.approx((3 / 6 + 1 / 2 + 0) / 3)
    assert summary.coverage == pytest.approx((1 + 2 / 6 + 0 + 1) / 4)
    # Worst: 3/6, 1/6, 0, 0. Best: 3/6, 5/6, 1, 0.
    assert summary.worst == pytest.approx((3 / 6 + 1 / 6) / 4)
    assert summary.best == pytest.approx((3 / 6 + 5 / 6 + 1) / 4)


def test_each_criterion_is_averaged_over_what_was_judged() -> None:
    (summary,) = summarise([_grade("YYYNNN"), _grade("NN????")])
    first, third = summary.criteria["specific_treatments"], summary.criteria["safety"]
    assert (first.judged, first.mean, first.levels) == (2, 0.5, {"YES": 1, "NO": 1})
    assert (third.judged, third.mean, third.statuses) == (1, 1.0, {"judged": 1, "abstained": 1})


def test_without_a_single_verdict_there_is_no_mean() -> None:
    (summary,) = summarise([_grade("!")])
    assert (summary.mean_score, summary.mean_partial_score) == (None, None)
    assert (summary.coverage, summary.worst, summary.best) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("others", [["!"], ["!", "??????"], []], ids=["failed", "open", "none"])
def test_blank_predictions_alone_make_no_mean(others: list[str]) -> None:
    """A system whose answers could not be judged has no mean of 0 for the two it did not give."""
    grades = Grades([_grade("0"), _grade("0"), *map(_grade, others)])
    (summary,), mean = summarise(grades), grades.mean()
    assert mean is not None
    assert (mean.value, mean.scored) == (None, 2)
    assert (summary.mean_score, summary.mean_partial_score) == (None, None)
    assert (summary.scored, summary.empty) == (2, 2)


def test_systems_are_summed_up_apart_and_in_order() -> None:
    summaries = summarise([_grade("YYYYYY", "b"), _grade("NNNNNN", "a"), _grade("NNNNNN", "b")])
    assert [(s.system, s.graded, s.mean_score) for s in summaries] == [("b", 2, 0.5), ("a", 1, 0)]


def test_judges_are_summed_up_apart_and_named_where_they_are_several() -> None:
    """One judge gives all points, the other none: a mean of 0.5 would be the opinion of nobody."""
    grades = [_grade("YYYYYY"), _grade("NNNNNN", judge="fake/other"), _grade("YYYYYY")]
    summaries = summarise(grades)
    assert [(s.judge, s.graded, s.mean_score) for s in summaries] == [
        ("fake/model", 2, 1.0),
        ("fake/other", 1, 0.0),
    ]
    assert ["by fake/other" in line for line in summary_lines(summaries)] == [False, True]
    assert " by " not in "".join(summary_lines(summaries[:1]))


def test_an_unknown_price_makes_an_unknown_sum() -> None:
    grade = _grade("YYYYYY")
    unpriced = grade.model_copy(update={"usage": grade.usage.model_copy(update={"cost": None})})
    assert summarise([grade, grade])[0].usage.cost == 0
    assert summarise([grade, unpriced])[0].usage.cost is None


def test_mixed_ways_of_grading_are_counted() -> None:
    grade = _grade("YYYYYY")
    other = grade.signature.model_copy(update={"reported_model": "another"})
    assert summarise([grade, grade])[0].signatures == 1
    assert summarise([grade, grade.model_copy(update={"signature": other})])[0].signatures == 2


def test_a_mean_does_not_depend_on_the_order_of_its_values() -> None:
    """Sixths from 0 to 1, a thousand of each: their mean is one half."""
    sixths = [n / 6 for n in range(7)] * 1000
    means = []
    for values in (sixths, sorted(sixths), sorted(sixths, reverse=True)):
        mean = RunningMean()
        for value in values:
            mean.add(value)
        means.append(mean.value)
    assert means == [0.5, 0.5, 0.5]
