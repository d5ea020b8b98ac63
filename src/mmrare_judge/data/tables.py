"""Rows streamed out of TSV, CSV, JSONL, JSON and XLSX files; the one door to openpyxl."""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any
from zipfile import ZipFile

from mmrare_judge.data.cells import MAX_DEPTH, Notices, nested_deeper
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

# What is above these limits is refused before it is parsed, so that a hostile or broken file costs
# neither the machine's memory nor minutes.
MAX_LINE = 2**26
"""Bytes a line, or a row of a delimited file, may have: images come to some megabytes."""
MAX_SEPARATORS = 1_000_000
"""Commas or tabs a line may have."""
MAX_JSON = 2**28
"""Bytes a JSON array may have, which is held in memory as a whole."""


def _lines(path: Path, *, numbered: bool = False) -> Iterator[str]:
    """The lines of a file, with their ends; errors name the line as the row if ``numbered``."""
    offset = 0
    with path.open("rb") as stream:
        for number, line in enumerate(iter(partial(stream.readline, MAX_LINE + 1), b""), start=1):
            if len(line) > MAX_LINE or max(line.count(b","), line.count(b"\t")) > MAX_SEPARATORS:
                raise _too_large(f"line {number}", path)
            yield _decoded(line, path, offset, number if numbered else None)
            offset += len(line)


def _too_large(what: str, path: Path) -> InputError:
    problem = f"{what} has more than {MAX_LINE >> 20} MiB or {MAX_SEPARATORS} separators"
    remedy = "Look for line ends or a closing quote that are missing; leave image columns out"
    return InputError(problem, remedy=remedy, file=str(path))


def _decoded(data: bytes, path: Path, offset: int, row: int | None) -> str:
    start = len(BOM_UTF8) if offset == 0 and data.startswith(BOM_UTF8) else 0
    try:
        return data[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"byte {offset + start + error.start} is not UTF-8"
        remedy = "Save the file as UTF-8"
        raise InputError(problem, remedy=remedy, file=str(path), row=row) from error


# --- TSV and CSV

MAX_CELL = 2**25
"""Characters one cell may have."""

_LIMIT = Lock()
_OLD_LINE_END = re.compile(r"(?<=\r)(?!\n)")


def delimited(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The records of a delimited file as pandas writes them: quoted cells hold line breaks."""
    lines = _TableLines(path)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
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
        lines.row, lines.size = number + 1, 0
        yield cells


class _TableLines:
    """The lines of a table, also of one with old line ends; a row of several has its limit too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = self._split()
        self.row, self.size = 1, 0

    def _split(self) -> Iterator[str]:
        for line in _lines(self._path):
            yield from _OLD_LINE_END.split(line) if "\r" in line else (line,)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.size += len(line)
        if self.size > MAX_LINE:
            raise _too_large(f"row {self.row}", self._path)
        return line


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
    if path.stat().st_size > MAX_JSON:
        problem = f"a JSON array of more than {MAX_JSON >> 20} MiB"
        raise InputError(problem, remedy="Write one object a line in .jsonl", file=str(path))
    array = _parsed(_decoded(path.read_bytes(), path, 0, None), path, None)
    if not isinstance(array, list):
        problem = f"not a JSON array, but {shortened(array)}"
        raise InputError(problem, remedy=_JSON_REMEDY, file=str(path))
    for number, value in enumerate(array, start=1):
        yield number, _object(value, path, number)


def _parsed(text: str, path: Path, row: int | None) -> object:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        if nested_deeper(value, MAX_DEPTH):
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        return value
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
        _check_archive(path)
        # data_only would give nothing for a text that begins with "=", stored as a formula.
        with closing(load_workbook(path, read_only=True, data_only=False)) as book:
            sheets = [one for one in book.worksheets if one.title == name or not name]
            if len(sheets) != 1:
                names = ", ".join(book.sheetnames)
                problem = f"a workbook of {len(book.worksheets)} sheets: {names[:200]}"
                remedy = "Keep one sheet, or export it as CSV"
                raise InputError(problem, remedy=remedy, file=str(path), field=name or None)
            sheets[0].reset_dimensions()  # some writers store wrong ones
            yield from _even(_counted(sheets[0].iter_rows(values_only=True), path))
    except (InputError, OSError):
        raise
    except Exception as error:  # whatever openpyxl raises for a broken archive or broken XML
        problem = f"not an Excel workbook: {str(error)[:200]}"
        raise InputError(problem, file=str(path)) from error


MAX_UNPACKED = 2**28
"""Bytes all parts of a workbook may have when they are unpacked."""
MAX_RATIO = 100
"""How many times its packed size a large part of a workbook may have; texts come to about 10."""
_LARGE = 2**24
MAX_ROWS = 2**20
"""Rows of a sheet; Excel has no more."""
MAX_CELLS = 2**24
"""Cells of a sheet, those left empty between others included."""


def _check_archive(path: Path) -> None:
    """Refuse what unpacks to far more than it seems; zipfile reads no more than is declared."""
    with ZipFile(path) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed_hard = any(
        part.file_size > max(_LARGE, MAX_RATIO * part.compress_size) for part in parts
    )
    if unpacked > MAX_UNPACKED or packed_hard:
        problem = f"a workbook that unpacks to {unpacked >> 20} MiB, which is not read"
        raise InputError(problem, remedy="Export the sheet as CSV", file=str(path))


def _counted(records: Iterator[tuple[Any, ...]], path: Path) -> Iterator[tuple[Any, ...]]:
    cells = 0
    for number, record in enumerate(records, start=1):
        cells += len(record)
        if number > MAX_ROWS or cells > MAX_CELLS:
            problem = (
                f"a sheet of more than {MAX_ROWS} rows or {MAX_CELLS} cells, empty ones included"
            )
            remedy = "Delete what stands far outside the table, or export it as CSV"
            raise InputError(problem, remedy=remedy, file=str(path), row=number)
        yield record


def _even(records: Iterator[tuple[Any, ...]]) -> Iterator[list[Any]]:
    """Rows as long as the header: a sheet leaves empty cells at a row's end out, or adds some."""
    width = 0
    for record in records:
        cells = list(record)
        while cells and cells[-1] is None:
            cells.pop()
        width = width or len(cells)
        yield cells + [None] * (width - len(cells))
