"""A task of your own: its track, its scales, and what is warned about."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import InputError, Judge, RubricError, as_item, grade, load_rubric, read_items
from mmrare_judge.backends.base import Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.rubric.model import Rubric, parse_rubric

LETTER = """
id: discharge_letter
version: "1"
track: other
title: Discharge letters
source: made for the tests
instructions: You grade a discharge letter.
scale: ["NO", "YES"]
total_weight: 4
criteria:
  - id: complete
    question: Does the letter state all that has to be in it?
    weight: 3
    needs: [question, must_include]
    scale: ["0", "1", "2"]
    levels:
      "2": {points: 2, meaning: All of it.}
      "0": {points: 0, meaning: Nothing of it.}
      "1": {points: 1, meaning: Some of it.}
    embedded: coverage
  - id: polite
    question: Is it polite?
    weight: 1
    needs: [question]
    levels:
      "NO": {points: 0, meaning: It is not.}
      "YES": {points: 1, meaning: It is.}
"""
ROW = {"index": "7", "question": "Write the letter.", "must_include": "aspirin; follow-up in May"}


def letter() -> Rubric:
    return parse_rubric(LETTER)


def test_a_rubric_decides_the_track_where_the_item_names_none() -> None:
    item = {"id": "1", "question": "Plan?", "reference": {"answer": "Rest."}}
    result = grade("Rest.", item, judge="embedded", rubric="treatment")
    assert result.track == "treatment"
    with pytest.raises(InputError, match="the track is not known"):
        grade("Rest.", item, judge="embedded")
    with pytest.raises(RubricError, match="of track 'diagnosis'"):
        grade("Rest.", {**item, "track": "diagnosis"}, judge="embedded", rubric="treatment")


def test_a_file_takes_the_default_track_only_where_a_row_names_none(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    rows: list[dict[str, Any]] = [
        {"index": "1", "question": "?", "answer": "!"},
        {"index": "2", "question": "?", "answer": "!", "track": "diagnosis"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    items = read_items(path, default_track="treatment")
    assert [item.track for item in items] == ["treatment", "diagnosis"]


def test_a_task_of_ones_own_takes_its_lists_from_columns_of_any_of_the_usual_names() -> None:
    item = as_item({**ROW, "rubric_must_not": "jargon", "colour": "red"}, track="other")
    assert item.reference.must_include == ("aspirin", "follow-up in May")
    assert item.reference.must_not == ("jargon",)
    assert (item.reference.answer, dict(item.metadata)) == ("", {"colour": "red"})


def test_a_judge_is_asked_on_each_criterions_own_scale() -> None:
    asked: list[Request] = []

    def reply(request: Request) -> dict[str, Any]:
        asked.append(request)
        return {
            "complete": {"reasoning": "Half.", "quotes": [], "level": "1"},
            "polite": {"reasoning": "Kind.", "quotes": [], "level": "YES"},
        }

    judge = Judge("fake/m", rubric=letter(), backend=FakeBackend(reply), cache="off")
    result = judge.grade("Dear colleague, aspirin.", ROW)
    # (3 * 1/2 + 1 * 1/1) / 4
    assert result.score == pytest.approx(0.625)
    assert result.track == "other"
    levels = json.dumps(asked[0].schema)
    assert levels.index('"0", "1", "2"') < levels.index('"NO", "YES"')


def test_level_2_and_the_embedded_judge_read_the_lists_that_a_task_has() -> None:
    result = grade("Give aspirin. Follow-up in May.", ROW, judge="embedded", rubric=letter())
    assert [(found.field, found.coverage) for found in result.level2.lists] == [
        ("must_include", 1.0)
    ]
    assert result.verdict("complete").level == "2"
    assert result.verdict("polite").status == "abstained"


def test_a_task_of_ones_own_needs_a_rubric_of_ones_own() -> None:
    with pytest.raises(RubricError, match="have no rubric in this package") as caught:
        grade("Dear colleague.", {**ROW, "track": "other"}, judge="embedded")
    assert "--rubric" in caught.value.remedy


def test_a_rubric_file_alone_tells_the_command_line_the_task(tmp_path: Path) -> None:
    (tmp_path / "letter.yaml").write_text(LETTER, encoding="utf-8")
    (tmp_path / "items.jsonl").write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    answer = {"index": "7", "prediction": "Aspirin, and follow-up in May."}
    (tmp_path / "answers.jsonl").write_text(json.dumps(answer) + "\n", encoding="utf-8")
    subprocess.run(
        [
            *(sys.executable, "-m", "mmrare_judge", "grade", "--judge", "embedded"),
            *("--items", "items.jsonl", "--predictions", "answers.jsonl"),
            *("--rubric", "letter.yaml", "--quiet", "--out", "run"),
        ],
        cwd=tmp_path,
        capture_output=True,
    )
    (kept,) = (tmp_path / "run" / "grades.jsonl").read_text(encoding="utf-8").splitlines()
    assert (json.loads(kept)["track"], json.loads(kept)["coverage"]) == ("other", 0.75)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"1": {points: 1', '"3": {points: 1', "level '1' has no meaning"),
        ('scale: ["0", "1", "2"]', 'scale: ["0", "1", "1", "2"]', "a label twice"),
        ('scale: ["NO", "YES"]', 'scale: ["NO", "NO"]', "a label twice"),
        ('scale: ["0", "1", "2"]', 'scale: ["0"]', "at least 2"),
        ("track: other", "track: letters", "'other'"),
    ],
)
def test_a_scale_that_does_not_fit_is_refused(old: str, new: str, words: str) -> None:
    assert old in LETTER
    with pytest.raises(RubricError, match=words):
        parse_rubric(LETTER.replace(old, new, 1))


def test_a_scale_of_its_own_is_part_of_the_hash_and_none_is_not() -> None:
    plain = load_rubric("treatment").model_dump(mode="json")
    assert all("scale" not in criterion for criterion in plain["criteria"])
    assert Rubric.model_validate(letter().model_dump(mode="json")) == letter()
    assert letter().model_dump(mode="json")["criteria"][0]["scale"] == ["0", "1", "2"]


def test_a_criterion_without_needs_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    text = LETTER.replace("    needs: [question]\n", "")
    for _ in range(3):
        parse_rubric(text, file="letter.yaml")
    (record,) = caplog.records
    assert record.getMessage().startswith("letter.yaml: criterion 'polite' names no needs")
    parse_rubric(LETTER, file="letter.yaml")
    assert len(caplog.records) == 1
