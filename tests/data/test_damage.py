"""Damaged cells: what stands for no answer is unscored and counted, and never graded as one."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mmrare_judge import Judge, Prediction, read_items, read_predictions
from mmrare_judge.data.cells import entries
from mmrare_judge.errors import InputError
from support.makers import make_item

# Excel's errors by their names in several languages, LibreOffice's and Google's; the values that
# pandas, JSON, SQL and C write for nothing; what VLMEvalKit, FastChat, simple-evals and the clients
# of providers write for a request that failed.
NO_ANSWERS = [
    *"#NAME? #N/A #REF! #VALUE! #DIV/0! #NUM! #NULL! #SPILL! #CALC! #GETTING_DATA".split(),
    *"#NV #WERT! #BEZUG! #ZAHL! #NOM? #VALEUR! #¡VALOR! #¿NOMBRE? #N/D #RIF! #NÚM!".split(),
    *"#ИМЯ? #ССЫЛКА! #Н/Д #ДЕЛ/0! #NAZWA? #VÄRDEFEL! #DEEL/0! #ERROR! Err:502".split(),
    *"nan NaN None null NULL NaT <NA> (null) -nan 1.#QNAN undefined".split(),
    "Failed to obtain answer via API.",
    "Failed to obtain answer via API. Error code: 400",
    "failed to get response",
    "[FAILED_INFER] timeout",
    "$ERROR$",
    "**NETWORK ERROR DUE TO HIGH TRAFFIC. PLEASE REGENERATE OR REFRESH THIS PAGE.**",
    "No response (bad request).",
    "Error code: 429 - {'error': {'message': 'Rate limit'}}",
    "openai.APITimeoutError: Request timed out.",
    "litellm.exceptions.Timeout: too slow",
    "[object Object]",
    "LLM call failed",
    "API call failed after 3 retries",
    "**API REQUEST ERROR** Reason: 429",
    "生成失败",
    "APIConnectionError('Connection error.')",
    "Traceback (most recent call last):\n  File",
    '{"error": {"message": "overloaded"}}',
    "503 Service Unavailable",
    "<html><head><title>502 Bad Gateway</title></head></html>",
    "ERROR",
    "[ERROR] no reply",
    "API Error: 500",
    "Request timed out.",
    "请求失败。",
    "エラー",
    "Ошибка",
    ' "nan" ',
]
ANSWERS = [
    "No.",
    "0",
    "None of these drugs is safe.",
    "Nil by mouth until the scan.",
    "Failure to thrive",
    "Failed first-line therapy: switch to rituximab.",
    "Error analysis of the gait is needed.",
    "No response to steroids: give IVIG.",
    "400 mg ibuprofen",
    "#1 Start prednisone!",
    "# Plan",
    "Timeout before surgery",
    "NaN3 poisoning",
]


def written(folder: Path, suffix: str, answers: list[str]) -> Path:
    rows = [{"index": str(at), "prediction": answer} for at, answer in enumerate(answers)]
    path = folder / f"p.{suffix}"
    frame = pd.DataFrame(rows)
    match suffix:
        case "xlsx":
            frame.to_excel(path, index=False)
        case "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case "json":
            path.write_text(json.dumps(rows), encoding="utf-8")
        case _:
            frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "json", "jsonl"])
def test_what_stands_for_no_answer_is_told_from_answers_in_every_format(
    tmp_path: Path, suffix: str
) -> None:
    damaged = read_predictions(written(tmp_path, suffix, NO_ANSWERS))
    assert [found.text for found in damaged if not found.missing] == []
    assert all("no answer was recorded" in found.notes[0] for found in damaged)
    kept = read_predictions(written(tmp_path, suffix, ANSWERS))
    assert [(found.text, found.missing, found.notes) for found in kept] == [
        (answer, "", ()) for answer in ANSWERS
    ]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "json", "jsonl"])
def test_a_word_that_may_be_an_answer_is_graded_and_noted(tmp_path: Path, suffix: str) -> None:
    words = ["N/A", "-", "—", "none", "Unknown", "keine", "无", "..."]
    for found in read_predictions(written(tmp_path, suffix, words)):
        assert (found.missing, len(found.notes)) == ("", 1)
        assert "may stand for no answer" in found.notes[0]


def test_an_empty_answer_is_an_answer_and_a_nan_in_json_is_none(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"index": 1, "prediction": ""}\n{"index": 2, "prediction": null}\n'
        '{"index": 3, "prediction": NaN}\n',
        encoding="utf-8",
    )
    empty, null, nan = read_predictions(path)
    assert (empty.text, empty.missing, null.text, null.missing) == ("", "", "", "")
    assert nan.missing == "the missing value nan"


def test_a_json_row_without_an_answer_is_a_request_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"index": 1, "error": "timeout"}\n{"index": 2, "prediction": "Rest."}\n', encoding="utf-8"
    )
    failed, answered = read_predictions(path)
    assert (failed.item_id, failed.text, failed.missing) == ("1", "", "a row without an answer")
    assert (dict(failed.metadata), answered.missing) == ({"error": "timeout"}, "")
    path.write_text('{"index": 1, "reply": "Rest."}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no column for the text"):
        read_predictions(path)


def test_an_answer_that_a_spreadsheet_made_a_date_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "p.xlsx"
    answer = pd.Timestamp("2026-03-01")
    pd.DataFrame({"index": [1], "prediction": [answer]}).to_excel(path, index=False)
    (found,) = read_predictions(path)
    assert found.text == "2026-03-01 00:00:00"
    assert "a spreadsheet made of it" in found.missing


@pytest.mark.parametrize("id", ["#REF!", "nan", "None", "#N/A", ""])
def test_an_id_that_was_lost_is_refused_with_its_row(tmp_path: Path, id: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"index,prediction,model\n1,Rest.,nan\n{id},Eat.,m\n", encoding="utf-8")
    with pytest.raises(InputError, match="no id") as caught:
        read_predictions(path)
    assert caught.value.row == 3


def test_a_system_that_was_lost_is_not_named_nan(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("index,prediction,model\n1,Rest.,nan\n", encoding="utf-8")
    assert read_predictions(path)[0].system == ""


def test_missing_and_empty_answers_are_counted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, "csv", ["nan", "Rest.", "#REF!", "nan", ""])
    read_predictions(path)
    missing, empty = (record.getMessage() for record in caplog.records)
    assert missing.startswith(f"{path}: in 3 of 5 rows no answer was recorded")
    assert "'nan' (2)" in missing
    assert empty == f"{path}: in 1 of 5 rows the answer is empty, which scores 0"


def test_a_missing_answer_is_unscored_and_an_empty_one_is_zero(tmp_path: Path) -> None:
    damaged, empty = read_predictions(written(tmp_path, "json", ["#NAME?", ""]))
    judge = Judge("embedded")
    unscored = judge.grade(damaged, make_item(id="0"))
    assert (unscored.score, unscored.partial_score, unscored.coverage) == (None, None, 0)
    assert unscored.unscored is not None
    assert unscored.unscored.kind == "no_answer"
    assert "no answer was recorded" in unscored.unscored.message
    assert "'#NAME?'" in unscored.unscored.message
    assert judge.grade(empty, make_item(id="1")).score == 0


def test_a_missing_prediction_is_stored_and_read_back_equal(tmp_path: Path) -> None:
    (damaged,) = read_predictions(written(tmp_path, "csv", ["nan"]))
    path = tmp_path / "stored.jsonl"
    path.write_text(damaged.model_dump_json() + "\n", encoding="utf-8")
    assert read_predictions(path) == [damaged]
    assert Prediction.model_validate_json(damaged.model_dump_json()) == damaged


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "json", "jsonl"])
def test_excels_escapes_are_undone_and_noted(tmp_path: Path, suffix: str) -> None:
    answers = ["Rest._x000D_\nEat.", "a_x0009_b", "_x_ and _x0041_ stay"]
    lines, tab, other = read_predictions(written(tmp_path, suffix, answers))
    assert (lines.text, tab.text, other.text) == ("Rest.\nEat.", "a\tb", "_x_ and _x0041_ stay")
    assert ["_x000D_" in " ".join(found.notes) for found in (lines, tab, other)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("dose &lt;5 mg; taper", ("dose &lt;5 mg", "taper")),
        ("INR &#8805;2;stop", ("INR &#8805;2", "stop")),
        ("INR &#x2265;2;stop", ("INR &#x2265;2", "stop")),
        ("A &amp; B; C", ("A &amp; B", "C")),
        ("H&E;PAS", ("H&E", "PAS")),
        ("R&D; x", ("R&D", "x")),
        ("a; None; b", ("a", "b")),
        ("a; -; n/a; b", ("a", "b")),
        ("None", ()),
        ("N/A", ()),
        ("n/a", ()),
        ("NA", ()),
        ("-", ()),
        ("—", ()),
        ("#N/A", ()),
        ("null", ()),
        ("Keine", ()),
        ("aucun", ()),
        ("无", ()),
        ('["None"]', ()),
        ('["a", "n/a"]', ("a",)),
        (["a", "None", "-"], ("a",)),
        ("None.", ()),
        ("Na; K", ("Na", "K")),
        ("no aspirin", ("no aspirin",)),
        ("none of the NSAIDs", ("none of the NSAIDs",)),
        ("first_x000D_\nline; b", ("first\nline", "b")),
    ],
    ids=str,
)
def test_words_for_nothing_are_no_entries_and_entities_are_whole(
    cell: object, expected: tuple[str, ...]
) -> None:
    assert entries(cell, "must_not") == expected


def test_a_list_cell_that_a_spreadsheet_lost_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    header = "index,question,answer,rubric_must_include,rubric_must_not\n"
    path.write_text(f"{header}7,Q?,A,#NAME?,c\n", encoding="utf-8")
    with pytest.raises(InputError, match="spreadsheet error") as caught:
        read_items(path, track="treatment")
    assert (caught.value.row, caught.value.field) == (2, "rubric_must_include")
    path.write_text(f"{header}7,Q?,#REF!,a,c\n", encoding="utf-8")
    with pytest.raises(InputError, match="spreadsheet error") as caught:
        read_items(path, track="treatment")
    assert (caught.value.row, caught.value.field) == (2, "answer")


def test_entries_that_are_none_are_counted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "items.csv"
    rows = "".join(f"{at},Q?,A,a; None,-\n" for at in range(3))
    path.write_text(f"index,question,answer,rubric_must_include,rubric_must_not\n{rows}", "utf-8")
    read_items(path, track="treatment")
    remarks = [record.getMessage() for record in caplog.records]
    assert [
        f"{path}, column {column!r}, 3 cells" in remark
        for column, remark in zip(("rubric_must_include", "rubric_must_not"), remarks, strict=True)
    ] == [True, True]


def test_a_list_cell_of_several_lines_is_one_entry_and_said_to_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "items.csv"
    header = "index,question,answer,rubric_must_include,rubric_must_not\n"
    path.write_text(f'{header}7,Q?,A,"- a\n- b",c\n', encoding="utf-8")
    (item,) = read_items(path, track="treatment")
    assert item.reference.must_include == ("- a\n- b",)
    assert "several lines" in caplog.text
