"""A frame of answers becomes a tidy frame of grades, of the same kind."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmrare_judge import InputError, Judge
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.errors import TransportError
from mmrare_judge.harness.frames import grade_frame
from support.makers import make_item

ROWS = [
    {
        "index": n,
        "question": "Plan?",
        "answer": "Prednisone 40 mg daily.",
        "rubric_must_include": "prednisone 40 mg daily",
        "rubric_must_not": "",
        "prediction": text,
        "model": "o3",
    }
    for n, text in ((7, "Start prednisone 40 mg daily."), (8, "Rest."))
]


def pandas_frame(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("pandas").DataFrame(rows)


def polars_frame(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("polars").DataFrame(rows)


def dataset(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("datasets").Dataset.from_list(rows)


KINDS = pytest.mark.parametrize("make", [pandas_frame, polars_frame, dataset])


def records(frame: Any) -> list[dict[str, Any]]:
    for name in ("to_dicts", "to_list"):
        if hasattr(frame, name):
            return list(getattr(frame, name)())
    return list(frame.to_dict("records"))


@KINDS
def test_a_row_a_grade_in_the_order_of_the_frame(make: Any) -> None:
    frame = make(ROWS)
    graded = grade_frame(frame, "embedded", track="treatment")
    assert type(graded) is type(frame)
    judge = Judge("embedded")
    for row, found in zip(ROWS, records(graded), strict=True):
        alone = judge.grade(str(row["prediction"]), _item_of(row), system="o3")
        assert (found["item_id"], found["system"]) == (str(row["index"]), "o3")
        assert (found["partial_score"], found["key"]) == (alone.partial_score, alone.key)


@KINDS
def test_a_row_a_criterion(make: Any) -> None:
    graded = grade_frame(make(ROWS), "embedded", track="treatment", rows="criteria")
    found = records(graded)
    assert len(found) == 12
    assert found[0]["criterion"] == "specific_treatments"
    assert (found[0]["level"], found[6]["level"]) == ("YES", "NO")


@KINDS
def test_a_failure_is_an_empty_score_with_its_reason_and_never_zero(make: Any) -> None:
    fails = FakeBackend(lambda request: TransportError("slow", kind="timeout"))
    graded = grade_frame(make(ROWS), "m", track="treatment", backend=fails, cache="off")
    for row in records(graded):
        assert row["score"] is None or math.isnan(row["score"])
        assert row["no_score"] == "timeout: slow"


def test_items_that_stand_elsewhere_are_joined_by_their_id() -> None:
    frame = pandas_frame([{"index": "1", "prediction": "Start prednisone 40 mg daily."}])
    graded = grade_frame(frame, "embedded", items=[make_item(id="1")])
    assert list(graded["item_id"]) == ["1"]
    with pytest.raises(InputError, match="no item for its prediction"):
        grade_frame(frame, "embedded", items=[make_item(id="9")])


def test_a_row_that_cannot_be_read_is_named() -> None:
    frame = pandas_frame([ROWS[0], ROWS[1] | {"question": 5}])
    frame = frame.drop(columns=["answer"])
    with pytest.raises(InputError, match="row 1, field 'answer'"):
        grade_frame(frame, "embedded", track="treatment")


def test_what_is_not_a_frame_is_refused() -> None:
    with pytest.raises(InputError, match=r"a frame cannot be a builtins\.list"):
        grade_frame([1], "embedded")


def _item_of(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: cell for name, cell in row.items() if name not in ("prediction", "model")}
    return kept | {"track": "treatment"}
