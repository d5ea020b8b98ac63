"""Grades as tables for people; the numbers are the grades' own."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from mmrare_judge.certificate import Calibration
from mmrare_judge.judging.grade import Grade
from mmrare_judge.level2.verify import Level2
from mmrare_judge.panels.panel import Panel
from mmrare_judge.panels.report import figure_lines
from mmrare_judge.run.folder import iter_grades
from mmrare_judge.run.panels import read_panels
from mmrare_judge.run.run import Run
from mmrare_judge.run.summary import Progress, RunReport, Summary

SHOWN = 200
"""Rows that are printed at most."""

GRADE_COLUMNS = ("item", "system", "track", "score", "coverage", "level 2", "not judged")


def grade_row(grade: Grade) -> tuple[str, ...]:
    """One grade as the cells of `GRADE_COLUMNS`.

    A score of which only a part was judged is shown as the range it lies in, never as a number.
    """
    return (
        grade.item_id,
        grade.system,
        grade.track,
        score_text(grade),
        f"{grade.coverage:.0%}",
        level2_text(grade.level2),
        not_judged_text(grade),
    )


def score_text(grade: Grade) -> str:
    """The score, or the range it lies in where not everything was judged."""
    if grade.score is not None:
        return f"{grade.score:.2f}" + (" (blank)" if grade.empty else "")
    if grade.unscored is not None and grade.coverage == 0:
        return "unscored"
    return f"{grade.bounds.worst:.2f} to {grade.bounds.best:.2f}"


def level2_text(level2: Level2) -> str:
    """Level 2 in a few words.

    >>> level2_text(Level2(token_f1=0.5))
    'token F1 0.50'
    """
    parts = [
        f"{entry.field} {sum(e.found for e in entry.elements)}/{len(entry.elements)}"
        for entry in level2.lists
        if entry.elements and entry.field != "must_not"
    ]
    if level2.violations:
        parts.append(f"{len(level2.violations)} must_not recommended")
    if level2.relation_expected is not None:
        parts.append(f"relation {level2.relation_found or 'unclear'}")
    if level2.token_f1 is not None:
        parts.append(f"token F1 {level2.token_f1:.2f}")
    return ", ".join(parts)


def not_judged_text(grade: Grade) -> str:
    """Criteria that were not judged, by reason."""
    if grade.unscored is not None and grade.coverage == 0:
        return f"everything: {grade.unscored.kind}"
    reasons: dict[str, list[str]] = {}
    for verdict in grade.verdicts:
        if verdict.status != "judged":
            reasons.setdefault(verdict.status, []).append(verdict.criterion)
    return "; ".join(f"{status}: {', '.join(ids)}" for status, ids in reasons.items())


def print_table(
    title: str, columns: Sequence[str], rows: Iterator[Sequence[str]], *, rest_in: str
) -> None:
    """Print the first `SHOWN` rows as a table, and how many more there are.

    Args:
        title: What the rows are.
        columns: The columns' names.
        rows: As many cells a row.
        rest_in: Where the other rows are found.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in islice(rows, SHOWN):
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(table)
    rest = sum(1 for _ in rows)
    if rest:
        print(f"and {rest} more{rest_in}")


def summary_lines(summaries: Iterable[Summary]) -> Iterable[str]:
    """A few sentences a system and track: what the mean is, and how much of it was judged.

    Of several judges each has its own.
    """
    given = list(summaries)
    several = len({summary.judge for summary in given}) > 1
    for summary in given:
        by = f", by {summary.judge}" if several else ""
        yield (
            f"{summary.system or '(no system named)'}, {summary.track}{by}: "
            f"{summary.graded} graded, {summary.scored} judged in full, "
            f"{summary.coverage:.0%} of the weight judged. {_mean_text(summary)}"
        )


def calibration_line(calibration: Calibration) -> str:
    """Whether the scores come from a judge that was studied against clinicians.

    >>> calibration_line(Calibration())
    'Judge uncalibrated: no certificate was given; see `mmrare-judge calibrate`.'
    """
    if calibration.certificate is None:
        return "Judge uncalibrated: no certificate was given; see `mmrare-judge calibrate`."
    why = f": {'; '.join(calibration.reasons)}" if calibration.reasons else ""
    verdict = _VERDICTS[calibration.verdict or "open"]
    return (
        f"Judge {calibration.status}{why}. By its study {verdict}. "
        f"Certificate {calibration.certificate}."
    )


_VERDICTS = {
    "good": "it may stand in for clinicians",
    "bad": "it may not stand in for clinicians",
    "open": "it is not proven that it may stand in for clinicians",
}


def _mean_text(summary: Summary) -> str:
    range_text = f"between {summary.worst:.3f} and {summary.best:.3f}"
    if summary.mean_score is not None and summary.scored == summary.graded:
        return f"Mean score {summary.mean_score:.3f}."
    if summary.mean_partial_score is None:
        return f"Nothing was judged; the mean score lies {range_text}."
    return (
        f"Mean over what was judged {summary.mean_partial_score:.3f}; "
        f"the mean score lies {range_text}."
    )


# FOLDED panel_display: Panels as a table for people; the numbers are the panels' own.

PANEL_COLUMNS = ("item", "system", "track", "score", "coverage", "gradings", "not decided")


def panel_row(panel: Panel) -> tuple[str, ...]:
    """One panel as the cells of `PANEL_COLUMNS`.

    A score of which only a part was decided is shown as the range it lies in, never as a number.
    """
    came = sum(member.unscored is None for member in panel.members)
    return (
        panel.item_id,
        panel.system,
        panel.track,
        panel_score_text(panel),
        f"{panel.coverage:.0%}",
        f"{came} of {panel.size}",
        not_decided_text(panel),
    )


def panel_score_text(panel: Panel) -> str:
    """The score, or the range it lies in where not everything was decided."""
    if panel.score is None:
        return f"{panel.bounds.worst:.2f} to {panel.bounds.best:.2f}"
    return f"{panel.score:.2f}" + (" (blank)" if panel.empty else "")


def not_decided_text(panel: Panel) -> str:
    """Criteria that were not decided, by reason."""
    reasons: dict[str, list[str]] = {}
    for verdict in panel.criteria:
        if verdict.status != "judged":
            reasons.setdefault(verdict.status.replace("_", " "), []).append(verdict.criterion)
    return "; ".join(f"{reason}: {', '.join(ids)}" for reason, ids in reasons.items())


def print_panels(panels: Iterable[Panel]) -> None:
    """Print the first panels as a table."""
    rest_in = ": mmrare-judge panel RUN --format jsonl"
    print_table("Panels", PANEL_COLUMNS, map(panel_row, panels), rest_in=rest_in)


# FOLDED progress: How far a run is, shown while it runs, and what an interrupt does to it.

LINE_EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal."""


@contextmanager
def shown_progress(run: Run, total: int, *, quiet: bool = False) -> Iterator[None]:
    """Show a run's progress on stderr while it lasts, and let an interrupt end it well.

    The first interrupt (Ctrl-C or SIGTERM) lets the run finish what is in flight; the second ends
    it at once. Either way everything that was graded is written.

    Args:
        run: The run.
        total: How many grades there are to be.
        quiet: Show nothing.
    """
    with _display(total, quiet) as show, _interruptible(run):
        run.watch = show
        yield


@contextmanager
def _display(total: int, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield lambda progress: None
    elif console.is_terminal:
        with _bar(console, total) as show:
            yield show
    else:
        yield _Lines(total).show


@contextmanager
def _bar(console: Any, total: int) -> Iterator[Callable[[Progress], None]]:
    from rich import progress as rich

    columns = (
        rich.TextColumn("grading"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[rate]:.1f} a second"),
        rich.TextColumn("{task.fields[note]}"),
        rich.TimeRemainingColumn(),
    )
    start = time.monotonic()
    with rich.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("grading", total=total, note="", rate=0.0)
        yield lambda progress: bar.update(
            task,
            completed=progress.graded + progress.resumed,
            note=describe(progress),
            rate=progress.graded / (time.monotonic() - start),
        )


class _Lines:
    def __init__(self, total: int) -> None:
        self._total = total
        self._start = self._last = time.monotonic()

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < LINE_EVERY:
            return
        self._last = now
        done = progress.graded + progress.resumed
        rate = progress.graded / (now - self._start)
        left = f", {(self._total - done) / rate:.0f} s left" if rate else ""
        line = f"{done} of {self._total}, {rate:.1f} a second{left}; {describe(progress)}"
        print(line, file=sys.stderr, flush=True)


def cost_line(progress: Progress) -> str:
    """What this start took, of that what was of no use, and what the cache spared it.

    >>> cost_line(Progress())
    'this start: 0 calls, $0.00'
    """
    spent, saved = progress.usage + progress.lost, progress.saved
    parts = [f"{spent.calls:,} calls", dollars(spent.cost)]
    if spent.extra_tokens:
        extra = f"{spent.extra_tokens:,} tokens, {dollars(spent.extra_cost)}"
        parts.append(f"of that for re-asks, second looks and replies of no use {extra}")
    if spent.retries:
        parts.append(f"{spent.retries:,} repeats after faults")
    if saved.calls:
        parts.append(f"saved by the cache {saved.calls:,} calls, {dollars(saved.cost)}")
    return "this start: " + ", ".join(parts)


def dollars(cost: float | None) -> str:
    """An amount for people.

    >>> dollars(None), dollars(1.5)
    ('cost not known', '$1.50')
    """
    return "cost not known" if cost is None else f"${cost:.2f}"


def describe(progress: Progress) -> str:
    """Cost and faults so far, in a few words.

    >>> describe(Progress())
    '0 calls, $0.00'
    """
    parts = [f"{progress.usage.calls} calls", dollars(progress.usage.cost)]
    parts += [f"{count} {kind}" for kind, count in progress.faults.items()]
    return ", ".join(parts)


@contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if run.stopping:
            raise KeyboardInterrupt
        run.stop()
        print("stopping: finishing what is in flight; once more to stop at once", file=sys.stderr)

    signals = (signal.SIGINT, signal.SIGTERM)
    earlier = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, earlier, strict=True):
            signal.signal(number, handler)


# FOLDED outcome: What a grading command did, and the exit code that says so.


@dataclass(frozen=True)
class Outcome:
    """What a grading command did: its report, and the lines about missing partners."""

    report: RunReport
    unmatched: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every prediction has an item and could be judged."""
        progress = self.report.progress
        return not (self.unmatched or progress.faults or progress.stopped)


def exit_code(outcome: Outcome) -> int:
    """0 if all was graded, 130 if it was interrupted, else 3: see `mmrare_judge.cli.main`."""
    if outcome.complete:
        return 0
    return 130 if outcome.report.progress.stopped == "interrupted" else 3


# FOLDED grade_printing: What grading commands print: grades, means, costs and problems.


def print_grades(folder: Path, format: str) -> None:
    """Print the grades of a folder: ``table``, ``jsonl`` or ``summary``."""
    grades = iter_grades(folder)
    if format == "jsonl":
        for grade in grades:
            print(grade.model_dump_json())
    elif format == "table":
        rows = map(grade_row, grades)
        print_table("Grades", GRADE_COLUMNS, rows, rest_in=", in the folder")


def print_results(folder: Path, format: str, outcome: Outcome) -> None:
    """Print what `run_grade` made: its grades, or its panels where the table is of them."""
    if format == "table" and outcome.report.panel is not None:
        print_panels(read_panels(folder, rule=outcome.report.panel.rule))
    else:
        print_grades(folder, format)
    if format != "jsonl":
        print_report(outcome)


def print_report(outcome: Outcome) -> None:
    """Print what the means are and how much of them was judged; problems go to stderr."""
    panel = outcome.report.panel
    summaries = summary_lines(outcome.report.summaries)
    for line in summaries if panel is None else figure_lines(panel):
        print(line)
    print(cost_line(outcome.report.progress))
    print(calibration_line(outcome.report.calibration))
    for line in outcome.unmatched:
        print(line, file=sys.stderr)
    progress = outcome.report.progress
    for kind, count in progress.faults.items():
        what = "prediction" if count == 1 else "predictions"
        print(f"{count} {what} could not be judged: {kind}", file=sys.stderr)
    if progress.stopped is not None:
        print(f"stopped: {progress.stopped}; start again to go on", file=sys.stderr)
