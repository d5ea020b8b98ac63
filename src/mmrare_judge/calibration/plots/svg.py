"""matplotlib's SVG made fit to stand inside a page under a strict content policy."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Tree

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
