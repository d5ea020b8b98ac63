"""promptfoo: a Python assertion, made in a file of your own.

::

    from mmrare_judge.harness import Grader
    from mmrare_judge.harness.promptfoo import assertion

    get_assert = assertion(Grader("openai/gpt-5-mini", items="items.jsonl"), min_score=0.8)

promptfoo has no way to say "not scored": an assertion without a score fails there, and promptfoo
counts a failed assertion as 0. Read ``namedScores`` instead, where a missing score has no entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmrare_judge.harness.grader import Grader, item_in

Assertion = Callable[[str, dict[str, Any]], dict[str, Any]]


def assertion(grader: Grader | None = None, *, min_score: float = 0.5) -> Assertion:
    """A ``get_assert`` that grades the output against the item in the test's ``vars.item``.

    Args:
        grader: The judge, and where items are found by their id.
        min_score: The least score that passes.
    """
    judge = grader or Grader()

    def get_assert(output: str, context: dict[str, Any]) -> dict[str, Any]:
        graded = judge(output, item_in(context.get("vars"), "vars"))
        named = {"mmrare": graded.score, **graded.criteria}
        return {
            "pass": graded.score is not None and graded.score >= min_score,
            "score": graded.score or 0.0,  # promptfoo takes nothing but a number here
            "reason": graded.explanation,
            "namedScores": {
                **{name: share for name, share in named.items() if share is not None},
                "coverage": graded.grade.coverage,
            },
        }

    return get_assert
