"""The same ten items give identical grades alone and through every harness that is installed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmrare_judge import FakeBackend, Grade, Judge
from mmrare_judge.judging.grading import Grading
from support.harnesses import all_pairs, model_grader, reply_to

FIRST = {item.id: (answer.text, item) for answer, item in reversed(all_pairs())}
LAST, ITEM = all_pairs()[-1]
# The examples have nine items; the tenth is one of them under another id, with another answer.
TEXTS = [*FIRST.values(), (LAST.text, ITEM.model_copy(update={"id": "tenth"}))]
ROWS = [{"item_id": item.id, "prediction": text} for text, item in TEXTS]
ASKED: dict[str, Any] = {"backend": FakeBackend(reply_to), "cache": "off"}


def by_frames(folder: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    from mmrare_judge.harness.frames import grade_frame

    grade_frame(pandas.DataFrame(ROWS), "m", items=[item for _, item in TEXTS], **ASKED)


def by_vlmevalkit(folder: Path) -> None:
    from mmrare_judge.harness.vlmevalkit import evaluate

    (folder / "table.json").write_text(json.dumps(ROWS))
    evaluate(folder / "table.json", model="m", items=[item for _, item in TEXTS], **ASKED)


def by_openevals(folder: Path) -> None:
    from mmrare_judge.harness.openevals import mmrare_evaluator

    evaluate = mmrare_evaluator(model_grader())
    for text, item in TEXTS:
        evaluate(outputs=text, reference_outputs={"item": item})


def by_promptfoo(folder: Path) -> None:
    from mmrare_judge.harness.promptfoo import assertion

    get_assert = assertion(model_grader())
    for text, item in TEXTS:
        get_assert(text, {"vars": {"item": item}})


def by_deepeval(folder: Path) -> None:
    pytest.importorskip("deepeval", reason="deepeval is not installed")
    from deepeval.test_case import LLMTestCase

    from mmrare_judge.harness.deepeval import MMRareMetric

    for text, item in TEXTS:
        case = LLMTestCase(input="?", actual_output=text, metadata={"item": item})
        MMRareMetric(model_grader()).measure(case)


def by_pydantic_evals(folder: Path) -> None:
    pytest.importorskip("pydantic_evals", reason="pydantic-evals is not installed")
    from mmrare_judge.harness.pydantic_evals import MMRareEvaluator

    evaluator = MMRareEvaluator(model_grader())
    for text, item in TEXTS:
        context: Any = SimpleNamespace(output=text, metadata={"item": item})
        asyncio.run(evaluator.evaluate(context))


def by_mlflow(folder: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    from mmrare_judge.harness.mlflow import mlflow_scorer

    score = mlflow_scorer(model_grader())
    for text, item in TEXTS:
        score(inputs={}, outputs=text, expectations={"item": item})


def by_service(folder: Path) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    testclient = pytest.importorskip("starlette.testclient", reason="httpx is not installed")
    from mmrare_judge.harness.service import create_app

    requests = [{"item": item.model_dump(mode="json"), "prediction": text} for text, item in TEXTS]
    client = testclient.TestClient(create_app(model_grader().judge))
    assert client.post("/grade/batch", json={"requests": requests}).status_code == 200


HARNESSES = [
    by_frames,
    by_vlmevalkit,
    by_openevals,
    by_promptfoo,
    by_deepeval,
    by_pydantic_evals,
    by_mlflow,
    by_service,
]


@pytest.mark.parametrize("through", HARNESSES, ids=lambda one: one.__name__)
def test_ten_items_are_graded_as_without_the_harness(
    through: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = model_grader().judge.grade_many(TEXTS)
    found: list[Grade] = []
    complete = Judge.complete

    async def noted(judge: Judge, grading: Grading) -> Grade:
        found.append(await complete(judge, grading))
        return found[-1]

    monkeypatch.setattr(Judge, "complete", noted)
    through(tmp_path)
    assert len(found) == 10
    assert {grade.key: grade for grade in found} == {grade.key: grade for grade in alone}
