"""The Bland-Altman plot: differences of judge and clinicians against their mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.style import (
    BLUE,
    GREY,
    INK,
    RUST,
    VERMILLION,
    WIDTH,
    drawn,
    minus,
)
from mmrare_judge.calibration.report.text import signed

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
        size=(WIDTH, 2.8),
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
    axes.margins(0.12, 0.2)
    lines = _lines(limits)
    for y, _, line in lines:
        axes.axhline(y, color=VERMILLION, linewidth=1.3, linestyle=line)
    _name_lines(axes, lines)
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


def _name_lines(axes: Axes, lines: Sequence[tuple[float, str, str]]) -> None:
    low, high = axes.get_ylim()
    beside = axes.get_yaxis_transform()
    places = kept_apart([y for y, _, _ in lines], 0.07 * (high - low))
    for (y, text, _), place in zip(lines, places, strict=True):
        words = minus(f"{text} {signed(y, 2)}")
        axes.text(1.01, place, words, transform=beside, va="center", fontsize=8, color=RUST)


def kept_apart(places: Sequence[float], room: float) -> list[float]:
    """Falling places moved apart about their middle one, so that words there do not overlap.

    >>> kept_apart([0.5, 0.0, -0.1], 0.25)
    [0.5, 0.0, -0.25]
    """
    middle = len(places) // 2
    moved = list(places)
    for place in range(middle - 1, -1, -1):
        moved[place] = max(moved[place], moved[place + 1] + room)
    for place in range(middle + 1, len(moved)):
        moved[place] = min(moved[place], moved[place - 1] - room)
    return moved
