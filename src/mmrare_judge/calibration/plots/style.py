"""The look that all plots share, and the one door to matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmrare_judge.calibration.plots.svg import inline
from mmrare_judge.calibration.report.text import one_line
from mmrare_judge.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def drawn(
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
