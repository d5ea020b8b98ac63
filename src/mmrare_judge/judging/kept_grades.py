"""Finished grades, kept beside the replies they were made of: `KeptGrades`."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from mmrare_judge.backends.base import JudgeSpec, Reply, Request, Usage
from mmrare_judge.cache.store import GRADES, ReplyCache, deflated, inflated, open_store, write_all
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.errors import OutputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.grading import Grading, calibrated_now, signature_of
from mmrare_judge.judging.questions import Answers
from mmrare_judge.records import Record, canonical_json, content_hash, parts_hash

log = logging.getLogger("mmrare_judge")


class _Kept(Record):
    """A grade, and what it was made by and of.

    Attributes:
        source: Hash of the code that made it.
        replies: For each request the hash of its reply.
        grade: The grade, as from the cache and without a certificate.
    """

    source: str
    replies: dict[str, str]
    grade: Grade


class KeptGrades:
    """Finds the grade of a prediction that was graded before, instead of working it out again.

    A grade is found only if everything it depends on is the same: item, prediction, rubric, judge
    and parameters by its key and its signature; the requests that would be sent; every reply,
    which must still be in the cache; and the code of this package, by its files. It is the grade
    that would be worked out, to the byte.

    Grades are written into a folder within the cache's. Where that fails they are worked out anew,
    and nothing is lost.

    Args:
        spec: The judge.
        replies: The cache whose replies are graded.
    """

    def __init__(self, spec: JudgeSpec, replies: ReplyCache) -> None:
        self._replies = replies
        self._judge = content_hash(spec.model_dump(mode="json", exclude={"api_key"}))
        self._files = BestEffortCache(replies.directory / GRADES)

    def find(self, grading: Grading, requests: tuple[Request, ...]) -> Grade | None:
        """The grade, if it was kept and nothing has changed since.

        Args:
            grading: What is to be graded.
            requests: The requests that would be sent for it.
        """
        stored = self._files.get(self._place(grading))
        if stored is None:
            return None
        try:
            kept = _Kept.model_validate_json(inflated(stored))
        except ValueError:
            return None  # it is worked out again, and kept in the place of this one
        asked = tuple(request.hash for request in requests)
        same_requests = kept.grade.requests[: len(asked)] == asked
        if not (_is_of(kept, grading) and same_requests and self._has_replies_of(kept)):
            return None
        return calibrated_now(grading, kept.grade)

    async def keep(self, grading: Grading, attempts: Sequence[Answers], grade: Grade) -> None:
        """Keep a grade, if every request of it was answered."""
        failed = any(attempt.failure is not None for attempt in attempts)
        if failed or grade.unscored is not None or CODE_HASH is None:
            return
        replies = (reply for attempt in attempts for reply in attempt.replies)
        digests = dict(zip(grade.requests, map(_digest, replies), strict=True))
        kept = _Kept(source=CODE_HASH, replies=digests, grade=_from_cache(attempts, grade))
        try:
            text = kept.model_dump_json()
        except ValueError:  # a lone surrogate, which UTF-8 cannot hold
            return
        if self._files.put(self._place(grading), deflated(text.encode())):
            await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write what is waiting to be written."""
        self._files.write()

    def _place(self, grading: Grading) -> str:
        return f"{self._judge} {grading.key}"

    def _has_replies_of(self, kept: _Kept) -> bool:
        for request, digest in kept.replies.items():
            reply = self._replies.get(request)
            if reply is None or _digest(reply) != digest:
                return False
        return set(kept.replies) == set(kept.grade.requests)


def _is_of(kept: _Kept, grading: Grading) -> bool:
    """Whether a grade is of this very grading, made in this very way."""
    grade, made = kept.grade, kept.grade.signature
    told = {name: getattr(made, name) for name in ("reported_model", "mode", "sampling")}
    return (
        kept.source == CODE_HASH
        and grade.key == grading.key
        and grade.notes == grading.notes
        and made == signature_of(grading, told)
    )


def _digest(reply: Reply) -> str:
    said = [reply.finish, reply.model, reply.mode, dict(reply.sampling), reply.logprobs]
    rest = canonical_json(said) + reply.usage.model_dump_json()
    return parts_hash(part.encode("utf-8", "surrogatepass") for part in (rest, reply.text))


def _from_cache(attempts: Sequence[Answers], grade: Grade) -> Grade:
    """A grade as it is when all its replies come from the cache, and without a certificate."""
    saved = grade.saved if grade.cached else _bought(attempts)
    update = {"usage": Usage(), "saved": saved, "cached": True, "calibration": UNCALIBRATED}
    return grade.model_copy(update=update)


def _bought(attempts: Sequence[Answers]) -> Usage:
    first, *again = [sum((reply.usage for reply in a.replies), Usage()) for a in attempts]
    return sum(again, first)


# --- A best-effort file cache

_FAULTS = (OutputError, OSError, sqlite3.Error)
_MANY = 64


class BestEffortCache:
    """A best-effort file cache: errors are logged, never raised.

    What is put is written some tens at a time, by `write`, and at the end of the process. After an
    error nothing is read or written any more, with one warning. May be used from several threads,
    and by several processes.

    Args:
        folder: Where it is; made when something is written, unless the folder above it is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: Any = None
        self._waiting: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._failed = False
        _in_use.add(self)

    def get(self, key: str) -> bytes | None:
        """A value that was written, if it can be read."""
        if self._failed:
            return None
        try:
            store = self._open(self._folder)
            found = None if store is None else store.get(key)
        except (ValueError, TypeError):
            return None  # not an entry of ours
        except _FAULTS as error:
            self._fail(error)
            return None
        return found if type(found) is bytes else None

    def put(self, key: str, value: bytes) -> bool:
        """Take a value; whether so many are waiting now that they should be written."""
        with self._lock:
            self._waiting[key] = value
            return len(self._waiting) >= _MANY

    def write(self) -> None:
        """Write what is waiting to be written."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting or self._failed:
            return
        try:
            store = self._open(self._folder.parent)
            if store is not None:
                write_all(store, waiting)
        except _FAULTS as error:
            self._fail(error)

    def _open(self, needed: Path) -> Any:
        """The store, if it is open or the folder it needs is there."""
        if self._opened is None and needed.is_dir():
            self._opened = open_store(self._folder)
        return self._opened

    def _fail(self, error: Exception) -> None:
        self._failed = True
        log.warning(
            "%s cannot be used, and is left alone: %s", self._folder, error.__cause__ or error
        )


_in_use: weakref.WeakSet[BestEffortCache] = weakref.WeakSet()


@atexit.register
def _write_at_exit() -> None:
    for cache in list(_in_use):
        cache.write()


# --- Which code is running

_GRADING_RESTS_ON = ("pydantic", "rapidfuzz")
_HASHED_FILES = (".py", ".tsv")  # rubrics are hashed by themselves
_MAKES_NO_GRADES = "calibration"


def code_hash(package: Traversable) -> str | None:
    """Hash of a package's files, of Python's version and of the packages grading rests on.

    Returns:
        ``None`` where it cannot be known.
    """
    try:
        return parts_hash((*_versions(), *_files(package)))
    except (OSError, PackageNotFoundError):
        return None


def _versions() -> Iterator[bytes]:
    yield sys.version.encode()
    for name in _GRADING_RESTS_ON:
        yield f"{name} {version(name)}".encode()


def _files(folder: Traversable, above: str = "") -> Iterator[bytes]:
    """Path and content of each file that counts, in order."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{above}/{entry.name}"
        if entry.is_dir() and entry.name != _MAKES_NO_GRADES:
            yield from _files(entry, path)
        elif entry.is_file() and entry.name.endswith(_HASHED_FILES):
            yield path.encode()
            yield entry.read_bytes()


# Unlike the package's version it changes with every edit. It is taken when this module is imported,
# as the code was: what is edited later is not what is running.
CODE_HASH = code_hash(resources.files("mmrare_judge"))
"""`code_hash` of this package."""
