"""The hash of the running code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mmrare_judge.judging.kept_grades import CODE_HASH, code_hash


def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "rules.py").write_text("LEAST = 0.9")
    return tmp_path


def test_it_is_the_same_in_every_process() -> None:
    told = "from mmrare_judge.judging.kept_grades import CODE_HASH; print(CODE_HASH)"
    command = [sys.executable, "-c", told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == CODE_HASH
    assert CODE_HASH is not None


def test_it_changes_with_content_and_name_of_a_file(tmp_path: Path) -> None:
    rules = folder(tmp_path) / "deep" / "rules.py"
    before = code_hash(tmp_path)
    rules.write_text("LEAST = 0.8")
    assert code_hash(tmp_path) != before
    rules.write_text("LEAST = 0.9")
    assert code_hash(tmp_path) == before
    rules.rename(tmp_path / "deep" / "other.py")
    assert code_hash(tmp_path) != before


def test_what_editors_and_python_leave_behind_does_not_matter(tmp_path: Path) -> None:
    before = code_hash(folder(tmp_path))
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "rules.pyc").write_text("made of it")
    (tmp_path / ".#rules.py").symlink_to("nobody@nowhere.1:2")
    (tmp_path / ".rules.py.swp").write_text("half of it")
    assert code_hash(tmp_path) == before
