"""LangSmith and openevals: an evaluator function that raises where there is no score.

Neither package is imported: an evaluator is a function of keyword arguments.
"""

from __future__ import annotations

from typing import Any, Protocol

from mmrare_judge.harness.grader import Grader, item_in

Result = dict[str, Any]
"""``key``, ``score``, ``comment`` and ``metadata``, as both packages take them."""


class Evaluator(Protocol):
    """What `mmrare_evaluator` makes."""

    def __call__(
        self, *, inputs: Any = None, outputs: Any, reference_outputs: Any = None, **_: Any
    ) -> list[Result]:
        """The score, each criterion, and the coverage.

        Raises:
            NoScoreError: There is no score, which LangSmith shows as the evaluator's error.
        """
        ...


def mmrare_evaluator(
    grader: Grader | None = None, *, key: str = "mmrare", output: str = "output"
) -> Evaluator:
    """An evaluator for LangSmith's ``evaluate`` and for openevals.

    It grades ``outputs`` (text, or a mapping with the text under ``output``) against the item in
    ``reference_outputs["item"]`` (or ``inputs["item"]``).

    Args:
        grader: The judge, and where items are found by their id.
        key: What the score is called; the criteria are ``key/criterion``.
        output: Where the text stands in a mapping of outputs.
    """
    judge = grader or Grader()

    # LangSmith calls a failure by the name of the function.
    def mmrare(
        *, inputs: Any = None, outputs: Any, reference_outputs: Any = None, **_: Any
    ) -> list[Result]:
        known = {**_mapping(inputs), **_mapping(reference_outputs)}
        text = outputs[output] if isinstance(outputs, dict) else outputs
        graded = judge(str(text), item_in(known, "reference_outputs"))
        score = graded.grade.require_score()
        whole = {"comment": graded.explanation, "metadata": graded.metadata}
        parts = {**graded.criteria, "coverage": graded.grade.coverage}
        return [
            {"key": key, "score": score, **whole},
            *({"key": f"{key}/{name}", "score": share} for name, share in parts.items()),
        ]

    return mmrare


def _mapping(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}
