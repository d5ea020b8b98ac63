"""DeepEval: `MMRareMetric`, a metric whose failures are errors and never scores."""

from __future__ import annotations

from typing import Any

from mmrare_judge.errors import from_extra
from mmrare_judge.harness.grader import Graded, Grader, item_in

with from_extra("deepeval"):
    from deepeval.metrics import BaseMetric
    from deepeval.test_case import LLMTestCase


class MMRareMetric(BaseMetric):  # type: ignore[misc]  # deepeval is not always installed
    """Grades ``actual_output`` against the item in the test case's ``metadata["item"]``.

    After `measure` the metric holds ``score``, ``score_breakdown`` (each criterion, 0 to 1),
    ``reason`` (verdicts with their quotes), ``evaluation_cost`` and tokens. A grading that failed
    has ``error`` and neither score nor success.

    Args:
        grader: The judge, and where items are found by their id.
        threshold: The least score that passes.
    """

    # DeepEval copies a metric by calling its class with those attributes that are named like
    # parameters: everything that matters has to be a parameter and an attribute.
    def __init__(self, grader: Grader | None = None, threshold: float = 0.5) -> None:
        self.grader = grader or Grader()
        self.threshold = threshold

    def measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float | None:
        """Grade a test case; the score, or ``None`` where `error` says what failed."""
        return self._keep(
            self.grader(test_case.actual_output or "", item_in(test_case.metadata, "metadata"))
        )

    async def a_measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float | None:
        """`measure`, inside asynchronous code."""
        text = test_case.actual_output or ""
        return self._keep(await self.grader.agrade(text, item_in(test_case.metadata, "metadata")))

    @property
    def __name__(self) -> str:
        """The name in DeepEval's tables."""
        return "mmrare-judge"

    def _keep(self, graded: Graded) -> float | None:
        usage = graded.grade.usage
        self.evaluation_model = graded.grade.signature.judge
        self.evaluation_cost = usage.cost
        self.input_tokens, self.output_tokens = usage.prompt_tokens, usage.completion_tokens
        self.score = graded.score
        self.score_breakdown = graded.criteria
        self.reason = graded.explanation
        self.error = graded.reason or None
        self.is_successful()
        return self.score
