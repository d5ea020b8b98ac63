"""Rows streamed out of TSV, CSV, JSONL, JSON and XLSX files; the one door to openpyxl."""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from mmrare_judge.data.cells import Notices
from mmrare_judge.errors import InputError, MissingExtraError
from mmrare_judge.records import not_utf8, shortened

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
            return _table(path, _sheet(path), notices)
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


# --- TSV and CSV

MAX_CELL = 2**27
"""Characters one cell may have."""

_LIMIT = Lock()


def delimited(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The records of a delimited file as pandas writes them: quoted cells hold line breaks.

    Raises:
        InputError: A byte is not UTF-8, or a quote has no end; it names the record.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            try:
                with _wide_cells():
                    cells = next(reader, None)
            except UnicodeDecodeError as error:
                raise not_utf8(path, _first_bad_byte(path)) from error
            except csv.Error as error:
                problem = f"not a well-formed table: {error}"
                remedy = f"Look for a stray quote between here and line {reader.line_num}"
                raise InputError(problem, remedy=remedy, file=str(path), row=number) from error
            if cells is None:
                return
            yield cells


@contextmanager
def _wide_cells() -> Iterator[None]:
    """Raise csv's limit, which is the whole process's, for the parsing of one row only."""
    with _LIMIT:
        before = csv.field_size_limit(MAX_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _first_bad_byte(path: Path) -> int:
    """Where decoding fails, counted from the file's beginning, which a text stream cannot say."""
    decoder = getincrementaldecoder("utf-8")()
    offset = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return offset - held + error.start
            offset += len(block)
    return offset - len(decoder.getstate()[0])


# --- JSONL and JSON

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


# --- XLSX


def _sheet(path: Path) -> Iterator[list[Any]]:
    try:
        from openpyxl import load_workbook  # noqa: TID251  this is the door
    except ImportError as error:
        raise MissingExtraError("openpyxl", "excel") from error
    try:
        # data_only would give nothing for a text that begins with "=", stored as a formula.
        with closing(load_workbook(path, read_only=True, data_only=False)) as book:
            if len(book.worksheets) != 1:
                problem = (
                    f"a workbook of {len(book.worksheets)} sheets: {', '.join(book.sheetnames)}"
                )
                remedy = "Keep one sheet, or export it as CSV"
                raise InputError(problem, remedy=remedy, file=str(path))
            book.worksheets[0].reset_dimensions()  # some writers store wrong ones
            yield from _even(book.worksheets[0].iter_rows(values_only=True))
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
