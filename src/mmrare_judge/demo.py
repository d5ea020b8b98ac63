"""The packaged examples, graded by the embedded judge and printed."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mmrare_judge.backends.base import EMBEDDED
from mmrare_judge.backends.limits import Limits
from mmrare_judge.data.predictions import pair_up, read_predictions
from mmrare_judge.data.tables import read_items
from mmrare_judge.grade_printing import print_grades, print_report
from mmrare_judge.outcome import Outcome
from mmrare_judge.run.folder import GRADES, RUN, SUMMARY
from mmrare_judge.run.run import Run


def run_demo(folder: Path) -> None:
    """Grade the packaged examples with the embedded judge, write them and print them."""
    print("Grading real published cases with the embedded judge: no model, no network.")
    with resources.as_file(resources.files("mmrare_judge.examples")) as path:
        pairs = pair_up(
            read_predictions(path / "predictions.jsonl"), read_items(path / "items.jsonl")
        ).pairs
    for name in (GRADES, SUMMARY, RUN):
        (folder / name).unlink(missing_ok=True)
    report = Run(folder, EMBEDDED, limits=Limits(concurrency=1)).grade(pairs)
    print_grades(folder, "table")
    print_report(Outcome(report, ()))
    print(f"Written to {folder / GRADES} and {folder / SUMMARY}.")
