"""The confusion matrix: which level the judge gave where clinicians gave which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.style import INK, drawn, label
from mmrare_judge.calibration.report.text import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    return drawn(
        lambda figure: _paint(figure, categories, counts),
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


def _paint(figure: Figure, categories: Sequence[str], counts: Counts) -> None:
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
