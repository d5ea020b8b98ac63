"""Rubric-driven LLM judges for free-text answers of medical models.

The names here are the public interface; everything else may move any day.
Each is imported when it is first asked for: importing the package costs next to nothing.
"""

import typing as _typing

from mmrare_judge._version import __version__
from mmrare_judge.lazy_names import lazy_names as _lazy_names

if _typing.TYPE_CHECKING:
    from mmrare_judge.backends.base import JudgeSpec, Usage
    from mmrare_judge.backends.fake import FakeBackend
    from mmrare_judge.backends.limits import Limits
    from mmrare_judge.cache.read_only import Replay
    from mmrare_judge.cache.store import ReplyCache
    from mmrare_judge.data.items import Item, Reference, as_item, iter_items, read_items
    from mmrare_judge.data.predictions import Pairing, Prediction, pair_up, read_predictions
    from mmrare_judge.errors import (
        BackendError,
        BudgetError,
        ConfigError,
        InputError,
        MissingExtraError,
        MMRareJudgeError,
        NoScoreError,
        OutputError,
        RubricError,
    )
    from mmrare_judge.judging.grade import Evidence, Grade, Grades, MeanScore, Unscored, Verdict
    from mmrare_judge.judging.judge import Judge, agrade, grade, grade_many
    from mmrare_judge.judging.own_engine import messages, read_reply
    from mmrare_judge.level2.terms import Terms
    from mmrare_judge.level2.verify import Level2, verify
    from mmrare_judge.panels.panel import Panel, aggregate
    from mmrare_judge.records import Signature
    from mmrare_judge.rubric.model import Criterion, Level, Rubric, list_rubrics, load_rubric
    from mmrare_judge.run.folder import iter_grades, read_grades
    from mmrare_judge.run.regrade import regrade
    from mmrare_judge.run.run import Run
    from mmrare_judge.run.summary import RunReport, Summary, read_panels, summarise

__all__ = [
    "BackendError",
    "BudgetError",
    "ConfigError",
    "Criterion",
    "Evidence",
    "FakeBackend",
    "Grade",
    "Grades",
    "InputError",
    "Item",
    "Judge",
    "JudgeSpec",
    "Level",
    "Level2",
    "Limits",
    "MMRareJudgeError",
    "MeanScore",
    "MissingExtraError",
    "NoScoreError",
    "OutputError",
    "Pairing",
    "Panel",
    "Prediction",
    "Reference",
    "Replay",
    "ReplyCache",
    "Rubric",
    "RubricError",
    "Run",
    "RunReport",
    "Signature",
    "Summary",
    "Terms",
    "Unscored",
    "Usage",
    "Verdict",
    "__version__",
    "aggregate",
    "agrade",
    "as_item",
    "grade",
    "grade_many",
    "iter_grades",
    "iter_items",
    "list_rubrics",
    "load_rubric",
    "messages",
    "pair_up",
    "read_grades",
    "read_items",
    "read_panels",
    "read_predictions",
    "read_reply",
    "regrade",
    "summarise",
    "verify",
]

_NAMES_BY_MODULE = {
    "backends.base": "JudgeSpec Usage",
    "backends.fake": "FakeBackend",
    "backends.limits": "Limits",
    "cache.read_only": "Replay",
    "cache.store": "ReplyCache",
    "data.items": "Item Reference as_item iter_items read_items",
    "data.predictions": "Pairing Prediction pair_up read_predictions",
    "errors": (
        "BackendError BudgetError ConfigError InputError MMRareJudgeError MissingExtraError "
        "NoScoreError OutputError RubricError"
    ),
    "judging.grade": "Evidence Grade Grades MeanScore Unscored Verdict",
    "judging.judge": "Judge agrade grade grade_many",
    "judging.own_engine": "messages read_reply",
    "level2.terms": "Terms",
    "level2.verify": "Level2 verify",
    "panels.panel": "Panel aggregate",
    "records": "Signature",
    "rubric.model": "Criterion Level Rubric list_rubrics load_rubric",
    "run.folder": "iter_grades read_grades",
    "run.regrade": "regrade",
    "run.run": "Run",
    "run.summary": "RunReport Summary read_panels summarise",
}
if not _typing.TYPE_CHECKING:  # a type checker would let every misspelt name pass
    __getattr__, __dir__ = _lazy_names(__name__, _NAMES_BY_MODULE)
