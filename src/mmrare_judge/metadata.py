"""What a row holds beyond an item or a prediction, as JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import JsonValue

from mmrare_judge.cells import absent, unboxed
from mmrare_judge.notices import Notices
from mmrare_judge.records import clean

MAX_METADATA = 64 * 1024
"""Characters a cell may have to go into metadata."""

JSON_COLUMNS = ("image_path", "figure_mapping")
"""Columns that hold JSON also where the file format knows only text; left out when empty."""


def metadata_of(
    values: Mapping[str, Any], *, known: Collection[str], notices: Notices
) -> dict[str, JsonValue]:
    """Every column that is not ``known`` and not empty; oversized cells are left out and named."""
    found: dict[str, JsonValue] = {}
    for column, cell in values.items():
        if column in known or absent(cell) or (isinstance(cell, str) and not cell.strip()):
            continue
        value = plain(json_or_text(cell) if column in JSON_COLUMNS else cell)
        if _size(value) > MAX_METADATA:
            notices.say(column, "cells of more than 64 KiB are left out")
        elif column not in JSON_COLUMNS or value:
            found[str(column)] = value
    return found


def json_or_text(value: object) -> object:
    """A cell parsed as a JSON list or object where it is one, else the cell.

    >>> json_or_text('{"A": "a.jpg"}'), json_or_text("a.jpg")
    ({'A': 'a.jpg'}, 'a.jpg')
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def plain(value: object) -> JsonValue:
    """The nearest JSON value; NaN and infinities, which JSON does not have, become null.

    >>> plain({"n": (1, float("nan"))})
    {'n': [1, None]}
    """
    value = unboxed(value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, (bool, int)):
        return value
    return None if absent(value) else str(value)


def _size(value: JsonValue) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value))
