"""This package inside other harnesses: one module a harness, each with an extra of its own.

Comes in: what the harness holds (a data frame, a test case, a sample with its output) and the item
it belongs to. Goes out: scores, reasons and metadata in the harness's own form; a failure is shown
as the harness shows failures and is never 0. Start with `grader`, which all of them share. Nothing
here is imported unless it is used.
"""

import typing as _typing

from mmrare_judge.lazy_names import lazy_names as _lazy_names

if _typing.TYPE_CHECKING:
    from mmrare_judge.harness.frames import grade_frame
    from mmrare_judge.harness.grader import Graded, Grader

__all__ = ["Graded", "Grader", "grade_frame"]

if not _typing.TYPE_CHECKING:  # a type checker would let every misspelt name pass
    _NAMES_BY_MODULE = {"frames": "grade_frame", "grader": "Graded Grader"}
    __getattr__, __dir__ = _lazy_names(__name__, _NAMES_BY_MODULE)
