"""The folder of a run: its lock, specification, grades and summary.

``grades.jsonl`` holds the grades (`Ledger`), of which `EarlierGrades` says which still count.
`RunFolder` holds all files of a folder for the length of a start.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mmrare_judge.backends.base import Usage
from mmrare_judge.data.predictions import some_of
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.files import make_folder, owner_only, whole_file, write_whole
from mmrare_judge.judging.grade import Grade, Grades
from mmrare_judge.records import canonical_json
from mmrare_judge.run.specification import RUN, RunRecord, differences, read_record

if TYPE_CHECKING:
    from mmrare_judge.judging.judge import Judge

GRADES = "grades.jsonl"
SUPERSEDED = "superseded.jsonl"
SUMMARY = "summary.json"
LOCK = "run.lock"

PredictionId = tuple[str, str, str]
"""System, track and item of a prediction."""


# --- the grades: grades.jsonl, and superseded.jsonl for lines that do not count any more


class Ledger:
    """The file ``grades.jsonl`` of a folder, open for appending.

    A line is handed to the operating system when `write` returns, so killing the process loses
    nothing that was written. A torn line is taken out on the next start and kept in
    ``superseded.jsonl``.

    Args:
        folder: The folder, which exists.
        keep: Whether a grade that was written earlier still counts; the others are moved aside.

    Raises:
        OutputError: The file cannot be read or written.
    """

    def __init__(self, folder: Path, keep: Callable[[Grade], bool] = lambda grade: True) -> None:
        self.path = folder / GRADES
        self.superseded = folder / SUPERSEDED
        self._file = self._opened(keep)

    def write(self, grade: Grade) -> None:
        """Append a grade.

        Raises:
            OutputError: The disk is full or the file cannot be written; what was written before
                stays as it is.
        """
        line = grade.model_dump_json().encode() + b"\n"
        end = self._file.tell()
        try:
            written = self._file.write(line)
            if written < len(line):  # a full disk may take a part; the rest then says why
                self._file.write(line[written:])
        except OSError as error:
            with suppress(OSError):  # what stays of half a line is taken out on the next start
                self._file.truncate(end)
                self._file.seek(end)
            raise OutputError(f"{self.path} cannot be written: {error}") from error

    def retire(self, keys: Collection[str]) -> None:
        """Move grades aside that do not count any more, by their `Grade.key`.

        Raises:
            OutputError: The file cannot be written.
        """
        self.close()
        self._file = self._opened(lambda grade: grade.key not in keys)

    def restore(self, grades: Sequence[Grade]) -> None:
        """Take grades back that were moved aside.

        Raises:
            OutputError: A file cannot be written.
        """
        left: dict[str, list[Grade]] = {}
        for grade in grades:
            self.write(grade)
            left.setdefault(grade.key, []).append(grade)
        with _said_of(self.superseded, "read"), whole_file(self.superseded, private=True) as aside:
            for line in _lines(self.superseded):
                moved = _parse(line)
                same_key = [] if moved is None else left.get(moved.key, [])
                if moved is not None and moved in same_key:
                    same_key.remove(moved)
                else:
                    aside.write(line)
        if self.superseded.stat().st_size == 0:
            self.superseded.unlink()

    def sort(self) -> None:
        """Close, and put the lines in order of system, item, judge and sample.

        Raises:
            OutputError: The file cannot be written.
        """
        self.close()
        with whole_file(self.path, private=True) as stream:
            stream.writelines(sorted(_lines(self.path), key=_order))

    def superseded_usage(self) -> Usage:
        """What the grades cost that were moved aside; torn lines cannot tell.

        Raises:
            OutputError: The file cannot be read.
        """
        if not self.superseded.exists():
            return Usage()
        with _said_of(self.superseded, "read"):
            grades = map(_parse, _lines(self.superseded))
            return sum((grade.usage for grade in grades if grade is not None), Usage())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _opened(self, keep: Callable[[Grade], bool]) -> FileIO:
        with _said_of(self.path, "opened"):
            if self.path.exists():
                self._sift(keep)
            return open(self.path, "ab", buffering=0, opener=owner_only)

    def _sift(self, keep: Callable[[Grade], bool]) -> None:
        """Move the lines that do not count aside."""
        with (
            whole_file(self.path, private=True) as kept,
            open(self.superseded, "ab", opener=owner_only) as aside,
        ):
            for line in _lines(self.path):
                grade = _parse(line)
                counts = grade is not None and keep(grade)
                (kept if counts else aside).write(line.rstrip(b"\n") + b"\n")
            # On the disk before the old file goes, so that no grade is in neither.
            aside.flush()
            os.fsync(aside.fileno())
        if self.superseded.stat().st_size == 0:
            self.superseded.unlink()


@contextmanager
def _said_of(path: Path, what: str) -> Iterator[None]:
    """Say of a fault of the file system which file could not be written, read or opened."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be {what}: {error}") from error


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


def read_grades(path: str | Path) -> Grades:
    """Read the grades of a ``grades.jsonl``, or of the folder it lies in.

    Raises:
        InputError: There is no such file, or a line is not a grade.
    """
    return Grades(iter_grades(path))


def iter_grades(path: str | Path) -> Iterator[Grade]:
    """Read grades one after another; see `read_grades`."""
    path = Path(path)
    path = path / GRADES if path.is_dir() else path
    try:
        for number, line in enumerate(_lines(path), start=1):
            yield grade_of_line(line, number, path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error


def grade_of_line(line: bytes, number: int, path: Path) -> Grade:
    """The grade in a line of a file.

    Raises:
        InputError: There is none.
    """
    grade = _parse(line)
    if grade is not None:
        return grade
    try:
        json.loads(line)
        problem = "is not a grade of this version"
    except ValueError:
        problem = "is not JSON; a run that was killed may have left it unfinished"
    remedy = "Start the run again: it repairs its folder"
    raise InputError(problem, remedy=remedy, file=str(path), row=number)


# --- the folder as a whole


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder.
        record: The specification to run by.
        fork: Another folder to run in with a changed specification; it begins with a copy of the
            grades.

    Attributes:
        took_over: Whether this start copied the grades of another specification.
        lost_before: What earlier starts spent without a grade to show for it.
        same_file: Whether the predictions come from the same files as in the start before;
            ``None`` where that is not known.
    """

    def __init__(self, path: Path, record: RunRecord, fork: str | Path | None = None) -> None:
        self.path = path if fork is None else Path(fork)
        self.record = record
        self.took_over = False
        self.lost_before = Usage()
        self.same_file: bool | None = None
        self._source = None if fork is None else path

    @contextmanager
    def opened(self, keep: Callable[[Grade], bool]) -> Iterator[Ledger]:
        """Lock the folder, check and write its record, repair and open its ledger.

        Args:
            keep: Called with every grade of an earlier start: whether it still counts.

        Yields:
            The ledger.

        Raises:
            OutputError: The folder cannot be written, is in use, or holds another specification.
        """
        make_folder(self.path, private=True)
        with _locked(self.path / LOCK):
            self._take_over()
            self._check_record()
            self.same_file = self._same_file()
            write_whole(self.path / RUN, self.record.model_dump_json(indent=2), private=True)
            self.lost_before = _lost_before(self.path / SUMMARY)
            ledger = Ledger(self.path, keep)
            try:
                yield ledger
            finally:
                ledger.close()

    def peek(self) -> Iterator[Grade]:
        """The grades a start would find; nothing is locked, repaired or written.

        Raises:
            OutputError: The folder cannot be read, or holds another specification.
        """
        folder = self.path
        if self._source is not None and not (self.path / RUN).exists():
            folder = self._source
        else:
            self._check_record()
        path = folder / GRADES
        with _said_of(path, "read"):
            for line in _lines(path) if path.exists() else ():
                grade = _parse(line)
                if grade is not None:
                    yield grade

    def _take_over(self) -> None:
        if self._source is None or (self.path / RUN).exists():
            return
        if (self._source / GRADES).exists():
            with _said_of(self.path / GRADES, "written"):
                shutil.copyfile(self._source / GRADES, self.path / GRADES)
            self.took_over = True

    def _same_file(self) -> bool | None:
        earlier = read_record(self.path)
        if earlier is None and self._source is not None:
            earlier = read_record(self._source)
        then = set() if earlier is None else earlier.prediction_files()
        now = self.record.prediction_files()
        return then == now if then and now else None

    def _check_record(self) -> None:
        earlier = read_record(self.path)
        changed = () if earlier is None else differences(earlier, self.record)
        if changed:
            raise OutputError(
                f"{self.path} holds a run of another specification; what changed:\n  "
                + "\n  ".join(changed)
                + "\nName another folder, or fork this one (--fork FOLDER) to take over the "
                "grades that still count"
            )


class _Earlier(NamedTuple):
    key: str
    text: int | None  # hash of the prediction; None where no text was kept


class EarlierGrades:
    """Which grades of earlier starts still count, as the gradings that are wanted come up.

    Args:
        judges: Those of this start.

    Attributes:
        superseded: For the key of every grade that does not count any more: which prediction it
            is of, and why.
        same_file: Whether the predictions come from the same file as then; ``None``: not known.
    """

    def __init__(self, judges: Iterable[Judge]) -> None:
        self.superseded: dict[str, tuple[PredictionId, str]] = {}
        self.same_file: bool | None = None
        self._ways = {(judge.spec.model, judge.spec.backend) for judge in judges}
        self._done: set[str] = set()
        self._by_prediction: dict[PredictionId, list[_Earlier]] = {}
        self._failed: dict[PredictionId, list[Grade]] = {}
        self._again = Counter[str]()

    def keep(self, grade: Grade) -> bool:
        """Whether a grade counts: not a failure, not a double, not reached by another backend."""
        if grade.key in self._done:
            return False
        # The backend is no part of a grade's key, and it is part of its signature.
        backend = grade.signature.policy.get("backend")
        if backend is not None and (grade.signature.judge, backend) not in self._ways:
            self._again["were made over another client"] += 1
            return False
        if grade.unscored is not None:
            self._failed.setdefault(prediction_id(grade), []).append(grade)
            return False
        self._done.add(grade.key)
        text = None if grade.prediction is None else hash(grade.prediction)
        self._by_prediction.setdefault(prediction_id(grade), []).append(_Earlier(grade.key, text))
        return True

    def missing(self, id: PredictionId, text: str, keys: Sequence[str]) -> list[bool]:
        """For all gradings of one prediction, by their keys: whether each has to be made.

        Raises:
            InputError: It has no system, and would replace another prediction that has none.
        """
        for earlier in self._by_prediction.pop(id, ()):
            if earlier.key not in keys:
                self.superseded[earlier.key] = (id, self._why(id, text, earlier))
        self._again["had failed"] += len(self._failed.pop(id, ()))
        for key in keys:
            self.superseded.pop(key, None)
        missing = [key not in self._done for key in keys]
        self._done.update(keys)
        return missing

    def _why(self, id: PredictionId, text: str, earlier: _Earlier) -> str:
        system, _, item = id
        if earlier.text is None:
            why, replaces = "prediction, item or settings have changed", self.same_file is False
        elif earlier.text == hash(text):
            why, replaces = "item or settings have changed", False
        else:
            why, replaces = "prediction has changed", not self.same_file
        if replaces and not system:
            raise InputError(
                f"item {item!r} has a grade of another prediction, by a system without a name, and "
                "this one has no name either: it would replace it",
                remedy="Say which system it is (--system, or a column), or name another folder",
            )
        return why

    def stands(self, id: PredictionId) -> bool:
        """Whether a prediction that did not come up has a grade that counts, or a failure."""
        return id in self._by_prediction or id in self._failed

    def failures(self) -> list[Grade]:
        """Failures whose prediction did not come up, so that they still stand."""
        return [grade for grades in self._failed.values() for grade in grades]

    def drop_unasked(self) -> None:
        """Give up the grades of predictions that did not come up: nothing shows that they count."""
        for id, grades in self._by_prediction.items():
            for one in grades:
                self.superseded[one.key] = (id, "prediction was not given to this fork")
        self._by_prediction.clear()
        self._failed.clear()

    def lines(self) -> tuple[str, ...]:
        """What does not count any more, and why, in sentences."""
        items: dict[tuple[str, str], dict[str, None]] = {}
        for (system, _, item), why in self.superseded.values():
            items.setdefault((system, why), {})[item] = None
        return (
            *(
                f"{system or 'system not named'}: earlier grades do not count any more, since the "
                f"{why}: {some_of(list(ids))} (kept in {SUPERSEDED})"
                for (system, why), ids in items.items()
            ),
            *(
                f"{count} earlier gradings {why}: graded again where their prediction is given"
                for why, count in self._again.items()
                if count
            ),
        )


def prediction_id(grade: Grade) -> PredictionId:
    """Which prediction a grade is of."""
    return grade.system, grade.track, grade.item_id


def _lost_before(summary: Path) -> Usage:
    try:
        return Usage.model_validate(json.loads(summary.read_bytes())["all_starts"]["without_grade"])
    except (OSError, ValueError, LookupError, TypeError):
        return Usage()  # no summary yet, or one of an earlier version


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout  # noqa: TID251  this is the door

    # The operating system holds the lock: it goes with the process, however that ends.
    lock = FileLock(path, blocking=False, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(f"another process is running in {path.parent}; wait or stop it") from None
    except OSError as error:
        raise OutputError(f"{path} cannot be locked: {error}") from error
    try:
        yield
    finally:
        lock.release()
