"""Files appear whole, or what was there before stays."""

from pathlib import Path

import pytest

from mmrare_judge.errors import OutputError
from mmrare_judge.files import make_folder, whole_file, write_whole


def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "grades.jsonl"
    write_whole(path, "old")

    def half() -> None:
        with whole_file(path) as stream:
            stream.write(b"new, and then")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_private_files_and_folders_are_open_to_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    make_folder(folder, private=True)
    write_whole(folder / "run.json", "{}", private=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "")
    with pytest.raises(OutputError, match="file/out cannot be written: Not a directory"):
        make_folder(tmp_path / "file" / "out")
    with pytest.raises(OutputError, match=r"page\.html cannot be written"):
        write_whole(tmp_path / "missing" / "page.html", "")


def test_a_text_file_ends_with_one_line_break(tmp_path: Path) -> None:
    for text in ("a\nb", "a\nb\n"):
        write_whole(tmp_path / "text", text)
        assert (tmp_path / "text").read_bytes() == b"a\nb\n"
