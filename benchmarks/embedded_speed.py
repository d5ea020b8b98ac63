"""How many predictions level 2 and the embedded judge do in a second, on one core.

Plans of 1,500 characters, no two alike, 20 to an item as when 20 systems are graded; both together
on each. Beside it, for a ratio, how often in a second the same plans are merely split at white
space, counted and sorted by word, as a bag-of-words score would::

    python benchmarks/embedded_speed.py --seconds 3

Exits with 1 below ``--least`` predictions a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

from mmrare_judge.data.items import Item, Reference
from mmrare_judge.judging.embedded_judge import EmbeddedJudge
from mmrare_judge.judging.questions import Questions
from mmrare_judge.level2.verify import verify
from mmrare_judge.rubric.model import load_rubric

LENGTH = 1500
SYSTEMS = 20

PLAN = """1. Start prednisone 1 mg/kg by mouth every day, tapered over {n} weeks.
2. Give IVIG 1 g/kg on two consecutive days if bleeding is severe or platelets are below 10.
3. Avoid ibuprofen and other NSAIDs; platelet transfusion is not recommended without bleeding.
4. Follow up in {n} days with a CBC, blood glucose and blood pressure, then every 2 weeks.
If there is no response, consider rituximab or a thrombopoietin receptor agonist. The patient
should be seen by a hematologist, who will decide on splenectomy. """


def item(number: int) -> Item:
    """An item; no two are alike."""
    return Item(
        id=f"speed-{number}",
        track="treatment",
        question=f"Which treatment do you suggest, {number} days after the diagnosis?",
        reference=Reference(
            answer="Start prednisone 1 mg/kg daily and IVIG 2 g/kg, and monitor platelets weekly.",
            must_include=(
                "Start oral prednisone 1 mg/kg daily",
                "intravenous immunoglobulin 2 g/kg over 2 days",
                f"monitor the platelet count weekly for {number} weeks",
                "refer to hematology",
            ),
            must_not=("Avoid NSAIDs", f"platelet transfusion above {number} without bleeding"),
        ),
    )


def predictions(number: int) -> list[str]:
    """Different plans of `LENGTH` characters."""
    return [(PLAN.format(n=n) * 4)[:LENGTH] for n in range(number)]


def pairs(length: int = LENGTH) -> Iterator[tuple[str, Item]]:
    """Plans with their items, `SYSTEMS` to an item, without end."""
    for n in count():
        if n % SYSTEMS == 0:
            asked = item(n // SYSTEMS)
        yield f"Plan {n}. {PLAN.format(n=n) * 4}"[:length], asked


def per_second(work: Callable[[str, Item], object], seconds: float) -> float:
    """Predictions worked on in a second of CPU time, each one new to every cache."""
    stream = pairs()
    for _ in range(SYSTEMS):
        work(*next(stream))
    done, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        work(*next(stream))
        done += 1
    return done / (time.process_time() - start)


def bag_of_words(plan: str, asked: Item) -> object:
    """What the simplest of scores would have to do."""
    return sorted(Counter(plan.lower().split()).items())


def main() -> int:
    """Measure in turns, and print the medians."""
    parser = argparse.ArgumentParser(description="Speed of level 2 and the embedded judge.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--least", type=float, default=1000.0, help="predictions a second")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the target is one core
    judge, rubric = EmbeddedJudge(), load_rubric("treatment")

    def both(plan: str, asked: Item) -> object:
        return verify(plan, asked), judge.judge(Questions(rubric, asked, plan))

    works: dict[str, Callable[[str, Item], object]] = {
        "level 2": verify,
        "level 2 and the embedded judge": both,
        "bag of words": bag_of_words,
    }
    rounds = [[per_second(work, options.seconds / 3) for work in works.values()] for _ in range(3)]
    rates = {name: sorted(of)[1] for name, of in zip(works, zip(*rounds, strict=True), strict=True)}
    print("| work | predictions/s | to bag of words |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.0f} | {rates['bag of words'] / rate:.1f} |")
    return 0 if rates["level 2 and the embedded judge"] >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
