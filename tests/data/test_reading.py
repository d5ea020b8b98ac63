"""Items out of files: real ones, all formats, and the faults between rows."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mmrare_judge.data.items import Item, iter_items, read_items
from mmrare_judge.errors import InputError
from support.paths import SHARED

DATA = SHARED / "medrbench"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data medrbench is not here")

HEADER = "index\tquestion\tanswer\trubric_must_include\trubric_must_not\n"
ROWS = [
    {
        "index": "007",
        "question": "Which\ntreatment?",
        "answer": 'Rest, "strictly"',
        "rubric_must_include": '["rest"]',
        "rubric_must_not": "aspirin; ibuprofen",
        "image": '["aGk="]',
        "category": "metabolic",
    },
    {
        "index": "8",
        "question": "Which treatment?",
        "answer": "None.",
        "rubric_must_include": "",
        "rubric_must_not": "",
        "image": "[]",
        "category": "",
    },
]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    frame = pd.DataFrame(ROWS)
    if name.endswith(".jsonl"):
        frame.to_json(path, orient="records", lines=True)
    elif name.endswith(".json"):
        frame.to_json(path, orient="records")
    elif name.endswith(".xlsx"):
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if name.lower().endswith(".tsv") else ",")
    return path


@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl", "json", "xlsx", "TSV"])
def test_the_same_rows_give_the_same_items_in_every_format(tmp_path: Path, suffix: str) -> None:
    first, second = read_items(written(tmp_path, f"items.{suffix}"), track="treatment")
    assert (first.id, first.question) == ("007", "Which\ntreatment?")
    assert first.reference.answer == 'Rest, "strictly"'
    assert first.reference.must_include == ("rest",)
    assert first.reference.must_not == ("aspirin", "ibuprofen")
    assert first.images == ()
    assert dict(first.metadata) == {"category": "metabolic"}
    assert (second.id, second.reference.must_not, dict(second.metadata)) == ("8", (), {})


def test_images_are_kept_when_asked_for(tmp_path: Path) -> None:
    items = read_items(written(tmp_path, "items.tsv"), track="treatment", images=True)
    assert [item.images for item in items] == [("aGk=",), ()]


@needs_data
@pytest.mark.parametrize(
    ("track", "count"), [("treatment", 60), ("examination", 573), ("diagnosis", 236)]
)
def test_real_items_are_the_same_from_tsv_and_jsonl(track: str, count: int) -> None:
    # The counts are those of the data's own README.
    table = read_items(DATA / f"{track}_items.tsv", track=track)
    lines = read_items(DATA / f"{track}_items.jsonl")
    assert len(table) == len(lines) == count

    def content(item: Item) -> tuple[object, ...]:
        return item.id, item.track, item.question, item.context, item.reference

    assert [content(item) for item in table] == [content(item) for item in lines]
    assert all(str(item.metadata["pmcid"]) in item.id for item in (*table, *lines))


@needs_data
def test_real_list_cells_are_the_lists_of_the_source() -> None:
    with (DATA / "examination_items.jsonl").open(encoding="utf-8") as stream:
        source = {row["index"]: row["key_test_names"] for row in map(json.loads, stream)}
    for item in iter_items(DATA / "examination_items.tsv", track="examination"):
        assert list(item.reference.key_tests) == source[item.id]


def test_items_written_as_json_lines_are_read_back_equal(tmp_path: Path) -> None:
    items = read_items(written(tmp_path, "items.tsv"), track="treatment")
    path = tmp_path / "own.jsonl"
    path.write_text("".join(f"{item.model_dump_json()}\n" for item in items), encoding="utf-8")
    assert read_items(path) == items


def test_a_table_without_a_needed_column_names_it_the_file_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_text("index\tquestion\tanswer\trubric_must_not\n1\t?\t!\t\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_items(path, track="treatment")
    assert str(caught.value) == (
        f"{path}, row 2, field 'rubric_must_include': treatment rows need rubric_must_include; "
        "columns present are index, question, answer, rubric_must_not. "
        "Rename or add the column, or give the track the rows belong to"
    )


def test_a_json_line_may_leave_list_fields_out(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"index": 1, "question": "?", "answer": "!"}\n', encoding="utf-8")
    assert read_items(path, track="treatment")[0].reference.must_include == ()


def test_a_doubled_id_is_refused_with_both_rows(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_text(HEADER + "1\t?\t!\t\t\n2\t?\t!\t\t\n1\t?\t!\t\t\n", encoding="utf-8")
    with pytest.raises(InputError, match="id '1' stands here and in row 2") as caught:
        read_items(path, track="treatment")
    assert caught.value.row == 4
    assert [item.id for item in iter_items(path, track="treatment")] == ["1", "2", "1"]


def test_a_broken_list_cell_is_refused_with_file_row_field_and_value(tmp_path: Path) -> None:
    path = tmp_path / "items.tsv"
    path.write_text(HEADER + "1\t?\t!\t['rest']\t\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_items(path, track="treatment")
    error = caught.value
    assert (error.file, error.row, error.field) == (str(path), 2, "rubric_must_include")
    assert "['rest']" in error.problem
    assert "Write a JSON list" in error.remedy


@pytest.mark.parametrize(
    ("name", "content"), [("a.tsv", HEADER), ("a.jsonl", "\n"), ("a.json", "[]")]
)
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="no items: the file has no rows"):
        read_items(path, track="treatment")


def test_an_unknown_track_is_refused_before_the_file_is_looked_for() -> None:
    with pytest.raises(InputError, match="unknown track 'surgery'"):
        iter_items("nowhere.tsv", track="surgery")


def test_items_come_one_at_a_time_before_a_later_fault(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"index": 1, "question": "?", "answer": "!"}\nbroken\n', encoding="utf-8")
    items = iter_items(path, track="diagnosis")
    assert next(items).id == "1"
    with pytest.raises(InputError, match="row 2: not JSON: Expecting value at column 1"):
        next(items)


def test_a_remark_on_a_column_is_logged_once_for_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "items.tsv"
    rows = "".join(f"{number}\t?\t!\trest, fluids\tdrugs, food\n" for number in range(5))
    path.write_text(HEADER + rows, encoding="utf-8")
    read_items(path, track="treatment")
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [
        f"{path}, column 'rubric_must_include'",
        f"{path}, column 'rubric_must_not'",
    ]
