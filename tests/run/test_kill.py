"""A run that is killed, stopped or interrupted goes on where it was, and pays nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import read_grades
from mmrare_judge.errors import InputError
from support.chaos_runs import grades_by_item, pairs, start, wrong
from support.chaos_server import ChaosServer
from support.makers import RUBRIC

ITEMS = 1500
CONCURRENCY = 8


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is so, or the process has ended."""
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.002)


def graded(folder: Path) -> set[str]:
    """The items in a ledger that may end in the middle of a line."""
    ledger = folder / "grades.jsonl"
    lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    return {json.loads(line)["item_id"] for line in lines}


def kill_somewhere(
    server: ChaosServer, process: subprocess.Popen[str], moments: random.Random
) -> None:
    """Kill a run: mostly in the middle of its work, now and then while it starts."""
    if moments.random() < 0.2:
        time.sleep(moments.uniform(0.05, 0.6))
    else:
        enough = server.calls() + moments.randrange(1, 60)
        wait_for(lambda: server.calls() >= enough, process)
        time.sleep(moments.uniform(0, 0.02))
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("kills", "cache"), [(20, True), (5, False)], ids=["20, cache", "5, no cache"]
)
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, kills: int, cache: bool) -> None:
    moments = random.Random(kills)
    run, in_flight = tmp_path / "run", Counter[str]()
    options: dict[str, Any] = {
        "concurrency": CONCURRENCY,
        "cache": str(tmp_path / "cache") if cache else "off",
    }
    with ChaosServer(latency=0.005).running() as server:
        for _ in range(kills):
            before = Counter({n: len(served) for n, served in server.log()["served"].items()})
            process = start(server, run, ITEMS, **options)
            kill_somewhere(server, process, moments)
            assert process.returncode == -signal.SIGKILL, "it was done before it was killed"
            sent = Counter({n: len(served) for n, served in server.log()["served"].items()})
            lost = set(sent - before) - graded(run)
            assert len(lost) <= CONCURRENCY
            in_flight.update(lost)
        last = start(server, run, ITEMS, **options)
        _, said = last.communicate()
        assert last.returncode == 0, said
        served = server.log()["served"]
    grades = grades_by_item(run)  # fails on a double
    assert set(grades) == {str(n) for n in range(ITEMS)}
    assert {wrong(grade, served[n]) for n, grade in grades.items()} == {None}
    paid_again = Counter({n: len(times) - 1 for n, times in served.items()})
    assert not paid_again - in_flight, "paid again although it was not in flight at a kill"


def test_a_run_killed_in_the_middle_of_a_line_names_the_way_out(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        start(server, tmp_path, 3).communicate()
        ledger = tmp_path / "grades.jsonl"
        ledger.write_bytes(ledger.read_bytes()[:-30])
        with pytest.raises(InputError, match="Start the run again: it repairs its folder"):
            read_grades(tmp_path)
        start(server, tmp_path, 3).communicate()
        assert set(grades_by_item(tmp_path)) == {"0", "1", "2"}
        assert server.calls() == 4


def command_line(server: ChaosServer, folder: Path, count: int) -> subprocess.Popen[str]:
    """``mmrare-judge grade`` over the chaos server, at most 4 requests at a time."""
    items, answers, rubric = (folder / name for name in ("items.jsonl", "a.jsonl", "r.yaml"))
    made = pairs(count)
    items.write_text("".join(item.model_dump_json() + "\n" for _, item in made), "utf-8")
    answers.write_text("".join(answer.model_dump_json() + "\n" for answer, _ in made), "utf-8")
    rubric.write_text(RUBRIC, "utf-8")
    options = {
        "--items": items,
        "--predictions": answers,
        "--rubric": rubric,
        "--out": folder / "run",
        "--cache-dir": folder / "cache",
        "--judge": "openai/chaos-1",
        "--api-base": server.url,
        "--backend": "direct",
        "--concurrency": 4,
        "--format": "summary",
    }
    words = [str(word) for option in options.items() for word in option]
    return subprocess.Popen(
        [sys.executable, "-m", "mmrare_judge", "grade", *words],
        env={**os.environ, "OPENAI_API_KEY": "none", "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


SIGNALS = pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"]
)


@SIGNALS
def test_one_signal_finishes_what_is_in_flight(tmp_path: Path, number: signal.Signals) -> None:
    with ChaosServer(latency=0.1).running() as server:
        process = command_line(server, tmp_path, 30)
        wait_for(lambda: server.calls() >= 6, process)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        calls = server.calls()
        assert calls < 30
        assert len(grades_by_item(tmp_path / "run")) == calls
        summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
        assert summary["this_start"]["stopped"] == "interrupted"
        assert summary["summaries"][0]["graded"] == calls
        assert "once more to stop at once" in said
        assert "Traceback" not in said
        assert process.returncode == 130

        process = command_line(server, tmp_path, 30)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert len(grades_by_item(tmp_path / "run")) == server.calls() == 30


@SIGNALS
def test_two_signals_stop_at_once_and_still_nothing_is_lost(
    tmp_path: Path, number: signal.Signals
) -> None:
    def hung() -> int:
        return sum(served.count("hang") for served in server.log()["served"].values())

    with ChaosServer({"hang": 300}).running() as server:
        process = command_line(server, tmp_path, 60)
        wait_for(lambda: hung() == 4, process)
        answered = server.calls() - 4
        wait_for(lambda: len(graded(tmp_path / "run")) == answered, process)
        process.send_signal(number)
        assert process.stderr is not None
        assert "finishing what is in flight" in process.stderr.readline()
        assert process.poll() is None  # what is in flight hangs, and is waited for
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in said
        assert len(grades_by_item(tmp_path / "run")) == answered
        summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
        assert summary["summaries"][0]["graded"] == answered
        assert summary["all_starts"]["incurred"]["calls"] == server.calls()

        server.calm()
        process = command_line(server, tmp_path, 60)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert len(grades_by_item(tmp_path / "run")) == 60
        assert server.calls() == 60 + 4
