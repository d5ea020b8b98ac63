"""lm-evaluation-harness: the filter ``mmrare`` grades a task's outputs, `process_results` reports.

Both are named in a task's YAML file; naming `process_results` loads this module, which registers
the filter::

    process_results: !function mmrare_judge.harness.lm_eval.process_results
    filter_list:
      - name: mmrare
        filter:
          - {function: mmrare, judge: openai/gpt-5-mini, track: treatment}
    metric_list:
      - {metric: mmrare_score, aggregation: mean, higher_is_better: true}
      - {metric: mmrare_coverage, aggregation: mean, higher_is_better: true}

The filter sees all documents of the task at once, so that they are graded at once. A document that
has no score has no ``mmrare_score``: it is out of that mean, and coverage and bounds, which every
document has, say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmrare_judge.errors import from_extra
from mmrare_judge.harness.grader import Graded, Grader

with from_extra("lm-eval"):
    from lm_eval.api.filter import Filter
    from lm_eval.api.registry import register_filter


@register_filter("mmrare")
class MMRareFilter(Filter):  # type: ignore[misc]  # lm_eval is not always installed
    """Grades each document's first response.

    A document holds the item: its fields or columns themselves, or under ``item``, there also as an
    id among ``items``.

    Args:
        judge: A model as litellm names it, ``embedded``, or a judge file.
        grader: The judge ready-made, for tasks in Python.
        **options: ``items``, ``track``, and everything `mmrare_judge.Judge` takes.
    """

    def __init__(
        self, judge: str | None = None, *, grader: Grader | None = None, **options: Any
    ) -> None:
        self._grader = grader or Grader(judge, **options)

    def apply(
        self, resps: Iterable[Iterable[str]], docs: Iterable[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """What `process_results` reads, for each document, in their order."""
        texts = [next(iter(responses), "") for responses in resps]
        items = [doc.get("item", doc) for doc in docs]
        return [_result(one) for one in self._grader.grade_many(zip(texts, items, strict=True))]


def _result(graded: Graded) -> dict[str, Any]:
    grade = graded.grade
    judged = {"score": graded.score, **graded.criteria}
    metrics = {name: share for name, share in judged.items() if share is not None}
    bounds = {"worst": grade.bounds.worst, "best": grade.bounds.best}
    return {
        "metrics": {**metrics, "coverage": grade.coverage, **bounds},
        "explanation": graded.explanation,
        **graded.metadata,
    }


def process_results(doc: Mapping[str, Any], results: list[dict[str, Any]]) -> dict[str, float]:
    """The metrics of one document: ``mmrare_score``, its criteria, coverage and bounds.

    Args:
        doc: The document.
        results: What the filter made of its responses.
    """
    return {f"mmrare_{name}": value for name, value in results[0]["metrics"].items()}
