"""Many grades in few numbers, each with how much of it was judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mmrare_judge.backends.base import Usage
from mmrare_judge.certificate import UNCALIBRATED, Calibration
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Record, Signature, Signatures

if TYPE_CHECKING:
    from mmrare_judge.panels.report import PanelFigures


class CriterionSummary(Record):
    """One criterion over many grades.

    Attributes:
        judged: Grades in which it was judged.
        mean: Mean points over those; ``None`` if there are none.
        statuses: How often it had each status.
        levels: How often it had each level.
    """

    judged: int
    mean: float | None
    statuses: Mapping[str, int]
    levels: Mapping[str, int]


class Summary(Record):
    """One system on one track, as one judge sees it.

    Attributes:
        system: The model that answered.
        track: The track.
        judge: The judge's name, as in its signature; its repeats are taken together.
        graded: Grades in all.
        scored: Grades with a score: everything was judged.
        unscored: Grades in which the judge could not be asked, or not all, by kind.
        empty: Blank predictions, which score 0 by rule.
        mean_score: Mean of the scores; ``None`` without any. It speaks for ``scored`` grades only.
        mean_partial_score: Mean over grades in which something was judged.
        coverage: Mean share of the rubric's weight that was judged, unscored grades included.
        worst: Mean of the worst cases: the mean score if everything not judged were worst.
        best: Mean of the best cases.
        criteria: Each criterion.
        level2_coverage: Mean coverage of each list, over the items where the list is not empty.
        disagreements: Verdicts that level 2 contradicts.
        usage: What it cost.
        signatures: How many distinct signatures the judged grades have; a mean over more than one
            mixes ways of grading.
    """

    system: str
    track: str
    judge: str
    graded: int
    scored: int
    unscored: Mapping[str, int]
    empty: int
    mean_score: float | None
    mean_partial_score: float | None
    coverage: float
    worst: float
    best: float
    criteria: Mapping[str, CriterionSummary]
    level2_coverage: Mapping[str, float]
    disagreements: int
    usage: Usage
    signatures: int


def summarise(grades: Iterable[Grade]) -> tuple[Summary, ...]:
    """Summaries by system, track and judge, in the order in which they first appear."""
    tally = Tally()
    for grade in grades:
        tally.add(grade)
    return tally.summaries()


@dataclass
class Mean:
    """A running mean that leaves out what is not known.

    What rounding takes from the sum is kept beside it (Neumaier, 1974), so that the order in which
    grades come does not show in the mean.

    >>> mean = Mean()
    >>> for sixth in (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6):
    ...     mean.add(sixth)
    >>> mean.value
    0.5
    """

    count: int = 0
    total: float = 0.0
    rounded_off: float = 0.0

    def add(self, value: float | None) -> None:
        """Take one more value into account."""
        if value is None:
            return
        before, self.total = self.total, self.total + value
        small, large = (value, before) if abs(before) >= abs(value) else (before, value)
        self.rounded_off += (large - self.total) + small
        self.count += 1

    @property
    def value(self) -> float | None:
        """The mean; ``None`` of nothing."""
        return (self.total + self.rounded_off) / self.count if self.count else None


class Tally:
    """Grades summed up one after another, in memory that does not grow with their number."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str], _Group] = {}

    def add(self, grade: Grade) -> None:
        """Take one more grade into account."""
        key = (grade.system, grade.track, grade.signature.judge)
        if key not in self._groups:
            self._groups[key] = _Group()
        self._groups[key].add(grade)

    def signatures(self) -> tuple[Signature, ...]:
        """The distinct signatures of the grades in which the judge was asked."""
        found = Signatures()
        for group in self._groups.values():
            for signature in group.made:
                found.add(signature)
        return tuple(found)

    def summaries(self) -> tuple[Summary, ...]:
        """The summaries so far, in the order in which they first appeared."""
        return tuple(group.summary(*named) for named, group in self._groups.items())


@dataclass
class _Criterion:
    points: Mean = field(default_factory=Mean)
    statuses: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.points.add(verdict.points)
        self.statuses[verdict.status] += 1
        if verdict.level is not None:
            self.levels[verdict.level] += 1

    def summary(self) -> CriterionSummary:
        return CriterionSummary(
            judged=self.points.count,
            mean=self.points.value,
            statuses=dict(self.statuses),
            levels=dict(self.levels),
        )


@dataclass
class _Group:
    graded: int = 0
    empty: int = 0
    disagreements: int = 0
    usage: Usage = field(default_factory=Usage)
    score: Mean = field(default_factory=Mean)
    partial: Mean = field(default_factory=Mean)
    coverage: Mean = field(default_factory=Mean)
    worst: Mean = field(default_factory=Mean)
    best: Mean = field(default_factory=Mean)
    unscored: Counter[str] = field(default_factory=Counter)
    criteria: dict[str, _Criterion] = field(default_factory=lambda: defaultdict(_Criterion))
    lists: dict[str, Mean] = field(default_factory=dict)
    made: Signatures = field(default_factory=Signatures)

    def add(self, grade: Grade) -> None:
        self.graded += 1
        self.empty += grade.empty
        self.disagreements += len(grade.disagreements)
        self.usage = self.usage + grade.usage
        self.score.add(grade.score)
        self.partial.add(grade.partial_score)
        self.coverage.add(grade.coverage)
        self.worst.add(grade.bounds.worst)
        self.best.add(grade.bounds.best)
        if grade.unscored is not None:
            self.unscored[grade.unscored.kind] += 1
        for verdict in grade.verdicts:
            self.criteria[verdict.criterion].add(verdict)
        self._add_lists(grade.level2)
        if grade.asked:
            self.made.add(grade.signature)

    def _add_lists(self, level2: Level2) -> None:
        for entry in level2.lists:
            if entry.coverage is not None:
                self.lists.setdefault(entry.field, Mean()).add(entry.coverage)

    def summary(self, system: str, track: str, judge: str) -> Summary:
        return Summary(
            system=system,
            track=track,
            judge=judge,
            graded=self.graded,
            scored=self.score.count,
            unscored=dict(self.unscored),
            empty=self.empty,
            mean_score=self.score.value,
            mean_partial_score=self.partial.value,
            coverage=self.coverage.value or 0.0,
            worst=self.worst.value or 0.0,
            best=self.best.value or 0.0,
            criteria={name: criterion.summary() for name, criterion in self.criteria.items()},
            level2_coverage={name: mean.value or 0.0 for name, mean in self.lists.items()},
            disagreements=self.disagreements,
            usage=self.usage,
            signatures=len(self.made),
        )


# FOLDED run_report: How far a run is, and how a start of it ended.

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
