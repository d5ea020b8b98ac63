"""Rows streamed out of TSV, CSV, JSONL, JSON and XLSX files; the one door to openpyxl."""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from mmrare_judge.data.cells import Notices
from mmrare_judge.errors import InputError, from_extra
from mmrare_judge.records import shortened

EXCEL_CELL = 32_767
"""Characters an Excel cell can hold; programs that write Excel files cut longer text, silently."""

EXCEL_REMARK = "a cell of 32,767 characters, the most Excel can hold, may have been cut"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        values: The cells by their column.
        number: Where it is: the line in JSONL; the element of a JSON array, from 1; the row of a
            table, its header being row 1.
        tabular: The file is a table: every row has all the columns.
    """

    values: dict[str, Any]
    number: int
    tabular: bool


def may_be_cut(path: Path, cell: object) -> bool:
    """Whether a cell is as long as a cell of an Excel file can be."""
    return path.suffix.casefold() == ".xlsx" and isinstance(cell, str) and len(cell) == EXCEL_CELL


def stream_rows(
    path: Path, *, without: Collection[str] = (), notices: Notices | None = None
) -> Iterator[Row]:
    """The rows of a file, one at a time; the suffix says the format.

    Args:
        path: The file.
        without: Columns to forget as soon as a row is parsed.
        notices: Where to remark on columns.

    Raises:
        InputError: The file cannot be read; it names the row.
        MissingExtraError: The file is XLSX, and openpyxl is not installed.
    """
    notices = notices or Notices(str(path))
    try:
        for row in _rows(path, notices):
            for column in without:
                row.values.pop(column, None)
            for column, cell in row.values.items():
                if may_be_cut(path, cell):
                    notices.say(column, EXCEL_REMARK)
            yield row
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot be read: {reason}", file=str(path)) from error


def _rows(path: Path, notices: Notices) -> Iterator[Row]:
    match path.suffix.casefold():
        case ".tsv":
            return _table(path, delimited(path, "\t"), notices)
        case ".csv":
            return _table(path, delimited(path, ","), notices)
        case ".xlsx":
            return _table(path, sheet_records(path), notices)
        case ".jsonl":
            return (Row(values, number, False) for number, values in json_lines(path))
        case ".json":
            return (Row(values, number, False) for number, values in json_array(path))
    problem = f"unknown suffix {path.suffix!r}; formats are .tsv, .csv, .jsonl, .json, .xlsx"
    raise InputError(problem, file=str(path))


def _table(path: Path, records: Iterator[Sequence[Any]], notices: Notices) -> Iterator[Row]:
    columns = _columns(path, next(records, ()))
    if "" in columns:
        notices.say("", "a column without a name is left out")
    for number, cells in enumerate(records, start=2):
        if all(cell in ("", None) for cell in cells):
            continue
        if len(cells) != len(columns):
            problem = f"{len(cells)} cells, where the header has {len(columns)}"
            remedy = "Look for a separator or a quote that is missing or too many"
            raise InputError(problem, remedy=remedy, file=str(path), row=number)
        values = dict(zip(columns, cells, strict=True))
        values.pop("", None)
        yield Row(values, number, True)


def _columns(path: Path, header: Sequence[Any]) -> list[str]:
    columns = ["" if cell is None else str(cell).strip() for cell in header]
    if not any(columns):
        raise InputError("no header: the first row has to name the columns", file=str(path))
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        problem = f"the header has {shortened(twice[0])} more than once"
        remedy = "Rename or remove one of the columns"
        raise InputError(problem, remedy=remedy, file=str(path), row=1, field=twice[0])
    return columns


# --- Lines


def _lines(path: Path, *, numbered: bool = False) -> Iterator[str]:
    """The lines of a file, with their ends; errors name the line as the row if ``numbered``."""
    offset = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            yield _decoded(line, path, offset, number if numbered else None)
            offset += len(line)


def _decoded(data: bytes, path: Path, offset: int, row: int | None) -> str:
    start = len(BOM_UTF8) if offset == 0 and data.startswith(BOM_UTF8) else 0
    try:
        return data[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"byte {offset + start + error.start} is not UTF-8"
        remedy = "Save the file as UTF-8"
        raise InputError(problem, remedy=remedy, file=str(path), row=row) from error


# --- TSV and CSV

MAX_CELL = 2**27
"""Characters one cell may have."""

_LIMIT = Lock()
_OLD_LINE_END = re.compile(r"(?<=\r)(?!\n)")


def delimited(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The records of a delimited file as pandas writes them: quoted cells hold line breaks."""
    reader = csv.reader(_table_lines(path), delimiter=delimiter, strict=True)
    for number in count(1):
        try:
            with _wide_cells():
                cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"not a well-formed table: {error}"
            remedy = f"Look for a stray quote between here and line {reader.line_num}"
            raise InputError(problem, remedy=remedy, file=str(path), row=number) from error
        yield cells


def _table_lines(path: Path) -> Iterator[str]:
    for line in _lines(path):
        yield from _OLD_LINE_END.split(line) if "\r" in line else (line,)


@contextmanager
def _wide_cells() -> Iterator[None]:
    """Raise csv's limit, which is the whole process's, for the parsing of one row only."""
    with _LIMIT:
        before = csv.field_size_limit(MAX_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


# --- JSONL and JSON

_JSON_REMEDY = "Write one JSON object a line in .jsonl, an array of objects in .json"


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their lines, from 1; blank lines are passed over."""
    for number, line in enumerate(_lines(path, numbered=True), start=1):
        if line.strip():
            yield number, _object(_parsed(line, path, number), path, number)


def json_array(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON array with their position, from 1."""
    array = _parsed(_decoded(path.read_bytes(), path, 0, None), path, None)
    if not isinstance(array, list):
        problem = f"not a JSON array, but {shortened(array)}"
        raise InputError(problem, remedy=_JSON_REMEDY, file=str(path))
    for number, value in enumerate(array, start=1):
        yield number, _object(value, path, number)


def _parsed(text: str, path: Path, row: int | None) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        problem = str(error)
        if isinstance(error, json.JSONDecodeError):
            line = f"line {error.lineno}, " if error.lineno > 1 else ""
            problem = f"{error.msg} at {line}column {error.colno}"
        raise InputError(
            f"not JSON: {problem}", remedy=_JSON_REMEDY, file=str(path), row=row
        ) from error


def _object(value: object, path: Path, row: int) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    problem = f"a row has to be a JSON object, not {shortened(value)}"
    raise InputError(problem, file=str(path), row=row)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object")
    return row


# --- XLSX


def sheet_records(path: Path, name: str = "") -> Iterator[list[Any]]:
    """The rows of a workbook's sheet; of its only one where none is named.

    Raises:
        InputError: There is no such sheet, several and none named, or no workbook.
        MissingExtraError: openpyxl is not installed.
    """
    with from_extra("excel"):
        from openpyxl import load_workbook  # noqa: TID251  this is the door
    try:
        # data_only would give nothing for a text that begins with "=", stored as a formula.
        with closing(load_workbook(path, read_only=True, data_only=False)) as book:
            sheets = [one for one in book.worksheets if one.title == name or not name]
            if len(sheets) != 1:
                problem = (
                    f"a workbook of {len(book.worksheets)} sheets: {', '.join(book.sheetnames)}"
                )
                remedy = "Keep one sheet, or export it as CSV"
                raise InputError(problem, remedy=remedy, file=str(path), field=name or None)
            sheets[0].reset_dimensions()  # some writers store wrong ones
            yield from _even(sheets[0].iter_rows(values_only=True))
    except (InputError, OSError):
        raise
    except Exception as error:  # whatever openpyxl raises for a broken archive or broken XML
        raise InputError(f"not an Excel workbook: {error}", file=str(path)) from error


def _even(records: Iterator[tuple[Any, ...]]) -> Iterator[list[Any]]:
    """Rows as long as the header: a sheet leaves empty cells at a row's end out, or adds some."""
    width = 0
    for record in records:
        cells = list(record)
        while cells and cells[-1] is None:
            cells.pop()
        width = width or len(cells)
        yield cells + [None] * (width - len(cells))
