"""How much of the concurrency is used while a slow judge is waited for.

With a latency of 2 s and 64 in flight, nothing can grade more than 32 items a second. Both ways of
`Judge` are measured with the limits a run has, and the share of that ideal is printed::

    python benchmarks/wire_use.py               # a minute and a quarter
    python benchmarks/wire_use.py --waves 20

Exits with 1 below ``--least``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from itertools import islice

from bench_server import serving
from client_cost import CLIENTS, jobs, work_off


async def share(client: str, url: str, latency: float, concurrency: int, waves: int) -> float:
    """Items x latency / concurrency, as a share of the time it took."""
    call = await CLIENTS[client](url)
    waiting = jobs()
    await work_off(call, islice(waiting, 1), 1)  # imports, and opens the first connection
    items = waves * concurrency
    started = time.perf_counter()
    await work_off(call, islice(waiting, items), concurrency)
    return items * latency / concurrency / (time.perf_counter() - started)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Use of the concurrency at high latency.")
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--waves", type=int, default=16, help="items in flight one after another")
    parser.add_argument("--least", type=float, default=0.95)
    options = parser.parse_args()
    print("| client | share of the ideal |\n|---|---|")
    shares = []
    with serving(options.latency) as url:
        for client in ("grade-litellm", "grade-direct"):
            many = (options.latency, options.concurrency, options.waves)
            shares.append(asyncio.run(share(client, url, *many)))
            print(f"| {client} | {shares[-1]:.1%} |")
    return 0 if min(shares) >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
