"""A bundle's entries added to a reply cache, each checked, none refused in silence."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from mmrare_judge.cache import ReplyCache
from mmrare_judge.cache_bundle import Header, check_suffix
from mmrare_judge.cache_check import Fault
from mmrare_judge.cache_entry import Entry, in_short
from mmrare_judge.errors import InputError

_UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass
class Imported:
    """What `import_bundle` did.

    Attributes:
        added: Entries that are new.
        known: Entries that were there already, equal.
        requests_added: Of the known, those whose request was not kept before.
        faults: Lines not imported, and why: bad ones, and entries kept with another reply.
    """

    added: int = 0
    known: int = 0
    requests_added: int = 0
    faults: list[Fault] = field(default_factory=list)


def import_bundle(path: str | Path, cache: ReplyCache | str | Path) -> Imported:
    """Add the entries of a bundle to a cache, line by line.

    A bad line is reported and not imported; the others are. What the cache holds already stays as
    it is; where the bundle has another reply, that is reported.

    Args:
        path: The bundle.
        cache: The cache, or its folder, which is made if absent.

    Raises:
        InputError: The file cannot be read, or is no bundle.
        OutputError: The cache cannot be written.
    """
    path, done = Path(path), Imported()
    check_suffix(path)
    lines = _lines(path)
    header = _header(path, next(lines, (1, b"")))
    cache = cache if isinstance(cache, ReplyCache) else ReplyCache(cache)
    found = 0
    for number, line in lines:
        found += isinstance(line, bytes)
        try:
            _take(line, cache, done)
        except (ValueError, *_UNREADABLE) as error:
            done.faults.append(Fault(f"{path}, line {number}", in_short(error)))
    if found != header.count:
        problem = f"the header promises {header.count} entries, and {found} lines follow"
        done.faults.append(Fault(str(path), problem))
    return done


def _lines(path: Path) -> Iterator[tuple[int, bytes | Exception]]:
    """Lines with their numbers; a fault on the way is the last of them."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                yield number, line
    except _UNREADABLE as error:
        yield number + 1, error


def _header(path: Path, first: tuple[int, bytes | Exception]) -> Header:
    _, line = first
    if isinstance(line, Exception):
        raise InputError(f"cannot be read: {line}", file=str(path)) from line
    try:
        return Header.model_validate_json(line)
    except ValidationError as error:
        remedy = "A bundle is what `mmrare-judge cache export` of this or an older version writes"
        problem = f"is no bundle of replies: {in_short(error)}"
        raise InputError(problem, remedy=remedy, file=str(path), row=1) from error


def _take(line: bytes | Exception, cache: ReplyCache, done: Imported) -> None:
    if isinstance(line, Exception):
        raise line
    entry = Entry.model_validate_json(line)
    kept = cache.get(entry.hash)
    if kept is None:
        cache.put_entry(entry)
        done.added += 1
    elif kept != entry.reply:
        raise ValueError(f"another reply is kept already under {entry.hash}, and stays")
    else:
        done.known += 1
        if entry.request is not None and not cache.has_request(entry.hash):
            cache.put_entry(entry)
            done.requests_added += 1
