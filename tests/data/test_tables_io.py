"""Rows out of files: what each format allows, and where each fault is found."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook  # noqa: TID251 - writes the files under test

from mmrare_judge.data.tables import stream_rows
from mmrare_judge.errors import InputError, MissingExtraError

CELLS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def values(path: Path) -> list[dict[str, object]]:
    return [row.values for row in stream_rows(path)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def workbook(path: Path, records: Iterable[Iterable[object]], *, sheets: int = 1) -> Path:
    book = Workbook()
    sheet = book.worksheets[0]
    for record in records:
        sheet.append(list(record))
    for _ in range(sheets - 1):
        book.create_sheet()
    book.save(path)
    return path


@pytest.mark.parametrize(("suffix", "separator"), [(".tsv", "\t"), (".csv", ",")])
def test_tables_are_read_as_pandas_writes_them(tmp_path: Path, suffix: str, separator: str) -> None:
    rows = [
        {"index": "007", "answer": 'two\nlines, "quoted"\tand tab', "empty": ""},
        {"index": "8", "answer": "\r\n;", "empty": "x\x00y"},
    ]
    path = tmp_path / f"table{suffix}"
    pd.DataFrame(rows).to_csv(path, sep=separator, index=False)
    assert values(path) == rows


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_every_table_that_csv_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("round") / "table.tsv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t").writerows([("a", "b"), *rows])
    # A row of empty cells says nothing and is passed over.
    expected = [{"a": first, "b": second} for first, second in rows if first or second]
    assert values(path) == expected


def test_a_byte_order_mark_belongs_to_no_column(tmp_path: Path) -> None:
    assert values(write(tmp_path / "a.tsv", "\ufeffindex\n1\n")) == [{"index": "1"}]
    assert values(write(tmp_path / "a.jsonl", '\ufeff{"index": 1}\n')) == [{"index": 1}]
    assert values(write(tmp_path / "a.json", '\ufeff[{"index": 1}]')) == [{"index": 1}]


def test_json_lines_and_arrays_give_rows_with_their_place(tmp_path: Path) -> None:
    lines = write(tmp_path / "a.jsonl", '{"a": 1}\n\n  \r\n{"a": "\\ud800"}')
    assert [(row.number, row.values) for row in stream_rows(lines)] == [
        (1, {"a": 1}),
        (4, {"a": "\ud800"}),
    ]
    array = write(tmp_path / "a.json", ' [ {"a": 1} ,\n{"a": [2]}\n] \n')
    assert [(row.number, row.values) for row in stream_rows(array)] == [
        (1, {"a": 1}),
        (2, {"a": [2]}),
    ]
    assert values(write(tmp_path / "b.json", "[ ]")) == []


def test_table_rows_are_counted_with_the_header_as_row_1(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'a\n"two\nlines"\n\nlast\n')
    assert [(row.number, row.values["a"]) for row in stream_rows(path)] == [
        (2, "two\nlines"),
        (4, "last"),
    ]


def test_dropped_columns_are_not_in_any_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "index\timage\n1\taGk=\n")
    assert [row.values for row in stream_rows(path, without=("image", "images"))] == [
        {"index": "1"}
    ]


def test_a_cell_beyond_csvs_own_limit_is_read_and_the_limit_left_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = write(tmp_path / "a.tsv", f"index\timage\n1\t{'A' * (before + 1)}\n2\tB\n")
    rows = stream_rows(path)
    assert len(next(rows).values["image"]) == before + 1
    assert csv.field_size_limit() == before
    assert next(rows).values == {"index": "2", "image": "B"}
    assert csv.field_size_limit() == before


def test_a_column_without_a_name_is_left_out_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"a": ["x", "y"]}).to_csv(path)  # pandas writes its index without a name
    assert values(path) == [{"a": "x"}, {"a": "y"}]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "a column without a name is left out"
    ]


FAULTS = [
    pytest.param("a.tsv", "a\tb\n1\t2\n3\n", "1 cells, where the header has 2", 3, id="few cells"),
    pytest.param("a.tsv", "a\tb\n1\t2\t3\n", "3 cells, where the header", 2, id="many cells"),
    pytest.param("a.csv", 'a\n1\n"open\n2\n', "not a well-formed table", 3, id="open quote"),
    pytest.param("a.csv", 'a,b\n"x" y,2\n', "not a well-formed table", 2, id="stray quote"),
    pytest.param("a.tsv", "a\tb\ta\n1\t2\t3\n", "'a' more than once", 1, id="doubled column"),
    pytest.param("a.tsv", "", "no header", None, id="empty table"),
    pytest.param("a.tsv", "\n1\n", "no header", None, id="blank header"),
    pytest.param("a.jsonl", '{"a": 1}\n{"a": \n', "not JSON", 2, id="line not JSON"),
    pytest.param("a.jsonl", '{"a": 1}\n[1]\n', "a JSON object, not [1]", 2, id="line no object"),
    pytest.param(
        "a.jsonl", '{"a": 1} {"a": 2}\n', "not JSON: Extra data at column 10", 1, id="two on a line"
    ),
    pytest.param("a.jsonl", '\n{"a": 1, "a": 2}\n', "key 'a' stands twice", 2, id="doubled key"),
    pytest.param("a.jsonl", "[" * 200_000, "not JSON", 1, id="nested beyond all measure"),
    pytest.param("a.jsonl", '{"a": ' + "1" * 5000 + "}", "not JSON", 1, id="huge number"),
    pytest.param("a.json", '{"a": 1}', "not a JSON array, but {'a': 1}", None, id="no array"),
    pytest.param(
        "a.json",
        '[{"a": 1} {"a": 2}]',
        "not JSON: Expecting ',' delimiter at column 11",
        None,
        id="comma missing",
    ),
    pytest.param(
        "a.json", '[{"a": 1},\n{"a" 2}]', "at line 2, column 6", None, id="broken element"
    ),
    pytest.param("a.json", '[{"a": 1}, 2]', "a JSON object, not 2", 2, id="element no object"),
    pytest.param(
        "a.json", '[{"a": 1}', "not JSON: Expecting ',' delimiter", None, id="array cut off"
    ),
    pytest.param("a.json", "[] 1", "not JSON: Extra data at column 4", None, id="text behind"),
    pytest.param("a.json", "", "not JSON: Expecting value", None, id="empty array file"),
    pytest.param("a.xlsx", "no workbook", "not an Excel workbook", None, id="no workbook"),
    pytest.param(
        "a.parquet", "", "formats are .tsv, .csv, .jsonl, .json, .xlsx", None, id="suffix"
    ),
]


@pytest.mark.parametrize(("name", "content", "problem", "row"), FAULTS)
def test_a_fault_is_named_with_file_and_row(
    tmp_path: Path, name: str, content: str, problem: str, row: int | None
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        values(path)
    assert problem in caught.value.problem
    assert (caught.value.file, caught.value.row) == (str(path), row)


@pytest.mark.parametrize("name", ["a.tsv", "a.json", "a.jsonl", "a.xlsx"])
def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        values(tmp_path / name)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("a.tsv", b"index\n"),
        ("b.tsv", b"index\n" + "µ\n".encode() * 700_000),  # beyond one block of the search
        ("a.jsonl", b'{"index": 1}\n{"index": "'),
        ("a.json", b'[{"index": "'),
    ],
)
def test_a_byte_that_is_not_utf8_is_named_by_its_offset(
    tmp_path: Path, name: str, before: bytes, mark: bytes
) -> None:
    path = write(tmp_path / name, mark + before + b"caf\xe9 au lait")
    with pytest.raises(InputError) as caught:
        values(path)
    # Behind the beginning and "caf".
    assert caught.value.problem == f"byte {len(mark + before) + 3} is not UTF-8"
    assert caught.value.remedy == "Save the file as UTF-8"
    assert caught.value.row == (2 if name.endswith("jsonl") else None)


def test_a_character_cut_off_at_the_end_is_named_by_its_offset(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", b"index\n1\xc2")
    with pytest.raises(InputError, match="byte 7 is not UTF-8"):
        values(path)


def test_a_workbook_is_read_with_its_types(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        [("index", "answer", "note"), (7, "=== Answer ===", None), (), ("007", None, "x")],
    )
    # A text that begins with "=" is stored as a formula, and must not come back empty.
    assert values(path) == [
        {"index": 7, "answer": "=== Answer ===", "note": None},
        {"index": "007", "answer": None, "note": "x"},
    ]


def test_a_workbook_with_several_sheets_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [("index",), (1,)], sheets=2)
    with pytest.raises(InputError, match="a workbook of 2 sheets: Sheet, Sheet1"):
        values(path)


def test_a_workbook_row_longer_than_the_header_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [("index",), (1, 2)])
    with pytest.raises(InputError, match="2 cells, where the header has 1"):
        values(path)


def test_an_excel_cell_as_long_as_can_be_is_said_to_be_possibly_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Excel's limit is 32,767 characters; openpyxl and pandas cut longer text to it.
    path = workbook(tmp_path / "a.xlsx", [("index", "answer"), (1, "x" * 40_000)])
    assert len(str(values(path)[0]["answer"])) == 32_767
    assert "may have been cut" in caplog.text


def test_without_openpyxl_a_workbook_says_which_extra_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "a.xlsx", [("index",), (1,)])
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # import fails as if it were not installed
    with pytest.raises(MissingExtraError, match=r"pip install 'mmrare-judge\[excel\]'"):
        values(path)


def test_json_rows_keep_their_types(tmp_path: Path) -> None:
    row = {"n": 1, "x": [1.5, None, True], "o": {"k": "v"}}
    assert values(write(tmp_path / "a.jsonl", json.dumps(row))) == [row]
