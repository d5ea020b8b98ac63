"""Records streamed out of TSV and CSV files, however large their cells."""

from __future__ import annotations

import csv
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from mmrare_judge.errors import InputError
from mmrare_judge.records import not_utf8

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
