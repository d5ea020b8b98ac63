"""The epsilon grid of the alternative annotator test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.style import BLUE, GREY, WIDTH, drawn, legend
from mmrare_judge.calibration.report.text import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEEDED = 0.5
"""The winning rate from which the test counts as passed (Calderon and others 2025)."""


def epsilon_plot(grid: Sequence[tuple[float, float | None]], *, name: str = "epsilon") -> str:
    """Draw the winning rate at every epsilon; empty where there is none.

    >>> epsilon_plot([(0.0, None)])
    ''
    """
    known = [(epsilon, rate) for epsilon, rate in grid if rate is not None]
    if not known:
        return ""
    return drawn(
        lambda figure: _paint(figure, known),
        name=name,
        title="Alternative annotator test at every epsilon",
        description="Across, epsilon; upwards, the share of clinicians whom the judge may stand in "
        "for. At one half or above the test is passed: filled marks.",
        size=(WIDTH, 2.7),
    )


def _paint(figure: Figure, grid: Sequence[tuple[float, float]]) -> None:
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
