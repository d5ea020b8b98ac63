"""The plots of a report; one that has nothing to show is an empty text.

Three of them are rows of estimates (`forest_plot`, `bias_plot`, `corrected_plot`), which share
`interval_chart`; the others stand alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mmrare_judge.calibration.analyses.confidence import ReliabilityBin
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.report.blocks import (
    AgreementLimits,
    count,
    number,
    percent,
    signed,
)
from mmrare_judge.calibration.report.svg import (
    BLUE,
    GREEN,
    GREY,
    INK,
    PALE,
    PURPLE,
    RUST,
    VERMILLION,
    WIDTH,
    drawing,
    label,
    legend,
    minus,
)
from mmrare_judge.calibration.statistics.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# --- rows of estimates


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


@dataclass(frozen=True)
class Series:
    """Estimates of one kind, one a row; ``None`` where there could be none.

    Without a name it needs no legend.
    """

    name: str
    look: Look
    estimates: tuple[Estimate | None, ...]

    @property
    def empty(self) -> bool:
        """Whether there is no value to draw."""
        return all(one is None or one.value is None for one in self.estimates)


JUDGE = Look(BLUE, "o")
CLINICIANS = Look(VERMILLION, "D", filled=False, line="--", ink=RUST)
WAYS = {
    "raw": ("raw judge score", Look(VERMILLION, "s", filled=False, line="--", ink=RUST)),
    "ppi": ("corrected (PPI++)", Look(INK, "o")),
    "labelled": ("gold labels alone", Look(GREEN, "^", filled=False, line="-.")),
    "rogan_gladen": ("corrected (Rogan-Gladen)", Look(PURPLE, "v", line=":")),
}
"""The ways of estimating a score: the field of `CorrectedScore`, what it is called, its look."""

Compared = tuple[str, Estimate, Estimate | None]
"""A criterion, the judge with clinicians, and clinicians among themselves where there are two."""


MANY = 8
"""Rows above which they stand closer."""


def forest_plot(rows: Sequence[Compared], *, statistic: str, name: str = "forest") -> str:
    """The agreement of every criterion, with the human ceiling beside it."""
    judge = Series("judge and clinicians", JUDGE, tuple(row[1] for row in rows))
    human = Series("clinicians among themselves", CLINICIANS, tuple(row[2] for row in rows))
    if judge.empty and human.empty:
        return ""
    return interval_chart(
        [row[0] for row in rows],
        [judge] if human.empty else [judge, human],
        name=name,
        title=f"Forest plot of {statistic} by criterion",
        description="For every criterion the judge's agreement with clinicians, and beside it the "
        "clinicians' agreement among themselves, with intervals. The table below has the numbers.",
        axis=statistic,
        within=(0.0, 1.0),
    )


def bias_plot(rows: Sequence[tuple[str, Estimate]], *, name: str = "bias") -> str:
    """How far, and which way, the judge's points lie from the clinicians', group by group."""
    series = Series("", JUDGE, tuple(estimate for _, estimate in rows))
    if series.empty:
        return ""
    return interval_chart(
        [group for group, _ in rows],
        [series],
        name=name,
        title="Bias of the judge",
        description="For every group the judge's points minus the clinicians', with intervals. "
        "Right of the line the judge is lenient, left of it severe.",
        axis="difference in points; above zero the judge gives more",
        within=(-0.1, 0.1),
    )


def corrected_plot(scores: Mapping[str, CorrectedScore], *, name: str = "corrected") -> str:
    """Scores as the judge gave them, and as they are once its errors are corrected."""
    ways = [
        Series(title, look, tuple(getattr(score, field) for score in scores.values()))
        for field, (title, look) in WAYS.items()
    ]
    series = [one for one in ways if not one.empty]
    if not series:
        return ""
    if len(scores) > MANY:  # the ways that need no second look; the table has all
        series = [one for one in series if one.name in (WAYS["raw"][0], WAYS["ppi"][0])]
    return interval_chart(
        list(scores),
        series,
        name=name,
        title="Corrected scores beside raw ones",
        description="For every score the judge's raw mean and the estimates that use the "
        "clinicians' labels, with intervals.",
        axis="mean score",
        line=None,
    )


def interval_chart(
    rows: Sequence[str],
    series: Sequence[Series],
    *,
    name: str,
    title: str,
    description: str,
    axis: str,
    line: float | None = 0.0,
    within: tuple[float, ...] = (),
) -> str:
    """Draw estimates with their intervals, a row a name and a mark a series.

    ``axis`` says what the numbers are, ``line`` where a vertical line helps the eye, and
    ``within`` which numbers the axis must show.
    """

    def paint(figure: Canvas) -> None:
        axes = figure.add_subplot()
        if line is not None:
            axes.axvline(line, color=GREY, linewidth=0.9, linestyle=":")
        for border in range(1, len(rows)):
            axes.axhline(border - 0.5, color=PALE, linewidth=0.6)
        for place, one in enumerate(series):
            _paint_series(axes, one, _offset(place, len(series)))
        axes.set_yticks(range(len(rows)), [label(row) for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(*_spanned(series, [*within, *([] if line is None else [line])]))
        axes.set_xlabel(label(axis, 80))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if any(one.name for one in series):
            legend(axes)

    step = max(0.46, 0.24 * len(series) + 0.12)
    if len(rows) > MANY:  # a plot must fit on a printed page
        step = 0.26 + 0.08 * max(len(series) - 2, 0)
    height = 1.0 + step * len(rows)
    return drawing(paint, name=name, title=title, description=description, size=(WIDTH, height))


def _offset(place: int, count: int) -> float:
    return (place - (count - 1) / 2) * 0.72 / max(count, 2)


def _paint_series(axes: Axes, series: Series, offset: float) -> None:
    look, beside = series.look, axes.get_yaxis_transform()
    values, heights = [], []
    for row, estimate in enumerate(series.estimates):
        y = row + offset
        if estimate is not None and estimate.value is not None:
            values.append(estimate.value)
            heights.append(y)
            if (ends := estimate.interval) is not None:
                axes.plot(
                    [ends.low, ends.high], [y, y], look.line, color=look.colour, linewidth=1.4
                )
        words, ink = _beside_mark(estimate), look.ink or look.colour
        axes.text(1.02, y, words, transform=beside, va="center", fontsize=8, color=ink)
    axes.plot(
        values,
        heights,
        look.marker,
        color=look.colour,
        markerfacecolor=look.colour if look.filled else "white",
        markersize=6,
        label=label(series.name),
    )


def _beside_mark(estimate: Estimate | None) -> str:
    """The value and its interval, as printed beside the mark."""
    if estimate is None:
        return ""
    if estimate.value is None:
        return "no value"
    interval = estimate.interval
    inside = f" ({number(interval.low, 2)} to {number(interval.high, 2)})" if interval else ""
    return minus(f"{number(estimate.value, 2)}{inside}")


def _spanned(series: Sequence[Series], asked: list[float]) -> tuple[float, float]:
    """The ends of an axis that shows all estimates and what is asked for."""
    known = [one for part in series for one in part.estimates if one and one.value is not None]
    found = [*asked, *(one.value for one in known if one.value is not None)]
    found += [end for one in known if (i := one.interval) for end in (i.low, i.high)]
    room = 0.04 * (max(found) - min(found) or 1.0)
    return min(found) - room, max(found) + room


# --- plots of their own kind

NEEDED = 0.5
"""The winning rate from which the alternative annotator test is passed (Calderon et al. 2025)."""


def epsilon_plot(grid: Sequence[tuple[float, float | None]], *, name: str = "epsilon") -> str:
    """The winning rate of the alternative annotator test at every epsilon."""
    known = [(epsilon, rate) for epsilon, rate in grid if rate is not None]
    if not known:
        return ""
    return drawing(
        partial(_paint_winning_rates, grid=known),
        name=name,
        title="Alternative annotator test at every epsilon",
        description="Across, epsilon; upwards, the share of clinicians whom the judge may stand in "
        "for. At one half or above the test is passed: filled marks.",
        size=(WIDTH, 2.7),
    )


def _paint_winning_rates(figure: Canvas, grid: Sequence[tuple[float, float]]) -> None:
    axes = figure.add_subplot()
    axes.axhline(NEEDED, color=GREY, linestyle=":", linewidth=1.1, label="needed to pass")
    axes.plot([x for x, _ in grid], [y for _, y in grid], color=BLUE, linewidth=1.0)
    for passed, text in ((True, "passed"), (False, "not passed")):
        part = [(x, y) for x, y in grid if (y >= NEEDED) is passed]
        face = BLUE if passed else "white"
        axes.plot(
            [x for x, _ in part], [y for _, y in part], "o" if passed else "s", color=BLUE,
            markerfacecolor=face, markeredgewidth=1.5, markersize=7, label=text,
        )  # fmt: skip
    for (x, y), (_, after) in zip(grid, [*grid[1:], grid[-1]], strict=True):
        # Where the line climbs, the number stands to its left.
        place, side = ((2, 9), "right") if after > y else ((0, 9), "center")
        axes.annotate(number(y, 2), (x, y), place, textcoords="offset points", ha=side, fontsize=8)
    axes.set_ylim(-0.05, 1.18)
    axes.set_xticks([x for x, _ in grid])
    axes.set_xlabel("epsilon: how much worse than a clinician the judge may be")
    axes.set_ylabel("winning rate ω")
    legend(axes)


def bland_altman_plot(
    points: Sequence[tuple[float, float]],
    limits: AgreementLimits | None,
    *,
    name: str,
    criterion: str,
) -> str:
    """Draw ``(mean, difference)`` of every unit; units on one spot make one larger dot.

    Source: Bland and Altman (1986).
    """
    if not points:
        return ""
    return drawing(
        partial(_paint_differences, points=points, limits=limits),
        name=name,
        title=f"Bland-Altman plot of {criterion}",
        description="Every dot is a unit, or several on one spot: across, the mean of judge and "
        "clinicians; upwards, judge minus clinicians. Lines mark the mean difference and the "
        "limits of agreement.",
        size=(WIDTH, 2.8),
    )


def _paint_differences(
    figure: Canvas, points: Sequence[tuple[float, float]], limits: AgreementLimits | None
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
    if limits is not None:
        _paint_limits(axes, limits)
    axes.set_xlabel("mean of judge and clinicians, in points")
    axes.set_ylabel("judge minus clinicians")


def _paint_limits(axes: Axes, limits: AgreementLimits) -> None:
    lines = (
        (limits.high, "upper limit", "--"),
        (limits.mean, "mean", "-"),
        (limits.low, "lower limit", "--"),
    )
    for y, _, line in lines:
        axes.axhline(y, color=VERMILLION, linewidth=1.3, linestyle=line)
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


Counts = Sequence[Sequence[float]]


def confusion_plot(categories: Sequence[str], counts: Counts, *, name: str, criterion: str) -> str:
    """Which level the judge gave (rows) where clinicians gave which (columns), shaded by share."""
    if not any(cell for row in counts for cell in row):
        return ""
    side = 1.6 + 0.62 * len(categories)
    return drawing(
        partial(_paint_matrix, categories=categories, counts=counts),
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


def _paint_matrix(figure: Canvas, categories: Sequence[str], counts: Counts) -> None:
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

    edge, width = (INK, 1.6) if row == column else ("#B8B8B8", 0.6)
    place, shade = (column - 0.47, row - 0.47), _shade(share or 0.0)
    axes.add_patch(Rectangle(place, 0.94, 0.94, facecolor=shade, edgecolor=edge, linewidth=width))
    ink = "white" if (share or 0.0) > 0.72 else "black"  # whichever can be read on the shade
    for lines, text, size in ((-0.12, count(cell), 11.0), (0.24, percent(share, 0), 7.5)):
        axes.text(column, row + lines, text, fontsize=size, ha="center", va="center", color=ink)


def _shade(share: float) -> str:
    """From white to a dark blue: one hue, so that grey print keeps the order."""
    ends = ((255, 255, 255), (0, 74, 128))
    mixed = (round(a + (b - a) * share) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02X}" for part in mixed)


def reliability_plot(bins: Sequence[ReliabilityBin], *, name: str = "reliability") -> str:
    """Is a verdict stated with 0.8 right eight times in ten? With the number of verdicts below."""
    if not bins:
        return ""
    return drawing(
        partial(_paint_reliability, bins=bins),
        name=name,
        title="Reliability diagram",
        description="Across, the confidence the judge stated; upwards, the share of its verdicts "
        "that clinicians shared. On the diagonal both are equal. Bars below count the verdicts.",
        size=(5.2, 4.6),
    )


def _paint_reliability(figure: Canvas, bins: Sequence[ReliabilityBin]) -> None:
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})
    _paint_shares(above, bins)
    below.bar(
        [one.low for one in bins],
        [one.n for one in bins],
        [one.high - one.low for one in bins],
        align="edge",
        color=PALE,
        edgecolor=GREY,
        linewidth=0.6,
    )
    for one in bins:
        middle = (one.low + one.high) / 2
        below.text(middle, one.n, str(one.n), ha="center", va="bottom", fontsize=7.5)
    below.set_ylim(0, 1.35 * max(one.n for one in bins))
    below.set_yticks([])
    below.set_ylabel("verdicts")
    below.set_xlabel("confidence stated")
    below.set_xlim(-0.02, 1.02)


def _paint_shares(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1.1, label="confidence = share right")
    for one in bins:
        ends = [one.interval.low, one.interval.high]
        axes.plot([one.confidence] * 2, ends, color=BLUE, linewidth=1.4)
    axes.plot(
        [one.confidence for one in bins],
        [one.share for one in bins],
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


def risk_coverage_plot(
    coverage: Sequence[float],
    risk: Sequence[float],
    *,
    chosen: tuple[float, float] | None = None,
    name: str = "risk-coverage",
) -> str:
    """The risk among the verdicts kept, from the surest to all; ``chosen`` is marked on it."""
    if not coverage:
        return ""
    return drawing(
        partial(_paint_risk, coverage=coverage, risk=risk, chosen=chosen),
        name=name,
        title="Risk-coverage curve",
        description="Across, the share of verdicts kept, surest first; upwards, the share of wrong "
        "ones among them. A useful confidence makes the curve rise from left to right.",
        size=(WIDTH, 3.2),
    )


def _paint_risk(
    figure: Canvas,
    coverage: Sequence[float],
    risk: Sequence[float],
    chosen: tuple[float, float] | None,
) -> None:
    axes = figure.add_subplot()
    axes.axhline(risk[-1], color=GREY, linestyle=":", linewidth=1.1, label="all verdicts kept")
    style = "-o" if len(coverage) <= 15 else "-"
    axes.plot(coverage, risk, style, color=BLUE, markersize=4.5, linewidth=1.6, label="judge")
    if chosen is not None:
        axes.plot(
            [chosen[0]], [chosen[1]], "D", color=VERMILLION, markerfacecolor="white",
            markeredgewidth=1.6, markersize=8, label="threshold, on held-out verdicts",
        )  # fmt: skip
    highest = max([*risk, chosen[1] if chosen else 0.0])
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.15 * highest or 1.0)
    axes.set_xlabel("coverage: share of verdicts kept")
    axes.set_ylabel("risk: share wrong")
    legend(axes)
