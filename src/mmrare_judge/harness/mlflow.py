"""MLflow: `mlflow_scorer`, a scorer with one feedback for the score and one for each criterion."""

from __future__ import annotations

import json
from typing import Any

from mmrare_judge.errors import from_extra
from mmrare_judge.harness.grader import Graded, Grader, item_in

with from_extra("mlflow"):
    from mlflow.entities import AssessmentError, AssessmentSource, Feedback
    from mlflow.genai.scorers import scorer


def mlflow_scorer(
    grader: Grader | None = None, *, name: str = "mmrare", timeout: float | None = None
) -> Any:
    """A scorer for `mlflow.genai.evaluate`.

    It grades ``outputs`` against the item in ``expectations["item"]`` (or ``inputs["item"]``).
    Without a score the feedback has an error and no value, and MLflow leaves it out of its mean.

    Args:
        grader: The judge, and where items are found by their id.
        name: The feedback's name; those of the criteria are ``name/criterion``.
        timeout: Seconds that MLflow gives a scorer; by default MLflow's own limit.
    """
    judge = grader or Grader()

    @scorer(name=name, timeout=timeout)  # type: ignore[untyped-decorator]
    def score(inputs: Any, outputs: Any, expectations: Any = None) -> list[Feedback]:
        known = {**(inputs or {}), **(expectations or {})}
        graded = judge(str(outputs), item_in(known, "expectations"))
        whole = _feedback(name, graded.score, graded.reason, graded, graded.explanation)
        return [whole, *_criteria(name, graded)]

    return score


def _criteria(name: str, graded: Graded) -> list[Feedback]:
    found = []
    for verdict in graded.grade.verdicts:
        share = graded.criteria[verdict.criterion]
        reason = "" if share is not None else graded.reason
        label = f"{name}/{verdict.criterion}"
        found.append(_feedback(label, share, reason, graded, verdict.reasoning))
    return found


def _feedback(
    name: str, value: float | None, reason: str, graded: Graded, rationale: str
) -> Feedback:
    made = graded.grade.signature
    kind = "CODE" if made.mode is None else "LLM_JUDGE"
    return Feedback(
        name=name,
        value=value,
        error=AssessmentError("NO_SCORE", reason) if value is None else None,
        source=AssessmentSource(source_type=kind, source_id=made.judge),
        rationale=rationale,
        metadata={key: json.dumps(cell) for key, cell in graded.metadata.items()},
    )
