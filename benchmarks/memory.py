"""How much memory grading takes with 256 requests in flight, beside litellm alone.

Each client sends 10,000 requests (about 1,500 tokens) to the server of `bench_server`, in a process
of its own, two processes at a time; the peak is read when 2,000 are done, and at the end::

    python benchmarks/memory.py                  # a minute or two
    python benchmarks/memory.py --only aiohttp grade-direct

Exits with 1 if grading through litellm takes over 20 MB more than litellm, or if its peak grows by
over 10 MB after the first 2,000 calls: bounded caches of ours may still be filling. Needs Linux's
``/proc``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench_server import serving
from client_cost import CLIENTS, jobs, work_off

CONCURRENCY = 256
LATENCY = 0.05
SOON = 2000
MOST_ABOVE, MOST_GROWTH = 20.0, 10.0


def peak() -> float:
    """Peak megabytes of this process, its imports counted, its parent's not."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


async def measure(client: str, url: str, calls: int) -> dict[str, float]:
    """The peak after `SOON` calls and at the end."""
    call = await CLIENTS[client](url)
    waiting = jobs()
    await work_off(call, islice(waiting, SOON), CONCURRENCY)
    soon = peak()
    await work_off(call, islice(waiting, calls - SOON), CONCURRENCY)
    return {"soon": soon, "end": peak()}


def start(client: str, url: str, calls: int) -> subprocess.Popen[str]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--one", client, url, str(calls)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def found(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process found."""
    said, complained = process.communicate()
    if process.returncode:
        sys.exit(complained)
    measured: dict[str, float] = json.loads(said.splitlines()[-1])
    return measured


def main() -> int:
    """Measure, print, and compare with the targets."""
    if sys.argv[1:2] == ["--one"]:
        client, url, number = sys.argv[2:]
        print(json.dumps(asyncio.run(measure(client, url, int(number)))))
        return 0
    parser = argparse.ArgumentParser(description="Memory of grading with many in flight.")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", default=["litellm", "grade-litellm", "grade-direct"])
    options = parser.parse_args()
    rows: dict[str, dict[str, float]] = {}
    with serving(LATENCY) as url:
        for names in _two_at_a_time(options.only):
            processes = {name: start(name, url, options.calls) for name in names}
            rows |= {name: found(process) for name, process in processes.items()}
    print(f"| client | peak MB, {SOON:,} calls | {options.calls:,} calls | growth |")
    print("|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['soon']:.0f} | {row['end']:.0f} | {row['end'] - row['soon']:.1f} |")
    return 0 if _met(rows) else 1


def _two_at_a_time(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), 2):
        yield names[first : first + 2]


def _met(rows: dict[str, dict[str, float]]) -> bool:
    if not {"litellm", "grade-litellm"} <= rows.keys():
        return True
    ours = rows["grade-litellm"]
    above = ours["end"] - rows["litellm"]["end"]
    print(f"grade-litellm is {above:.0f} MB above litellm")
    return above <= MOST_ABOVE and ours["end"] - ours["soon"] <= MOST_GROWTH


if __name__ == "__main__":
    sys.exit(main())
