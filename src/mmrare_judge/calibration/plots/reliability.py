"""The reliability diagram: is a verdict stated with 0.8 right eight times in ten?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.style import BLUE, GREY, INK, PALE, drawn, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin: its edges, how many verdicts, mean confidence, share right with its interval."""

    low_edge: float
    high_edge: float
    n: int
    confidence: float
    share: float
    low: float
    high: float


def reliability_plot(points: Sequence[ReliabilityPoint], *, name: str = "reliability") -> str:
    """Draw the diagram with the number of verdicts of each bin below; empty without a bin.

    >>> reliability_plot([])
    ''
    """
    if not points:
        return ""
    return drawn(
        lambda figure: _paint(figure, points),
        name=name,
        title="Reliability diagram",
        description="Across, the confidence the judge stated; upwards, the share of its verdicts "
        "that clinicians shared. On the diagonal both are equal. Bars below count the verdicts.",
        size=(5.2, 4.6),
    )


def _paint(figure: Figure, points: Sequence[ReliabilityPoint]) -> None:
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})
    _paint_shares(above, points)
    below.bar(
        [point.low_edge for point in points],
        [point.n for point in points],
        [point.high_edge - point.low_edge for point in points],
        align="edge",
        color=PALE,
        edgecolor=GREY,
        linewidth=0.6,
    )
    for point in points:
        middle = (point.low_edge + point.high_edge) / 2
        below.text(middle, point.n, str(point.n), ha="center", va="bottom", fontsize=7.5)
    below.set_ylim(0, 1.35 * max(point.n for point in points))
    below.set_yticks([])
    below.set_ylabel("verdicts")
    below.set_xlabel("confidence stated")
    below.set_xlim(-0.02, 1.02)


def _paint_shares(axes: Axes, points: Sequence[ReliabilityPoint]) -> None:
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1.1, label="confidence = share right")
    for point in points:
        axes.plot([point.confidence] * 2, [point.low, point.high], color=BLUE, linewidth=1.4)
    axes.plot(
        [point.confidence for point in points],
        [point.share for point in points],
        "-o",
        color=BLUE,
        markeredgecolor=INK,
        markersize=6,
        linewidth=0.9,
        label="judge, with 95 % interval",
    )
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("share right")
    legend(axes)
