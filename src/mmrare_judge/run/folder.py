"""The folder of a run: its lock, its record, its ledger and its summary."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import Field, JsonValue, ValidationError

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import Usage
from mmrare_judge.data.items import TRACKS
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.files import make_folder, owner_only, whole_file, write_whole
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.records import Record, canonical_json, shortened
from mmrare_judge.rubric.model import load_rubric
from mmrare_judge.run.summary import Tally

if TYPE_CHECKING:
    from mmrare_judge.judging.judge import Judge


# FOLDED run_record: What a run is: ``run.json``.

RUN = "run.json"


class InputFile(Record):
    """A file a run reads: its path as given, its size in bytes, and the SHA-256 of its content."""

    path: str
    bytes: int
    sha256: str


class RunRecord(Record):
    """The full specification of a run.

    Attributes:
        format: Version of this record.
        judges: For each judge the settings that can move a score.
        rubrics: Hash of the rubric used for each track.
        prompt: Hash of the prompt's fixed wording.
        terms: Hash of the terms table.
        repeats: Independent samples a judge.
        inputs: The files that were read last; their change is no change of the specification,
            since lines are matched by content.
        package: The package version that started the run.
        started: When, in UTC.
        rubric_contents: Those rubrics, whole, so that the folder can be read by itself.
    """

    format: int = 1
    judges: tuple[Mapping[str, JsonValue], ...]
    rubrics: Mapping[str, str]
    prompt: str
    terms: str
    repeats: int = 1
    inputs: Mapping[str, InputFile] = {}
    package: str = __version__
    started: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    rubric_contents: Mapping[str, JsonValue] = {}


def record_of(judges: Sequence[Judge], repeats: int, inputs: Mapping[str, InputFile]) -> RunRecord:
    """The record of a run that is starting now.

    Args:
        judges: At least one; rubric and terms are the same for all of them.
        repeats: Independent samples a judge.
        inputs: The files that are read.
    """
    first = judges[0]
    rubrics = [first.rubric] if first.rubric else [load_rubric(track) for track in TRACKS]
    return RunRecord(
        judges=tuple(judge.spec.decisive() for judge in judges),
        rubrics={rubric.track: rubric.hash for rubric in rubrics},
        rubric_contents={r.track: r.model_dump(mode="json") for r in rubrics},
        prompt=PROMPT_HASH,
        terms=first.terms.hash,
        repeats=repeats,
        inputs=inputs,
    )


def input_file(path: Path) -> InputFile:
    """Name, size and hash of a file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            size = stream.tell()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error
    return InputFile(path=str(path), bytes=size, sha256=digest.hexdigest())


def read_record(folder: Path) -> RunRecord | None:
    """The record of a folder; ``None`` where no run was started.

    Raises:
        OutputError: There is one, and it cannot be read.
    """
    path = folder / RUN
    if not path.exists():
        return None
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise OutputError(f"{path} cannot be read: {error}; name another folder") from error


# FOLDED run_differences: How the specification of one run differs from another's, in lines a reader can act on.

_NOT_SPECIFICATION = {"inputs", "package", "started", "rubric_contents"}
_MOST_LINES = 12  # of one rubric; a wholly different one would fill the screen


def differences(old: RunRecord, new: RunRecord) -> tuple[str, ...]:
    """Where two specifications differ, one line each: ``judges.0.temperature: 0.0 -> 1.0``.

    Under a rubric of another hash stands what differs in it, where both are kept. ``inputs``,
    the package's version and the time are no part of the specification.
    """
    before, after = (dict(_leaves(_specification(record), "")) for record in (old, new))
    lines = []
    for name, line in _changes(before, after):
        lines.append(line)
        if name.startswith("rubrics."):
            lines += _rubric_lines(old, new, name.removeprefix("rubrics."))
    if lines and old.package != new.package:
        lines.append(f"(written by mmrare-judge {old.package}; this is {new.package})")
    return tuple(lines)


def _specification(record: RunRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=_NOT_SPECIFICATION)


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], show: Any = str
) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | after.keys()):
        old, new = (show(side[name]) if name in side else "absent" for side in (before, after))
        if old != new and not _tells_less(name, before, after):
            yield name, f"{name}: {old} -> {new}"


def _tells_less(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a setting belongs to a judge that stands on one side only: its model says enough."""
    parts = name.split(".")
    model = ".".join([*parts[:2], "model"])
    if parts[0] != "judges" or name == model:
        return False
    return (model in before) != (model in after)


def _rubric_lines(old: RunRecord, new: RunRecord, track: str) -> Iterator[str]:
    if track not in old.rubric_contents or track not in new.rubric_contents:
        return
    before, after = (dict(_leaves(r.rubric_contents[track], "")) for r in (old, new))
    lines = [line for _, line in _changes(before, after, shortened)]
    yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every single value under its path; members of a list by their id, else by their number."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            name = child.get("id", index) if isinstance(child, Mapping) else index
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, value


# FOLDED ledger: The grades of a run on disk: one a line, appended as they come, repaired when torn.

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
            opened = open(self.path, "ab", buffering=0, opener=owner_only)  # noqa: SIM115  kept open
            self._file = opened
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
        with whole_file(self.path, private=True) as sorted_grades:
            sorted_grades.writelines(sorted(_lines(self.path), key=_order))

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
        with (
            whole_file(self.path, private=True) as kept,
            open(self.superseded, "ab", opener=owner_only) as out,
        ):
            for line in _lines(self.path):
                grade = _parse(line)
                counts = grade is not None and keep(grade)
                (kept if counts else out).write(line.rstrip(b"\n") + b"\n")
            # On the disk before the old file goes, so that no grade is in neither.
            out.flush()
            os.fsync(out.fileno())
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


SUMMARY = "summary.json"
LOCK = "run.lock"

PredictionPlace = tuple[str, str, str]
"""System, track and item: where one prediction belongs."""


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder.
        record: The specification to run by.
        fork: Another folder to run in with a changed specification; it begins with a copy of the
            grades.

    Attributes:
        took_over: Whether this start copied the grades of another specification.
    """

    def __init__(self, path: Path, record: RunRecord, fork: str | Path | None = None) -> None:
        self.path = path if fork is None else Path(fork)
        self._source = None if fork is None else path
        self.record = record
        self._lost_before = Usage()
        self.took_over = False

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
            self._settle_record()
            self._lost_before = _lost_before(self.path / SUMMARY)
            ledger = Ledger(self.path)
            ledger.open(keep)
            try:
                yield ledger
            finally:
                ledger.close()

    def peek(self) -> Iterator[Grade]:
        """The grades a start would find; nothing is locked, repaired or written.

        Raises:
            OutputError: The folder cannot be read, or holds another specification.
        """
        if self._source is not None and not (self.path / RUN).exists():
            return readable_grades(self._source)
        self._check_record()
        return readable_grades(self.path)

    def write_summary(self, ledger: Ledger, tally: Tally, lost: Usage, **more: Any) -> None:
        """Write ``summary.json``: the summaries of the tally, what all starts cost, and more.

        Args:
            ledger: The ledger of this folder.
            tally: The grades that count.
            lost: What this start spent on predictions that got no grade.
            **more: Further entries.

        Raises:
            OutputError: It cannot be written.
        """
        summaries = tally.summaries()
        superseded, lost = ledger.superseded_usage(), self._lost_before + lost
        incurred = sum((summary.usage for summary in summaries), superseded + lost)
        usages = {"incurred": incurred, "superseded": superseded, "without_grade": lost}
        content = {
            "summaries": [summary.model_dump(mode="json") for summary in summaries],
            "all_starts": {name: usage.model_dump() for name, usage in usages.items()},
            **more,
        }
        text = json.dumps(content, indent=2, ensure_ascii=False)
        write_whole(self.path / SUMMARY, text, private=True)

    def _take_over(self) -> None:
        if self._source is None or (self.path / RUN).exists():
            return
        try:
            if (self._source / GRADES).exists():
                shutil.copyfile(self._source / GRADES, self.path / GRADES)
                self.took_over = True
        except OSError as error:
            raise OutputError(f"{self.path / GRADES} cannot be written: {error}") from error

    def _settle_record(self) -> None:
        self._check_record()
        write_whole(self.path / RUN, self.record.model_dump_json(indent=2), private=True)

    def _check_record(self) -> None:
        earlier = read_record(self.path)
        if earlier is not None:
            changed = differences(earlier, self.record)
            if changed:
                raise OutputError(
                    f"{self.path} holds a run of another specification; what changed:\n  "
                    + "\n  ".join(changed)
                    + "\nName another folder, or fork this one (--fork FOLDER) to take over the "
                    "grades that still count"
                )


class Standing:
    """Which grades of earlier starts still count, as the gradings that are wanted come up.

    Attributes:
        overtaken: Keys of grades whose prediction, reference or judge has changed since.
    """

    def __init__(self) -> None:
        self._done: set[str] = set()
        self._keys_by_place: dict[PredictionPlace, list[str]] = {}
        self.overtaken: set[str] = set()

    def keep(self, grade: Grade) -> bool:
        """Whether a grade that was found counts: it is no failure and no double."""
        if grade.unscored is not None or grade.key in self._done:
            return False
        self._done.add(grade.key)
        place = (grade.system, grade.track, grade.item_id)
        self._keys_by_place.setdefault(place, []).append(grade.key)
        return True

    def to_do(self, place: PredictionPlace, keys: Sequence[str]) -> list[bool]:
        """For all gradings of one prediction, by their keys: whether each has to be made."""
        self.overtaken.update(self._keys_by_place.pop(place, ()))
        self.overtaken.difference_update(keys)
        missing = [key not in self._done for key in keys]
        self._done.update(keys)
        return missing

    def drop_unasked(self) -> None:
        """Give up the grades of predictions that did not come up: nothing shows that they count."""
        for keys in self._keys_by_place.values():
            self.overtaken.update(keys)
        self._keys_by_place.clear()


def _lost_before(summary: Path) -> Usage:
    """What earlier starts spent without a grade to show for it, as far as they could tell."""
    try:
        return Usage.model_validate(json.loads(summary.read_bytes())["all_starts"]["without_grade"])
    except (OSError, ValueError, LookupError, TypeError):
        return Usage()  # no summary yet, or one of an earlier version


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout  # noqa: TID251  this is the door

    # The operating system holds the lock: it goes with the process, however that ends.
    lock = FileLock(path, blocking=False)
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
