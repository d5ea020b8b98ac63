"""Inspect AI: a real evaluation with a mock model; what failed is unscored, and coverage tells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge.harness import Grader
from support.harnesses import ITEMS, grades_alone, model_grader, ten_pairs

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect counts the mock model's tokens with an encoding that tiktoken would download."""
    tiktoken = pytest.importorskip("tiktoken")

    class Words:
        def encode(self, text: str, **_: Any) -> list[str]:
            return text.split()

    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: Words())
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda name: Words())


def evaluated(folder: Path, grader: Grader) -> Any:
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, get_model
    from inspect_ai.solver import generate

    from mmrare_judge.harness.inspect_ai import mmrare_scorer

    pairs = ten_pairs()
    samples = [
        Sample(id=n, input=f"{n} {item.question}", metadata={"item": item.id})
        for n, (_, item) in enumerate(pairs)
    ]
    outputs = {f"{n}": answer.text for n, (answer, _) in enumerate(pairs)}

    def answer(messages: Any, *_: Any) -> ModelOutput:
        return ModelOutput.from_content("mock", outputs[messages[-1].text.split()[0]])

    model = get_model("mockllm/model", custom_outputs=answer)
    task = Task(dataset=samples, solver=generate(), scorer=mmrare_scorer(grader=grader))
    (log,) = eval(task, model=model, log_dir=str(folder), display="none")
    assert log.status == "success", log.error
    return log


def metric(log: Any, key: str) -> Any:
    return next(score for score in log.results.scores if score.name == key)


def test_the_scores_are_those_without_inspect(tmp_path: Path) -> None:
    alone = grades_alone(model_grader())
    log = evaluated(tmp_path, model_grader())
    by_id = {sample.id: sample.scores["mmrare_scorer"] for sample in log.samples}
    assert [by_id[n].value["score"] for n in range(10)] == [grade.score for grade in alone]
    signatures = [by_id[n].metadata["signature"]["judge"] for n in range(10)]
    assert signatures == ["m"] * 10


def test_a_failure_is_unscored_and_counts_in_coverage_and_bounds(tmp_path: Path) -> None:
    log = evaluated(tmp_path, model_grader(failing=True))
    failed = next(sample for sample in log.samples if sample.id == 2).scores["mmrare_scorer"]
    assert math.isnan(failed.value["score"])
    assert failed.reason == "timeout"
    mean = grades_alone(model_grader(failing=True)).mean()
    assert mean is not None
    score = metric(log, "score")
    assert (score.scored_samples, score.unscored_samples) == (9, 1)
    assert score.metrics["mean"].value == pytest.approx(mean.value)
    for key, value in (("coverage", 0.9), ("worst", mean.bounds.worst), ("best", mean.bounds.best)):
        assert metric(log, key).metrics["mean"].value == pytest.approx(value)


def test_the_task_answers_and_grades_the_items_of_a_file(tmp_path: Path) -> None:
    from inspect_ai import eval

    from mmrare_judge.harness.inspect_ai import mmrare

    plans = tmp_path / "plans.jsonl"
    lines = ITEMS.read_text(encoding="utf-8").splitlines()
    plans.write_text("\n".join(line for line in lines if '"treatment"' in line))
    task = mmrare(str(plans), judge="embedded", rubric="treatment")
    (log,) = eval(task, model="mockllm/model", log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    assert metric(log, "follow_up").scored_samples == 5
    assert metric(log, "safety").unscored_samples == 5


def test_an_existing_log_is_scored(tmp_path: Path) -> None:
    from inspect_ai import score

    from mmrare_judge.harness.inspect_ai import mmrare_scorer

    log = evaluated(tmp_path, model_grader(failing=True))
    again = score(log, mmrare_scorer(grader=model_grader()), action="overwrite", display="none")
    assert metric(again, "score").unscored_samples == 0
