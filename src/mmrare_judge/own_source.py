"""Which code is running: a hash of this package's own files, and of what its results rest on."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from importlib.resources.abc import Traversable

_RESTS_ON = ("pydantic", "rapidfuzz")
"""Packages whose version may change what a reply is graded as."""

_KINDS = (".py", ".tsv")
"""Files that may; rubrics are hashed by themselves."""

_OUTSIDE = "calibration"
"""What is in here studies grades and makes none."""


def _own_source() -> str | None:
    digest = hashlib.sha256()
    try:
        for part in (*_versions(), *_files(resources.files("mmrare_judge"))):
            digest.update(len(part).to_bytes(8, "big") + part)
    except (OSError, PackageNotFoundError):
        return None
    return digest.hexdigest()


def _versions() -> Iterator[bytes]:
    yield sys.version.encode()
    for name in _RESTS_ON:
        yield f"{name} {version(name)}".encode()


def _files(folder: Traversable, above: str = "") -> Iterator[bytes]:
    """Path and content of each file of these kinds, in order."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{above}/{entry.name}"
        if entry.is_dir() and entry.name != _OUTSIDE:
            yield from _files(entry, path)
        elif entry.is_file() and entry.name.endswith(_KINDS):
            yield path.encode()
            yield entry.read_bytes()


OWN_SOURCE = _own_source()
"""Hash of the code of this package, of Python's version and of the packages grading rests on.

Unlike the package's version it changes with every edit. It is taken when this module is imported,
as the code was: what is edited later is not what is running. ``None`` where it cannot be known.
"""
