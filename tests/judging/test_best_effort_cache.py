"""The best-effort file cache of finished grades: errors are logged, never raised."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from mmrare_judge.cache.store import open_store
from mmrare_judge.judging.kept_grades import BestEffortCache


def test_what_is_put_is_found_when_it_is_written_and_by_others_too(tmp_path: Path) -> None:
    cache = BestEffortCache(tmp_path / "files")
    assert cache.put("a", b"1") is False
    assert cache.get("a") is None
    cache.write()
    assert (cache.get("a"), BestEffortCache(tmp_path / "files").get("a"), cache.get("b")) == (
        b"1",
        b"1",
        None,
    )


def test_looking_makes_no_folder_and_nothing_to_write_makes_none(tmp_path: Path) -> None:
    cache = BestEffortCache(tmp_path / "files")
    assert cache.get("a") is None
    cache.write()
    assert not (tmp_path / "files").exists()


def test_it_says_when_many_are_waiting(tmp_path: Path) -> None:
    cache = BestEffortCache(tmp_path / "files")
    assert [cache.put(str(n), b"x") for n in range(64)] == [False] * 63 + [True]


def test_a_folder_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    cache = BestEffortCache(tmp_path / "gone" / "files")
    cache.put("a", b"1")
    cache.write()
    assert not (tmp_path / "gone").exists()


def test_an_entry_that_is_not_bytes_is_not_there(tmp_path: Path) -> None:
    import diskcache  # noqa: TID251  to put into the store what ours refuses

    with diskcache.Cache(str(tmp_path / "files")) as other:
        other["text"], other["made"] = "text", {"made": "of pickle"}
    cache = BestEffortCache(tmp_path / "files")
    assert (cache.get("text"), cache.get("made")) == (None, None)
    cache.put("a", b"1")
    cache.write()
    assert cache.get("a") == b"1"


@pytest.mark.parametrize("first", ["get", "write"])
def test_after_a_fault_it_is_left_alone_with_one_warning(
    tmp_path: Path, first: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "cache.db").write_bytes(b"no database" * 1000)
    cache = BestEffortCache(folder)
    cache.put("a", b"1")
    with caplog.at_level(logging.WARNING, "mmrare_judge"):
        for name in (first, "get", "write", "get"):
            cache.get("a") if name == "get" else cache.write()
    assert caplog.text.count("is left alone") == 1


def test_nothing_is_lost_when_many_threads_put_and_write_at_once(tmp_path: Path) -> None:
    cache = BestEffortCache(tmp_path / "files")

    def work(thread: int) -> None:
        for number in range(200):
            if cache.put(f"{thread} {number}", b"x"):
                cache.write()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.write()
    assert len(open_store(tmp_path / "files")) == 800
