"""How fast and in how much memory `read_items` loads a large TSV with images.

Writes a table of about 300 MB (base64 images of 3 MB a row) into a temporary folder, loads it in
a process of its own and prints that process's peak memory and its speed::

    python benchmarks/load_items.py --megabytes 300

Exits with 1 if the peak is not below ``--limit`` megabytes. Needs Linux's ``/proc``.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

IMAGES_A_ROW = 3
BYTES_AN_IMAGE = 750_000  # one million characters of base64

HEADER = (
    "index",
    "image",
    "context",
    "question",
    "answer",
    "rubric_must_include",
    "rubric_must_not",
)

# VmHWM is the peak of the new process alone; getrusage would count its parent's before exec.
LOAD = """
import json, re, sys, time
from pathlib import Path
from mmrare_judge.data.items import read_items
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
base, start = peak(), time.perf_counter()
items = read_items(sys.argv[1], track="treatment")
seconds = time.perf_counter() - start
print(json.dumps({"items": len(items), "seconds": seconds, "base": base, "peak": peak()}))
"""


def write_table(path: Path, megabytes: int) -> None:
    """Write a treatment table of at least ``megabytes``, quoted as pandas quotes."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(HEADER)
        number = 0
        while stream.tell() < megabytes * 1_000_000:
            number += 1
            images = [base64.b64encode(os.urandom(BYTES_AN_IMAGE)).decode()] * IMAGES_A_ROW
            context = f"Case {number}.\n" + "A finding, with a value of 5 mg. " * 60
            elements = json.dumps(["enzyme replacement", "genetic counselling"])
            plan = "Replace the enzyme."
            writer.writerow(
                (number, json.dumps(images), context, "Which plan?", plan, elements, "[]")
            )


def measure(path: Path) -> dict[str, float]:
    """Load the table in a process of its own; its peak counts Python and all imports."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Write, load, print."""
    parser = argparse.ArgumentParser(description="Memory and speed of read_items on a large TSV.")
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--limit", type=int, default=400, help="megabytes the peak has to be below")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder, "items.tsv")
        started = time.perf_counter()
        write_table(path, options.megabytes)
        size = path.stat().st_size / 1e6
        print(f"wrote {size:.0f} MB in {time.perf_counter() - started:.1f} s")
        found = measure(path)
    peak = found["peak"] * 1024 / 1e6  # Linux counts KiB
    base = found["base"] * 1024 / 1e6
    print(
        f"read {found['items']:.0f} items in {found['seconds']:.1f} s: "
        f"{size / found['seconds']:.0f} MB/s, peak {peak:.0f} MB ({base:.0f} MB after imports)"
    )
    return 0 if peak < options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
