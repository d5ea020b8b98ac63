"""How much memory and time a calibration study takes a prediction, with 18 labels each.

Grades of six criteria with reasons and quotes, and the labels of three clinicians on each, are
written to a folder and studied from there, in a process of its own for each size. What a prediction
takes is the slope between the two sizes: libraries and what does not grow fall out::

    python benchmarks/study_memory.py            # about two minutes
    python benchmarks/study_memory.py --sizes 20000 100000

Exits with 1 above 6 KB a prediction. Needs Linux's ``/proc``.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from memory import peak
from mmrare_judge import Item, Reference, grade, iter_grades, load_rubric
from mmrare_judge.calibration import Resampling, StudyOptions, calibrate, read_gold, scales_of

MOST_KB = 6.0
SYSTEMS = 4


def write(folder: Path, predictions: int) -> None:
    """Grades and labels that agree on 85 of 100 units."""
    item = Item(
        id="1", track="treatment", question="Which treatment?", context="Acute gout.",
        reference=Reference(answer="Colchicine 0.5 mg twice a day. Follow up after one week."),
    )  # fmt: skip
    made = grade("Colchicine 0.5 mg twice a day. See her in a week.", item, judge="embedded")
    one, draw = made.model_dump(mode="json"), random.Random(1)
    with (folder / "grades.jsonl").open("w") as grades, (folder / "gold.csv").open("w") as gold:
        gold.write("item,system,criterion,rater,label\n")
        for number in range(predictions):
            one |= {"item_id": f"case-{number // SYSTEMS}", "system": f"m{number % SYSTEMS}"}
            for verdict in one["verdicts"]:
                truth = draw.choice(("NO", "YES"))
                labels = [
                    truth if draw.random() < 0.85 else draw.choice(("NO", "YES")) for _ in "JABC"
                ]
                verdict |= {
                    "status": "judged", "level": labels[0], "points": float(labels[0] == "YES"),
                    "reasoning": f"The plan of case {number} says what the reference says. " * 5,
                }  # fmt: skip
                unit = f"{one['item_id']},{one['system']},{verdict['criterion']}"
                for rater, label in zip("ABC", labels[1:], strict=True):
                    gold.write(f"{unit},Dr {rater},{label}\n")
            grades.write(json.dumps(one) + "\n")


def study(folder: Path) -> dict[str, float]:
    """The peak of a study in megabytes, and its seconds."""
    start = time.perf_counter()
    gold = read_gold(folder / "gold.csv", scales_of(load_rubric("treatment")))
    options = StudyOptions(margin=0.1, resampling=Resampling(resamples=1000))
    calibrate(iter_grades(folder / "grades.jsonl"), gold, options=options)
    return {"megabytes": peak(), "seconds": time.perf_counter() - start}


def main() -> int:
    """Measure, print, and compare with the target."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(study(Path(sys.argv[2]))))
        return 0
    parser = argparse.ArgumentParser(description="Memory of a calibration study.")
    parser.add_argument("--sizes", type=int, nargs=2, default=[20_000, 60_000])
    sizes = sorted(parser.parse_args().sizes)
    found = []
    for size in sizes:
        with TemporaryDirectory() as folder:
            write(Path(folder), size)
            command = [sys.executable, __file__, "--one", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
        print(f"{size:>8,} predictions: {found[-1]['megabytes']:6.0f} MB, "
              f"{found[-1]['seconds']:5.1f} s")  # fmt: skip
    apart = [found[1][what] - found[0][what] for what in ("megabytes", "seconds")]
    each = apart[0] * 1024 / (sizes[1] - sizes[0])
    print(f"{each:.1f} KB and {1000 * apart[1] / (sizes[1] - sizes[0]):.2f} ms a prediction")
    return int(each > MOST_KB)


if __name__ == "__main__":
    sys.exit(main())
