"""What grading commands print: grades, means, costs and problems."""

from __future__ import annotations

import sys
from pathlib import Path

from mmrare_judge.display import (
    GRADE_COLUMNS,
    calibration_line,
    grade_row,
    print_table,
    summary_lines,
)
from mmrare_judge.outcome import Outcome
from mmrare_judge.panel_display import print_panels
from mmrare_judge.panels.report import figure_lines
from mmrare_judge.progress import cost_line
from mmrare_judge.run.folder import iter_grades
from mmrare_judge.run.panels import read_panels


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
