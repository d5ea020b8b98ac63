"""How fast a run is whose replies all stand in the cache, on one core.

Fills a reply cache for 10,000 predictions (20 to an item), then grades them all into new folders,
each time in a process of its own: first every grade is worked out of its reply, level 2 included,
and kept; then the kept grades are found. Once with plans of 1,500 characters, once with brief
answers of 150. Beside it, for a ratio, the least that any cached run has to do: read the reply,
parse it, write it as a line::

    python benchmarks/cached_run.py              # a minute

Exits with 1 if kept grades are found below ``--least`` items a second, if litellm was imported, or
if the memory of a process, without the pages of the cache's file, grows by over 16 MB after the
first 2,000 items: the key of each grade is kept, and bounded caches, of up to 8,192 compiled
elements of references, are still filling. Needs Linux's ``/proc``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from bench_server import NUMBER, answer
from embedded_speed import pairs
from mmrare_judge import Item, Judge, Prediction, Run
from mmrare_judge.backends.base import Reply, Usage
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.judging.prompt import make_request

SETTINGS: dict[str, Any] = {"api_base": "http://localhost:1/v1", "backend": "direct"}
MODEL = "openai/bench"
SOON = 2000
MOST_GROWTH = 16.0
LENGTHS = {"plans of 1,500 characters": 1500, "answers of 150 characters": 150}
TURNS = ("worked out of the replies", "found again")


def predictions(length: int, number: int) -> Iterator[tuple[Prediction, Item]]:
    """Predictions with their items."""
    for count, (plan, item) in enumerate(islice(pairs(length), number)):
        yield Prediction(item_id=item.id, text=plan, system=f"system {count % 20}"), item


def fill(cache: Path, length: int, number: int) -> None:
    """Keep a reply for every prediction."""
    judge, replies = Judge(MODEL, cache=cache, **SETTINGS), ReplyCache(cache)
    bought = Usage(calls=1, prompt_tokens=1500, completion_tokens=300)
    for count, (prediction, item) in enumerate(predictions(length, number)):
        questions = judge.prepare(prediction, item).questions
        text = answer().replace(NUMBER.decode(), f"No. {count}")
        replies.put(
            make_request(judge.spec, questions, questions.all), Reply(text=text, usage=bought)
        )


def run(folder: Path, length: int, number: int) -> dict[str, Any]:
    """Grade everything from the cache; seconds of CPU, and memory early and at the end."""
    again = Run(mkdtemp(dir=folder), MODEL, cache=folder / "cache", **SETTINGS)
    peaks: dict[int, float] = {}

    def watch(progress: Any) -> None:
        if progress.graded in (SOON, number):
            peaks[progress.graded] = own_memory()

    again.watch = watch
    started = time.process_time()
    report = again.grade(predictions(length, number))
    seconds = time.process_time() - started
    assert report.progress.graded == number
    assert report.progress.usage.calls == 0
    return {"seconds": seconds, "peaks": list(peaks.values()), "litellm": "litellm" in sys.modules}


def own_memory() -> float:
    """Megabytes of this process that belong to no file."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"RssAnon:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


def least_work(folder: Path, length: int, number: int) -> float:
    """Seconds of CPU to read, parse and write as many replies."""
    replies = ReplyCache(folder / "cache")
    hashes = [key for key in replies._store.iterkeys() if not key.startswith("request:")]
    started = time.process_time()
    with (folder / "least.jsonl").open("w", encoding="utf-8") as lines:
        for key in hashes:
            reply = replies.get(key)
            assert reply is not None
            lines.write(json.dumps(json.loads(reply.text)) + "\n")
            lines.flush()
    return time.process_time() - started


def _one(folder: Path, length: int, number: int) -> dict[str, Any]:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the target is one core
    found = run(folder, length, number)
    return found | {"least": least_work(folder, length, number)}


def measured(length: int, number: int) -> list[dict[str, Any]]:
    """`run`, turn after turn, each in a process of its own, after the cache is filled."""
    with TemporaryDirectory() as folder:
        fill(Path(folder, "cache"), length, number)
        command = [sys.executable, __file__, "--one", folder, str(length), str(number)]
        return [_last_line(command) for _ in TURNS]


def _last_line(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Measure, print, and compare with the targets."""
    if sys.argv[1:2] == ["--one"]:
        folder, characters, number = sys.argv[2:]
        print(json.dumps(_one(Path(folder), int(characters), int(number))))
        return 0
    parser = argparse.ArgumentParser(description="Speed of a run from the cache.")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--least", type=float, default=4000.0, help="items a second")
    options = parser.parse_args()
    print("| predictions | grades | items/s | to the least work | own MB | growth | litellm |")
    print("|---|---|---|---|---|---|---|")
    met = True
    for name, length in LENGTHS.items():
        for turn, found in zip(TURNS, measured(length, options.items), strict=True):
            rate, (soon, end) = options.items / found["seconds"], found["peaks"]
            ratio, loaded = found["seconds"] / found["least"], "yes" if found["litellm"] else "no"
            memory = f"{end:.0f} | {end - soon:.1f}"
            print(f"| {name} | {turn} | {rate:.0f} | {ratio:.1f} | {memory} | {loaded} |")
            met = met and not found["litellm"] and end - soon <= MOST_GROWTH
        met = met and rate >= options.least  # of the last turn
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
