"""How many predictions level 2 and the embedded judge do in a second, on one core.

Run: python benchmarks/embedded_speed.py [seconds]
"""

from __future__ import annotations

import sys
import time

from mmrare_judge.backends.embedded import EmbeddedJudge
from mmrare_judge.item import Item, Reference
from mmrare_judge.rubric import load_rubric
from mmrare_judge.task import Task
from mmrare_judge.verify import verify

LENGTH = 1500

ITEM = Item(
    id="speed",
    track="treatment",
    question="Which treatment do you suggest?",
    reference=Reference(
        answer="Start prednisone 1 mg/kg daily and IVIG 2 g/kg, and monitor platelets weekly.",
        must_include=(
            "Start oral prednisone 1 mg/kg daily",
            "intravenous immunoglobulin 2 g/kg over 2 days",
            "monitor the platelet count weekly",
            "refer to hematology",
        ),
        must_not=("Avoid NSAIDs", "platelet transfusion without bleeding"),
    ),
)

PLAN = """1. Start prednisone 1 mg/kg by mouth every day, tapered over {n} weeks.
2. Give IVIG 1 g/kg on two consecutive days if bleeding is severe or platelets are below 10.
3. Avoid ibuprofen and other NSAIDs; platelet transfusion is not recommended without bleeding.
4. Follow up in {n} days with a CBC, blood glucose and blood pressure, then every 2 weeks.
If there is no response, consider rituximab or a thrombopoietin receptor agonist. The patient
should be seen by a hematologist, who will decide on splenectomy. """


def predictions(number: int) -> list[str]:
    """Different plans of `LENGTH` characters."""
    return [(PLAN.format(n=n) * 4)[:LENGTH] for n in range(number)]


def per_second(seconds: float) -> float:
    """Predictions graded in a second, each one new to every cache."""
    judge, rubric = EmbeddedJudge(), load_rubric("treatment")
    plans = iter(predictions(200_000))
    judge.judge(Task(rubric, ITEM, next(plans)))
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        plan = next(plans)
        verify(plan, ITEM)
        judge.judge(Task(rubric, ITEM, plan))
        done += 1
    return done / (time.perf_counter() - start)


if __name__ == "__main__":
    print(f"{per_second(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0):.0f} predictions/s")
