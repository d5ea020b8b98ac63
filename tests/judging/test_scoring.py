from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.judging.grade import Verdict
from mmrare_judge.judging.grading import Scored, score_verdicts
from mmrare_judge.rubric.model import Rubric, list_rubrics, load_rubric


def scored(rubric: Rubric, levels: dict[str, str | None]) -> Scored:
    return score_verdicts(rubric, tuple(_verdict(rubric, c, level) for c, level in levels.items()))


def _verdict(rubric: Rubric, criterion: str, level: str | None) -> Verdict:
    if level is None:
        return Verdict(criterion=criterion, status="abstained")
    points = float(rubric.criterion(criterion).levels[level].points)
    return Verdict(criterion=criterion, status="judged", level=level, points=points)


def levels(rubric: str, text: str) -> dict[str, str | None]:
    """Y, N, 0, 1, 2 or ? for each criterion in turn."""
    words = {"Y": "YES", "N": "NO", "?": None}
    ids = [criterion.id for criterion in load_rubric(rubric).criteria]
    return {id: words.get(mark, mark) for id, mark in zip(ids, text, strict=True)}


@pytest.mark.parametrize(
    ("rubric", "marks", "score"),
    [
        ("treatment", "YYNNNN", Fraction(2, 6)),
        ("treatment", "YYYYYY", Fraction(1)),
        ("examination", "00000000", Fraction(0)),
        ("examination", "22222222", Fraction(1)),
        ("examination", "21110011", Fraction(7, 16)),
        ("cross_image", "YYYNN", Fraction(3, 5)),
        # The protocol's cascade: (3 + category + specific) / 5, else (category + specific) / 10.
        ("diagnosis", "YYY", Fraction(5, 5)),
        ("diagnosis", "YYN", Fraction(4, 5)),
        ("diagnosis", "YNN", Fraction(3, 5)),
        ("diagnosis", "NYY", Fraction(2, 10)),
        ("diagnosis", "NNY", Fraction(1, 10)),
        ("diagnosis", "NNN", Fraction(0)),
    ],
)
def test_the_benchmarks_arithmetic(rubric: str, marks: str, score: Fraction) -> None:
    result = scored(load_rubric(rubric), levels(rubric, marks))
    assert (result.score, result.partial_score) == (score, score)
    assert result.coverage == 1
    assert result.worst == result.best == score


@pytest.mark.parametrize(
    ("rubric", "marks", "partial", "coverage", "worst", "best"),
    [
        # One YES of three judged; 1 of 6 sure, 4 of 6 possible.
        ("treatment", "YNN???", Fraction(1, 3), Fraction(1, 2), Fraction(1, 6), Fraction(4, 6)),
        ("examination", "2???????", Fraction(1), Fraction(1, 8), Fraction(2, 16), Fraction(1)),
        ("treatment", "??????", None, Fraction(0), Fraction(0), Fraction(1)),
        # Without the limiter the cascade cannot be entered: 1/10 if it fails, 4/5 or 5/5 if not.
        ("diagnosis", "?Y?", None, Fraction(1, 5), Fraction(1, 10), Fraction(1)),
        ("diagnosis", "Y??", Fraction(1), Fraction(3, 5), Fraction(3, 5), Fraction(1)),
        # Gate failed, category met, the third open: half of 1 / 4; between 1/10 and 2/10.
        ("diagnosis", "NY?", Fraction(1, 8), Fraction(4, 5), Fraction(1, 10), Fraction(2, 10)),
    ],
)
def test_what_was_not_judged_gives_no_score_but_bounds(
    rubric: str,
    marks: str,
    partial: Fraction | None,
    coverage: Fraction,
    worst: Fraction,
    best: Fraction,
) -> None:
    result = scored(load_rubric(rubric), levels(rubric, marks))
    assert result == Scored(None, partial, coverage, worst, best)


RUBRICS = st.sampled_from(list_rubrics()).map(load_rubric)


@st.composite
def gradings(draw: st.DrawFn) -> tuple[Rubric, dict[str, str | None]]:
    rubric = draw(RUBRICS)
    return rubric, {
        criterion.id: draw(st.sampled_from([*criterion.levels, None]))
        for criterion in rubric.criteria
    }


@given(gradings())
def test_score_and_bounds_lie_between_0_and_1_and_in_order(
    grading: tuple[Rubric, dict[str, str | None]],
) -> None:
    result = scored(*grading)
    assert 0 <= result.worst <= result.best <= 1
    assert 0 <= result.coverage <= 1
    assert (result.score is None) == (None in grading[1].values())
    if result.partial_score is not None:
        assert result.worst <= result.partial_score <= result.best


@given(gradings(), st.data())
def test_a_better_level_never_lowers_anything(
    grading: tuple[Rubric, dict[str, str | None]], data: st.DataObject
) -> None:
    rubric, marks = grading
    criterion = data.draw(st.sampled_from(rubric.criteria))
    labels = list(criterion.levels)
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(labels) - 1)] * 2)))
    before = scored(rubric, marks | {criterion.id: labels[low]})
    after = scored(rubric, marks | {criterion.id: labels[high]})
    assert before.worst <= after.worst
    assert before.best <= after.best
    if before.partial_score is not None and after.partial_score is not None:
        assert before.partial_score <= after.partial_score


@given(gradings(), st.data())
def test_judging_one_more_criterion_narrows_the_bounds(
    grading: tuple[Rubric, dict[str, str | None]], data: st.DataObject
) -> None:
    rubric, marks = grading
    criterion = data.draw(st.sampled_from(rubric.criteria))
    level = data.draw(st.sampled_from(list(criterion.levels)))
    open_case = scored(rubric, marks | {criterion.id: None})
    judged = scored(rubric, marks | {criterion.id: level})
    assert open_case.worst <= judged.worst <= judged.best <= open_case.best
