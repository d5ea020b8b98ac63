"""Bytes on disk that may be lost: `Shelf`, whose faults reach nobody."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

from mmrare_judge.cache.store import open_store, write_all
from mmrare_judge.errors import OutputError

log = logging.getLogger("mmrare_judge")

_FAULTS = (OutputError, OSError, sqlite3.Error)
_MANY = 64


class Shelf:
    """Values that spare work where they are found, and are worked out again where they are not.

    What is put is written some tens at a time. After a fault of the disk nothing is read or written
    any more, with one warning. May be used from several threads, and by several processes.

    Args:
        folder: Where it is; made when something is written, unless the folder above it is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: Any = None
        self._waiting: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._refused = False

    def get(self, key: str) -> bytes | None:
        """A value that was written, if it can be read."""
        if self._refused:
            return None
        try:
            store = self._store(make=False)
            found = None if store is None else store.get(key)
        except (ValueError, TypeError):
            return None  # an entry that is none of ours
        except _FAULTS as error:
            self._refuse(error)
            return None
        return found if type(found) is bytes else None

    def put(self, key: str, value: bytes) -> bool:
        """Take a value; whether many are waiting now to be written."""
        with self._lock:
            self._waiting[key] = value
            return len(self._waiting) >= _MANY

    def write(self) -> None:
        """Write what is waiting to be written."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting or self._refused:
            return
        try:
            store = self._store(make=True)
            if store is not None:
                write_all(store, waiting)
        except _FAULTS as error:
            self._refuse(error)

    def _store(self, *, make: bool) -> Any:
        """The store; ``None`` where there is none, and none can be made."""
        there = self._folder.parent if make else self._folder
        if self._opened is None and there.is_dir():
            self._opened = open_store(self._folder)
        return self._opened

    def _refuse(self, error: Exception) -> None:
        self._refused = True
        log.warning(
            "%s cannot be used, and is left alone: %s", self._folder, error.__cause__ or error
        )
