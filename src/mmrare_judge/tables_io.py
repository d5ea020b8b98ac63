"""Rows streamed out of TSV, CSV, JSONL, JSON and XLSX files; the one door to openpyxl."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrare_judge.csv_io import delimited
from mmrare_judge.errors import InputError, MissingExtraError
from mmrare_judge.json_io import json_array, json_lines
from mmrare_judge.notices import Notices
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


def stream_rows(
    path: Path, *, drop: Collection[str] = (), notices: Notices | None = None
) -> Iterator[Row]:
    """The rows of a file, one at a time; the suffix says the format.

    Args:
        path: The file.
        drop: Columns to forget as soon as a row is parsed.
        notices: Where to remark on columns.

    Raises:
        InputError: The file cannot be read; it names the row.
        MissingExtraError: The file is XLSX, and openpyxl is not installed.
    """
    try:
        for row in _rows(path, notices or Notices(str(path))):
            for column in drop:
                row.values.pop(column, None)
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
            return _remarking_on_cuts(_table(path, _sheet(path), notices), notices)
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


def _remarking_on_cuts(rows: Iterator[Row], notices: Notices) -> Iterator[Row]:
    for row in rows:
        for column, cell in row.values.items():
            if isinstance(cell, str) and len(cell) == EXCEL_CELL:
                notices.say(column, EXCEL_REMARK)
        yield row
