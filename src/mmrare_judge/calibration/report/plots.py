"""The look that all plots share, and the one door to matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Tree

from mmrare_judge.calibration.report.text import count, number, one_line, percent, signed
from mmrare_judge.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# FOLDED calibration.plots.svg: matplotlib's SVG made fit to stand inside a page under a strict content policy.

_XLINK = "{http://www.w3.org/1999/xlink}href"
_LEFT_OUT = frozenset({"metadata", "style", "clipPath"})
_SCALE = 4 / 3  # CSS pixels in a point
_BROAD = 600  # CSS pixels above which a plot does not fit a phone


def inline(raw: str, *, name: str, title: str, description: str) -> str:
    """The drawing as an ``<svg>`` element that needs no style of its own and has a description.

    Style attributes become plain ones, so that the page may forbid them; identifiers begin with
    ``name``, so that drawings do not collide; clips go, since nothing is drawn outside its frame;
    fonts are the page's.

    Args:
        raw: What matplotlib wrote.
        name: An identifier, unlike that of any other drawing on the page.
        title: For readers who cannot see the drawing.
        description: The same, at more length.
    """
    root = Tree.fromstring(raw)
    _strip(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _plain(element, name)
    box = root.attrib["viewBox"]
    width, height = (float(side) * _SCALE for side in box.split()[2:])
    root.attrib = {
        "class": "broad" if width > _BROAD else "small",
        "viewBox": box,
        "width": f"{width:.0f}",
        "height": f"{height:.0f}",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-description",
    }
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = Tree.Element(tag, {"id": f"{name}-{'description' if place else 'title'}"})
        element.text, element.tail = text, "\n"
        root.insert(place, element)
    return Tree.tostring(root, encoding="unicode")


def _strip(element: Tree.Element) -> None:
    for child in list(element):
        if child.tag.rpartition("}")[2] in _LEFT_OUT:
            element.remove(child)
        else:
            _strip(child)


def _plain(element: Tree.Element, name: str) -> None:
    attributes = dict(element.attrib)
    attributes.pop("clip-path", None)
    attributes |= declarations(attributes.pop("style", ""))
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    target = attributes.pop(_XLINK, None)
    if target is not None:
        attributes["href"] = f"#{name}-{target.removeprefix('#')}"
    element.attrib = attributes


def declarations(style: str) -> dict[str, str]:
    """The declarations of a style attribute as attributes; font families are left out.

    >>> declarations("fill: #000000; font: bold 9px 'DejaVu Sans', sans-serif")
    {'fill': '#000000', 'font-weight': 'bold', 'font-size': '9px'}
    """
    found: dict[str, str] = {}
    for part in filter(str.strip, style.split(";")):
        key, _, value = (piece.strip() for piece in part.partition(":"))
        if key == "font":
            found |= _font(value)
        elif key not in ("font-family", "clip-path"):
            found[key] = value
    return found


def _font(value: str) -> dict[str, str]:
    weight = re.search(r"\b(bold|[1-9]00)\b", value)
    size = re.search(r"[\d.]+px", value)
    found = {"font-weight": weight[0]} if weight else {}
    return found | ({"font-size": size[0]} if size else {})


# Okabe and Ito's colours, told apart by colour-blind readers; markers tell them apart in grey.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#007A5A", "#A3527F"
INK, GREY, PALE = "#1A1A1A", "#5C5C5C", "#D9D9D9"
RUST = "#A84700"  # vermillion, dark enough to read as text

WIDTH = 7.5
"""Inches; every wide plot has this width, so that their type has one size."""

_STYLE = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "mmrare-judge",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
}


@dataclass(frozen=True)
class Look:
    """How one series is told from the others, in colour and in grey.

    Attributes:
        colour: Of marks and lines.
        marker: Its shape.
        filled: Whether the marker is.
        line: The line's style.
        ink: The colour of words about it, where ``colour`` is too light to read.
    """

    colour: str
    marker: str
    filled: bool = True
    line: str = "-"
    ink: str = ""

    @property
    def face(self) -> str:
        """The marker's filling."""
        return self.colour if self.filled else "white"


JUDGE = Look(BLUE, "o")
CLINICIANS = Look(VERMILLION, "D", filled=False, line="--", ink=RUST)


def drawing(
    paint: Callable[[Figure], None],
    *,
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
) -> str:
    """Let ``paint`` fill a figure and return it as an inline ``<svg>``, the same every time.

    Args:
        paint: Draws on the empty figure.
        name: Identifier of the drawing on its page.
        title: Its title for readers who cannot see it.
        description: What it shows, for the same readers.
        size: Width and height in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "calibration") from error
    out = io.StringIO()
    # The default style first: a reader's own matplotlibrc has no say in a report.
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        # The page's fonts draw the text; that DejaVu lacks a letter is no matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    texts = {"title": one_line(title), "description": one_line(description)}
    return inline(out.getvalue(), name=name, **texts)


def label(text: str, width: int = 30) -> str:
    """Text from data as a label: on one line, nothing hidden in it, and short.

    >>> label("a very long name of a criterion, and more")
    'a very long name of a criteri…'
    """
    return one_line(text, width)


def minus(text: str) -> str:
    """Numbers with a true minus sign, as on the axes.

    >>> minus("-0.50 (-0.75 to 0.25)")
    '−0.50 (−0.75 to 0.25)'
    """
    return text.replace("-", "−")


def legend(axes: Axes, columns: int = 4) -> None:
    """A legend above the frame, from left to right; as wide as the figure, not as the frame."""
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=columns,
        borderaxespad=0,
        borderpad=0.2,
        handletextpad=0.5,
        columnspacing=1.6,
    )


# FOLDED calibration.plots.intervals: Values with intervals, a row a name and a mark a series: what three of the plots are made of.


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
class MarkSeries:
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
    series: tuple[MarkSeries, ...]
    line: float | None = 0.0
    within: tuple[float, float] | None = None


def interval_chart(chart: Chart) -> str:
    """Draw the chart as an inline ``<svg>``."""
    step = max(0.46, 0.24 * len(chart.series) + 0.12)
    return drawing(
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


def _paint_series(axes: Axes, series: MarkSeries, offset: float) -> None:
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


def anything(series: Sequence[MarkSeries]) -> bool:
    """Whether there is a value to draw.

    >>> from mmrare_judge.calibration.report.plots import JUDGE
    >>> anything([MarkSeries("judge", JUDGE, (Mark(None),))])
    False
    """
    return any(mark.value is not None for one in series for mark in one.marks)


# FOLDED calibration.plots.bland_altman: The Bland-Altman plot: differences of judge and clinicians against their mean.


@dataclass(frozen=True)
class AxisLimits:
    """The mean difference and the limits between which 95 % of differences lie."""

    mean: float
    low: float
    high: float


def bland_altman_plot(
    points: Sequence[tuple[float, float]],
    limits: AxisLimits | None,
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
    return drawing(
        lambda figure: _bland_altman_paint(figure, points, limits),
        name=name,
        title=f"Bland-Altman plot of {criterion}",
        description="Every dot is a unit, or several on one spot: across, the mean of judge and "
        "clinicians; upwards, judge minus clinicians. Lines mark the mean difference and the "
        "limits of agreement.",
        size=(WIDTH, 2.8),
    )


def _bland_altman_paint(
    figure: Figure, points: Sequence[tuple[float, float]], limits: AxisLimits | None
) -> None:
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


def _lines(limits: AxisLimits | None) -> list[tuple[float, str, str]]:
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


# FOLDED calibration.plots.confusion: The confusion matrix: which level the judge gave where clinicians gave which.

Counts = Sequence[Sequence[float]]

DARK = 0.72
"""The share above which white words are easier to read in a cell than black ones."""


def confusion_plot(categories: Sequence[str], counts: Counts, *, name: str, criterion: str) -> str:
    """Draw the matrix, shaded by the share of the clinicians' labels; empty without any count.

    Args:
        categories: The declared levels.
        counts: A row for each level of the judge, a column for each of the clinicians.
        name: Identifier on the page.
        criterion: What was judged.

    >>> confusion_plot(("NO", "YES"), ((0, 0), (0, 0)), name="c", criterion="dose")
    ''
    """
    if not any(cell for row in counts for cell in row):
        return ""
    side = 1.6 + 0.62 * len(categories)
    return drawing(
        lambda figure: _confusion_paint(figure, categories, counts),
        name=name,
        title=f"Confusion matrix of {criterion}",
        description="Rows are the judge's levels, columns the clinicians'. Each cell has the count "
        "and, in percent, the share of its column.",
        size=(side, side - 0.1),
    )


def column_shares(counts: Counts) -> list[list[float | None]]:
    """Each count as a share of its column; ``None`` in an empty column.

    >>> column_shares([[3, 0], [1, 0]])
    [[0.75, None], [0.25, None]]
    """
    totals = [sum(column) for column in zip(*counts, strict=True)]
    return [
        [cell / total if total else None for cell, total in zip(row, totals, strict=True)]
        for row in counts
    ]


def _confusion_paint(figure: Figure, categories: Sequence[str], counts: Counts) -> None:
    axes = figure.add_subplot()
    shares = column_shares(counts)
    for row, cells in enumerate(counts):
        for column, cell in enumerate(cells):
            _paint_cell(axes, row, column, cell, shares[row][column])
    names = [label(category, 14) for category in categories]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    if max(map(len, names)) > 6:
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("clinicians")
    axes.set_ylabel("judge")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _paint_cell(axes: Axes, row: int, column: int, cell: float, share: float | None) -> None:
    from matplotlib.patches import Rectangle

    shade = _shade(share or 0.0)
    edge = INK if row == column else "#B8B8B8"
    place = (column - 0.47, row - 0.47)
    width = 1.6 if row == column else 0.6
    axes.add_patch(Rectangle(place, 0.94, 0.94, facecolor=shade, edgecolor=edge, linewidth=width))
    ink = "white" if (share or 0.0) > DARK else "black"
    for lines, text, size in ((-0.12, count(cell), 11.0), (0.24, percent(share, 0), 7.5)):
        axes.text(column, row + lines, text, fontsize=size, ha="center", va="center", color=ink)


def _shade(share: float) -> str:
    """From white to a dark blue: one hue, so that grey print keeps the order."""
    ends = ((255, 255, 255), (0, 74, 128))
    mixed = (round(a + (b - a) * share) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02X}" for part in mixed)


# FOLDED calibration.plots.reliability: The reliability diagram: is a verdict stated with 0.8 right eight times in ten?


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
    return drawing(
        lambda figure: _reliability_paint(figure, points),
        name=name,
        title="Reliability diagram",
        description="Across, the confidence the judge stated; upwards, the share of its verdicts "
        "that clinicians shared. On the diagonal both are equal. Bars below count the verdicts.",
        size=(5.2, 4.6),
    )


def _reliability_paint(figure: Figure, points: Sequence[ReliabilityPoint]) -> None:
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


# FOLDED calibration.plots.risk_coverage: The risk-coverage curve: how many errors are left when the judge may abstain.


@dataclass(frozen=True)
class Operating:
    """Where the judge would be run: the share it decides, and its risk there."""

    coverage: float
    risk: float


def risk_coverage_plot(
    coverage: Sequence[float],
    risk: Sequence[float],
    *,
    chosen: Operating | None = None,
    name: str = "risk-coverage",
) -> str:
    """Draw the risk among the verdicts kept, from the surest to all; empty without a verdict.

    >>> risk_coverage_plot([], [])
    ''
    """
    if not coverage:
        return ""
    return drawing(
        lambda figure: _risk_coverage_paint(figure, coverage, risk, chosen),
        name=name,
        title="Risk-coverage curve",
        description="Across, the share of verdicts kept, surest first; upwards, the share of wrong "
        "ones among them. A useful confidence makes the curve rise from left to right.",
        size=(WIDTH, 3.2),
    )


def _risk_coverage_paint(
    figure: Figure, coverage: Sequence[float], risk: Sequence[float], chosen: Operating | None
) -> None:
    axes = figure.add_subplot()
    everything = risk[-1]
    axes.axhline(everything, color=GREY, linestyle=":", linewidth=1.1, label="all verdicts kept")
    style = "-o" if len(coverage) <= 15 else "-"
    axes.plot(coverage, risk, style, color=BLUE, markersize=4.5, linewidth=1.6, label="judge")
    if chosen is not None:
        axes.plot(
            [chosen.coverage], [chosen.risk], "D", color=VERMILLION, markerfacecolor="white",
            markeredgewidth=1.6, markersize=8, label="threshold, on held-out verdicts",
        )  # fmt: skip
    highest = max([*risk, chosen.risk if chosen else 0.0])
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.15 * highest or 1.0)
    axes.set_xlabel("coverage: share of verdicts kept")
    axes.set_ylabel("risk: share wrong")
    legend(axes)
