"""Two processes at a time: on one cache they share, in one folder the second is refused."""

from __future__ import annotations

import signal
from pathlib import Path

from mmrare_judge.cache.store import ReplyCache
from support.chaos_runs import grades_by_item, start, wrong
from support.chaos_server import ChaosServer

FEW = 4
"""Calls that may be doubled: one process looks into the cache, the other fills it, the one asks."""


def test_two_processes_share_a_cache_on_overlapping_work(tmp_path: Path) -> None:
    """The first grades items 0 to 399, the second 200 to 599, at the same time."""
    cache = str(tmp_path / "cache")
    with ChaosServer(latency=0.02).running() as server:
        processes = [
            start(server, tmp_path / name, 400, first=first, cache=cache)
            for name, first in (("a", 0), ("b", 200))
        ]
        said = [process.communicate(timeout=120)[1] for process in processes]
        served = server.log()["served"]
    assert ([process.returncode for process in processes], said) == ([0, 0], ["", ""])
    grades = {name: grades_by_item(tmp_path / name) for name in "ab"}
    assert set(grades["a"]) == {str(n) for n in range(400)}
    assert set(grades["b"]) == {str(n) for n in range(200, 600)}
    contradictions = {
        wrong(grade, served[n]) for found in grades.values() for n, grade in found.items()
    }
    assert contradictions == {None}
    # Were each for itself, 200 would be paid twice.
    assert sum(len(times) - 1 for times in served.values()) <= FEW
    kept = ReplyCache(cache)
    assert len(kept) == 600
    kept.close()


def test_two_processes_that_go_through_the_same_items_in_step_pay_once(tmp_path: Path) -> None:
    """Neither finds in the cache what the other is only asking for, and still it asks once."""
    cache = str(tmp_path / "cache")
    with ChaosServer(latency=0.05).running() as server:
        processes = [start(server, tmp_path / name, 200, cache=cache) for name in "ab"]
        said = [process.communicate(timeout=120)[1] for process in processes]
        served = server.log()["served"]
    assert said == ["", ""]
    grades = [grades_by_item(tmp_path / name) for name in "ab"]
    assert [len(found) for found in grades] == [200, 200]
    assert sum(len(times) - 1 for times in served.values()) <= FEW
    # Each reply was charged to the one that bought it.
    assert sum(g.usage.calls for found in grades for g in found.values()) == server_calls(served)


def server_calls(served: dict[str, list[str]]) -> int:
    return sum(map(len, served.values()))


def test_what_a_killed_process_was_buying_is_bought_by_the_other(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    with ChaosServer({"hang": 1000}).running() as server:
        first = start(server, tmp_path / "a", 8, cache=cache, timeout=60.0)
        while server.calls() < 8:
            assert first.poll() is None
        second = start(server, tmp_path / "b", 8, cache=cache, timeout=60.0)
        while not (tmp_path / "b" / "grades.jsonl").exists():
            assert second.poll() is None
        assert server.calls() == 8  # it waits for the first
        server.calm()
        first.kill()
        first.communicate()
        assert second.communicate(timeout=60)[1] == ""
        assert server.calls() == 16


def test_many_processes_can_open_a_new_cache_at_once(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        cache = str(tmp_path / "cache")
        processes = [start(server, tmp_path / str(n), 20, cache=cache) for n in range(4)]
        said = [process.communicate(timeout=120)[1] for process in processes]
    assert said == [""] * 4
    assert [len(grades_by_item(tmp_path / str(n))) for n in range(4)] == [20] * 4


def test_a_second_process_in_a_folder_is_refused_and_a_killed_one_leaves_no_lock(
    tmp_path: Path,
) -> None:
    with ChaosServer({"hang": 1000}).running() as server:
        first = start(server, tmp_path, 20, timeout=60.0)
        while not server.calls():
            assert first.poll() is None
        second = start(server, tmp_path, 20)
        _, said = second.communicate(timeout=60)
        assert second.returncode == 1
        assert said == (f"OutputError: another process is running in {tmp_path}; wait or stop it\n")
        assert server.calls() <= 8  # the second sent nothing, and the first waits
        first.send_signal(signal.SIGKILL)
        first.communicate()
        server.calm()
        third = start(server, tmp_path, 20)
        assert third.communicate(timeout=60)[1] == ""
        assert len(grades_by_item(tmp_path)) == 20
