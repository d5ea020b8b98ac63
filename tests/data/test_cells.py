"""One cell of a row: ids, text, lists."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.data.cells import absent, entries, identifier, plain_value, text
from mmrare_judge.errors import InputError
from mmrare_judge.records import shortened

# The protocol: a JSON list; else text split on ";"; empty or NaN is the empty list; a JSON scalar
# is a list of one; commas are never split.
LIST_CELLS = [
    pytest.param('["a", "b"]', ("a", "b"), id="JSON list"),
    pytest.param(' \n["a"] ', ("a",), id="JSON list with space around"),
    pytest.param("[]", (), id="empty JSON list"),
    pytest.param("a; b ;c", ("a", "b", "c"), id="separated by semicolons"),
    pytest.param("a;;b; ", ("a", "b"), id="blank parts are dropped"),
    pytest.param("a, b and c", ("a, b and c",), id="commas are not separators"),
    pytest.param('["a; b", "c"]', ("a; b", "c"), id="semicolon inside a JSON entry"),
    pytest.param("", (), id="empty"),
    pytest.param("  ", (), id="white space"),
    pytest.param("nan", (), id="NaN written out"),
    pytest.param("null", (), id="JSON null"),
    pytest.param(None, (), id="None"),
    pytest.param(float("nan"), (), id="NaN"),
    pytest.param(pd.NA, (), id="pandas NA"),
    pytest.param('"a; b"', ("a; b",), id="JSON string"),
    pytest.param('"Stiff person" syndrome', ('"Stiff person" syndrome',), id="quotation first"),
    pytest.param("5", ("5",), id="JSON number"),
    pytest.param(5, ("5",), id="number"),
    pytest.param('["a", "", "  "]', ("a",), id="blank entries are dropped"),
    pytest.param("[1.50, 7]", ("1.50", "7"), id="numbers keep their digits"),
    pytest.param(["a; b", 2], ("a; b", "2"), id="list as it is"),
    pytest.param(("a",), ("a",), id="tuple"),
    pytest.param(np.array(["a", "b"]), ("a", "b"), id="array"),
    pytest.param("a\x00; b\ud800", ("a\x00", "b\ud800"), id="characters no file can hold"),
]


@pytest.mark.parametrize(("cell", "expected"), LIST_CELLS)
def test_a_list_cell_is_read_as_the_protocol_says(cell: object, expected: tuple[str, ...]) -> None:
    assert entries(cell, "must_not") == expected


# "x" keeps them from being a word for nothing, or no word at all.
@given(st.lists(st.text().map("x{}".format)))
def test_every_list_written_as_json_is_read_back_entry_by_entry(parts: list[str]) -> None:
    assert entries(json.dumps(parts), "must_not") == tuple(parts)
    assert entries(json.dumps(parts, ensure_ascii=False), "must_not") == tuple(parts)
    assert entries(parts, "must_not") == tuple(parts)


@given(st.lists(st.text(alphabet="ab ,.-()").map("a{}".format)))
def test_entries_joined_with_semicolons_are_read_back_stripped(parts: list[str]) -> None:
    assert entries(";".join(parts), "must_not") == tuple(part.strip() for part in parts)


@given(st.text())
def test_no_text_makes_a_list_cell_fail_except_what_looks_like_json(cell: str) -> None:
    if not cell.strip().startswith(("[", "{")):
        assert all(entry.strip() for entry in entries(cell, "must_not"))


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("['a', 'b']", id="a Python list"),
        pytest.param('["a", "b"', id="cut off"),
        pytest.param("[" * 100_000, id="nested beyond all measure"),
        pytest.param('{"claim": "a"', id="a broken object"),
    ],
)
def test_a_cell_that_only_looks_like_json_is_refused_with_its_value(cell: str) -> None:
    with pytest.raises(InputError, match="looks like JSON and is not") as caught:
        entries(cell, "key_test_names")
    assert caught.value.field == "key_test_names"
    assert cell[:20] in str(caught.value)
    assert "Write a JSON list" in caught.value.remedy


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param('["a", null]', id="null"),
        pytest.param(["a", None], id="None"),
        pytest.param(["a", float("nan")], id="NaN"),
        pytest.param('["a", true]', id="true"),
        pytest.param('["a", ["b"]]', id="list in list"),
        pytest.param('["a", {"claim": "b"}]', id="an object in a list of text"),
        pytest.param('{"a": 1}', id="an object"),
        pytest.param(True, id="a bool"),
    ],
)
def test_an_entry_that_is_no_text_is_refused_not_dropped(cell: object) -> None:
    with pytest.raises(InputError, match="an entry is not text"):
        entries(cell, "must_not")


def test_claims_are_taken_from_objects_where_the_column_has_them() -> None:
    cell = '[{"claim": "mass on MRI", "source": "A"}, "uptake on PET"]'
    assert entries(cell, "golden_mainline", claims=True) == ("mass on MRI", "uptake on PET")


@pytest.mark.parametrize("cell", ['[{"text": "a"}]', '[{"claim": null}]', '[{"claim": ["a"]}]'])
def test_an_object_without_a_claim_is_refused(cell: str) -> None:
    with pytest.raises(InputError, match="object with a text under 'claim'"):
        entries(cell, "golden_mainline", claims=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, "7"), (7.0, "7"), (7.5, "7.5"), ("007", "007"), (np.int64(7), "7"), (np.float64(7), "7")],
    ids=["int", "whole float", "float", "text", "numpy int", "numpy float"],
)
def test_an_id_is_always_text(value: object, expected: str) -> None:
    assert identifier(value, "index") == expected


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), True, ["7"]])
def test_a_row_without_an_id_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="no id"):
        identifier(value, "index")


def test_a_list_where_text_belongs_is_refused() -> None:
    with pytest.raises(InputError, match="list where text belongs"):
        text(["a"], "question")


def test_pandas_missing_values_are_absent() -> None:
    missing: list[object] = [pd.NA, pd.NaT, np.nan, None]
    present: list[object] = ["", 0, False, [], "nan"]
    assert [absent(value) for value in missing + present] == [True] * 4 + [False] * 5


def test_metadata_is_json_whatever_it_was() -> None:
    given = {
        "n": np.float32(0.5),
        "when": pd.Timestamp("2026-01-02"),
        3: [np.nan, np.inf, "\ud800"],
    }
    # JSON knows neither NaN nor infinity, and no file holds a lone surrogate.
    assert plain_value(given) == {
        "n": 0.5,
        "when": "2026-01-02 00:00:00",
        "3": [None, None, "\ufffd"],
    }


def test_a_megabyte_is_shown_by_its_beginning() -> None:
    assert len(shortened("x" * 2_000_000)) < 100
