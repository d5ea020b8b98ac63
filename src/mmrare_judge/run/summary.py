"""A run's grades in few numbers: `summarise` by system, track and judge; `read_panels` joined."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal

from mmrare_judge.backends.base import Usage
from mmrare_judge.certificate import UNCALIBRATED, Calibration
from mmrare_judge.errors import InputError
from mmrare_judge.files import write_whole
from mmrare_judge.judging.grade import Grade
from mmrare_judge.panels.panel import Panel, Rule, aggregate
from mmrare_judge.panels.report import PanelFigures, panel_figures
from mmrare_judge.records import Record, Signature, Signatures
from mmrare_judge.rubric.model import Rubric, load_rubric
from mmrare_judge.run.folder import (
    GRADES,
    SUMMARY,
    PredictionId,
    grade_of_line,
    prediction_id,
)
from mmrare_judge.run.specification import RunRecord, read_record

Missing = Mapping[tuple[str, str], tuple[str, ...]]
"""By system and track, the items without a prediction."""

_NOTHING = Usage()


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
        mean_score: Mean of the scores, blank predictions as 0; it speaks for the ``scored`` grades
            only. ``None`` where the judge gave none of them: blanks alone make no mean.
        mean_partial_score: Mean over grades in which something was judged, in the same way.
        coverage: Mean share of the rubric's weight that was judged, unscored grades included.
        worst: Mean of the worst cases: the mean score if everything not judged were worst.
        best: Mean of the best cases.
        criteria: Each criterion.
        level2_coverage: Mean coverage of each list, over the items where the list is not empty.
        disagreements: Verdicts that level 2 contradicts.
        usage: What it cost.
        signatures: How many distinct signatures the judged grades have; a mean over more than one
            mixes ways of grading.
        missing: Items of this track that the system has no prediction for, so that they are in none
            of these figures; counted by a run that is given a `Pairing`.
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
    missing: int = 0


def summarise(grades: Iterable[Grade]) -> tuple[Summary, ...]:
    """Summaries by system, track and judge, in the order in which they first appear."""
    return Summariser(grades).summaries()


@dataclass
class RunningMean:
    """A running mean that leaves out what is not known.

    What rounding takes from the sum is kept beside it (Neumaier, 1974), so that the order in which
    grades come does not show in the mean.

    >>> mean = RunningMean()
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


class Summariser:
    """Sums grades up one after another, in memory that does not grow with their number.

    Attributes:
        missing: Items without a prediction, which the summaries count.
    """

    def __init__(self, grades: Iterable[Grade] = ()) -> None:
        self.missing: Missing = {}
        self._groups: defaultdict[tuple[str, str, str], _Group] = defaultdict(_Group)
        for grade in grades:
            self.add(grade)

    def add(self, grade: Grade) -> None:
        """Take one more grade into account."""
        self._groups[grade.system, grade.track, grade.signature.judge].add(grade)

    def signatures(self) -> tuple[Signature, ...]:
        """The distinct signatures of the grades in which the judge was asked."""
        found = Signatures()
        for signature in chain.from_iterable(g.signatures for g in self._groups.values()):
            found.add(signature)
        return tuple(found)

    def summaries(self) -> tuple[Summary, ...]:
        """The summaries so far, in the order in which they first appeared."""
        return tuple(
            group.summary(*named, missing=len(self.missing.get(named[:2], ())))
            for named, group in self._groups.items()
        )


class _Group:
    """The grades of one system on one track by one judge."""

    def __init__(self) -> None:
        self.signatures = Signatures()
        self._graded = self._empty = self._disagreements = 0
        self._usage = Usage()
        self._unscored = Counter[str]()
        self._means = defaultdict[str, RunningMean](RunningMean)
        self._lists = defaultdict[str, RunningMean](RunningMean)
        self._points = defaultdict[str, RunningMean](RunningMean)
        self._statuses = defaultdict[str, Counter[str]](Counter)
        self._levels = defaultdict[str, Counter[str]](Counter)

    def add(self, grade: Grade) -> None:
        self._graded += 1
        self._empty += grade.empty
        self._disagreements += len(grade.disagreements)
        self._usage += grade.usage
        self._means["score"].add(grade.score)
        self._means["partial"].add(grade.partial_score)
        self._means["coverage"].add(grade.coverage)
        self._means["worst"].add(grade.bounds.worst)
        self._means["best"].add(grade.bounds.best)
        if grade.unscored is not None:
            self._unscored[grade.unscored.kind] += 1
        for verdict in grade.verdicts:
            self._points[verdict.criterion].add(verdict.points)
            self._statuses[verdict.criterion][verdict.status] += 1
            if verdict.level is not None:
                self._levels[verdict.criterion][verdict.level] += 1
        for entry in grade.level2.lists:
            if entry.coverage is not None:
                self._lists[entry.field].add(entry.coverage)
        if grade.asked:
            self.signatures.add(grade.signature)

    def _mean_of(self, name: Literal["score", "partial"]) -> float | None:
        scores = self._means[name]
        return scores.value if scores.count > self._empty else None

    def _known(self, name: Literal["coverage", "worst", "best"]) -> float:
        return self._means[name].value or 0.0

    def summary(self, system: str, track: str, judge: str, *, missing: int) -> Summary:
        return Summary(
            system=system,
            track=track,
            judge=judge,
            graded=self._graded,
            scored=self._means["score"].count,
            unscored=self._unscored,
            empty=self._empty,
            mean_score=self._mean_of("score"),
            mean_partial_score=self._mean_of("partial"),
            coverage=self._known("coverage"),
            worst=self._known("worst"),
            best=self._known("best"),
            criteria={
                name: CriterionSummary(
                    judged=points.count,
                    mean=points.value,
                    statuses=self._statuses[name],
                    levels=self._levels[name],
                )
                for name, points in self._points.items()
            },
            level2_coverage={name: mean.value or 0.0 for name, mean in self._lists.items()},
            disagreements=self._disagreements,
            usage=self._usage,
            signatures=len(self.signatures),
            missing=missing,
        )


# --- how far a run is, and how a start of it ended

Stopped = Literal["budget", "interrupted", "unreachable"]


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
        unreachable: Which address does not answer, and how that showed, if that is why.
    """

    graded: int = 0
    resumed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    lost: Usage = field(default_factory=Usage)
    saved: Usage = field(default_factory=Usage)
    stopped: Stopped | None = None
    unreachable: str = ""

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
            **({"unreachable": self.unreachable} if self.unreachable else {}),
        }


@dataclass(frozen=True)
class RunReport:
    """How a start of a run ended.

    Attributes:
        progress: What was done.
        summaries: All grades of the folder, earlier ones included.
        calibration: What the certificate says of all of them.
        panel: What several judges or repeats decided together; ``None`` for a single grading.
        missing: By system and track, the items without a prediction and without an earlier grade.
        strangers: Predictions without an item.
        problems: Predictions and items without a partner, in lines.
        superseded: Earlier grades that do not count any more, and why, in lines.
    """

    progress: Progress
    summaries: tuple[Summary, ...]
    calibration: Calibration = UNCALIBRATED
    panel: PanelFigures | None = None
    missing: Missing = field(default_factory=dict)
    strangers: int = 0
    problems: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every item has a prediction, and every prediction was judged."""
        return self.all_judged and not self.missing

    @property
    def all_judged(self) -> bool:
        """Whether every prediction has an item and was judged; items may lack a prediction."""
        return not (self.strangers or self.progress.faults or self.progress.stopped)


def dollars(cost: float | None) -> str:
    """An amount for people, with a digit that is not zero where there is one.

    >>> dollars(None), dollars(1.5), dollars(0.004), dollars(0.0)
    ('cost not known', '$1.50', '$0.004', '$0.00')
    """
    if cost is None:
        return "cost not known"
    if 0 < cost < 0.01:
        return f"${cost:.1g}" if cost >= 0.0001 else "less than $0.0001"
    return f"${cost:.2f}"


def write_summary(
    folder: Path,
    summaries: Sequence[Summary],
    progress: Progress,
    calibration: Calibration,
    *,
    superseded: Usage = _NOTHING,
    lost: Usage = _NOTHING,
    **more: Any,
) -> None:
    """Write ``summary.json``: summaries, what all starts and this one cost, and more.

    Args:
        folder: Where to.
        summaries: Of the grades that count.
        progress: What this start did.
        calibration: What the certificate says of the grades.
        superseded: What the grades cost that do not count any more.
        lost: What all starts spent on predictions that got no grade.
        **more: Further entries.

    Raises:
        OutputError: It cannot be written.
    """
    incurred = sum((summary.usage for summary in summaries), superseded + lost)
    usages = {"incurred": incurred, "superseded": superseded, "without_grade": lost}
    content = {
        "summaries": [summary.model_dump(mode="json") for summary in summaries],
        "all_starts": {name: usage.model_dump() for name, usage in usages.items()},
        "this_start": progress.totals(),
        "calibration": calibration.model_dump(),
        **more,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    write_whole(folder / SUMMARY, text, private=True)


# --- the gradings of a run joined into panels, one prediction after another


def read_panels(
    folder: str | Path,
    *,
    rule: Rule = "majority",
    rubric: Rubric | str | Path | None = None,
    size: int | None = None,
) -> Iterator[Panel]:
    """The panels of a run's folder, in the order in which their predictions first appear.

    A grading that failed or has not come yet is a missing vote.

    Args:
        folder: The run's folder, or another one with a ``grades.jsonl``.
        rule: How votes become a decision.
        rubric: The rubric the grades were made with; by default the one kept in ``run.json``, or
            where there is none, that of the track.
        size: Gradings that each prediction is to have; by default as the run was told: judges times
            repeats.

    Raises:
        InputError: There is no run in the folder and no ``size``, a line is no grade, or the
            gradings of one prediction cannot be joined: see `aggregate`.
        RubricError: The rubric is wrong.
        OutputError: ``run.json`` cannot be read.
    """
    record = read_record(Path(folder))
    chosen = rubric if isinstance(rubric, Rubric | None) else load_rubric(rubric)
    known = _panel_size(folder) if size is None else size
    kept = _kept_rubrics(record)
    return (
        aggregate(grades, chosen or kept(grades[0].track), size=known, rule=rule)
        for grades in _by_prediction(Path(folder))
    )


def read_panel_figures(
    folder: str | Path,
    *,
    rule: Rule = "majority",
    rubric: Rubric | str | Path | None = None,
    size: int | None = None,
    missing: Missing | None = None,
) -> PanelFigures:
    """The panels of a run's folder in few numbers; see `read_panels`."""
    known = _panel_size(folder) if size is None else size
    panels = read_panels(folder, rule=rule, rubric=rubric, size=known)
    figures = panel_figures(panels, rule=rule, size=known)
    if not missing:
        return figures
    counts = {where: len(ids) for where, ids in missing.items()}
    summaries = tuple(
        one.model_copy(update={"missing": counts.get((one.system, one.track), 0)})
        for one in figures.summaries
    )
    return figures.model_copy(update={"summaries": summaries})


def _panel_size(folder: str | Path) -> int:
    """Gradings that each prediction of a run is to have: judges times repeats."""
    record = read_record(Path(folder))
    if record is None:
        remedy = "Name the folder of a run, or give the panel's size"
        raise InputError(f"there is no run in {folder}", remedy=remedy)
    return len(record.judges) * record.repeats


def _kept_rubrics(record: RunRecord | None) -> Callable[[str], Rubric]:
    """Rubrics by track out of ``run.json``, else the package's; `aggregate` sees if they fit."""
    contents = {} if record is None else record.rubric_contents

    @cache
    def kept(track: str) -> Rubric:
        known = track in contents
        return Rubric.model_validate(contents[track]) if known else load_rubric(track)

    return kept


def _by_prediction(folder: Path) -> Iterator[list[Grade]]:
    """The grades of each prediction together, whatever their order in the file."""
    # The file is read twice: in memory are the places of its lines and one prediction's grades.
    path = folder / GRADES
    places: dict[PredictionId, list[tuple[int, int]]] = {}
    try:
        with path.open("rb") as lines:
            offset = 0
            for number, line in enumerate(lines, start=1):
                id = prediction_id(grade_of_line(line, number, path))
                places.setdefault(id, []).append((offset, number))
                offset += len(line)
            for group in places.values():
                yield [_grade_at(lines, *place, path) for place in group]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error


def _grade_at(lines: IO[bytes], offset: int, number: int, path: Path) -> Grade:
    lines.seek(offset)
    return grade_of_line(lines.readline(), number, path)
