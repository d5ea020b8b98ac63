"""A disk that is full or may not be written: a clear error, a whole ledger, and a run to go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.chaos_runs import grades_by_item, start
from support.chaos_server import ChaosServer

ITEMS = 150
IN_FLIGHT = 8
"""The concurrency of `start`."""


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How a process ended, and what it said."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def goes_on(server: ChaosServer, folder: Path) -> None:
    """Start again, where there is room: it is completed, and paid twice is only what was lost."""
    done = len(grades_by_item(folder))
    calls = server.calls()
    assert end(start(server, folder, ITEMS)) == (0, "")
    assert len(grades_by_item(folder)) == ITEMS
    assert server.calls() - calls == ITEMS - done


def test_a_disk_that_fills_up_under_the_ledger_leaves_it_whole(tmp_path: Path) -> None:
    with ChaosServer(latency=0.002).running() as server:
        code, said = end(start(server, tmp_path, ITEMS, file_limit=60_000))
        assert code == 1
        assert said.startswith(f"OutputError: {tmp_path / 'grades.jsonl'} cannot be written: ")
        assert "File too large" in said
        assert "Traceback" not in said
        written = len(grades_by_item(tmp_path))  # fails on a torn line
        assert 0 < written < ITEMS
        assert server.calls() - written <= IN_FLIGHT
        goes_on(server, tmp_path)


def test_a_reply_that_the_cache_has_no_room_for_is_graded_before_the_run_ends(
    tmp_path: Path,
) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    with ChaosServer(latency=0.002).running() as server:
        process = start(server, run, ITEMS, file_limit=500_000, cache=str(cache))
        code, said = end(process)
        assert code == 1
        assert f"OutputError: cache {cache} cannot be written: " in said
        assert "Traceback" not in said
        written = len(grades_by_item(run))
        assert 0 < written < ITEMS
        assert server.calls() == written  # nothing that was paid for is lost
        goes_on(server, run)


MOUNT = """
mount -t tmpfs -o size="$1" tmpfs "$2" || exit 77
"${@:4}"; code=$?
cp -r "$2/." "$3"; exit $code
"""
"""A small file system of its own for one command; what it wrote there is copied out of it."""


def small_disk(size: str, mounted: Path, copy: Path) -> tuple[str, ...]:
    """The words before a command that give it a small disk; skips where that is not allowed."""
    for rights in (("--mount",), ("--user", "--map-root-user", "--mount")):
        before = ("unshare", *rights, "bash", "-c", MOUNT, "bash", size, str(mounted), str(copy))
        if shutil.which("unshare") and subprocess.run([*before, "true"]).returncode == 0:
            return before
    pytest.skip("this system does not let us mount a small disk")


@pytest.mark.parametrize(
    ("size", "cached"), [("100k", False), ("400k", True)], ids=["ledger", "ledger and cache"]
)
def test_a_full_disk_is_named_and_the_run_can_go_on_elsewhere(
    tmp_path: Path, size: str, cached: bool
) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    for folder in (disk, copy):
        folder.mkdir()
    before = small_disk(size, disk, copy)
    with ChaosServer(latency=0.002).running() as server:
        options = {"cache": str(disk / "cache")} if cached else {}
        code, said = end(start(server, disk / "run", ITEMS, before=before, **options))
        assert code == 1
        assert "OutputError" in said
        assert "cannot be written" in said
        assert "Traceback" not in said
        written = len(grades_by_item(copy / "run"))
        assert 0 < written < ITEMS
        assert server.calls() - written <= IN_FLIGHT
        goes_on(server, copy / "run")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody can get to, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


def lock_up(folder: Path) -> dict[str, bytes]:
    """Make a folder and its files read-only; returns what they hold."""
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    return held


def test_a_read_only_folder_is_named_and_stays_as_it_is(
    public_folder: Path, tmp_path: Path
) -> None:
    run = public_folder / "run"
    with ChaosServer().running() as server:
        assert end(start(server, run, 10)) == (0, "")
        held = lock_up(run)
        calls = server.calls()
        for folder in (run, run / "deeper"):
            process = start(server, folder, ITEMS, practice=str(tmp_path / folder.name))
            code, said = end(process)
            assert code == 1
            assert said.startswith(f"OutputError: {folder}")
            assert "Permission denied" in said
            assert "Traceback" not in said
        assert {path.name: path.read_bytes() for path in run.iterdir()} == held
        assert server.calls() == calls + 2  # those for practice
        run.chmod(0o755)
        for path in run.iterdir():
            path.chmod(0o644)
        goes_on(server, run)


def test_a_cache_that_may_not_be_written_is_named_before_anything_is_paid_for(
    public_folder: Path, tmp_path: Path
) -> None:
    cache = public_folder / "cache"
    cache.mkdir(mode=0o555)
    with ChaosServer().running() as server:
        process = start(
            server, tmp_path / "run", ITEMS, practice=str(tmp_path / "practice"), cache=str(cache)
        )
        code, said = end(process)
        assert (code, server.calls()) == (1, 1)
    assert said.startswith(f"OutputError: cache {cache} cannot be opened: ")
    assert "Traceback" not in said


def test_a_fork_without_room_for_the_grades_is_an_output_error(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        assert end(start(server, tmp_path / "old", 20)) == (0, "")
        new = tmp_path / "new"
        code, said = end(
            start(server, tmp_path / "old", 20, fork=str(new), temperature=0.5, file_limit=9_000)
        )
        assert code == 1
        assert said.startswith(f"OutputError: {new / 'grades.jsonl'} cannot be written: ")
        assert "File too large" in said
        process = start(server, tmp_path / "old", 20, fork=str(new), temperature=0.5)
        assert end(process) == (0, "")
        summary = json.loads((new / "summary.json").read_text("utf-8"))
        assert summary["summaries"][0]["graded"] == len(grades_by_item(new)) == 20
