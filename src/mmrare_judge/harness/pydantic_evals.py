"""pydantic-evals: `MMRareEvaluator`, whose failures are the report's evaluator failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmrare_judge.errors import NoScoreError, from_extra
from mmrare_judge.harness.grader import Grader, item_in

with from_extra("pydantic-evals"):
    from pydantic_evals.evaluators import EvaluationReason, Evaluator, EvaluatorContext


@dataclass(repr=False)
class MMRareEvaluator(Evaluator):  # type: ignore[misc]  # pydantic-evals is not always installed
    """Grades a case's output against the item in its ``metadata["item"]``.

    Without a score it raises `NoScoreError`, which the report lists as a failure of the evaluator:
    out of the average, and never 0.

    Attributes:
        grader: The judge, and where items are found by their id.
        criteria: Give each judged criterion too, 0 to 1, and ``coverage``. Then only a grading in
            which nothing was judged fails; a criterion that was not judged has no entry.
    """

    grader: Grader = field(default_factory=Grader)
    criteria: bool = False

    async def evaluate(self, ctx: EvaluatorContext[Any, Any, Any]) -> Any:
        """The score with its reason, or a mapping of names to such.

        Raises:
            NoScoreError: There is no score; the message says why.
        """
        graded = await self.grader.agrade(str(ctx.output), item_in(ctx.metadata, "metadata"))
        if not self.criteria:
            return EvaluationReason(graded.grade.require_score(), graded.explanation)
        judged = {name: share for name, share in graded.criteria.items() if share is not None}
        if not judged:
            raise NoScoreError(graded.reason)
        if graded.score is not None:
            judged = {"score": graded.score, **judged}
        reasons = {name: EvaluationReason(share) for name, share in judged.items()}
        return {**reasons, "coverage": EvaluationReason(graded.grade.coverage, graded.explanation)}

    def get_evaluator_version(self) -> str:
        """Hash of all that decides how a case is graded."""
        return self.grader.version

    def build_serialization_arguments(self) -> dict[str, Any]:
        """What a report says of the evaluator."""
        return {"judge": self.grader.judge.spec.model, "criteria": self.criteria}
