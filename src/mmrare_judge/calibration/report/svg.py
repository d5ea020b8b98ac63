"""A matplotlib figure as an ``<svg>`` that stands inside the page; the one door to matplotlib.

`drawing` gives all plots one look and makes matplotlib's SVG fit for a strict content policy: no
style of its own, no font, no address, and a title and description for readers who cannot see it.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Tree

from mmrare_judge.calibration.report.blocks import one_line
from mmrare_judge.errors import from_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Okabe and Ito's colours, told apart by colour-blind readers; markers tell them apart in grey.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#007A5A", "#A3527F"
INK, GREY, PALE = "#1A1A1A", "#5C5C5C", "#D9D9D9"
RUST = "#A84700"  # vermillion, dark enough to read as text
WIDTH = 7.5  # inches; every wide plot has it, so that their type has one size

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

_XLINK = "{http://www.w3.org/1999/xlink}href"
_LEFT_OUT = frozenset({"metadata", "style", "clipPath"})
_SCALE = 4 / 3  # CSS pixels in a point
_BROAD = 600  # CSS pixels above which a plot does not fit a phone


def drawing(
    paint: Callable[[Canvas], None],
    *,
    name: str,
    title: str,
    description: str,
    size: tuple[float, float],
) -> str:
    """Let ``paint`` fill a figure and return it as an inline ``<svg>``, the same every time.

    ``title`` and ``description`` are for readers who cannot see it; ``size`` is in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with from_extra("calibration"):
        from matplotlib import style
        from matplotlib.figure import Figure as Canvas
    out = io.StringIO()
    # The default style first: a reader's own matplotlibrc has no say in a report.
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        # The page's fonts draw the text; that DejaVu lacks a letter is no matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Canvas(figsize=size, layout="constrained")
        paint(figure)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    texts = {"title": one_line(title), "description": one_line(description)}
    return inline(out.getvalue(), name=name, **texts)


def inline(raw: str, *, name: str, title: str, description: str) -> str:
    """Matplotlib's SVG as an ``<svg>`` element that needs no style of its own.

    Style attributes become plain ones, so that the page may forbid them; identifiers begin with
    ``name``, so that drawings do not collide; clips go, since nothing is drawn outside its frame;
    fonts are the page's.
    """
    root = Tree.fromstring(raw)
    _strip(root)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _make_plain(element, name)
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
    texts = (("title", "title", title), ("desc", "description", description))
    for place, (tag, id, text) in enumerate(texts):
        element = Tree.Element(tag, {"id": f"{name}-{id}"})
        element.text, element.tail = text, "\n"
        root.insert(place, element)
    return Tree.tostring(root, encoding="unicode")


def standalone(svg: str) -> str:
    """An inline ``<svg>`` as a file of its own, on white.

    >>> standalone('<svg class="small"><title>t</title></svg>').split(">")[0]
    '<svg xmlns="http://www.w3.org/2000/svg" font-family="DejaVu Sans, Arial, sans-serif" \
style="background: white" class="small"'
    """
    head = '<svg xmlns="http://www.w3.org/2000/svg" font-family="DejaVu Sans, Arial, sans-serif" '
    return f'{head}style="background: white" {svg.removeprefix("<svg ")}'


def _strip(element: Tree.Element) -> None:
    for child in list(element):
        if child.tag.rpartition("}")[2] in _LEFT_OUT:
            element.remove(child)
        else:
            _strip(child)


def _make_plain(element: Tree.Element, name: str) -> None:
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
            weight = re.search(r"\b(bold|[1-9]00)\b", value)
            size = re.search(r"[\d.]+px", value)
            found |= {"font-weight": weight[0]} if weight else {}
            found |= {"font-size": size[0]} if size else {}
        elif key not in ("font-family", "clip-path"):
            found[key] = value
    return found


def label(text: str, width: int = 30) -> str:
    """Text from data as a label: on one line, nothing hidden in it, and short.

    >>> label("a very long name of a criterion, and more")
    'a very long name of a criteri…'
    """
    return one_line(text, width)


def minus(text: str) -> str:
    """Numbers with a true minus sign, as on the axes."""
    return text.replace("-", "−")


def legend(axes: Axes) -> None:
    """A legend above the frame, from left to right; as wide as the figure, not as the frame."""
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=4,
        borderaxespad=0,
        borderpad=0.2,
        handletextpad=0.5,
        columnspacing=1.6,
    )
