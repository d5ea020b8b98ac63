"""The Bland-Altman plot: differences of judge and clinicians against their mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots_style import (
    BLUE,
    GREY,
    INK,
    RUST,
    VERMILLION,
    WIDTH,
    drawn,
    minus,
)
from mmrare_judge.calibration.report_text import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Limits:
    """The mean difference and the limits between which 95 % of differences lie."""

    mean: float
    low: float
    high: float


def bland_altman_plot(
    points: Sequence[tuple[float, float]],
    limits: Limits | None,
    *,
    name: str,
    criterion: str,
) -> str:
    """Draw ``(mean, difference)`` of every unit; units on one spot make one larger dot.

    Source: Bland and Altman (1986). Empty without a point.

    >>> bland_altman_plot([], None, name="ba", criterion="dose")
    ''
    """
    if not points:
        return ""
    return drawn(
        lambda figure: _paint(figure, points, limits),
        name=name,
        title=f"Bland-Altman plot of {criterion}",
        description="Every dot is a unit, or several on one spot: across, the mean of judge and "
        "clinicians; upwards, judge minus clinicians. Lines mark the mean difference and the "
        "limits of agreement.",
        size=(WIDTH, 3.2),
    )


def _paint(figure: Figure, points: Sequence[tuple[float, float]], limits: Limits | None) -> None:
    axes = figure.add_subplot()
    spots = Counter((round(x, 9), round(y, 9)) for x, y in points)
    most = max(spots.values())
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axes.scatter(
        [x for x, _ in spots],
        [y for _, y in spots],
        s=[70 + 400 * held / most if most > 1 else 26 for held in spots.values()],
        color=BLUE,
        alpha=0.55,
        edgecolors=INK,
        linewidths=0.6,
    )
    if most > 1 and len(spots) <= 40:
        for (x, y), held in spots.items():
            axes.text(x, y, str(held), ha="center", va="center", fontsize=7.5, color=INK)
    for y, text, line in _lines(limits):
        _paint_line(axes, y, text, line)
    axes.margins(0.12, 0.2)
    axes.set_xlabel("mean of judge and clinicians, in points")
    axes.set_ylabel("judge minus clinicians")


def _lines(limits: Limits | None) -> list[tuple[float, str, str]]:
    if limits is None:
        return []
    return [
        (limits.high, "upper limit", "--"),
        (limits.mean, "mean", "-"),
        (limits.low, "lower limit", "--"),
    ]


def _paint_line(axes: Axes, y: float, text: str, line: str) -> None:
    axes.axhline(y, color=VERMILLION, linewidth=1.3, linestyle=line)
    beside = axes.get_yaxis_transform()
    words = minus(f"{text} {signed(y, 2)}")
    axes.text(1.01, y, words, transform=beside, va="center", fontsize=8, color=RUST)
