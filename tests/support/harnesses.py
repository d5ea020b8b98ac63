"""Ten real answers with their items, and judges for harnesses to hold: one fails on the third."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from mmrare_judge import FakeBackend, Grades, Item, Prediction, pair_up, read_items
from mmrare_judge import read_predictions as read
from mmrare_judge.backends.base import Request
from mmrare_judge.errors import TransportError
from mmrare_judge.harness import Grader

EXAMPLES = Path(str(resources.files("mmrare_judge") / "examples"))
ITEMS = EXAMPLES / "items.jsonl"


def all_pairs() -> list[tuple[Prediction, Item]]:
    """The packaged examples."""
    return list(pair_up(read(EXAMPLES / "predictions.jsonl"), read_items(ITEMS)).pairs)


def ten_pairs() -> list[tuple[Prediction, Item]]:
    """The first ten of the packaged examples."""
    return all_pairs()[:10]


def reply_to(request: Request) -> dict[str, Any]:
    """Levels that differ from answer to answer; each quotes the answer's first words."""
    text = request.messages[1]["content"].partition("<prediction>\n")[2].partition("\n</pred")[0]
    definitions: Any = request.schema.get("$defs", {})
    fields: Any = request.schema["properties"]
    reply: dict[str, Any] = {}
    for place, (key, field) in enumerate(fields.items()):
        shape = definitions[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        levels = shape["properties"]["level"]["enum"]
        levels = [level for level in levels if level != "cannot_determine"]
        level = levels[(len(text) // (place + 1)) % len(levels)]
        reply[key] = {"reasoning": "r", "quotes": [" ".join(text.split()[:5])], "level": level}
    return reply


def model_grader(*, failing: bool = False) -> Grader:
    """A grader with a model behind it; with ``failing`` the third answer cannot be graded."""
    third = ten_pairs()[2][0].text

    def answer(request: Request) -> Any:
        if failing and third in request.messages[1]["content"]:
            return TransportError("no reply within 120 seconds", kind="timeout")
        return reply_to(request)

    return Grader("m", items=ITEMS, backend=FakeBackend(answer), cache="off")


def embedded_grader() -> Grader:
    """The embedded judge, with the items to be found by their id."""
    return Grader("embedded", items=ITEMS)


def grades_alone(grader: Grader) -> Grades:
    """What the grader's judge says outside any harness."""
    return grader.judge.grade_many(ten_pairs())
