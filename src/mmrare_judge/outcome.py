"""What a grading command did, and the exit code that says so."""

from __future__ import annotations

from dataclasses import dataclass

from mmrare_judge.run.summary import RunReport


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
    """0 if all was graded, 130 if it was interrupted, else 3: see `mmrare_judge.cli`."""
    if outcome.complete:
        return 0
    return 130 if outcome.report.progress.stopped == "interrupted" else 3
