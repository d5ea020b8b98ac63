"""How far a run is, shown while it runs, and what an interrupt does to it."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmrare_judge.run.run import Run
from mmrare_judge.run.summary import Progress

LINE_EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal."""


@contextmanager
def shown(run: Run, total: int, *, quiet: bool = False) -> Iterator[None]:
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
