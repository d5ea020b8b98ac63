"""A reply cache that is only read: `Replay`, and `Peek` for an estimate.

diskcache writes its settings whenever it opens a folder, so a read-only one cannot be opened at
all. Its table is plain SQLite; the columns that matter are read here directly.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from mmrare_judge.backends.base import Reply, Request
from mmrare_judge.cache.store import (
    REQUEST,
    Entry,
    default_cache_dir,
    inflated,
    reply_from,
    request_content,
)
from mmrare_judge.errors import CacheMissError, InputError, OutputError
from mmrare_judge.records import canonical_json, shortened

FILE = "cache.db"
_RAW, _BINARY = 1, 2  # diskcache's modes for bytes in the table, and bytes in a file of their own
_VALUE = "SELECT mode, filename, value FROM Cache WHERE key = ? AND raw = 1"
_KEYS = f"""
SELECT key FROM Cache
WHERE raw = 1 AND typeof(key) = 'text' AND key > ? AND (instr(key, '{REQUEST}') = 1) = ?
ORDER BY key LIMIT 1000
"""


class Replay:
    """A cache to grade from without calls: a reply that it does not hold is an error.

    It is opened without writing to it, so it may be on a read-only medium. Nobody should fill it at
    the same time: what is added later may be seen or not.

    Args:
        directory: The cache; by default the user's.

    Raises:
        InputError: There is no cache.
        OutputError: It cannot be opened.
    """

    def __init__(self, directory: str | Path | None = None) -> None:
        self.directory = default_cache_dir() if directory is None else Path(directory)
        self._files = _open(self.directory)
        self._lock = threading.Lock()
        self._close = weakref.finalize(self, self._files.close)

    def get(self, request_hash: str) -> Reply | None:
        """The reply to a request, or ``None``; a corrupt entry is ``None``, with a warning."""
        return reply_from(self._value, request_hash, self.directory)

    def request(self, request_hash: str) -> dict[str, JsonValue] | None:
        """What was asked, or ``None`` where it was not kept.

        Raises:
            ValueError: It is corrupt.
        """
        stored = self._value(REQUEST + request_hash)
        return None if stored is None else dict(json.loads(inflated(stored)))

    def entry(self, request_hash: str) -> Entry:
        """A reply with its request, checked.

        Raises:
            ValueError: It is corrupt, or the request is not the one its hash names.
        """
        stored = self._value(request_hash)
        if stored is None:
            raise ValueError("there is no reply")
        reply = Reply.model_validate_json(inflated(stored))
        return Entry(hash=request_hash, request=self.request(request_hash), reply=reply)

    def hashes(self) -> Iterator[str]:
        """The hashes of all replies, in order."""
        return self._keys(of_requests=False)

    def request_hashes(self) -> Iterator[str]:
        """The hashes of all requests that are kept, in order."""
        return (key.removeprefix(REQUEST) for key in self._keys(of_requests=True))

    def strangers(self) -> int:
        """How many rows have a key that this package would not write."""
        return len(self._rows("SELECT 1 FROM Cache WHERE raw != 1 OR typeof(key) != 'text'"))

    def __len__(self) -> int:
        return sum(1 for _ in self.hashes())

    def close(self) -> None:
        """Close the files."""
        self._close()

    def _keys(self, *, of_requests: bool) -> Iterator[str]:
        last = ""
        while page := self._rows(_KEYS, last, of_requests):  # by pages, so that memory stays flat
            yield from (str(key) for (key,) in page)
            last = page[-1][0]

    def _rows(self, statement: str, *values: str | bool) -> list[Any]:
        try:
            with self._lock:
                return self._files.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise OutputError(f"cache {self.directory} cannot be read: {error}") from error

    def _value(self, key: str) -> bytes | None:
        try:
            with self._lock:
                row = self._files.execute(_VALUE, (key,)).fetchone()
            return None if row is None else self._bytes(*row)
        except (OSError, sqlite3.DatabaseError) as error:
            raise ValueError(f"the disk does not give it: {error}") from error

    def _bytes(self, mode: int, filename: str | None, value: Any) -> bytes:
        if mode == _RAW and type(value) is bytes:
            return value
        if mode == _BINARY and filename:
            return self._inside(filename).read_bytes()
        raise ValueError("an entry that is not bytes was found, and is not read")

    def _inside(self, filename: str) -> Path:
        path = self.directory / filename
        if not path.resolve().is_relative_to(self.directory.resolve()):
            raise ValueError(f"it points outside of the cache: {filename}")
        return path


class Peek:
    """A cache that is only read, for an estimate: a reply that it does not hold is missing.

    Args:
        directory: The cache; one that does not exist holds nothing.

    Raises:
        OutputError: It cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self._replay = Replay(directory) if (directory / FILE).is_file() else None

    def get(self, request_hash: str) -> Reply | None:
        """The reply to a request, or ``None``."""
        return None if self._replay is None else self._replay.get(request_hash)


def _open(directory: Path) -> sqlite3.Connection:
    if not (directory / FILE).is_file():
        remedy = "Name the folder that a run filled, or fill one: mmrare-judge cache import"
        raise InputError(f"there is no reply cache in {directory}", remedy=remedy)
    try:
        return _connection(directory)
    except sqlite3.Error as error:
        raise OutputError(
            f"cache {directory} cannot be opened for reading: {error}. "
            "If it was not closed by the process that filled it, copy it to where it can be "
            "written, or export a bundle there: mmrare-judge cache export"
        ) from error


def _connection(directory: Path) -> sqlite3.Connection:
    log_file = directory / f"{FILE}-wal"
    if not log_file.exists():  # closed properly: nothing but the file itself is needed
        return _probed(directory, "mode=ro&immutable=1")
    try:
        return _probed(directory, "mode=ro")
    except sqlite3.OperationalError:
        if log_file.stat().st_size:
            raise
        return _probed(directory, "mode=ro&immutable=1")


def _probed(directory: Path, options: str) -> sqlite3.Connection:
    address = f"{(directory / FILE).absolute().as_uri()}?{options}"
    # One connection for all threads, behind a lock: a run asks from several.
    files = sqlite3.connect(address, uri=True, check_same_thread=False)
    try:
        files.execute(_VALUE, ("",)).fetchall()
    except sqlite3.Error:
        files.close()
        raise
    return files


# --- Why a replay does not find a reply: the missing request beside the nearest one that is kept

_MOST_COMPARED = 5_000  # requests compared at most; more would take longer than the answer is worth

_WEIGHTS = {"user": 100, "system": 10}
"""How far apart a difference sets two requests; 1 for everything not named."""

REASONS = """\
A replay never asks. Possible reasons: another model, sampling, mode or endpoint; another rubric \
wording; another package version; another item or prediction text; or the call failed then, or \
its reply was refused or cut, which only `store: all` keeps."""


def cache_miss(
    request: Request, item_id: str, replay: Replay, reason: str = "no reply to"
) -> CacheMissError:
    """The error for a request without a usable reply.

    Args:
        request: The request.
        item_id: The item that was to be graded.
        replay: Where it was looked for.
        reason: What is missing, in words that go before "request".
    """
    problem = (
        f"item {item_id!r}: {reason} request {request.hash} of {request.model} "
        f"in cache {replay.directory}. {_hint(request, replay)} {REASONS} "
        f"See what the cache holds: mmrare-judge cache stats --cache-dir {replay.directory}"
    )
    return CacheMissError(problem, request_hash=request.hash, model=request.model, item_id=item_id)


def _hint(request: Request, replay: Replay) -> str:
    wanted = request_content(request)
    found = [_differences(wanted, kept) for kept in _kept(replay) if kept != wanted]
    if not found:
        return "The cache keeps no other request to compare with."
    nearest = min(found, key=lambda differences: sum(_WEIGHTS.get(n, 1) for n in differences))
    if "user" in nearest:
        return "No request with this item and prediction is kept."
    listed = "; ".join(nearest.values())
    return f"The nearest request that is kept differs in {listed}."


def _kept(replay: Replay) -> Iterator[Mapping[str, Any]]:
    for request_hash in islice(replay.request_hashes(), _MOST_COMPARED):
        try:
            kept = replay.request(request_hash)
        except ValueError:  # corrupt: `cache verify` says so, this only compares
            continue
        if kept is not None:
            yield kept


def _differences(wanted: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, str]:
    """What differs, by name, in words that quote neither item nor prediction."""
    ours, theirs = _parts(wanted), _parts(kept)
    pairs = {name: (ours.get(name), theirs.get(name)) for name in ours | theirs}
    return {name: _sentence(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]}


def _parts(content: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: value for name, value in content.items() if name != "messages"}
    return parts | {m["role"]: m["content"] for m in content.get("messages", ())}


def _sentence(name: str, ours: Any, theirs: Any) -> str:
    if name == "system":
        return f"the rubric or the prompt's fixed wording ({_first_line(str(ours), str(theirs))})"
    if name in ("user", "schema"):
        return {"user": "item or prediction", "schema": "the questions or their labels"}[name]
    return f"{name} ({canonical_json(ours)} here, {canonical_json(theirs)} there)"


def _first_line(ours: str, theirs: str) -> str:
    """The first line in which two instructions differ."""
    for here, there in zip(ours.splitlines(), theirs.splitlines(), strict=False):
        if here != there:
            return f"{shortened(here)} here, {shortened(there)} there"
    return "one of them is longer"
