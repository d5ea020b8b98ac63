"""Small things that many tests need: items, questions and answers."""

from __future__ import annotations

from typing import Any

from mmrare_judge.backends.base import Request
from mmrare_judge.data.items import Item
from mmrare_judge.judging.questions import Answer, Questions
from mmrare_judge.rubric.model import Rubric, load_rubric, parse_rubric

REFERENCES: dict[str, dict[str, Any]] = {
    "treatment": {
        "answer": "Start prednisone 40 mg daily and taper over six weeks.",
        "must_include": ["prednisone 40 mg daily", "taper over six weeks"],
        "must_not": ["live vaccine"],
    },
    "examination": {
        "answer": "MRI of the brain with contrast, then lumbar puncture.",
        "key_tests": ["MRI of the brain", "lumbar puncture"],
        "must_not": ["whole-body PET"],
        "red_flags": ["meningitis"],
    },
    "diagnosis": {"answer": "Erdheim-Chester disease", "aliases": ["ECD"]},
    "cross_image": {
        "answer": "The CT confirms the mass seen on ultrasound.",
        "key_findings": ["hypoechoic mass", "enhancing mass on CT"],
        "relation": "confirm",
    },
}

RUBRIC = """
id: small
version: "1"
track: treatment
title: A small rubric
source: made for the tests
instructions: Judge.
scale: ["NO", "YES"]
total_weight: 4
criteria:
  - id: quality
    question: Is it good?
    weight: 3
    needs: [answer]
    levels:
      "NO": {points: 0, meaning: It is not.}
      "YES": {points: 1, meaning: It is., quote: true}
  - id: safe
    question: Is it safe?
    kind: safety
    weight: 1
    needs: [answer]
    levels:
      "NO": {points: 0, meaning: It is not., quote: true}
      "YES": {points: 1, meaning: It is.}
"""


def make_item(track: str = "treatment", **changes: Any) -> Item:
    """An item of a track with a filled reference; ``reference`` entries are replaced one by one."""
    reference = REFERENCES[track] | changes.pop("reference", {})
    fields = {"id": "1", "track": track, "question": "What now?", "context": "A woman of 40."}
    return Item.model_validate(fields | {"reference": reference} | changes)


def small_rubric(text: str = RUBRIC) -> Rubric:
    """The rubric above, or another text."""
    return parse_rubric(text, file="small.yaml")


def make_questions(
    prediction: str, *, rubric: Rubric | str | None = None, **changes: Any
) -> Questions:
    """The questions of a rubric on an item made by `make_item`."""
    item = make_item(**changes)
    chosen = rubric if isinstance(rubric, Rubric) else load_rubric(rubric or item.track)
    return Questions(chosen, item, prediction)


def answers_for(questions: Questions, level: str | None, *quotes: str) -> dict[str, Answer]:
    """The same answer to every question."""
    return {q.key: Answer(level=level, reasoning="r", quotes=quotes) for q in questions.all}


def keys_of(request: Request) -> list[str]:
    """The keys a request asks for, in order."""
    properties = request.schema["properties"]
    assert isinstance(properties, dict)
    return list(properties)
