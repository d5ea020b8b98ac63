"""Raw replies by request hash, on disk: `ReplyCache`; the one door to diskcache.

Values are canonical JSON, compressed, stored as bytes. Nothing is ever pickled or unpickled:
diskcache would, and a pickle can run code (CVE-2025-69872).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import JsonValue, StringConstraints, ValidationError, model_validator

from mmrare_judge.backends.base import Reply, Request
from mmrare_judge.backends.faults import redact
from mmrare_judge.errors import OutputError
from mmrare_judge.records import Record, canonical_json, content_hash, problem_in

log = logging.getLogger("mmrare_judge")

REQUEST = "request:"
"""The prefix of a request's key, before its hash; a reply's key is the hash alone."""

GRADES = "grades"
"""The folder of finished grades within a cache's; to delete it costs computing time alone."""


def default_cache_dir() -> Path:
    """Where replies are kept unless told otherwise: the user's cache directory."""
    from platformdirs import user_cache_path

    return user_cache_path("mmrare_judge", appauthor=False) / "replies"


_STORE_FAULTS = (OSError, sqlite3.Error)
_CORRUPT = (ValueError, TypeError, OSError, sqlite3.DatabaseError)


class ReplyCache:
    """Replies on disk; safe to share between threads and processes, not over a network drive.

    Beside each reply its request is kept, under a key of its own: look-ups never read it, and a
    bundle can contain it. A request in whose address or parameters a key may stand is not kept.

    Args:
        directory: Where to keep them; made if absent, readable by the owner alone.
        keep_grades: Keep finished grades beside the replies; see `kept_grades.KeptGrades`.

    Raises:
        OutputError: The directory cannot be made or written.
    """

    def __init__(self, directory: str | Path, *, keep_grades: bool = True) -> None:
        self.directory = Path(directory)
        self.keep_grades = keep_grades
        self._store: Any = open_store(self.directory)

    def get(self, request_hash: str) -> Reply | None:
        """The reply to a request, or ``None``; a corrupt entry is a miss, with a warning."""
        return reply_from(self._store.get, request_hash, self.directory)

    def put(self, request: Request | str, reply: Reply) -> None:
        """Keep a reply, and the request it answers.

        Args:
            request: The request, or its hash alone.
            reply: The reply; one that was kept before is replaced.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        if isinstance(request, str):
            self._write(request, None, reply)
            return
        secret = shows_secret(request.endpoint, request.sampling)
        self._write(request.hash, None if secret else request_content(request), reply)

    def put_entry(self, entry: Entry) -> None:
        """Keep an entry of another cache.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        self._write(entry.hash, entry.request, entry.reply)

    def has_request(self, request_hash: str) -> bool:
        """Whether the request of that hash is kept.

        Raises:
            OutputError: The disk fails.
        """
        try:
            return REQUEST + request_hash in self._store
        except _STORE_FAULTS as error:
            raise OutputError(f"cache {self.directory} cannot be read: {error}") from error

    def _write(self, request_hash: str, request: Mapping[str, Any] | None, reply: Reply) -> None:
        values: dict[str, Any] = {request_hash: reply.model_dump(mode="json")}
        if request is not None:
            values[REQUEST + request_hash] = request
        write_all(self._store, {key: _packed(value) for key, value in values.items()})

    def __len__(self) -> int:
        return sum(1 for key in self._store.iterkeys() if not key.startswith(REQUEST))

    def close(self) -> None:
        """Close the files; the next use opens them again."""
        self._store.close()


# --- Entries

RequestHash = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+:[0-9a-f]{64}$")]


class Entry(Record):
    """A reply and what it answers.

    Attributes:
        hash: The request's hash, under which the reply is kept.
        request: What was hashed; ``None`` where it was not kept.
        reply: The reply.
    """

    hash: RequestHash
    request: Mapping[str, JsonValue] | None = None
    reply: Reply

    @model_validator(mode="after")
    def _request_belongs_to_its_hash(self) -> Self:
        if self.request is not None and content_hash(self.request) != self.hash:
            raise ValueError("the request does not hash to the key it is kept under")
        return self

    @property
    def model(self) -> str:
        """The model that was asked; where the request is not kept, as the endpoint named it."""
        asked = (self.request or {}).get("model")
        return asked if isinstance(asked, str) else self.reply.model or "unknown"


def request_content(request: Request) -> dict[str, Any]:
    """What a request's hash is taken of.

    >>> request = Request(model="m", messages=(), sampling={}, schema={})
    >>> content_hash(request_content(request)) == request.hash
    True
    """
    content = {f.name: getattr(request, f.name) for f in fields(request)}
    del content["reply_model"]  # the schema stands for it
    return content | {"messages": list(request.messages), "sampling": dict(request.sampling)}


def shows_secret(endpoint: object, sampling: object) -> bool:
    """Whether a key or password may stand in an address or in parameters.

    >>> shows_secret("http://me:secret@gpu1:8000/v1", {})
    True
    >>> shows_secret("http://gpu1:8000/v1", {"temperature": 0, "max_tokens": 9000})
    False
    """
    address = urlsplit(endpoint if isinstance(endpoint, str) else "")
    text = canonical_json(sampling)
    return "@" in address.netloc or bool(address.query) or redact(text) != text


def _packed(value: object) -> bytes:
    # A lone surrogate becomes its JSON escape, as it does in the hash.
    return deflated(canonical_json(value).encode("utf-8", "backslashreplace"))


def deflated(content: bytes) -> bytes:
    """Content compressed quickly, for `inflated`."""
    return zlib.compress(content, level=1)


def reply_from(
    get: Callable[[str], bytes | None], request_hash: str, directory: Path
) -> Reply | None:
    """The reply that is stored under a hash, or ``None``; a corrupt one is logged and ``None``."""
    try:
        stored = get(request_hash)
        return None if stored is None else Reply.model_validate_json(inflated(stored))
    except _CORRUPT as error:
        log.warning(
            "cache entry %s in %s cannot be read (%s) and is taken as absent",
            request_hash,
            directory,
            in_short(error),
        )
        return None


def inflated(stored: object) -> bytes:
    """What was stored, decompressed.

    Raises:
        ValueError: It is not what `deflated` makes.
    """
    if type(stored) is not bytes:
        raise ValueError(f"it holds {type(stored).__name__} instead of bytes")
    try:
        return zlib.decompress(stored)
    except zlib.error as error:
        raise ValueError(f"it cannot be decompressed: {error}") from error


def in_short(error: Exception) -> str:
    """What is wrong with an entry, in one line and without its content."""
    if isinstance(error, ValidationError):
        return str(problem_in(error, show_value=False))
    return str(error)


# --- The door to diskcache


def open_store(directory: Path) -> Any:
    """A store of bytes on disk, under text keys.

    Raises:
        OutputError: The directory cannot be made or written.
    """
    import diskcache  # noqa: TID251  this is the door

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(directory, 0o700)
        return diskcache.Cache(
            str(directory),
            disk=_bytes_only_disk(),
            eviction_policy="none",  # the default drops entries past 1 GiB without a word
            statistics=0,
            sqlite_cache_size=128,  # pages of 4 KB, each thread its own; the default is 32 MB
        )
    except _STORE_FAULTS as error:
        raise OutputError(
            f"cache {directory} cannot be opened: {error}. "
            'Name another directory (cache=..., --cache-dir), or keep none: cache="off". '
            'If it is only to be read, replay it: cache=Replay(directory), or cache="replay"'
        ) from error


def write_all(store: Any, values: Mapping[str, bytes]) -> None:
    """Write all values into a store, or none.

    Raises:
        OutputError: The disk is full or cannot be written.
    """
    from diskcache import Timeout  # noqa: TID251  this is the door

    try:
        with store.transact():
            for key, value in values.items():
                store.set(key, value)
    except (*_STORE_FAULTS, Timeout) as error:
        reason = str(error) or "it is locked, or cannot be written to"
        raise OutputError(f"cache {store.directory} cannot be written: {reason}") from error


@cache
def _bytes_only_disk() -> type[Any]:
    import diskcache  # noqa: TID251  this is the door

    class BytesOnlyDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
        """Storage for text keys and bytes, which refuses to pickle or unpickle."""

        def put(self, key: Any) -> Any:
            if type(key) is not str:
                raise TypeError(f"keys are text, not {type(key).__name__}")
            return super().put(key)

        def get(self, key: Any, raw: bool) -> Any:
            if not raw:
                raise ValueError("a pickled key was found, and is not read")
            return super().get(key, raw)

        def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
            if type(value) is not bytes or read:
                raise TypeError(f"values are bytes, not {type(value).__name__}")
            return super().store(value, read, key)

        def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> Any:
            if mode not in (diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY):
                raise ValueError("an entry that is not bytes was found, and is not read")
            return super().fetch(mode, filename, value, read)

    return BytesOnlyDisk
