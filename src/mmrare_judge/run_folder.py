"""The folder of a run: its lock, its record, its ledger and its summary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmrare_judge.backends.base import Usage
from mmrare_judge.errors import OutputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.ledger import GRADES, Ledger, readable_grades
from mmrare_judge.run_differences import differences
from mmrare_judge.run_record import RUN, RunRecord, read_record, write_whole
from mmrare_judge.summary import Tally

SUMMARY = "summary.json"
LOCK = "run.lock"

Place = tuple[str, str, str]
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
        self._make()
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
        write_whole(self.path / SUMMARY, json.dumps(content, indent=2, ensure_ascii=False))

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be written: {error}; name another folder"
            ) from error

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
        write_whole(self.path / RUN, self.record.model_dump_json(indent=2))

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
        self._keys_by_place: dict[Place, list[str]] = {}
        self.overtaken: set[str] = set()

    def keep(self, grade: Grade) -> bool:
        """Whether a grade that was found counts: it is no failure and no double."""
        if grade.unscored is not None or grade.key in self._done:
            return False
        self._done.add(grade.key)
        place = (grade.system, grade.track, grade.item_id)
        self._keys_by_place.setdefault(place, []).append(grade.key)
        return True

    def to_do(self, place: Place, keys: Sequence[str]) -> list[bool]:
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
