"""Which code is running: a hash of this package's own files, and of what its results rest on."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable

_RESTS_ON = ("pydantic", "rapidfuzz")
"""Packages whose version may change what a reply is graded as."""


@cache
def own_source() -> str:
    """Hash of every file of the package, of Python's version and of the packages grading rests on.

    Unlike the package's version it changes with every edit. It takes some milliseconds, once.
    """
    digest = hashlib.sha256()
    for part in (*_versions(), *_files(resources.files("mmrare_judge"))):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _versions() -> Iterator[bytes]:
    yield sys.version.encode()
    for name in _RESTS_ON:
        yield f"{name} {version(name)}".encode()


def _files(folder: Traversable, above: str = "") -> Iterator[bytes]:
    """Path and content of each file, in order."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{above}/{entry.name}"
        if entry.is_file():
            yield path.encode()
            yield entry.read_bytes()
        elif entry.name != "__pycache__":
            yield from _files(entry, path)
