"""A reply cache as one portable file, which a paper can ship: JSONL, gzipped by its suffix.

The first line says what the file is; each further line is one entry, in the order of the hashes.
Equal caches give equal files, byte by byte: nothing in them tells of time, place or machine.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from pydantic import ValidationError

from mmrare_judge._version import __version__
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import GRADES, Entry, ReplyCache, in_short, shows_secret
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.files import whole_file
from mmrare_judge.records import Record, canonical_json


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with a cache or a bundle.

    Attributes:
        place: Where: an entry's hash, or file and line.
        problem: What.
    """

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def checked_entries(replay: Replay) -> Iterator[tuple[str, Entry | Fault]]:
    """Every entry in the order of the hashes, or what is wrong with it."""
    for request_hash in replay.hashes():
        try:
            yield request_hash, replay.entry(request_hash)
        except ValueError as error:
            yield request_hash, Fault(request_hash, in_short(error))


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
def _new_file(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """A file that is there when all of it is written, readable by its owner alone."""
    check_suffix(path)
    if path.exists():
        raise OutputError(f"{path} exists already; name another file or move it away")
    with whole_file(path, private=True) as raw:
        if path.suffix != ".gz":
            yield raw
            return
        # Neither name nor time in it: equal caches, equal files.
        with gzip.GzipFile("", "wb", 9, fileobj=raw, mtime=0) as packed:
            yield packed


def check_suffix(path: Path) -> None:
    """Check that a file is named as a bundle.

    Raises:
        InputError: It is not.
    """
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        remedy = "Name it .jsonl or, compressed, .jsonl.gz"
        raise InputError(f"{path} has no suffix of a bundle", remedy=remedy)


# --- Import: each entry is checked, none is refused in silence

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


# --- What a cache holds, and whether all of it is sound


def cache_faults(replay: Replay) -> Iterator[Fault]:
    """Everything that is wrong with a cache, entry by entry.

    Each reply must be readable and valid, and its request, where it is kept, must hash to the
    reply's key.
    """
    if strangers := replay.strangers():
        yield Fault(str(replay.directory), f"{strangers} keys that are not of this package")
    replies = set()
    for request_hash, found in checked_entries(replay):
        replies.add(request_hash)
        if isinstance(found, Fault):
            yield found
    for request_hash in replay.request_hashes():
        if request_hash not in replies:
            yield Fault(request_hash, "there is a request without a reply")


@dataclass
class CacheStats:
    """What a cache holds.

    Attributes:
        bytes: Size of the files, without finished grades.
        entries: Replies.
        with_request: Of those, with the request kept beside them.
        unreadable: Entries that `cache_faults` names; in none of the counts below.
        by_model: Replies by the model that was asked.
        by_finish: Replies by how they ended.
        prompt_tokens: Tokens sent to buy them, every attempt counted.
        completion_tokens: Tokens received.
        cost: US dollars, of the replies whose price is known.
        cost_unknown: Replies whose price is not known.
    """

    bytes: int
    entries: int = 0
    with_request: int = 0
    unreadable: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    by_finish: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    cost_unknown: int = 0

    def lines(self) -> Iterator[str]:
        """The figures as text, one a line."""
        yield f"entries           {self.entries:,}"
        yield f"with request      {self.with_request:,}"
        if self.unreadable:
            yield f"unreadable        {self.unreadable:,}"
        yield f"bytes on disk     {self.bytes:,}"
        for title, counts in (("model", self.by_model), ("finish", self.by_finish)):
            yield from (f"{title} {name}: {count:,}" for name, count in sorted(counts.items()))
        yield f"tokens bought     {self.prompt_tokens:,} sent, {self.completion_tokens:,} received"
        unknown = f", and {self.cost_unknown:,} replies of unknown price"
        yield f"cost              {self.cost:.4f} USD" + (unknown if self.cost_unknown else "")


def cache_stats(replay: Replay) -> CacheStats:
    """Count what a cache holds, and what was paid for it."""
    stats = CacheStats(bytes=_size(replay.directory))
    for _, entry in checked_entries(replay):
        stats.entries += 1
        if isinstance(entry, Fault):
            stats.unreadable += 1
            continue
        usage = entry.reply.usage
        stats.by_model[entry.model] += 1
        stats.by_finish[entry.reply.finish] += 1
        stats.with_request += entry.request is not None
        stats.prompt_tokens += usage.prompt_tokens
        stats.completion_tokens += usage.completion_tokens
        stats.cost += usage.cost or 0.0
        stats.cost_unknown += usage.cost is None
    return stats


def _size(folder: Path) -> int:
    """Bytes of the replies' files; those of kept grades are not counted."""
    try:
        kept = [path for path in folder.rglob("*") if folder / GRADES not in path.parents]
        return sum(path.stat().st_size for path in kept if path.is_file())
    except OSError as error:
        raise OutputError(f"cache {folder} cannot be read: {error}") from error
