"""Items and predictions that lie in several files."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import InputError, read_items, read_predictions


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answer(id: str, **more: str) -> dict[str, str]:
    return {"index": id, "prediction": "Rest.", **more}


def test_a_file_that_names_no_system_is_one_by_its_name(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "o3.jsonl", answer("1"), answer("2")),
        write(tmp_path / "qwen.jsonl", answer("1")),
        write(tmp_path / "rest.jsonl", answer("1", model="gpt-5")),
    ]
    read = read_predictions(*files)
    assert [(one.system, one.item_id) for one in read] == [
        *[("o3", "1"), ("o3", "2")],
        *[("qwen", "1"), ("gpt-5", "1")],
    ]
    assert [one.system for one in read_predictions(files[0])] == ["", ""]


def test_shards_of_one_system_are_put_together_and_never_replace_one_another(
    tmp_path: Path,
) -> None:
    first = write(tmp_path / "a.jsonl", answer("1"))
    second = write(tmp_path / "b.jsonl", answer("2"))
    read = read_predictions(first, second, system="o3")
    assert [(one.system, one.item_id) for one in read] == [("o3", "1"), ("o3", "2")]
    again = write(tmp_path / "c.jsonl", answer("2"))
    with pytest.raises(InputError, match=r"c\.jsonl: system 'o3' answers item '2' here and in .*b"):
        read_predictions(first, second, again, system="o3")


def test_two_files_of_one_name_are_one_system(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    first = write(tmp_path / "answers.jsonl", answer("1"))
    second = write(tmp_path / "x" / "answers.jsonl", answer("1"))
    with pytest.raises(InputError, match="give them other names"):
        read_predictions(first, second)


def test_items_are_read_from_all_files_and_an_id_stands_once(tmp_path: Path) -> None:
    def item(id: str) -> dict[str, str]:
        return {"index": id, "question": "?", "answer": "Rest."}

    first = write(tmp_path / "a.jsonl", item("1"))
    second = write(tmp_path / "b.jsonl", item("2"), item("3"))
    assert [one.id for one in read_items(first, second, track="treatment")] == ["1", "2", "3"]
    again = write(tmp_path / "c.jsonl", item("3"))
    with pytest.raises(InputError, match=r"c\.jsonl, row 1: id '3' stands here and in .*b\.jsonl"):
        read_items(first, second, again, track="treatment")
