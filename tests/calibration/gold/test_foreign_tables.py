"""Gold from tables and exports as others make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook  # noqa: TID251  a file to read is written with it

from mmrare_judge.calibration.gold.exports import GoldColumns
from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.errors import InputError

YES_NO = Scale(level="nominal", categories=("NO", "YES"))
SCALES = {"safe": YES_NO, "coverage": Scale(level="ordinal", categories=("0", "1", "2"))}


def labels(gold: Gold) -> list[tuple[str, ...]]:
    found = [(one.item, one.criterion, one.rater, str(one.label)) for one in gold.labels]
    return sorted(found)


def sheet(path: Path, *rows: tuple[object, ...], name: str = "Labels", others: int = 0) -> Path:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = name
    for row in rows:
        page.append(row)
    for other in range(others):
        book.create_sheet(f"Notes {other}")
    book.save(path)
    return path


LONG = "item;criterion;rater;label\n7;coverage;Dr Müller;1,0\n7;safe;Dr Müller;ja\n"
EXPECTED = [("7", "coverage", "Dr Müller", "1"), ("7", "safe", "Dr Müller", "YES")]


@pytest.mark.parametrize("separator", [";", "\t", "|"], ids=["semicolon", "tab", "bar"])
def test_the_separator_is_the_one_by_which_the_header_has_its_columns(
    tmp_path: Path, separator: str
) -> None:
    path = tmp_path / "gold.csv"
    path.write_text(LONG.replace(";", separator), "utf-8")
    assert labels(read_gold(path, SCALES)) == EXPECTED


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_file_of_another_encoding_is_read_and_said(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "gold.csv"
    path.write_text(LONG, encoding)
    gold = read_gold(path, SCALES)
    assert labels(gold) == EXPECTED
    told = "gold.csv is not UTF-8; it was read as Windows-1252." in gold.notes
    assert told == (encoding == "cp1252")


def test_a_row_that_lacks_a_cell_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("item,criterion,rater,label\n7,safe,YES\n")
    with pytest.raises(InputError, match="row 2: 3 cells, where the header has 4"):
        read_gold(path, SCALES)


def test_a_sheet_with_titles_merged_cells_and_questions_for_heads(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "gold.xlsx",
        ("Ward round labels, January",),
        (),
        ("Case", "Rater", "Is it safe?", "How much is covered?"),
        ("T-1", "Dr A", "Yes", 2),
        (None, "Dr B", "no", 1),
        ("T-2", "Dr A", "Yes"),
        others=1,
    )
    columns = GoldColumns(
        item="Case", rater="Rater", sheet="Labels", header=(3,), fill_down=("Case",),
        criteria=("Is it safe?", "How much is covered?"),
        criterion_names={"Is it safe?": "safe", "How much is covered?": "coverage"},
    )  # fmt: skip
    assert labels(read_gold(path, SCALES, columns=columns)) == [
        ("T-1", "coverage", "Dr A", "2"),
        ("T-1", "coverage", "Dr B", "1"),
        ("T-1", "safe", "Dr A", "YES"),
        ("T-1", "safe", "Dr B", "NO"),
        ("T-2", "coverage", "Dr A", "None"),
        ("T-2", "safe", "Dr A", "YES"),
    ]
    with pytest.raises(InputError, match=r"2 sheets: Labels, Notes 0. Name one: --column sheet="):
        read_gold(path, SCALES, columns=columns.model_copy(update={"sheet": ""}))
    with pytest.raises(InputError, match=r"no column 'Case'.*Row 3 has it: --column header=3"):
        read_gold(path, SCALES, columns=columns.model_copy(update={"header": (1,)}))


def test_raters_may_stand_in_merged_cells_above_their_criteria(tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "gold.xlsx",
        (None, "Dr A", None, "Dr B", None),
        ("item", "safe", "coverage", "safe", "coverage"),
        ("7", "YES", 1, "NO", 2),
    )
    columns = GoldColumns(header=(1, 2), cells="{rater} | {criterion}")
    assert labels(read_gold(path, SCALES, columns=columns)) == [
        ("7", "coverage", "Dr A", "1"),
        ("7", "coverage", "Dr B", "2"),
        ("7", "safe", "Dr A", "YES"),
        ("7", "safe", "Dr B", "NO"),
    ]


def test_several_raters_by_several_criteria_in_one_row_as_redcap_has_them(tmp_path: Path) -> None:
    path = tmp_path / "redcap.csv"
    path.write_text("record_id,dr_a_safe,dr_a_coverage,dr_b_safe,complete\n7,1,99,0,2\n")
    columns = GoldColumns(item="record_id", cells="{rater}_{criterion}")
    with pytest.raises(InputError, match="'1' is not a label of 'safe', nor are row 2"):
        read_gold(path, SCALES, columns=columns)
    gold = read_gold(path, SCALES, columns=columns, recode={"1": "YES", "0": "NO"}, missing=("99",))
    assert labels(gold) == [
        ("7", "coverage", "dr_a", "None"),
        ("7", "safe", "dr_a", "YES"),
        ("7", "safe", "dr_b", "NO"),
    ]
    with pytest.raises(InputError, match=r"no column is called like '\{rater\}__\{criterion\}'"):
        read_gold(
            path, SCALES, columns=columns.model_copy(update={"cells": "{rater}__{criterion}"})
        )


def test_a_file_of_one_rater_and_one_criterion_needs_no_columns_for_them(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("item,label\n7,YES\n8,\n")
    columns = GoldColumns(only_criterion="safe", only_rater="Dr A")
    assert labels(read_gold(path, SCALES, columns=columns)) == [("7", "safe", "Dr A", "YES")]


def test_a_criterion_may_be_spelt_otherwise_than_its_id(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("item,criterion,rater,label\n7, Safe ,a,YES\n")
    assert labels(read_gold(path, SCALES)) == [("7", "safe", "a", "YES")]


def test_a_label_recoded_to_nothing_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("item,criterion,rater,label\n7,safe,a,X\n7,safe,b,YES\n")
    gold = read_gold(path, SCALES, recode={"X": ""})
    assert [one.label for one in gold.labels] == [None, "YES"]


def exported(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def choice(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": next(iter(value)), "value": value}


def test_an_export_of_label_studio_is_read(tmp_path: Path) -> None:
    """The shape is that of https://labelstud.io/guide/task_format."""
    task = {
        "id": 1,
        "data": {"item": "T-7", "system": "m", "text": "a plan"},
        "annotations": [
            {
                "completed_by": {"id": 4, "email": "a@example.org"},
                "was_cancelled": False,
                "result": [
                    choice("safe", {"choices": ["Yes"]}),
                    choice("coverage", {"rating": 2}),
                    choice("comment", {"text": ["unclear"]}),
                ],
            },
            {"completed_by": 5, "was_cancelled": False,
             "result": [choice("safe", {"choices": ["No"]})]},
            {"completed_by": 6, "was_cancelled": True, "result": []},
        ],
        "predictions": [],
    }  # fmt: skip
    gold = read_gold(exported(tmp_path / "ls.json", [task]), SCALES)
    assert labels(gold) == [
        ("T-7", "coverage", "a@example.org", "2"),
        ("T-7", "safe", "5", "NO"),
        ("T-7", "safe", "a@example.org", "YES"),
    ]
    assert gold.systems == ("m",)
    with pytest.raises(InputError, match=r"no field 'case'; there are item, system, text, id"):
        read_gold(tmp_path / "ls.json", SCALES, columns=GoldColumns(item="case"))


ARGILLA = [("7", "coverage", "u1", "1"), ("7", "safe", "u1", "YES"), ("7", "safe", "u2", "NO")]
ARGILLAS: dict[str, dict[str, Any]] = {
    "Argilla 2": {
        "id": "x", "fields": {"text": "a"}, "metadata": {"item": "7"},
        "responses": {
            "safe": [{"value": "yes", "user_id": "u1"}, {"value": "no", "user_id": "u2"}],
            "coverage": [{"value": 1, "user_id": "u1"}],
        },
    },
    "Argilla 2, flat": {
        "id": "x", "text": "a", "item": "7",
        "safe.responses": ["yes", "no"], "safe.responses.users": ["u1", "u2"],
        "safe.responses.status": ["submitted", "submitted"],
        "coverage.responses": [1, 2], "coverage.responses.users": ["u1", "u2"],
        "coverage.responses.status": ["submitted", "discarded"],
    },
    "Argilla 1": {
        "fields": {"text": "a"}, "metadata": {"item": "7"},
        "responses": [
            {"user_id": "u1", "status": "submitted",
             "values": {"safe": {"value": "yes"}, "coverage": {"value": 1}}},
            {"user_id": "u2", "status": "submitted", "values": {"safe": {"value": "no"}}},
            {"user_id": "u3", "status": "draft", "values": {"safe": {"value": "no"}}},
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("record", ARGILLAS.values(), ids=ARGILLAS)
def test_an_export_of_argilla_is_read(tmp_path: Path, record: dict[str, Any]) -> None:
    assert labels(read_gold(exported(tmp_path / "argilla.jsonl", [record]), SCALES)) == ARGILLA


def test_healthbench_meta_evaluation_is_read(tmp_path: Path) -> None:
    row = {
        "prompt_id": "p1", "completion_id": "c1", "category": "cluster:safe", "rubric": "Is safe.",
        "prompt": [], "completion": "a", "binary_labels": [True, False],
        "anonymized_physician_ids": ["A", "B"],
    }  # fmt: skip
    path = exported(tmp_path / "meta.jsonl", [row])
    columns = GoldColumns(criterion_names={"cluster:safe": "safe"})
    gold = read_gold(path, SCALES, columns=columns)
    assert labels(gold) == [("c1", "safe", "A", "YES"), ("c1", "safe", "B", "NO")]
    assert {one.cluster for one in gold.labels} == {"p1"}
    one = read_gold(path, SCALES, columns=GoldColumns(only_criterion="safe"))
    assert labels(one) == labels(gold)


def test_a_question_with_several_answers_is_refused(tmp_path: Path) -> None:
    record = {
        "fields": {},
        "item": "7",
        "responses": {"safe": [{"value": ["yes", "no"], "user_id": "u"}]},
    }
    with pytest.raises(InputError, match="several labels"):
        read_gold(exported(tmp_path / "a.json", [record]), SCALES)
