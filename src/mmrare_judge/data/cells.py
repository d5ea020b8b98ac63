"""One cell of a row, read: as an id, as text, as a list, as metadata."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, TypeGuard

from pydantic import JsonValue

from mmrare_judge.data.damage import (
    no_entries,
    no_entry,
    no_id,
    split_entries,
    spreadsheet_error,
    unescaped,
)
from mmrare_judge.errors import InputError
from mmrare_judge.records import clean, shortened

_log = logging.getLogger("mmrare_judge")


class Notices:
    """Logs each remark on a column of a file once, however many rows it is true of."""

    def __init__(self, file: str | None = None) -> None:
        self._place = f"{file}, " if file else ""
        self._said: set[tuple[str, str]] = set()
        self._damaged: Counter[tuple[str, str]] = Counter()

    def say(self, column: str, remark: str) -> None:
        """Log ``remark`` on ``column`` as a warning, unless that was done before."""
        if (column, remark) not in self._said:
            self._said.add((column, remark))
            _log.warning("%scolumn %r: %s", self._place, column, remark)

    def count(self, column: str, remark: str) -> None:
        """Count a cell that ``remark`` is true of; `report` logs how many there were."""
        self._damaged[column, remark] += 1

    def report(self) -> None:
        """Log what was counted."""
        for (column, remark), number in self._damaged.items():
            _log.warning("%scolumn %r, %d cells: %s", self._place, column, number, remark)
        self._damaged.clear()


LIST_REMEDY = 'Write a JSON list of strings, such as ["aspirin", "live vaccines"]'
COMMAS_REMARK = (
    "a cell with commas and no ';' is read as one entry, since phrases hold commas too; "
    "separate entries with ';' or write a JSON list"
)
LINES_REMARK = (
    "a cell of several lines and no ';' is read as one entry; "
    "separate entries with ';' or write a JSON list"
)

NO_ENTRY_REMARK = "what says that there is nothing, as 'None' and 'n/a' do, is not an entry"
ESCAPE_REMARK = "Excel's escapes of control characters, such as _x000D_, were undone"


def absent(value: object) -> bool:
    """Whether a cell holds nothing: ``None``, NaN, or what pandas puts in their place.

    >>> absent(float("nan")), absent("")
    (True, False)
    """
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def identifier(value: object, column: str) -> str:
    """An id, always a string; a whole number read as a float loses its ``.0``.

    >>> identifier(7.0, "index"), identifier("007", "index")
    ('7', '007')
    """
    value = unboxed(value)
    if _is_number(value):
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    if isinstance(value, str) and value.strip() and not no_id(value):
        return value
    remedy = "Every row needs an id, as text or a number"
    raise InputError(f"no id: {shortened(value)}", remedy=remedy, field=column)


def text(value: object, column: str, notices: Notices | None = None) -> str:
    """Text as it stands; an empty cell is empty text, a number is written out.

    Excel's escapes of control characters are undone, and counted in ``notices``.

    >>> text(None, "context"), text(5, "answer")
    ('', '5')
    """
    value = unboxed(value)
    if isinstance(value, str):
        plain, escapes = unescaped(value)
        if escapes and notices:
            notices.count(column, ESCAPE_REMARK)
        return plain
    if absent(value):
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    problem = f"{type(value).__name__} where text belongs: {shortened(value)}"
    raise InputError(problem, remedy="Write it as text", field=column)


def entries(
    value: object, column: str, *, claims: bool = False, notices: Notices | None = None
) -> tuple[str, ...]:
    """The entries of a list cell; commas never split.

    Blank entries and those that say that there is none ("None", "n/a", "-") are left out.

    Args:
        value: A list; or text: a JSON list, a JSON string, or entries separated by ``;``.
        column: The column, for errors.
        claims: Whether an entry may be an object with the entry under ``claim``.
        notices: Where to remark on a cell that looks separated by commas.

    >>> entries('["aspirin", "ibuprofen"]', "must_not")
    ('aspirin', 'ibuprofen')
    >>> entries("aspirin; ibuprofen, high dose", "must_not")
    ('aspirin', 'ibuprofen, high dose')
    """
    value = unboxed(value)
    if isinstance(value, str):
        value = _parsed_list(text(value, column, notices).strip(), column, notices)
    if absent(value):
        return ()
    elements = value if isinstance(value, (list, tuple)) else [value]
    read = [_entry(element, column, claims) for element in elements]
    kept = tuple(entry for entry in read if not no_entry(entry))
    if notices and len(kept) < sum(1 for entry in read if entry.strip()):
        notices.count(column, NO_ENTRY_REMARK)
    return kept


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not absent(value)


def unboxed(value: object) -> object:
    """Numpy's scalars and arrays as Python's own; anything else as it is.

    >>> unboxed(5)
    5
    """
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else value


def _parsed_list(cell: str, column: str, notices: Notices | None) -> object:
    """What a list cell says: a list, an object if it is JSON, or ``None`` for nothing."""
    if not cell.startswith(("[", "{")) and no_entries(cell):
        if notices and cell and cell.casefold() not in ("nan", "null"):
            notices.count(column, NO_ENTRY_REMARK)
        return None
    if spreadsheet_error(cell):
        problem = f"a spreadsheet error, and not what was written: {shortened(cell)}"
        raise InputError(problem, remedy=LIST_REMEDY, field=column)
    if not cell.startswith(("[", "{", '"')):
        if notices and ";" not in cell and ("," in cell or "\n" in cell):
            notices.say(column, LINES_REMARK if "\n" in cell else COMMAS_REMARK)
        return split_entries(cell)
    try:
        # Numbers keep the digits they are written with.
        value = json.loads(cell, parse_int=str, parse_float=str)
        if nested_deeper(value, MAX_DEPTH):
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
    except (ValueError, RecursionError) as error:
        if cell.startswith('"'):  # a phrase that begins with a quotation
            return split_entries(cell)
        problem = f"looks like JSON and is not: {shortened(cell)}"
        raise InputError(problem, remedy=LIST_REMEDY, field=column) from error
    return [value] if isinstance(value, str) else value


def _entry(element: object, column: str, claims: bool) -> str:
    entry = element.get("claim") if claims and isinstance(element, Mapping) else element
    entry = unboxed(entry)
    if isinstance(entry, str):
        return entry
    if _is_number(entry):
        return str(entry)
    wanted = "text or an object with a text under 'claim'" if claims else "text"
    problem = f"an entry is not {wanted}: {shortened(element)}"
    raise InputError(problem, remedy=LIST_REMEDY, field=column)


# --- Metadata: what a row holds beyond an item or a prediction, as JSON values

MAX_DEPTH = 100
"""How deep JSON may be nested."""

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
        value = plain_value(json_or_text(cell) if column in JSON_COLUMNS else cell)
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
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return value if nested_deeper(parsed, MAX_DEPTH) else parsed
    return value


def nested_deeper(value: object, deepest: int) -> bool:
    """Whether lists and mappings are nested deeper than that, however deep they are.

    >>> nested_deeper([[1]], 2), nested_deeper([[1]], 1)
    (False, True)
    """
    level = [value]
    for _ in range(deepest + 1):
        level = [
            part
            for one in level
            if isinstance(one, (list, tuple, Mapping))
            for part in (one.values() if isinstance(one, Mapping) else one)
        ]
        if not level:
            return False
    return True


def plain_value(value: object, *, depth: int = 0) -> JsonValue:
    """The nearest JSON value; NaN and infinities, which JSON does not have, become null.

    Raises:
        InputError: It is nested too deeply.

    >>> plain_value({"n": (1, float("nan"))})
    {'n': [1, None]}
    """
    if depth > MAX_DEPTH:
        problem = f"a value is nested more than {MAX_DEPTH} deep"
        raise InputError(problem, remedy="Leave the column out")
    value = unboxed(value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean(str(key)): plain_value(part, depth=depth + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(part, depth=depth + 1) for part in value]
    if isinstance(value, (bool, int)):
        return value
    return None if absent(value) else str(value)


def _size(value: JsonValue) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value))
