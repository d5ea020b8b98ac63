import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmrare_judge import Grade, grade, iter_grades, read_grades
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.run.folder import Ledger
from support.makers import make_item

GRADES = [grade(f"Plan {n}.", make_item(id=str(n)), judge="embedded") for n in range(3)]


def write(folder: Path, grades: list[Grade]) -> Path:
    ledger = Ledger(folder)
    for entry in grades:
        ledger.write(entry)
    ledger.close()
    return folder / "grades.jsonl"


def test_a_grade_can_be_read_as_soon_as_it_is_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write(GRADES[0])
    assert read_grades(tmp_path) == read_grades(tmp_path / "grades.jsonl") == GRADES[:1]
    ledger.close()


def test_opening_again_appends(tmp_path: Path) -> None:
    write(tmp_path, GRADES[:1])
    write(tmp_path, GRADES[1:])
    assert list(iter_grades(tmp_path)) == GRADES
    assert os.listdir(tmp_path) == ["grades.jsonl"]


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_torn_last_line_is_taken_out_and_kept_aside(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path, GRADES[:2])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    write(tmp_path, GRADES[2:])
    kept = GRADES[:2] if cut == 1 else GRADES[:1]  # only the line's end was missing
    assert read_grades(tmp_path) == [*kept, GRADES[2]]
    if cut > 1:
        torn = (tmp_path / "superseded.jsonl").read_bytes()
        assert torn.rstrip(b"\n") == whole.splitlines()[1][: 1 - cut]


def test_lines_that_do_not_count_any_more_are_moved_aside(tmp_path: Path) -> None:
    write(tmp_path, GRADES)
    Ledger(tmp_path, keep=lambda entry: entry.item_id != "1").close()
    assert [entry.item_id for entry in read_grades(tmp_path)] == ["0", "2"]
    aside = (tmp_path / "superseded.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["item_id"] for line in aside] == ["1"]


def test_sorting_makes_equal_grades_equal_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    written = []
    for name, grades in (("a", GRADES), ("b", GRADES[::-1])):
        path = write(tmp_path / name, grades)
        Ledger(tmp_path / name).sort()
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_a_line_that_is_no_grade_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, GRADES[:1])
    with path.open("ab") as stream:
        stream.write(b'{"item_id": "x"')
    with pytest.raises(InputError, match="row 2: is not JSON"):
        read_grades(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"grades\.jsonl"):
        read_grades(tmp_path)


@contextmanager
def room_for(path: Path, more: int) -> Iterator[None]:
    """Let the files of this process grow by so many bytes over the size of this one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("more", [0, 1000], ids=["no room", "room for a part of the line"])
def test_half_a_line_is_taken_back_so_that_the_next_one_does_not_run_into_it(
    tmp_path: Path, more: int
) -> None:
    ledger = Ledger(tmp_path)
    ledger.write(GRADES[0])
    with (
        room_for(ledger.path, more),
        pytest.raises(OutputError, match="File too large"),
    ):
        ledger.write(GRADES[1])
    ledger.write(GRADES[2])
    ledger.close()
    assert read_grades(tmp_path) == [GRADES[0], GRADES[2]]
