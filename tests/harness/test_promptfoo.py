"""promptfoo: what its Python assertion returns."""

from __future__ import annotations

from mmrare_judge.harness.promptfoo import assertion
from support.harnesses import grades_alone, model_grader, ten_pairs


def test_the_named_scores_are_those_without_it_and_a_failure_has_none() -> None:
    get_assert = assertion(model_grader(failing=True), min_score=0.4)
    alone = grades_alone(model_grader(failing=True))
    for place, ((answer, item), grade) in enumerate(zip(ten_pairs(), alone, strict=True)):
        result = get_assert(answer.text, {"vars": {"item": item.id}})
        if place == 2:
            assert result["namedScores"] == {"coverage": 0.0}
            assert result["pass"] is False
            assert "timeout: no reply within 120 seconds" in result["reason"]
        else:
            assert result["namedScores"]["mmrare"] == grade.score
            assert result["pass"] == (grade.require_score() >= 0.4)
