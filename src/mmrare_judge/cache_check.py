"""What a reply cache holds, and whether all of it is sound: `cache_stats` and `cache_faults`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmrare_judge.cache import GRADES
from mmrare_judge.cache_entry import Entry, in_short
from mmrare_judge.errors import OutputError
from mmrare_judge.replay import Replay


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


def cache_faults(replay: Replay) -> Iterator[Fault]:
    """Everything that is wrong with a cache, entry by entry.

    Each reply must be readable and valid, and its request, where it is kept, must hash to the
    reply's key.

    Raises:
        OutputError: The disk fails.
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


def checked_entries(replay: Replay) -> Iterator[tuple[str, Entry | Fault]]:
    """Every entry in the order of the hashes, or what is wrong with it."""
    for request_hash in replay.hashes():
        try:
            yield request_hash, replay.entry(request_hash)
        except ValueError as error:
            yield request_hash, Fault(request_hash, in_short(error))


@dataclass(frozen=True)
class CacheStats:
    """What a cache holds.

    Attributes:
        entries: Replies.
        with_request: Of those, with the request kept beside them.
        unreadable: Entries that `cache_faults` names; in none of the counts below.
        bytes: Size of the files, without finished grades.
        by_model: Replies by the model that was asked.
        by_finish: Replies by how they ended.
        prompt_tokens: Tokens sent to buy them, every attempt counted.
        completion_tokens: Tokens received.
        cost: US dollars, of the replies whose price is known.
        cost_unknown: Replies whose price is not known.
    """

    entries: int
    with_request: int
    unreadable: int
    bytes: int
    by_model: Mapping[str, int]
    by_finish: Mapping[str, int]
    prompt_tokens: int
    completion_tokens: int
    cost: float
    cost_unknown: int

    def lines(self) -> Iterator[str]:
        """The figures as text, one a line."""
        yield f"entries           {self.entries:,}"
        yield f"with request      {self.with_request:,}"
        if self.unreadable:
            yield f"unreadable        {self.unreadable:,}"
        yield f"bytes on disk     {self.bytes:,}"
        for title, counts in (("model", self.by_model), ("finish", self.by_finish)):
            yield from (f"{title} {name}: {count:,}" for name, count in counts.items())
        yield f"tokens bought     {self.prompt_tokens:,} sent, {self.completion_tokens:,} received"
        unknown = f", and {self.cost_unknown:,} replies of unknown price"
        yield f"cost              {self.cost:.4f} USD" + (unknown if self.cost_unknown else "")


def cache_stats(replay: Replay) -> CacheStats:
    """Count what a cache holds, and what was paid for it.

    Raises:
        OutputError: The disk fails.
    """
    models: Counter[str] = Counter()
    finishes: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    cost = 0.0
    for _, entry in checked_entries(replay):
        totals["entries"] += 1
        if isinstance(entry, Fault):
            totals["unreadable"] += 1
            continue
        usage = entry.reply.usage
        models[entry.model] += 1
        finishes[entry.reply.finish] += 1
        totals["with_request"] += entry.request is not None
        totals["prompt_tokens"] += usage.prompt_tokens
        totals["completion_tokens"] += usage.completion_tokens
        totals["cost_unknown"] += usage.cost is None
        cost += usage.cost or 0.0
    return CacheStats(
        entries=totals["entries"],
        with_request=totals["with_request"],
        unreadable=totals["unreadable"],
        bytes=_size(replay.directory),
        by_model=dict(sorted(models.items())),
        by_finish=dict(sorted(finishes.items())),
        prompt_tokens=totals["prompt_tokens"],
        completion_tokens=totals["completion_tokens"],
        cost=cost,
        cost_unknown=totals["cost_unknown"],
    )


def _size(folder: Path) -> int:
    """Bytes of the replies' files; those of kept grades are not counted."""
    try:
        kept = [path for path in folder.rglob("*") if folder / GRADES not in path.parents]
        return sum(path.stat().st_size for path in kept if path.is_file())
    except OSError as error:
        raise OutputError(f"cache {folder} cannot be read: {error}") from error
