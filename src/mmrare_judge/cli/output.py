"""What commands print: grades, panels, means, costs, problems, and progress meanwhile."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from mmrare_judge.certificate import Calibration
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.level2.verify import Level2
from mmrare_judge.panels.panel import Panel, PanelVerdict
from mmrare_judge.panels.report import PanelFigures, PanelReport, PanelSummary
from mmrare_judge.records import REPLACEMENT
from mmrare_judge.run.folder import iter_grades
from mmrare_judge.run.run import Run
from mmrare_judge.run.summary import Progress, RunReport, Summary, dollars, read_panels

Format = Literal["table", "jsonl", "summary"]

# --- what reaches the terminal; names and texts come from data, and may hold anything

_ESCAPES = re.compile(
    # A string for the terminal, such as its title; a control sequence, such as a colour; the rest.
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9b-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""A text as one line without escape sequences, control and direction characters.

    >>> printable("o3\x1b[2J\x1b]0;title\x07 \r5")
    'o3 \ufffd5'
    """
    if text.isprintable():
        return text
    return _CONTROLS.sub(REPLACEMENT, _ESCAPES.sub("", text))


def say(line: str = "", *, err: bool = False) -> None:
    """Print a line; see `printable`. All commands print by this function or one of the next two."""
    print(printable(line), file=sys.stderr if err else sys.stdout, flush=err)


def say_lines(text: str, *, err: bool = False) -> None:
    """Print a text of several lines."""
    for line in text.split("\n"):
        say(line, err=err)


def say_json(text: str) -> None:
    """Print JSON; what a terminal would obey is written as JSON's own escapes."""

    def escaped(found: re.Match[str]) -> str:
        return "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}"

    print(_CONTROLS.sub(escaped, text))


SHOWN = 200
"""Rows that are printed at most."""

# --- grades and panels as tables; a score that is judged in part is a range, never a number


def grade_row(grade: Grade) -> tuple[str, ...]:
    """One grade as a row of the table."""
    return (
        grade.item_id,
        grade.system,
        grade.track,
        score_text(grade),
        f"{grade.coverage:.0%}",
        level2_text(grade.level2),
        not_judged_text(grade),
    )


def panel_row(panel: Panel) -> tuple[str, ...]:
    """One panel as a row of the table."""
    came = sum(member.unscored is None for member in panel.members)
    return (
        panel.item_id,
        panel.system,
        panel.track,
        score_text(panel),
        f"{panel.coverage:.0%}",
        f"{came} of {panel.size}",
        _by_status(panel.criteria),
    )


def score_text(one: Grade | Panel) -> str:
    """The score, or the range it lies in where not everything was judged."""
    if isinstance(one, Grade) and _unscored(one):
        return "unscored"
    if one.score is None:
        return f"{one.bounds.worst:.2f} to {one.bounds.best:.2f}"
    return f"{one.score:.2f}" + (" (blank)" if one.empty else "")


def _unscored(grade: Grade) -> bool:
    return grade.unscored is not None and grade.coverage == 0


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
    if grade.unscored is not None and _unscored(grade):
        return f"everything: {grade.unscored.kind}"
    return _by_status(grade.verdicts)


def _by_status(verdicts: Iterable[Verdict | PanelVerdict]) -> str:
    ids: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.status != "judged":
            ids.setdefault(verdict.status.replace("_", " "), []).append(verdict.criterion)
    return "; ".join(f"{status}: {', '.join(those)}" for status, those in ids.items())


def print_grades(folder: Path, format: Format) -> None:
    """Print the grades of a folder, as a table or a grade a line; not for ``summary``."""
    grades = iter_grades(folder)
    if format == "jsonl":
        for grade in grades:
            say_json(grade.model_dump_json())
    elif format == "table":
        columns = ("item", "system", "track", "score", "coverage", "level 2", "not judged")
        _print_table("Grades", columns, map(grade_row, grades), rest_in=", in the folder")


def print_panels(panels: Iterable[Panel]) -> None:
    """Print the first panels as a table."""
    columns = ("item", "system", "track", "score", "coverage", "gradings", "not decided")
    rest_in = ": mmrare-judge panel RUN --format jsonl"
    _print_table("Panels", columns, map(panel_row, panels), rest_in=rest_in)


def _print_table(
    title: str, columns: Sequence[str], rows: Iterator[Sequence[str]], *, rest_in: str
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in islice(rows, SHOWN):
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(table)
    rest = sum(1 for _ in rows)
    if rest:
        say(f"and {rest} more{rest_in}")


# --- what the means are, how much of them was judged, and what it cost, in sentences


def print_results(folder: Path, format: Format, report: RunReport) -> None:
    """Print what a run made: its grades, or its panels where the table is of them."""
    if format == "table" and report.panel is not None:
        print_panels(read_panels(folder, rule=report.panel.rule))
    else:
        print_grades(folder, format)
    if format == "jsonl":
        _print_problems(report)
    else:
        print_report(report)


def print_report(report: RunReport) -> None:
    """Print what the means are and how much of them was judged; problems go to stderr."""
    panel = report.panel
    for line in summary_lines(report.summaries) if panel is None else figure_lines(panel):
        say(line)
    for line in report.superseded:
        say(line)
    say(cost_line(report.progress))
    say(calibration_line(report.calibration))
    _print_problems(report)


def _print_problems(report: RunReport) -> None:
    progress = report.progress
    for line in report.problems:
        say(line, err=True)
    for kind, count in progress.faults.items():
        what = "prediction" if count == 1 else "predictions"
        say(f"{count} {what} could not be judged: {kind}", err=True)
    if progress.stopped is not None:
        why = progress.unreachable or progress.stopped
        say(f"stopped: {why}; start again to go on", err=True)


def exit_code(report: RunReport, *, partial: bool = False) -> int:
    """0 if all was graded, 130 if it was interrupted, else 3: see `mmrare_judge.cli.main`.

    Args:
        report: How the run ended.
        partial: Predictions are missing on purpose.
    """
    if report.all_judged if partial else report.complete:
        return 0
    return 130 if report.progress.stopped == "interrupted" else 3


def summary_lines(summaries: Iterable[Summary]) -> Iterator[str]:
    """A sentence or two a system and track, and a judge where there are several."""
    given = list(summaries)
    several = len({summary.judge for summary in given}) > 1
    for summary in given:
        by = f", by {summary.judge}" if several else ""
        whole = summary.scored == summary.graded
        yield (
            f"{summary.system or '(no system named)'}, {summary.track}{by}: "
            f"{summary.graded} graded, {_missing_text(summary)}{summary.scored} judged in full, "
            f"{summary.coverage:.0%} of the weight judged. {_mean_text(summary, 'judged', whole)}"
        )


def figure_lines(figures: PanelFigures) -> Iterator[str]:
    """What panels decided, and how many independent judges they amount to, in sentences."""
    for summary in figures.summaries:
        whole = summary.worst == summary.best
        yield (
            f"{summary.system or '(no system named)'}, {summary.track}, {figures.rule} of "
            f"{figures.size}: {summary.panels} predictions, {_missing_text(summary)}"
            f"{summary.scored} decided in full, "
            f"{summary.coverage:.0%} of the weight. {_mean_text(summary, 'decided', whole)}"
        )
        for judge, failed in summary.failed.items():
            yield f"  {judge}: {failed} of {summary.gradings[judge]} gradings failed"
    for report in figures.reports:
        yield from _independence_lines(report)


def _missing_text(summary: Summary | PanelSummary) -> str:
    return f"{summary.missing} without a prediction, " if summary.missing else ""


def _mean_text(summary: Summary | PanelSummary, done: str, whole: bool) -> str:
    """The mean, and of how many of all items it is: those without a prediction count."""
    graded = summary.graded if isinstance(summary, Summary) else summary.panels
    of = graded + summary.missing
    range_text = f"between {summary.worst:.3f} and {summary.best:.3f}"
    if summary.mean_score is not None and whole:
        return f"Mean score {summary.mean_score:.3f} ({summary.scored} of {of})."
    if summary.mean_partial_score is None:
        what = "Nothing but blanks" if summary.empty else "Nothing"
        return f"{what} was {done}; the mean score lies {range_text} ({graded} of {of})."
    mean = f"Mean over what was {done} {summary.mean_partial_score:.3f}"
    return f"{mean}; the mean score lies {range_text} ({graded} of {of})."


def _independence_lines(report: PanelReport) -> Iterator[str]:
    known = report.independence
    if known.n_eff is None:
        yield f"{report.rubric}: effective number of judges not known: {known.reason}"
    else:
        amount = f"{known.members} members amount to {known.n_eff:.1f} independent ones"
        yield f"{report.rubric}: {amount}"
    for one in report.criteria:
        differ = "disagreement not known: no prediction has two votes"
        if one.disagreement is not None:
            differ = f"{one.disagreement:.0%} of the pairs of votes differ"
        yield f"  {one.criterion}: {differ}"


_VERDICTS = {
    "good": "it may stand in for clinicians",
    "bad": "it may not stand in for clinicians",
    "open": "it is not proven that it may stand in for clinicians",
}


def calibration_line(calibration: Calibration) -> str:
    """Whether the scores come from a judge that was studied against clinicians.

    >>> calibration_line(Calibration())
    'Judge uncalibrated: no certificate was given; see `mmrare-judge calibrate`.'
    """
    if calibration.certificate is None:
        return "Judge uncalibrated: no certificate was given; see `mmrare-judge calibrate`."
    why = f": {'; '.join(calibration.reasons)}" if calibration.reasons else ""
    return (
        f"Judge {calibration.status}{why}. By its study "
        f"{_VERDICTS[calibration.verdict or 'open']}. Certificate {calibration.certificate}."
    )


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


# --- how far a run is, shown while it runs, and what an interrupt does to it

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
        say(line, err=True)


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
        say("stopping: finishing what is in flight; once more to stop at once", err=True)

    signals = (signal.SIGINT, signal.SIGTERM)
    earlier = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, earlier, strict=True):
            signal.signal(number, handler)
