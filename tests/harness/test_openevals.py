"""LangSmith and openevals: an evaluator function, called as both call it."""

from __future__ import annotations

import pytest

from mmrare_judge import NoScoreError
from mmrare_judge.harness.openevals import mmrare_evaluator
from support.harnesses import grades_alone, model_grader, ten_pairs


def test_the_scores_are_those_without_it_and_a_failure_raises() -> None:
    evaluate = mmrare_evaluator(model_grader(failing=True))
    alone = grades_alone(model_grader(failing=True))
    for place, ((answer, item), grade) in enumerate(zip(ten_pairs(), alone, strict=True)):
        known = {"inputs": {"question": item.question}, "reference_outputs": {"item": item.id}}
        if place == 2:
            with pytest.raises(NoScoreError, match="timeout: no reply within 120 seconds"):
                evaluate(outputs={"output": answer.text}, **known)
            continue
        whole, *parts = evaluate(outputs={"output": answer.text}, **known)
        assert (whole["key"], whole["score"]) == ("mmrare", grade.score)
        assert len(parts) == len(grade.verdicts) + 1


def test_openevals_takes_what_it_returns() -> None:
    pytest.importorskip("openevals", reason="openevals is not installed")
    from openevals.types import EvaluatorResult

    answer, item = ten_pairs()[0]
    results = mmrare_evaluator(model_grader())(
        outputs=answer.text, reference_outputs={"item": item.id}
    )
    known = set(EvaluatorResult.__annotations__)
    assert all(set(result) <= known for result in results)


def test_langsmith_shows_a_failure_as_the_evaluators_error() -> None:
    langsmith = pytest.importorskip("langsmith.evaluation", reason="langsmith is not installed")
    run_evaluator = langsmith.run_evaluator(mmrare_evaluator(model_grader()))
    assert callable(run_evaluator.evaluate_run)
