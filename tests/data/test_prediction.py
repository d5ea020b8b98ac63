"""Predictions: reading them, and bringing them together with their items."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mmrare_judge.data.items import Item, Reference, read_items
from mmrare_judge.data.joining import TRIED
from mmrare_judge.data.predictions import Prediction, pair_up, read_predictions
from mmrare_judge.errors import InputError
from support.paths import SHARED

DATA = SHARED / "medrbench"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data medrbench is not here")


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def item(id: str) -> Item:
    return Item(id=id, track="treatment", question="?", reference=Reference())


@pytest.mark.parametrize("suffix", ["tsv", "csv", "xlsx", "jsonl", "json"])
def test_a_vlmevalkit_result_table_is_read_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"results.{suffix}"
    frame = pd.DataFrame(
        {
            "index": [7, 8],
            "question": ["?", "?"],
            "image": ["aGk=", "aGk="],
            "prediction": ['Rest,\n"strictly"', None],
        }
    )
    match suffix:
        case "xlsx":
            frame.to_excel(path, index=False)
        case "jsonl" | "json":
            frame.to_json(path, orient="records", lines=suffix == "jsonl")
        case _:
            frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    assert read_predictions(path, system="o3") == [
        Prediction(item_id="7", text='Rest,\n"strictly"', system="o3", metadata={"question": "?"}),
        Prediction(item_id="8", text="", system="o3", metadata={"question": "?"}),
    ]


@needs_data
@pytest.mark.parametrize(
    ("name", "count", "systems"),
    [
        ("treatment_predictions", 120, {"deepseek-r1", "o3-mini"}),
        (
            "diagnosis_predictions",
            944,
            {"deepseek-r1", "o3-mini", "qwen3-14b-thinking", "gemini2-ft"},
        ),
    ],
)
def test_real_predictions_all_find_their_items(name: str, count: int, systems: set[str]) -> None:
    # Counts and systems are those of the data's own README.
    predictions = read_predictions(DATA / f"{name}.jsonl")
    items = read_items(DATA / f"{name.partition('_')[0]}_items.tsv", track=name.partition("_")[0])
    pairing = pair_up(predictions, items)
    assert len(pairing.pairs) == count
    assert {prediction.system for prediction in predictions} == systems
    assert all(prediction.item_id == item.id for prediction, item in pairing.pairs)
    assert pairing.problems() == ()


@needs_data
def test_real_probes_answer_an_item_more_than_once_until_the_column_is_named() -> None:
    path = DATA / "examination_probes.jsonl"
    with pytest.raises(InputError, match="name it: system_column") as caught:
        read_predictions(path)
    assert "columns are index, kind, model, prediction" in caught.value.remedy
    assert len(read_predictions(path, system_column="kind")) == 921


@pytest.mark.parametrize(
    ("row", "options", "expected"),
    [
        pytest.param({"item_id": 7, "response": "a"}, {}, ("7", "a", ""), id="response"),
        pytest.param({"id": "7", "text": "a", "system": "s"}, {}, ("7", "a", "s"), id="text"),
        pytest.param({"index": 7, "prediction": 5}, {}, ("7", "5", ""), id="number"),
        pytest.param(
            {"index": 7, "prediction": "a", "model": None}, {}, ("7", "a", ""), id="no system"
        ),
        pytest.param(
            {"index": 7, "prediction": "a", "model": "m"},
            {"system": "s"},
            ("7", "a", "s"),
            id="system given",
        ),
        pytest.param(
            {"index": 7, "id": 8, "prediction": "a", "text": "b", "model": "m", "system": "s"},
            {"id_column": "id", "text_column": "text", "system_column": "model"},
            ("8", "b", "m"),
            id="columns given",
        ),
        pytest.param(
            {"case": "c", "output": "a", "who": "w"},
            {"id_column": "case", "text_column": "output", "system_column": "who"},
            ("c", "a", "w"),
            id="columns of other names",
        ),
    ],
)
def test_columns_are_found_by_usual_names_or_as_given(
    tmp_path: Path, row: dict[str, object], options: dict[str, str], expected: tuple[str, str, str]
) -> None:
    (found,) = read_predictions(lines(tmp_path / "p.jsonl", row), **options)
    assert (found.item_id, found.text, found.system) == expected


@pytest.mark.parametrize(
    ("row", "options", "problem"),
    [
        ({"index": 7, "answer": "a"}, {}, "no column for the text: prediction or response or text"),
        ({"prediction": "a"}, {}, "no column for the id: index or item_id or id"),
        ({"index": 7, "id": 8, "prediction": "a"}, {}, "index and id could each hold the id"),
        ({"index": 7, "text": "a", "prediction": "b"}, {}, "prediction and text could each hold"),
        ({"index": 7, "text": "a", "model": "b", "system": "c"}, {}, "system and model could each"),
        ({"index": 7, "text": "a"}, {"text_column": "b"}, "no column for the text: b; columns are"),
        ({"index": 7, "text": "a"}, {"system_column": "b"}, "no column for the system: b"),
        ({"index": 7, "text": ["a"]}, {}, "list where text belongs"),
        ({"index": None, "text": "a"}, {}, "no id"),
    ],
)
def test_a_column_that_is_missing_or_could_be_two_is_refused(
    tmp_path: Path, row: dict[str, object], options: dict[str, str], problem: str
) -> None:
    path = lines(tmp_path / "p.jsonl", row)
    with pytest.raises(InputError) as caught:
        read_predictions(path, **options)
    assert problem in caught.value.problem
    assert (caught.value.file, caught.value.row) == (str(path), 1)
    assert caught.value.remedy


def test_the_remedy_is_said_for_python_and_for_the_command_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"index": 7, "reply": "Rest."})
    with pytest.raises(
        InputError, match=r"text_column=\.\.\., or --text-column on the command line"
    ):
        read_predictions(path)


def test_system_and_system_column_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exclude each other"):
        read_predictions(tmp_path / "p.jsonl", system="a", system_column="b")


def test_a_system_that_answers_twice_is_refused_with_both_rows(tmp_path: Path) -> None:
    row = {"index": "7", "prediction": "a", "model": "m", "run": 1}
    path = lines(tmp_path / "p.jsonl", row, {**row, "model": "n"}, row)
    with pytest.raises(InputError, match="system 'm' answers item '7' here and in row 1") as caught:
        read_predictions(path)
    assert caught.value.row == 3
    assert "--system-column" in caught.value.remedy


def test_a_file_without_predictions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no predictions"):
        read_predictions(lines(tmp_path / "p.jsonl"))


def test_what_was_replaced_in_the_text_is_noted_once(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"index": 7, "prediction": "a\x00b\udfff\ud800c"})
    (found,) = read_predictions(path)
    assert found.text == "a\ufffdb\ufffd\ufffdc"
    # One NUL and two lone surrogates.
    assert found.notes == ("3 characters that no text file can hold were replaced",)
    assert Prediction.model_validate_json(found.model_dump_json()) == found
    assert Prediction(item_id="7", text="\x00", notes=found.notes).notes[0] == found.notes[0]


def test_right_to_left_marks_are_part_of_the_answer() -> None:
    assert Prediction(item_id="7", text="\u200fa\u202e").text == "\u200fa\u202e"
    assert Prediction(item_id="7", text="\u200fa\u202e").notes == ()


def test_stored_predictions_are_read_back_equal(tmp_path: Path) -> None:
    stored = Prediction(item_id="7", text="a", system="s", metadata={"run": 1}, notes=("n",))
    path = tmp_path / "p.jsonl"
    path.write_text(stored.model_dump_json() + "\n", encoding="utf-8")
    assert read_predictions(path) == [stored]


def test_an_answer_as_long_as_an_excel_cell_is_noted_as_possibly_cut(tmp_path: Path) -> None:
    # Excel holds at most 32,767 characters a cell; pandas' writer cuts what is longer.
    path = tmp_path / "p.xlsx"
    pd.DataFrame({"index": [1, 2], "prediction": ["x" * 32_767, "y" * 32_766]}).to_excel(path)
    cut, whole = read_predictions(path)
    assert "may have been cut" in cut.notes[0]
    assert whole.notes == ()


def test_a_prediction_of_two_megabytes_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.tsv"
    path.write_text("index\tprediction\n1\t" + "ab" * 1_000_000 + "\n", encoding="utf-8")
    assert len(read_predictions(path)[0].text) == 2_000_000


def test_everything_without_a_partner_is_listed() -> None:
    predictions = [
        Prediction(item_id="1", text="", system="m"),
        Prediction(item_id="9", text="", system="m"),
        Prediction(item_id="2", text="", system="n"),
        Prediction(item_id="1", text="", system="n"),
    ]
    pairing = pair_up(predictions, [item("1"), item("2")])
    assert [(answer.system, found.id) for answer, found in pairing.pairs] == [
        ("m", "1"),
        ("n", "2"),
        ("n", "1"),
    ]
    assert pairing.predictions_without_item == (predictions[1],)
    assert pairing.items_without_prediction == {"m": ("2",)}
    assert pairing.problems() == (
        "system 'm': no item for its prediction: 9",
        "system 'm': no prediction for the item: 2",
        TRIED,
    )
    assert pairing.describe().splitlines() == [
        "3 predictions paired: systems 2, items 2",
        *pairing.problems(),
    ]


def test_without_predictions_every_item_is_listed_under_no_name() -> None:
    pairing = pair_up([], [item(str(number)) for number in range(12)])
    assert pairing.items_without_prediction == {"": tuple(str(number) for number in range(12))}
    assert pairing.problems() == (
        "system not named: no prediction for the item: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more",
    )


def test_two_items_of_one_id_cannot_be_paired() -> None:
    with pytest.raises(InputError, match="two items have the id '1'"):
        pair_up([], [item("1"), item("1")])
