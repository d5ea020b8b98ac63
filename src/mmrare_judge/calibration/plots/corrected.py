"""The plot of scores as the judge gave them, and as they are once its errors are corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmrare_judge.calibration.plots.intervals import (
    Chart,
    Mark,
    Series,
    anything,
    interval_chart,
)
from mmrare_judge.calibration.plots.style import GREEN, INK, PURPLE, RUST, VERMILLION, Look


@dataclass(frozen=True)
class CorrectedRow:
    """One score by every way of estimating it."""

    name: str
    raw: Mark
    corrected: Mark
    labelled: Mark
    rogan_gladen: Mark


LOOKS = (
    ("raw", "raw judge score", Look(VERMILLION, "s", filled=False, line="--", ink=RUST)),
    ("corrected", "corrected (PPI++)", Look(INK, "o")),
    ("labelled", "gold labels alone", Look(GREEN, "^", filled=False, line="-.")),
    ("rogan_gladen", "corrected (Rogan-Gladen)", Look(PURPLE, "v", line=":")),
)


def corrected_plot(rows: Sequence[CorrectedRow], *, name: str = "corrected") -> str:
    """Draw one row a score; a way of estimating that no row has is left out.

    >>> corrected_plot([])
    ''
    """
    series = tuple(
        Series(title, look, tuple(getattr(row, field) for row in rows))
        for field, title, look in LOOKS
    )
    series = tuple(one for one in series if anything([one]))
    if not series:
        return ""
    chart = Chart(
        name=name,
        title="Corrected scores beside raw ones",
        description="For every score the judge's raw mean and the estimates that use the "
        "clinicians' labels, with intervals.",
        axis="mean score",
        rows=tuple(row.name for row in rows),
        series=series,
        line=None,
    )
    return interval_chart(chart)
