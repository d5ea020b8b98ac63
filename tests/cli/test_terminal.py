"""Nothing that stands in data reaches the terminal as a command to it."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import pytest

from mmrare_judge import read_grades
from mmrare_judge.cli import output
from mmrare_judge.cli.output import printable
from support.command import command

CLEAR, TITLE = "\x1b[2J\x1b[1;1H", "\x1b]0;owned\x07"
ODD = {"\x1b", "\x07", "\x9b", "\r", "\x7f", "\u202e", "\x85", "\u2028"}
NAME = f"o3{CLEAR}{TITLE}\x9b31m\x7f\u202e\x85\u2028\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("o3-mini, µ ≥ 5 °C", "o3-mini, µ ≥ 5 °C"),
        ("a\x1b[31mred\x1b[0mb", "aredb"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x9b2Jb\x9d0;t\x9cc", "abc"),
        ("a\x1bPq#0\x1b\\b\x1b(0c\x1bM", "abc"),
        ("a\x1b[31", "a31"),
        ("a\x1b]0;never ended", "a0;never ended"),
        ("two\nlines\rover\bback", "two\ufffdlines\ufffdover\ufffdback"),
        ("abc\u202edef\u2066", "abc\ufffddef\ufffd"),
    ],
    ids=["plain", "colour", "link", "eight bits", "others", "cut", "open", "lines", "direction"],
)
def test_a_line_holds_nothing_that_a_terminal_obeys(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_two_hundred_thousand_starts_of_a_sequence_take_no_time() -> None:
    begun = time.monotonic()
    for start in ("\x1b]", "\x1b[", "\x9d", "\x1b", "\x9b", "\x9b1", "\x1b]a", "\x1b "):
        printable(start * 200_000)
    assert time.monotonic() - begun < 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    item = {"index": NAME, "question": "?", "answer": "Rest.", "note" + NAME: 1}
    answers = [
        {"index": NAME, "prediction": "Rest.", "model": NAME},
        {"index": f"9{NAME}", "prediction": "Rest.", "model": NAME},
    ]
    (tmp_path / "items.jsonl").write_text(json.dumps(item) + "\n", encoding="utf-8")
    lines = "".join(json.dumps(answer) + "\n" for answer in answers)
    (tmp_path / "answers.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


GRADE = "grade --items items.jsonl --predictions answers.jsonl --track treatment --judge embedded"


@pytest.mark.parametrize("format", ["table", "summary", "jsonl"])
def test_a_name_with_escape_sequences_is_shown_without_them(folder: Path, format: str) -> None:
    done = command(*GRADE.split(), "--format", format, cwd=folder)
    assert done.code == 3  # the second answer has no item
    assert ODD.isdisjoint(done.out + done.err)
    assert "o3" in done.out
    if format == "jsonl":
        assert json.loads(done.out)["system"] == NAME
    assert [grade.system for grade in read_grades(folder / "run")] == [NAME]


def test_an_error_shows_a_name_without_them(folder: Path) -> None:
    bad = {"index": "1", f"odd{NAME}": "x"}
    (folder / "answers.jsonl").write_text(json.dumps(bad) + "\n", encoding="utf-8")
    done = command(*GRADE.split(), cwd=folder)
    assert done.code == 2
    assert "odd" in done.err
    assert ODD.isdisjoint(done.err)


@pytest.mark.parametrize(
    "words", ["panel run --size 1", "panel run --size 1 --format json", GRADE + " --estimate"]
)
def test_other_commands_show_it_without_them_too(folder: Path, words: str) -> None:
    command(*GRADE.split(), cwd=folder)
    done = command(*words.split(), cwd=folder)
    assert done.code == 0
    assert ODD.isdisjoint(done.out + done.err)


def test_no_command_prints_in_another_way() -> None:
    folder = Path(output.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and path.name != "output.py":
                assert ast.unparse(node.func) not in ("print", "typer.echo", "rich.print"), path
