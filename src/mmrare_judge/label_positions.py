"""Where a judge's reply names its levels: offsets of the labels in the JSON text; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder()


def label_positions(text: str) -> dict[str, tuple[str, int]]:
    r"""The level of each key of a reply, and the offset of the quote mark that opens it.

    Left out where there is doubt: the text is not one JSON object, the key or its ``level`` stands
    twice, the level is no string, or is written with escapes. What a ``reasoning`` or a quote says
    is skipped as the string it is.

    >>> label_positions('{"dose": {"reasoning": "\\"level\\": \\"NO\\"", "level": "YES"}}')
    {'dose': ('YES', 53)}
    """
    if not _is_object(text):
        return {}
    keys = [name for name, _, _ in _members(text, _skip(text, 0))]
    found = {}
    for name, value, start in _members(text, _skip(text, 0)):
        levels = list(_levels(text, start)) if isinstance(value, dict) else []
        if keys.count(name) == 1 and len(levels) == 1:
            label, opening = levels[0]
            if isinstance(label, str) and text.startswith(f'"{label}"', opening):
                found[name] = (label, opening)
    return found


def _is_object(text: str) -> bool:
    start = _skip(text, 0)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and _skip(text, end) == len(text)


def _levels(text: str, start: int) -> Iterator[tuple[Any, int]]:
    return ((value, place) for name, value, place in _members(text, start) if name == "level")


def _members(text: str, start: int) -> Iterator[tuple[str, Any, int]]:
    """Name, value and offset of the value of each member of the object that begins at ``start``.

    The text is known to be valid JSON, so every character looked for is there.
    """
    position = _skip(text, start + 1)
    while text[position] != "}":
        name, end = _DECODER.raw_decode(text, position)
        place = _skip(text, text.index(":", end) + 1)
        value, end = _DECODER.raw_decode(text, place)
        yield name, value, place
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return start if match is None else match.end()
