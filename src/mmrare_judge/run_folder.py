"""The folder of a run: its lock, its record, its ledger and its summary."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmrare_judge.errors import OutputError
from mmrare_judge.grade import Grade
from mmrare_judge.ledger import GRADES, Ledger
from mmrare_judge.run_record import RUN, RunRecord, differences, read_record, write_whole
from mmrare_judge.summary import Tally

SUMMARY = "summary.json"
LOCK = "run.lock"


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder.
        record: The specification to run by.
        fork: Another folder to run in with a changed specification; it begins with a copy of the
            grades.
    """

    def __init__(self, path: Path, record: RunRecord, fork: str | Path | None = None) -> None:
        self.path = path if fork is None else Path(fork)
        self._source = None if fork is None else path
        self.record = record

    @contextmanager
    def opened(self, seen: Callable[[Grade], None]) -> Iterator[tuple[Ledger, set[str]]]:
        """Lock the folder, check and write its record, repair and open its ledger.

        Args:
            seen: Called with every grade that counts already.

        Yields:
            The ledger, and the keys of the grades that count.

        Raises:
            OutputError: The folder cannot be written, is in use, or holds another specification.
        """
        self._make()
        with _locked(self.path / LOCK):
            self._take_over()
            self._settle_record()
            ledger = Ledger(self.path)
            done: set[str] = set()

            def keep(grade: Grade) -> bool:
                if grade.unscored is not None or grade.key in done:
                    return False
                done.add(grade.key)
                seen(grade)
                return True

            ledger.open(keep)
            try:
                yield ledger, done
            finally:
                ledger.close()

    def write_summary(self, tally: Tally, **more: Any) -> None:
        """Write ``summary.json``: the summaries of the tally, and more.

        Raises:
            OutputError: It cannot be written.
        """
        summaries = [summary.model_dump(mode="json") for summary in tally.summaries()]
        content = {"summaries": summaries, **more}
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
        if (self._source / GRADES).exists():
            shutil.copyfile(self._source / GRADES, self.path / GRADES)

    def _settle_record(self) -> None:
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
        write_whole(self.path / RUN, self.record.model_dump_json(indent=2))


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
