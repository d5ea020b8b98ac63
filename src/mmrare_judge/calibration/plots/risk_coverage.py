"""The risk-coverage curve: how many errors are left when the judge may abstain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.style import BLUE, GREY, VERMILLION, WIDTH, drawn, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    return drawn(
        lambda figure: _paint(figure, coverage, risk, chosen),
        name=name,
        title="Risk-coverage curve",
        description="Across, the share of verdicts kept, surest first; upwards, the share of wrong "
        "ones among them. A useful confidence makes the curve rise from left to right.",
        size=(WIDTH, 3.2),
    )


def _paint(
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
