"""The grades of a run on disk: one a line, appended as they come, repaired when torn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from mmrare_judge.backends.base import Usage
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.records import canonical_json

GRADES = "grades.jsonl"
SUPERSEDED = "superseded.jsonl"


class Ledger:
    """The file ``grades.jsonl`` of a folder.

    A line is handed to the operating system when `write` returns, so killing the process loses
    nothing that was written; a line torn in the middle is taken out on the next start and kept in
    ``superseded.jsonl``.

    Args:
        folder: The folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / GRADES
        self.superseded = folder / SUPERSEDED
        self._file: IO[bytes] | None = None

    def open(self, keep: Callable[[Grade], bool] = lambda grade: True) -> None:
        """Open for appending, after taking out torn lines and those that do not count any more.

        Args:
            keep: Whether a grade that was written earlier still counts.

        Raises:
            OutputError: The file cannot be read or written.
        """
        try:
            self._sift(keep)
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be opened: {error}") from error

    def write(self, grade: Grade) -> None:
        """Append a grade.

        Raises:
            OutputError: The disk is full or the file cannot be written; what was written before
                stays as it is.
        """
        if self._file is None:
            raise OutputError(f"{self.path} is not open")
        line = grade.model_dump_json().encode() + b"\n"
        end = self._file.tell()
        try:
            written = self._file.write(line)
            if written < len(line):  # a full disk may take a part; the rest then says why
                self._file.write(line[written:])
        except OSError as error:
            self._take_back(end)
            raise OutputError(f"{self.path} cannot be written: {error}") from error

    def sort(self) -> None:
        """Put the lines in order of system, item, judge and sample: equal grades, equal files.

        Raises:
            OutputError: The file cannot be written.
        """
        draft = self.path.with_suffix(".part")
        try:
            lines = sorted(_lines(self.path), key=_order)
            with draft.open("wb") as stream:
                stream.writelines(lines)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, self.path)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error}") from error

    def retire(self, keys: set[str]) -> None:
        """Move grades aside that do not count any more, by their `Grade.key`.

        Raises:
            OutputError: The file cannot be written.
        """
        self.close()
        self.open(lambda grade: grade.key not in keys)

    def superseded_usage(self) -> Usage:
        """What the grades cost that were moved aside; torn lines cannot tell.

        Raises:
            OutputError: The file cannot be read.
        """
        total = Usage()
        try:
            for line in _lines(self.superseded) if self.superseded.exists() else ():
                grade = _parse(line)
                total = total if grade is None else total + grade.usage
        except OSError as error:
            raise OutputError(f"{self.superseded} cannot be read: {error}") from error
        return total

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _take_back(self, end: int) -> None:
        """Cut a half-written line off, so that the next one does not run into it."""
        assert self._file is not None
        with suppress(OSError):  # what stays is taken out on the next start
            self._file.truncate(end)
            self._file.seek(end)

    def _sift(self, keep: Callable[[Grade], bool]) -> None:
        """Rewrite the file without the lines that do not count, if there are any."""
        if not self.path.exists():
            return
        draft = self.path.with_suffix(".part")
        changed = False
        with draft.open("wb") as kept, self.superseded.open("ab") as out:
            for line in _lines(self.path):
                grade = _parse(line)
                counts = grade is not None and keep(grade)
                changed = changed or not counts or not line.endswith(b"\n")
                (kept if counts else out).write(line.rstrip(b"\n") + b"\n")
            for stream in (out, kept):
                stream.flush()
                os.fsync(stream.fileno())
        if not changed:
            draft.unlink()
        else:
            os.replace(draft, self.path)
        if self.superseded.stat().st_size == 0:
            self.superseded.unlink()


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from lines


def _order(line: bytes) -> tuple[str, str, str, int]:
    grade = json.loads(line)
    judge = canonical_json(grade["signature"])
    return grade["system"], grade["item_id"], judge, grade["sample"]


def _parse(line: bytes) -> Grade | None:
    try:
        return Grade.model_validate_json(line)
    except ValueError:
        return None


def read_grades(path: str | Path) -> list[Grade]:
    """Read the grades of a ``grades.jsonl``, or of the folder it lies in.

    Raises:
        InputError: There is no such file, or a line is no grade.
    """
    return list(iter_grades(path))


def iter_grades(path: str | Path) -> Iterator[Grade]:
    """Read grades one after another; see `read_grades`."""
    path = Path(path)
    path = path / GRADES if path.is_dir() else path
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield grade_of_line(line, number, path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error


def readable_grades(folder: Path) -> Iterator[Grade]:
    """The grades of a folder, past torn lines and without repairing anything; none if it has none.

    Raises:
        OutputError: The file cannot be read.
    """
    path = folder / GRADES
    try:
        for line in _lines(path) if path.exists() else ():
            grade = _parse(line)
            if grade is not None:
                yield grade
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error}") from error


def grade_of_line(line: bytes, number: int, path: Path) -> Grade:
    """The grade in a line of a file.

    Raises:
        InputError: It is none.
    """
    grade = _parse(line)
    if grade is not None:
        return grade
    try:
        json.loads(line)
        problem = "is no grade of this version"
    except ValueError:
        problem = "is no JSON; a run that was killed may have left it unfinished"
    raise InputError(
        problem,
        remedy="Start the run again: it repairs its folder",
        file=str(path),
        row=number,
    )
