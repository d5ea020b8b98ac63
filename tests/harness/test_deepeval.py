"""DeepEval: the real `evaluate`, with our grades in it and failures as errors."""

from __future__ import annotations

from typing import Any

import pytest

from support.harnesses import grades_alone, model_grader, ten_pairs

pytest.importorskip("deepeval", reason="deepeval is not installed; make harnesses runs this")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)  # deepeval writes a cache where it runs
    monkeypatch.setenv("DEEPEVAL_TELEMETRY_OPT_OUT", "YES")


def results(*, failing: bool, run_async: bool) -> list[Any]:
    from deepeval import evaluate
    from deepeval.evaluate.configs import AsyncConfig, DisplayConfig
    from deepeval.test_case import LLMTestCase

    from mmrare_judge.harness.deepeval import MMRareMetric

    cases = [
        LLMTestCase(input=item.question, actual_output=answer.text, metadata={"item": item.id})
        for answer, item in ten_pairs()
    ]
    done = evaluate(
        cases,
        [MMRareMetric(model_grader(failing=failing), threshold=0.4)],
        async_config=AsyncConfig(run_async=run_async),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
    )
    in_order = {result.input + str(result.actual_output): result for result in done.test_results}
    found = [in_order[case.input + str(case.actual_output)] for case in cases]
    return [result.metrics_data[0] for result in found]


@pytest.mark.parametrize("run_async", [True, False], ids=["async", "sync"])
def test_the_scores_are_those_without_deepeval(run_async: bool) -> None:
    alone = grades_alone(model_grader())
    found = results(failing=False, run_async=run_async)
    assert [data.score for data in found] == [grade.score for grade in alone]
    assert [data.success for data in found] == [grade.require_score() >= 0.4 for grade in alone]


def test_a_failure_is_an_error_and_no_score() -> None:
    found = results(failing=True, run_async=True)
    failed = found.pop(2)
    assert (failed.score, failed.success) == (None, False)
    assert failed.error == "timeout: no reply within 120 seconds"
    mean = grades_alone(model_grader(failing=True)).mean()
    assert mean is not None
    assert sum(data.score for data in found) / 9 == pytest.approx(mean.value)
