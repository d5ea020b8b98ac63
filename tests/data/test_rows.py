"""One row read as an item: dicts of both kinds, pandas rows, tracks."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

from mmrare_judge.data.cells import Notices
from mmrare_judge.data.items import Item, Reference, Track, as_item, read_row, track_name
from mmrare_judge.errors import InputError

ROW = {"index": "T-1", "question": "Which treatment?", "answer": "Enzyme replacement."}

# Each track's columns, after the protocol's table, and the reference they make.
TRACK_ROWS: list[Any] = [
    pytest.param(
        "treatment",
        {"rubric_must_include": '["agalsidase"]', "rubric_must_not": "aspirin; NSAID"},
        {"must_include": ("agalsidase",), "must_not": ("aspirin", "NSAID")},
        id="treatment",
    ),
    pytest.param(
        "examination",
        {"key_test_names": '["MRI"]', "must_not": "biopsy", "red_flags_to_rule_out": "sepsis"},
        {"key_tests": ("MRI",), "must_not": ("biopsy",), "red_flags": ("sepsis",)},
        id="examination",
    ),
    pytest.param(
        "diagnosis",
        {"answer_aliases": '["Fabry disease"]'},
        {"aliases": ("Fabry disease",)},
        id="diagnosis",
    ),
    pytest.param(
        "cross_image",
        {"golden_mainline": '[{"claim": "mass"}, "uptake"]', "relation_type": " Confirm "},
        {"key_findings": ("mass", "uptake"), "relation": "confirm"},
        id="cross-image",
    ),
]


@pytest.mark.parametrize(("track", "columns", "reference"), TRACK_ROWS)
def test_each_tracks_columns_fill_the_reference(
    track: Track, columns: dict[str, str], reference: dict[str, Any]
) -> None:
    item = as_item({**ROW, "context": "A case.", **columns}, track=track)
    assert item == Item(
        id="T-1",
        track=track,
        question="Which treatment?",
        context="A case.",
        reference=Reference(answer="Enzyme replacement.", **reference),
    )


@pytest.mark.parametrize(("track", "columns", "reference"), TRACK_ROWS)
def test_a_table_has_to_have_the_tracks_columns_and_a_dict_need_not(
    track: Track, columns: dict[str, str], reference: dict[str, Any]
) -> None:
    missing = [column for column in columns if column != "answer_aliases"]
    if missing:
        with pytest.raises(InputError) as caught:
            read_row(ROW, track=track, images=False, notices=Notices(), tabular=True)
        assert f"{track} rows need {', '.join(missing)}" in caught.value.problem
        assert "columns present are index, question, answer" in caught.value.problem
        assert caught.value.remedy
    if track != "cross_image":
        assert as_item(ROW, track=track).reference == Reference(answer="Enzyme replacement.")


@pytest.mark.parametrize("column", ["index", "question", "answer"])
def test_a_row_without_a_needed_column_is_refused_by_its_name(column: str) -> None:
    row = {name: cell for name, cell in ROW.items() if name != column}
    with pytest.raises(InputError, match=f"rows need {column}") as caught:
        as_item(row, track="treatment")
    assert caught.value.field == column


@pytest.mark.parametrize("value", ["contradict", "", None])
def test_an_unknown_relation_is_refused_with_the_relations_there_are(value: str | None) -> None:
    row = {**ROW, "golden_mainline": "mass", "relation_type": value}
    with pytest.raises(InputError, match="relations are confirm, complement, contrast"):
        as_item(row, track="cross_image")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("treatment", "treatment"),
        ("Examination", "examination"),
        (" DIAGNOSIS ", "diagnosis"),
        ("cross-image", "cross_image"),
        ("Cross Image", "cross_image"),
        ("cross_image", "cross_image"),
        ("crossmodal", "cross_image"),
        ("Cross-Modal", "cross_image"),
    ],
)
def test_a_track_is_known_by_all_its_spellings(word: str, expected: Track) -> None:
    assert track_name(word) == expected


def test_an_unknown_track_is_refused_with_the_tracks_there_are() -> None:
    tracks = "treatment, examination, diagnosis, cross_image"
    with pytest.raises(InputError, match=f"unknown track 'surgery'; tracks are {tracks}"):
        as_item(ROW, track="surgery")


def test_the_rows_own_track_is_taken_where_none_is_given() -> None:
    assert as_item({**ROW, "track": "Cross-image", "relation_type": "contrast"}).track == (
        "cross_image"
    )


def test_two_tracks_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="'diagnosis', and 'treatment' was asked for"):
        as_item({**ROW, "track": "diagnosis"}, track="treatment")
    with pytest.raises(InputError, match="was asked for"):
        as_item(as_item(ROW, track="diagnosis"), track="treatment")


@pytest.mark.parametrize("own", [{}, {"track": ""}, {"track": float("nan")}])
def test_a_row_of_no_known_track_is_refused_with_the_remedy(own: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Give track="):
        as_item({**ROW, **own})


def test_an_item_is_returned_as_it_is() -> None:
    item = as_item(ROW, track="treatment")
    assert as_item(item) is item
    assert as_item(item, track="treatment") is item


def test_an_item_written_as_json_is_read_back_equal() -> None:
    row = {**ROW, "rubric_must_not": "aspirin", "age": 40, "image": ["aGk="]}
    item = as_item(row, track="treatment", images=True)
    assert as_item(item.model_dump(mode="json"), images=True) == item


def test_our_own_fields_are_read_and_checked_by_name() -> None:
    row = {"id": 7, "track": "Treatment", "question": "?", "reference": {"must_not": ["a"]}}
    assert as_item(row).reference.must_not == ("a",)
    with pytest.raises(InputError, match=r"field 'reference\.must_nt': unknown field"):
        as_item({**row, "reference": {"must_nt": ["a"]}})
    with pytest.raises(InputError, match="field 'reference': Field required"):
        as_item({"id": "7", "track": "treatment", "question": "?"})


def test_a_pandas_row_is_read_and_its_nan_cells_are_absent() -> None:
    frame = pd.DataFrame(
        [
            {**ROW, "index": 7, "rubric_must_include": '["a"]', "context": None, "age": 41.0},
            {**ROW, "index": 8, "rubric_must_include": None, "context": "Case.", "age": None},
        ]
    )
    first, second = (as_item(row, track="treatment") for _, row in frame.iterrows())
    assert (first.id, first.reference.must_include, first.context) == ("7", ("a",), "")
    assert (second.id, second.reference.must_include, second.context) == ("8", (), "Case.")
    assert dict(first.metadata) == {"age": 41.0}
    assert dict(second.metadata) == {}


def test_a_numeric_pandas_index_column_turned_to_float_is_still_the_same_id() -> None:
    assert as_item(pd.Series({**ROW, "index": 7.0}), track="treatment").id == "7"


def test_something_that_is_no_row_is_refused() -> None:
    with pytest.raises(InputError, match="a row cannot be a list"):
        as_item(["T-1"], track="treatment")  # type: ignore[arg-type]  # the mistake under test


def test_unknown_columns_go_into_metadata_as_they_are() -> None:
    known = {"category": "metabolic", "ORPHA_code": ["324"], "age": 40, "rare": False}
    row = {**ROW, **known, "empty": "", "nothing": None, "track": "treatment"}
    assert dict(as_item(row).metadata) == known


def test_figure_columns_are_parsed_and_kept_unless_empty() -> None:
    row = {**ROW, "figure_mapping": '{"A": "a.jpg"}', "image_path": '["a.jpg"]'}
    assert dict(as_item(row, track="treatment").metadata) == {
        "figure_mapping": {"A": "a.jpg"},
        "image_path": ["a.jpg"],
    }
    empty: dict[str, object] = {**ROW, "figure_mapping": "{}", "image_path": []}
    assert dict(as_item(empty, track="treatment").metadata) == {}
    row = {**ROW, "figure_mapping": "{broken"}
    assert dict(as_item(row, track="treatment").metadata) == {"figure_mapping": "{broken"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('["aGk=", "eW8="]', ("aGk=", "eW8=")),
        (["aGk="], ("aGk=",)),
        ("data:image/png;base64,aGk=", ("data:image/png;base64,aGk=",)),
        ("", ()),
        (None, ()),
    ],
    ids=["JSON list", "list", "one, with a semicolon", "empty", "none"],
)
def test_images_are_kept_only_when_asked_for(cell: object, expected: tuple[str, ...]) -> None:
    row = {**ROW, "image": cell}
    assert as_item(row, track="treatment").images == ()
    assert as_item(row, track="treatment", images=True).images == expected
    assert "image" not in as_item(row, track="treatment").metadata


def test_an_oversized_metadata_cell_is_left_out_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notices = Notices("items.tsv")
    for size in (65_536, 65_537, 70_000):
        row = {**ROW, "thumbnail": "x" * size}
        item = read_row(row, track="treatment", images=False, notices=notices)
        assert ("thumbnail" in item.metadata) == (size == 65_536)
    assert [record.getMessage() for record in caplog.records] == [
        "items.tsv, column 'thumbnail': cells of more than 64 KiB are left out"
    ]


def test_a_cell_that_looks_comma_separated_is_said_once_a_column(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notices = Notices("items.tsv")
    row = {**ROW, "rubric_must_not": "aspirin, ibuprofen", "rubric_must_include": '["a, b"]'}
    for _ in range(3):
        item = read_row(row, track="treatment", images=False, notices=notices)
        assert item.reference.must_not == ("aspirin, ibuprofen",)
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("mmrare_judge", logging.WARNING)
    ]
    assert caplog.records[0].getMessage().startswith("items.tsv, column 'rubric_must_not': ")


def test_surrogates_and_nul_do_not_refuse_a_row_and_right_to_left_marks_stay() -> None:
    row = {**ROW, "answer": "a\x00b\ud800", "context": "\u200fa", "note": "\udfff", "ids": ["\x00"]}
    item = as_item(row, track="treatment")
    assert item.reference.answer == "a\ufffdb\ufffd"
    assert item.context == "\u200fa"
    assert dict(item.metadata) == {"note": "\ufffd", "ids": ["\ufffd"]}
    assert item.model_dump_json().encode("utf-8")


def test_loading_data_imports_no_slow_library() -> None:
    code = (
        "import sys, mmrare_judge.data.tables, mmrare_judge.data.predictions;"
        "print([m for m in ('pandas', 'numpy', 'openpyxl', 'litellm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
