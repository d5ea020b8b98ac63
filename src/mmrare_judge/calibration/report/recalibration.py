"""Recalibrated confidence in a report: before and after, on cases the map has not seen."""

from __future__ import annotations

from collections import Counter

from mmrare_judge.calibration.analyses.recalibration import ConfidenceScores, Recalibration
from mmrare_judge.calibration.report.blocks import Block, Paragraph
from mmrare_judge.calibration.report.estimates import estimates_table
from mmrare_judge.calibration.statistics.estimate import Estimate


def recalibration_blocks(found: Recalibration) -> tuple[Block, ...]:
    """A sentence on the map, and how good the confidence is with and without it."""
    if found.recalibrator is None or found.before is None or found.after is None:
        return (Paragraph(f"The confidence was not recalibrated: {found.reason}."),)
    rows = [
        *_rows("as stated", found.before),
        *_rows("recalibrated", found.after),
        *([(("Brier score", "gain"), found.gain)] if found.gain else []),
    ]
    caption = "The confidence as stated, and recalibrated on cases the map has not seen"
    return (
        Paragraph(_sentence(found)),
        estimates_table(caption, ("score", "confidence"), rows),
    )


def _rows(which: str, scores: ConfidenceScores) -> list[tuple[tuple[str, str], Estimate]]:
    named = {"Brier score": scores.brier, "log loss": scores.log_loss, "ECE": scores.ece}
    return [((name, which), estimate) for name, estimate in named.items()]


def _sentence(found: Recalibration) -> str:
    assert found.recalibrator is not None, "asked before"
    votes = Counter(found.chosen)
    chosen = ", ".join(f"{name} {count}" for name, count in votes.most_common())
    return (
        f"A map from stated to observed confidence ({found.recalibrator.curve.method}) is in "
        f"study.json; the folds by which it was tested chose {chosen}."
    )
