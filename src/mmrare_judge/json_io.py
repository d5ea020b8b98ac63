"""JSON objects streamed out of JSONL files, and one by one out of a JSON array."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmrare_judge.errors import InputError
from mmrare_judge.records import not_utf8, shortened

_SPACE = re.compile(r"[ \t\r\n]*")


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their lines, from 1; blank lines are passed over.

    Raises:
        InputError: A line is not UTF-8, not JSON, or no object.
    """
    offset = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            text = _decoded(line, path, offset, number)
            offset += len(line)
            if text.strip():
                yield number, _object(_parsed(text, path, number), path, number)


def json_array(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON array with their position, from 1; parsed one at a time.

    Raises:
        InputError: The file is not UTF-8, not a JSON array, or an element is no object.
    """
    text = _decoded(path.read_bytes(), path, 0, None)
    position = _after(text, 0, "[", path)
    number = 1
    while not text.startswith("]", position):
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _not_json(error, path, number) from error
        yield number, _object(value, path, number)
        position = _gap(text, position)
        number += 1
        if not text.startswith("]", position):
            position = _after(text, position, ",", path)
    if text[position + 1 :].strip():
        raise InputError("text behind the array's end", file=str(path))


def _decoded(data: bytes, path: Path, offset: int, row: int | None) -> str:
    start = len(BOM_UTF8) if offset == 0 and data.startswith(BOM_UTF8) else 0
    try:
        return data[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(path, offset + start + error.start, row) from error


def _parsed(text: str, path: Path, row: int) -> object:
    try:
        value, end = _DECODER.raw_decode(text, _gap(text, 0))
    except (ValueError, RecursionError) as error:
        raise _not_json(error, path, row) from error
    rest = text[end:].strip()
    if rest:
        problem = f"more than one JSON value: {shortened(rest)} follows"
        raise InputError(problem, remedy="Write one object a line", file=str(path), row=row)
    return value


def _object(value: object, path: Path, row: int) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    problem = f"a row has to be a JSON object, not {shortened(value)}"
    raise InputError(problem, file=str(path), row=row)


def _not_json(error: Exception, path: Path, row: int) -> InputError:
    remedy = "Write one JSON object a line in .jsonl, an array of objects in .json"
    problem = str(error)
    if isinstance(error, json.JSONDecodeError):
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        problem = f"{error.msg} at {line}column {error.colno}"
    return InputError(f"not JSON: {problem}", remedy=remedy, file=str(path), row=row)


def _gap(text: str, position: int) -> int:
    """The position behind white space."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _after(text: str, position: int, mark: str, path: Path) -> int:
    position = _gap(text, position)
    if not text.startswith(mark, position):
        found = shortened(text[position : position + 80]) if position < len(text) else "the end"
        problem = f"a JSON array has to have {mark!r} where {found} stands"
        remedy = "Write an array of objects, or name a file with one object a line .jsonl"
        raise InputError(problem, remedy=remedy, file=str(path))
    return _gap(text, position + 1)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object")
    return row


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
