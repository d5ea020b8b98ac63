"""MLflow: the real `mlflow.genai.evaluate`; a failure has an error and no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.harnesses import grades_alone, model_grader, ten_pairs

mlflow: Any = pytest.importorskip("mlflow", reason="mlflow is not installed")


def evaluated(folder: Path, *, failing: bool) -> Any:
    from mmrare_judge.harness.mlflow import mlflow_scorer

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    rows = [
        {
            "inputs": {"question": f"{n} {item.question}"},
            "outputs": answer.text,
            "expectations": {"item": item.id},
        }
        for n, (answer, item) in enumerate(ten_pairs())
    ]
    return mlflow.genai.evaluate(data=rows, scorers=[mlflow_scorer(model_grader(failing=failing))])


def values(result: Any) -> dict[int, Any]:
    found = {}
    for _, row in result.result_df.iterrows():
        place = int(str(row["request"]["question"]).split()[0])
        (whole,) = [one for one in row["assessments"] if one["assessment_name"] == "mmrare"]
        found[place] = whole
    return found


def test_the_scores_are_those_without_mlflow(tmp_path: Path) -> None:
    alone = grades_alone(model_grader())
    result = evaluated(tmp_path, failing=False)
    assert [values(result)[n]["feedback"]["value"] for n in range(10)] == [g.score for g in alone]
    mean = alone.mean()
    assert mean is not None
    assert result.metrics["mmrare/mean"] == pytest.approx(mean.value)


def test_a_failure_has_an_error_and_is_out_of_the_mean(tmp_path: Path) -> None:
    result = evaluated(tmp_path, failing=True)
    failed = values(result)[2]["feedback"]
    assert failed.get("value") is None
    assert "timeout: no reply within 120 seconds" in str(failed["error"])
    mean = grades_alone(model_grader(failing=True)).mean()
    assert mean is not None
    assert result.metrics["mmrare/mean"] == pytest.approx(mean.value)
