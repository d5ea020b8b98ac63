"""How far a run is, and how a start of it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mmrare_judge.backends.base import Usage
from mmrare_judge.certificate import UNCALIBRATED, Calibration
from mmrare_judge.judging.grade import Grade
from mmrare_judge.summary import Summary

if TYPE_CHECKING:
    from mmrare_judge.panel_summary import PanelFigures

Stopped = Literal["budget", "interrupted"]


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        graded: Grades made by this start.
        resumed: Grades that were there already.
        faults: Grades in which the judge could not be asked, by kind.
        usage: What the grades made by this start cost.
        lost: What it spent on predictions that it was stopped before it could grade.
        saved: What the cache spared it.
        stopped: Why it ended before the end.
    """

    graded: int = 0
    resumed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    lost: Usage = field(default_factory=Usage)
    saved: Usage = field(default_factory=Usage)
    stopped: Stopped | None = None

    def add(self, grade: Grade) -> None:
        """Count a grade that was just made."""
        self.graded += 1
        self.usage = self.usage + grade.usage
        self.saved = self.saved + grade.saved
        if grade.unscored is not None:
            self.faults[grade.unscored.kind] += 1

    def totals(self) -> dict[str, Any]:
        """The figures as ``summary.json`` has them."""
        return {
            "graded": self.graded,
            "resumed": self.resumed,
            "faults": dict(self.faults),
            "incurred": (self.usage + self.lost).model_dump(),
            "without_grade": self.lost.model_dump(),
            "saved_by_cache": self.saved.model_dump(),
            "stopped": self.stopped,
        }


@dataclass(frozen=True)
class RunReport:
    """How a start of a run ended.

    Attributes:
        progress: What was done.
        summaries: All grades of the folder, earlier ones included.
        calibration: What the certificate says of all of them.
        panel: What several judges or repeats decided together; ``None`` for a single grading.
    """

    progress: Progress
    summaries: tuple[Summary, ...]
    calibration: Calibration = UNCALIBRATED
    panel: PanelFigures | None = None
