"""pydantic-evals: a real data set, evaluated; failures are failures of the evaluator."""

from __future__ import annotations

from typing import Any

import pytest

from support.harnesses import embedded_grader, grades_alone, model_grader, ten_pairs

pytest.importorskip("pydantic_evals", reason="pydantic-evals is not installed")


def report(evaluator: Any) -> Any:
    from pydantic_evals import Case, Dataset

    answers = {f"{n}": answer.text for n, (answer, _) in enumerate(ten_pairs())}
    cases = [
        Case(name=str(n), inputs=str(n), metadata={"item": item.id})
        for n, (_, item) in enumerate(ten_pairs())
    ]
    dataset = Dataset(name="ten", cases=cases, evaluators=[evaluator])
    return dataset.evaluate_sync(lambda name: answers[name], progress=False)


def test_the_scores_are_those_without_it() -> None:
    from mmrare_judge.harness.pydantic_evals import MMRareEvaluator

    found = report(MMRareEvaluator(model_grader()))
    in_order = sorted(found.cases, key=lambda case: int(case.name))
    scores = [case.scores["MMRareEvaluator"].value for case in in_order]
    assert scores == [grade.score for grade in grades_alone(model_grader())]
    version = in_order[0].scores["MMRareEvaluator"].evaluator_version
    assert version == model_grader().version


def test_a_failure_is_a_failure_of_the_evaluator_and_out_of_the_average() -> None:
    from mmrare_judge.harness.pydantic_evals import MMRareEvaluator

    found = report(MMRareEvaluator(model_grader(failing=True)))
    (failed,) = [case for case in found.cases if case.evaluator_failures]
    assert (failed.name, failed.scores) == ("2", {})
    assert "timeout: no reply within 120 seconds" in failed.evaluator_failures[0].error_message
    mean = grades_alone(model_grader(failing=True)).mean()
    assert mean is not None
    assert found.averages().scores["MMRareEvaluator"] == pytest.approx(mean.value)


def test_criteria_have_entries_of_their_own_where_they_were_judged() -> None:
    from mmrare_judge.harness.pydantic_evals import MMRareEvaluator

    found = report(MMRareEvaluator(embedded_grader(), criteria=True))
    first = next(case for case in found.cases if case.name == "0")
    (grade, *_) = grades_alone(embedded_grader())
    judged = {v.criterion for v in grade.verdicts if v.status == "judged"}
    assert first.scores.keys() == judged | {"coverage"}
    assert first.scores["coverage"].value == grade.coverage
