"""Values with intervals, a row a name and a mark a series: what three of the plots are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.style import (
    GREY,
    PALE,
    WIDTH,
    Look,
    drawn,
    label,
    legend,
    minus,
)
from mmrare_judge.calibration.report.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Mark:
    """A value with the ends of its interval; ``None`` for what there is not.

    Attributes:
        value: The value.
        low: The lower end of its interval.
        high: The upper end.
        asked: Whether there could have been a value; where not, nothing is said of its absence.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    asked: bool = field(default=True, repr=False)

    @property
    def numbers(self) -> tuple[float, ...]:
        """What there is."""
        return tuple(x for x in (self.value, self.low, self.high) if x is not None)

    @property
    def text(self) -> str:
        """The value and its interval, as printed beside the mark."""
        if self.value is None:
            return "no value" if self.asked else ""
        if self.low is None or self.high is None:
            return minus(number(self.value, 2))
        inside = f"{number(self.low, 2)} to {number(self.high, 2)}"
        return minus(f"{number(self.value, 2)} ({inside})")


@dataclass(frozen=True)
class Series:
    """Marks of one kind, one a row; without a name it needs no legend."""

    name: str
    look: Look
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """A plot of values with intervals.

    Attributes:
        name: Identifier on the page.
        title: Title for readers who cannot see the plot.
        description: What it shows.
        axis: What the numbers are.
        rows: Names from top to bottom.
        series: What is shown in every row.
        line: Where a vertical line helps the eye; ``None`` for none.
        within: The least and the greatest number the axis must show.
    """

    name: str
    title: str
    description: str
    axis: str
    rows: tuple[str, ...]
    series: tuple[Series, ...]
    line: float | None = 0.0
    within: tuple[float, float] | None = None


def interval_chart(chart: Chart) -> str:
    """Draw the chart as an inline ``<svg>``."""
    step = max(0.46, 0.24 * len(chart.series) + 0.12)
    return drawn(
        lambda figure: _paint(figure, chart),
        name=chart.name,
        title=chart.title,
        description=chart.description,
        size=(WIDTH, 1.0 + step * len(chart.rows)),
    )


def _paint(figure: Figure, chart: Chart) -> None:
    axes = figure.add_subplot()
    if chart.line is not None:
        axes.axvline(chart.line, color=GREY, linewidth=0.9, linestyle=":")
    for border in range(1, len(chart.rows)):
        axes.axhline(border - 0.5, color=PALE, linewidth=0.6)
    for place, series in enumerate(chart.series):
        _paint_series(axes, series, _offset(place, len(chart.series)))
    axes.set_yticks(range(len(chart.rows)), [label(row) for row in chart.rows])
    axes.set_ylim(len(chart.rows) - 0.5, -0.5)
    axes.set_xlim(*_limits(chart))
    axes.set_xlabel(label(chart.axis, 80))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if any(one.name for one in chart.series):
        legend(axes)


def _offset(place: int, count: int) -> float:
    return (place - (count - 1) / 2) * 0.72 / max(count, 2)


def _paint_series(axes: Axes, series: Series, offset: float) -> None:
    look, beside = series.look, axes.get_yaxis_transform()
    places = [row + offset for row in range(len(series.marks))]
    known = [(m.value, y) for m, y in zip(series.marks, places, strict=True) if m.value is not None]
    for mark, y in zip(series.marks, places, strict=True):
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.low, mark.high], [y, y], look.line, color=look.colour, linewidth=1.4)
        ink = look.ink or look.colour
        axes.text(1.02, y, mark.text, transform=beside, va="center", fontsize=8, color=ink)
    axes.plot(
        [value for value, _ in known],
        [y for _, y in known],
        look.marker,
        color=look.colour,
        markerfacecolor=look.face,
        markersize=6,
        label=label(series.name),
    )


def _limits(chart: Chart) -> tuple[float, float]:
    found = [x for series in chart.series for mark in series.marks for x in mark.numbers]
    found += list(chart.within or ()) + ([] if chart.line is None else [chart.line])
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    room = 0.04 * (high - low or 1.0)
    return low - room, high + room


def anything(series: Sequence[Series]) -> bool:
    """Whether there is a value to draw.

    >>> from mmrare_judge.calibration.plots.style import JUDGE
    >>> anything([Series("judge", JUDGE, (Mark(None),))])
    False
    """
    return any(mark.value is not None for one in series for mark in one.marks)
