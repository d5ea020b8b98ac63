"""lm-evaluation-harness: a real task from YAML, with a model that gives the answers we know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.harnesses import ITEMS, grades_alone, model_grader, ten_pairs

pytest.importorskip("lm_eval", reason="lm-eval is not installed")

TASK = """
task: mmrare_ten
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{n}}}}"
doc_to_target: ""
process_results: !function mmrare_judge.harness.lm_eval.process_results
filter_list:
  - name: mmrare
    filter:
      - {filter}
metric_list:
  - {{metric: mmrare_score, aggregation: mean, higher_is_better: true}}
  - {{metric: mmrare_coverage, aggregation: mean, higher_is_better: true}}
"""


def evaluated(folder: Path, filter: str) -> Any:
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    answers = [answer.text for answer, _ in ten_pairs()]

    class Answers(LM):  # type: ignore[misc]  # lm_eval is not always installed
        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

        def generate_until(self, requests: Any) -> list[str]:
            return [answers[int(request.args[0])] for request in requests]

    rows = folder / "rows.jsonl"
    lines = [json.dumps({"n": n, "item": item.id}) for n, (_, item) in enumerate(ten_pairs())]
    rows.write_text("\n".join(lines))
    (folder / "mmrare_ten.yaml").write_text(TASK.format(rows=rows, filter=filter))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    return simple_evaluate(
        model=Answers(), tasks=["mmrare_ten"], task_manager=manager, bootstrap_iters=0
    )


def use_grader(monkeypatch: pytest.MonkeyPatch, *, failing: bool) -> None:
    from mmrare_judge.harness import lm_eval

    grader = model_grader(failing=failing)
    monkeypatch.setattr(lm_eval, "Grader", lambda judge, **options: grader)


def test_a_failure_is_out_of_the_mean_and_in_the_coverage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    use_grader(monkeypatch, failing=True)
    done = evaluated(tmp_path, "{function: mmrare}")
    result = done["results"]["mmrare_ten"]
    alone = grades_alone(model_grader(failing=True))
    mean = alone.mean()
    assert mean is not None
    assert result["mmrare_score,mmrare"] == pytest.approx(mean.value)
    assert result["mmrare_coverage,mmrare"] == pytest.approx(0.9)
    samples = sorted(done["samples"]["mmrare_ten"], key=lambda sample: sample["doc_id"])
    assert [sample.get("mmrare_score") for sample in samples] == [grade.score for grade in alone]


def test_a_judge_that_is_named_in_the_task_grades(tmp_path: Path) -> None:
    done = evaluated(tmp_path, f"{{function: mmrare, judge: embedded, items: {ITEMS}}}")
    result = done["results"]["mmrare_ten"]
    assert 0 < result["mmrare_coverage,mmrare"] < 1
    assert "mmrare_score,mmrare" not in result
