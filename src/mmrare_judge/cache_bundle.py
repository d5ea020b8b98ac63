"""A reply cache as one portable file, which a paper can ship: JSONL, gzipped by its suffix.

The first line says what the file is; each further line is one entry, in the order of the hashes.
Equal caches give equal files, byte by byte: nothing in them tells of time, place or machine.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Literal

from mmrare_judge._version import __version__
from mmrare_judge.cache_check import Fault, checked_entries
from mmrare_judge.cache_entry import Entry, shows_secret
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.records import Record, canonical_json
from mmrare_judge.replay import Replay


class Header(Record):
    """The first line of a bundle.

    Attributes:
        format: What this file is.
        format_version: The version of its form.
        package: The version of this package that wrote it.
        count: Entries that follow.
        created_from: What the replies were bought for, in the words of who exported them.
    """

    format: Literal["mmrare-judge-replies"] = "mmrare-judge-replies"
    format_version: Literal[1] = 1
    package: str = __version__
    count: int
    created_from: str = ""


@dataclass(frozen=True)
class Exported:
    """What `export_bundle` did.

    Attributes:
        count: Entries written.
        with_request: Of those, with the request.
        faults: Entries left out, and why.
    """

    count: int
    with_request: int
    faults: tuple[Fault, ...]


def export_bundle(
    replay: Replay,
    path: str | Path,
    *,
    requests: Literal["all", "none"] = "all",
    created_from: str = "",
) -> Exported:
    """Write a cache to a file, whole or not at all.

    Requests hold what was judged: item and prediction, so the patient's text. With
    ``requests="none"`` they are left out; such a bundle can still be replayed.

    Args:
        replay: The cache.
        path: The file, ``.jsonl`` or ``.jsonl.gz``; it must not exist yet.
        requests: Whether requests go into it.
        created_from: What the replies were bought for.

    Returns:
        What was written, and what could not be.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file exists, or cannot be written.
    """
    path = Path(path)
    good, faults = _sifted(replay)
    header = Header(count=len(good), created_from=created_from)
    with_request = 0
    with _new_file(path) as out:
        out.write(_line(header.model_dump(mode="json")))
        for request_hash in good:
            fields = replay.entry(request_hash).model_dump(mode="json")
            if requests == "none" or fields["request"] is None:
                del fields["request"]
            with_request += "request" in fields
            out.write(_line(fields))
    return Exported(len(good), with_request, tuple(faults))


def _sifted(replay: Replay) -> tuple[list[str], list[Fault]]:
    """Hashes of what can be exported, in order, and what is wrong with the rest."""
    good: list[str] = []
    faults: list[Fault] = []
    for request_hash, found in checked_entries(replay):
        if isinstance(found, Fault):
            faults.append(found)
        elif _shows_secret(found):
            problem = "its parameters may hold a key; it is not exported"
            faults.append(Fault(request_hash, problem))
        else:
            good.append(request_hash)
    return good, faults


def _shows_secret(entry: Entry) -> bool:
    request = entry.request or {}
    parameters = [request.get("sampling"), dict(entry.reply.sampling)]
    return shows_secret(request.get("endpoint"), parameters)


def _line(fields: object) -> bytes:
    return canonical_json(fields).encode() + b"\n"


@contextmanager
def _new_file(path: Path) -> Iterator[BufferedIOBase]:
    """A file that is there when all of it is written, readable by its owner alone."""
    check_suffix(path)
    if path.exists():
        raise OutputError(f"{path} exists already; name another file or move it away")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "xb", opener=_private) as raw, _packed(raw, path) as out:
            yield out
        os.replace(draft, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _packed(raw: BufferedIOBase, path: Path) -> Iterator[BufferedIOBase]:
    if path.suffix == ".gz":
        # Neither name nor time in it: equal caches, equal files.
        with gzip.GzipFile("", "wb", 9, fileobj=raw, mtime=0) as packed:
            yield packed
    else:
        yield raw
    raw.flush()
    os.fsync(raw.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def check_suffix(path: Path) -> None:
    """Check that a file is named as a bundle.

    Raises:
        InputError: It is not.
    """
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        remedy = "Name it .jsonl or, compressed, .jsonl.gz"
        raise InputError(f"{path} has no suffix of a bundle", remedy=remedy)
