"""What importing costs: CPU time and peak memory of fresh processes, beside ``import pydantic``.

Every line is run in turns, each in a process of its own, and the medians are printed::

    python benchmarks/import_time.py --times 15

``from pydantic import BaseModel`` is the measure: whoever reads JSON pays for it. The package finds
its names when they are asked for, so two further lines show what the first use costs. Exits with 1
if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

BASE = "from pydantic import BaseModel"
PACKAGE = "import mmrare_judge"
VERSION = "mmrare-judge --version"
PYTHON = "python itself"

LINES: dict[str, list[str]] = {
    PYTHON: [sys.executable, "-c", "pass"],
    BASE: [sys.executable, "-c", BASE],
    PACKAGE: [sys.executable, "-c", PACKAGE],
    VERSION: [str(Path(sys.executable).with_name("mmrare-judge")), "--version"],
    "from mmrare_judge import Judge": [sys.executable, "-c", "from mmrare_judge import Judge"],
    "import litellm": [sys.executable, "-c", "import litellm"],
}
MOST_TIMES_BASE = 1.6
MOST_MEGABYTES = 45.0


def cost(command: list[str]) -> tuple[float, float]:
    """CPU milliseconds and peak megabytes of a process."""
    offline = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    silence = subprocess.DEVNULL
    with subprocess.Popen(command, env=offline, stdout=silence, stderr=silence) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss / 1024


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description="What importing the package costs.")
    parser.add_argument("--times", type=int, default=15)
    options = parser.parse_args()
    for command in LINES.values():
        cost(command)  # writes what Python compiles, and warms the disk's cache
    runs: dict[str, list[tuple[float, float]]] = {line: [] for line in LINES}
    for number in range(options.times):
        for line, command in LINES.items():
            if line != "import litellm" or number < 3:
                runs[line].append(cost(command))
    time = {line: median(ms for ms, _ in of) for line, of in runs.items()}
    peak = {line: median(mb for _, mb in of) for line, of in runs.items()}
    print("| line | CPU ms | to pydantic | peak MB |\n|---|---|---|---|")
    for line in LINES:
        print(f"| `{line}` | {time[line]:.0f} | {time[line] / time[BASE]:.2f} | {peak[line]:.0f} |")
    most = MOST_TIMES_BASE * time[BASE]
    met = time[PACKAGE] <= most and peak[PACKAGE] <= MOST_MEGABYTES and time[VERSION] <= 2 * most
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
