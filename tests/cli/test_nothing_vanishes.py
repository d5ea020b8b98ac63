"""Every file is read, every missing prediction counted, and what replaces what is said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer  # noqa: TID251  to ask the commands for their options

from mmrare_judge import FakeBackend, InputError, Prediction, Run, pair_up, read_grades
from mmrare_judge.calibration.study.file import read_study_file
from mmrare_judge.cli.main import app
from mmrare_judge.cli.output import exit_code
from support.command import Done, command
from support.makers import keys_of, make_item, small_rubric

ITEMS = ("1", "2", "3")
REFERENCE = "Start prednisone 40 mg daily."


def write_items(path: Path, ids: Iterable[str], answer: str = REFERENCE) -> None:
    rows = (
        {
            "index": id,
            "question": "Which plan?",
            "answer": answer,
            "rubric_must_include": ["prednisone 40 mg daily"],
            "rubric_must_not": [],
        }
        for id in ids
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_answers(path: Path, answers: dict[str, str], **more: str) -> None:
    rows = ({"index": id, "prediction": text, **more} for id, text in answers.items())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_items(tmp_path / "items.jsonl", ITEMS)
    write_answers(tmp_path / "o3.jsonl", dict.fromkeys(ITEMS, REFERENCE))
    write_answers(tmp_path / "qwen.jsonl", {"1": "Rest.", "2": "Wait."})
    return tmp_path


def grade(folder: Path, *predictions: str, items: tuple[str, ...] = (), options: str = "") -> Done:
    words = ["grade", "--track", "treatment", "--judge", "embedded", *options.split()]
    for name in items or ("items.jsonl",):
        words += ["--items", name]
    for name in predictions:
        words += ["--predictions", name]
    return command(*words, cwd=folder)


def systems(folder: Path) -> list[tuple[str, str]]:
    return sorted((grade.system, grade.item_id) for grade in read_grades(folder / "run"))


def test_repeated_predictions_are_all_read_each_file_a_system(files: Path) -> None:
    done = grade(files, "o3.jsonl", "qwen.jsonl", options="--partial")
    assert (done.code, done.err.count("Traceback")) == (0, 0)
    assert systems(files) == [*(("o3", id) for id in ITEMS), ("qwen", "1"), ("qwen", "2")]
    record = json.loads((files / "run" / "run.json").read_text("utf-8"))
    assert [record["inputs"][name]["path"] for name in ("predictions", "predictions 2")] == [
        "o3.jsonl",
        "qwen.jsonl",
    ]


def test_repeated_items_are_all_read(files: Path) -> None:
    write_items(files / "first.jsonl", ITEMS[:2])
    write_items(files / "second.jsonl", ITEMS[2:])
    done = grade(files, "o3.jsonl", items=("first.jsonl", "second.jsonl"), options="--system o3")
    assert done.code == 0
    assert systems(files) == [("o3", id) for id in ITEMS]


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for word, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, f"{name} {word}")
        else:
            yield f"{name} {word}".strip(), one


def test_no_command_takes_the_last_of_several_files_for_all(files: Path) -> None:
    taken = {
        (name, option.name): option.multiple
        for name, one in commands(typer.main.get_command(app))
        for option in one.params
        if option.name in ("items", "predictions")
    }
    assert {name for name, _ in taken} == {"grade", "regrade", "calibrate", "plan next"}
    assert set(taken.values()) == {True}
    study = {"gold": {"path": "g.csv"}, "items": "a.tsv", "predictions": ["a.csv", "b.csv"]}
    (files / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    read = read_study_file(files / "study.yaml")
    assert read.items == (str(files / "a.tsv"),)
    assert read.predictions == (str(files / "a.csv"), str(files / "b.csv"))


def test_missing_predictions_are_counted_beside_the_mean_and_end_with_3(files: Path) -> None:
    """o3 answers 3 of 3 items, qwen 2 of 3."""
    done = grade(files, "o3.jsonl", "qwen.jsonl")
    assert done.code == 3
    assert "system 'qwen': no prediction for the item: 3" in done.err
    (o3,) = [line for line in done.out.splitlines() if line.startswith("o3, treatment: ")]
    (qwen,) = [line for line in done.out.splitlines() if line.startswith("qwen, treatment: ")]
    assert "3 graded, " in o3
    assert "of 3)" in o3
    assert "2 graded, 1 without a prediction, " in qwen
    assert "(2 of 3)" in qwen
    summaries = json.loads((files / "run" / "summary.json").read_text("utf-8"))["summaries"]
    assert {one["system"]: one["missing"] for one in summaries} == {"o3": 0, "qwen": 1}


def test_what_is_missing_on_purpose_is_told_and_ends_with_0(files: Path) -> None:
    done = grade(files, "qwen.jsonl", options="--partial --system qwen")
    assert done.code == 0
    assert "no prediction for the item: 3" in done.err


def test_a_prediction_without_an_item_is_missing_on_nobodys_purpose(files: Path) -> None:
    write_answers(files / "odd.jsonl", {"1": "Rest.", "9": "Rest."})
    assert grade(files, "odd.jsonl", options="--partial").code == 3


def test_problems_are_told_where_json_lines_are_printed(files: Path) -> None:
    done = grade(files, "qwen.jsonl", options="--format jsonl")
    assert done.code == 3
    assert "no prediction for the item: 3" in done.err
    assert all(json.loads(line)["item_id"] for line in done.out.splitlines())


def test_what_was_graded_by_an_earlier_start_is_not_missing(files: Path) -> None:
    """A system's predictions that come in two parts, one start each."""
    write_answers(files / "rest.jsonl", {"3": REFERENCE})
    assert grade(files, "qwen.jsonl", options="--system qwen").code == 3
    done = grade(files, "rest.jsonl", options="--system qwen")
    assert (done.code, done.err) == (0, "")
    assert "3 graded, " in done.out
    assert len(systems(files)) == 3


def test_a_system_without_a_name_never_replaces_another_one(files: Path) -> None:
    assert grade(files, "o3.jsonl").code == 0
    done = grade(files, "qwen.jsonl")
    assert done.code == 2
    assert "item '1' has a grade of another prediction, by a system without a name" in done.err
    assert "--system" in done.err
    assert len(systems(files)) == 3
    assert not (files / "run" / "superseded.jsonl").exists()
    assert grade(files, "qwen.jsonl", options="--system qwen --partial").code == 0
    assert len(systems(files)) == 5


@pytest.mark.parametrize("store", ["texts", "hashes"])
def test_a_changed_answer_of_the_same_file_is_graded_anew_and_said(files: Path, store: str) -> None:
    options = f"--store {store}"
    assert grade(files, "o3.jsonl", options=options).code == 0
    write_answers(files / "o3.jsonl", {"1": "Rest.", "2": REFERENCE, "3": REFERENCE})
    done = grade(files, "o3.jsonl", options=options)
    why = "prediction has" if store == "texts" else "prediction, item or settings have"
    assert done.code == 0
    assert (
        "system not named: earlier grades do not count any more, since the "
        f"{why} changed: 1 (kept in superseded.jsonl)" in done.out
    )
    assert len((files / "run" / "superseded.jsonl").read_text("utf-8").splitlines()) == 1


def test_a_changed_item_is_told_from_a_changed_answer(files: Path) -> None:
    assert grade(files, "o3.jsonl").code == 0
    write_items(files / "items.jsonl", ITEMS, answer="Rest.")
    done = grade(files, "o3.jsonl")
    assert "since the item or settings have changed: 1, 2, 3" in done.out


def test_two_predictions_without_a_system_for_one_item_are_refused(tmp_path: Path) -> None:
    item = make_item(id="1")
    both = [Prediction(item_id="1", text="Rest."), Prediction(item_id="1", text="Wait.")]
    with pytest.raises(InputError, match="two predictions for item '1' have no system"):
        Run(tmp_path, "embedded").grade(pair_up(both, [item]))
    named = [one.model_copy(update={"system": one.text}) for one in both]
    report = Run(tmp_path, "embedded").grade(pair_up(named, [item]))
    assert len(report.summaries) == 2


def test_a_panel_counts_what_is_missing_too(tmp_path: Path) -> None:
    def all_no(request: object) -> object:
        verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
        return dict.fromkeys(keys_of(request), verdict)  # type: ignore[arg-type]

    items = [make_item(id=id) for id in ITEMS]
    given = [Prediction(item_id=id, text=f"Plan {id}.", system="o3") for id in ITEMS[:2]]
    run = Run(
        tmp_path,
        ["fake/a", "fake/b"],
        backend=FakeBackend(all_no),  # type: ignore[arg-type]
        cache="off",
        rubric=small_rubric(),
    )
    report = run.grade(pair_up(given, items))
    assert report.panel is not None
    assert report.panel.summaries[0].missing == report.summaries[0].missing == 1
    assert report.missing == {("o3", "treatment"): ("3",)}
    assert (exit_code(report), exit_code(report, partial=True)) == (3, 0)


def test_each_line_holds_the_texts_unless_hashes_are_asked_for(files: Path) -> None:
    grade(files, "o3.jsonl", options="--limit 1")
    (line,) = (files / "run" / "grades.jsonl").read_text("utf-8").splitlines()
    kept = json.loads(line)
    assert (kept["prediction"], kept["question"]) == (REFERENCE, "Which plan?")
    assert kept["reference"]["answer"] == REFERENCE
    grade(files, "o3.jsonl", options="--store hashes")
    first, *others = read_grades(files / "run")
    assert first.prediction == REFERENCE
    assert [(one.prediction, one.question, one.reference) for one in others] == [(None,) * 3] * 2
    assert grade(files, "o3.jsonl").out.count("0 calls") == 1
    assert len(systems(files)) == 3


def test_a_folder_from_before_texts_were_kept_is_read_and_goes_on(files: Path) -> None:
    grade(files, "o3.jsonl", options="--limit 2")
    ledger = files / "run" / "grades.jsonl"
    texts = ("prediction", "question", "reference")
    lines = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    older = [{name: value for name, value in line.items() if name not in texts} for line in lines]
    ledger.write_text("".join(json.dumps(line) + "\n" for line in older), encoding="utf-8")
    assert grade(files, "o3.jsonl").code == 0
    assert [one.prediction for one in read_grades(files / "run")] == [None, None, REFERENCE]
