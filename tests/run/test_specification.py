from __future__ import annotations

from typing import Any

from mmrare_judge.rubric.model import Rubric
from mmrare_judge.run.specification import RunRecord, differences
from support.makers import RUBRIC, small_rubric


def record(*models: str, rubric: Rubric | None = None, **changes: Any) -> RunRecord:
    used = rubric or small_rubric()
    fields: dict[str, Any] = {
        "judges": tuple({"model": model, "temperature": None} for model in models or ("a",)),
        "rubrics": {used.track: used.hash},
        "rubric_contents": {used.track: used.model_dump(mode="json")},
        "prompt": "p",
        "terms": "t",
    }
    return RunRecord.model_validate(fields | changes)


def test_equal_specifications_do_not_differ_whatever_their_inputs_and_package() -> None:
    inputs = {"items": {"path": "x", "bytes": 1, "sha256": "y"}}
    assert differences(record(), record(inputs=inputs, package="9.9", started="now")) == ()


def test_a_setting_is_shown_with_both_values() -> None:
    warm = record(judges=({"model": "a", "temperature": 0.7},))
    assert differences(record(), warm) == ("judges.0.temperature: None -> 0.7",)


def test_one_judge_more_is_one_line() -> None:
    assert differences(record("a"), record("a", "b")) == ("judges.1.model: absent -> b",)
    nested = record(judges=({"model": "a", "temperature": None}, {"model": "b", "extra": {"x": 1}}))
    assert differences(record("a"), nested) == ("judges.1.model: absent -> b",)
    assert differences(record("a", "b"), record("a")) == ("judges.1.model: b -> absent",)


def test_what_differs_in_a_rubric_stands_under_its_hash() -> None:
    old = small_rubric()
    new = small_rubric(RUBRIC.replace("weight: 3", "weight: 2").replace("_weight: 4", "_weight: 3"))
    lines = differences(record(rubric=old), record(rubric=new))
    assert lines == (
        f"rubrics.treatment: {old.hash} -> {new.hash}",
        "  criteria.quality.weight: '3' -> '2'",
        "  total_weight: '4' -> '3'",
    )
    assert len(differences(record(rubric=old, rubric_contents={}), record(rubric=new))) == 1


def test_a_wholly_different_rubric_does_not_fill_the_screen() -> None:
    other = small_rubric(RUBRIC.replace("quality", "other").replace("id: safe", "id: harmless"))
    lines = differences(record(), record(rubric=other))
    assert len(lines) == 14
    assert lines[-1].endswith(" more")


def test_another_package_version_is_named_where_something_differs() -> None:
    lines = differences(record(package="0.1.0"), record(prompt="q", package="0.2.0"))
    assert lines == ("prompt: p -> q", "(written by mmrare-judge 0.1.0; this is 0.2.0)")
