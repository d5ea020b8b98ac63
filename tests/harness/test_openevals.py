"""LangSmith and openevals: an evaluator function, called as both call it."""

from __future__ import annotations

from uuid import uuid4

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


def test_langsmith_shows_a_failure_as_the_evaluators_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    langsmith = pytest.importorskip("langsmith", reason="langsmith is not installed")
    from langsmith.schemas import Example

    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    answers = {str(n): answer.text for n, (answer, _) in enumerate(ten_pairs())}
    dataset = uuid4()
    examples = [
        Example(id=uuid4(), dataset_id=dataset, inputs={"n": str(n)}, outputs={"item": item.id})
        for n, (_, item) in enumerate(ten_pairs())
    ]
    done = langsmith.evaluate(
        lambda inputs: {"output": answers[inputs["n"]]},
        data=examples,
        evaluators=[mmrare_evaluator(model_grader(failing=True))],
        client=langsmith.Client(api_url="http://127.0.0.1:9", api_key="none"),
        upload_results=False,
    )
    found = {}
    for row in done:
        first = row["evaluation_results"]["results"][0]
        found[int(row["example"].inputs["n"])] = first
    alone = grades_alone(model_grader(failing=True))
    assert [found[n].score for n in range(10)] == [grade.score for grade in alone]
    assert (found[2].key, found[2].extra) == ("mmrare", {"error": True})
