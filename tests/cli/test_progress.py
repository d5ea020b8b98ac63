"""What is seen of a run while it runs, with a terminal and without."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import rich.console

from mmrare_judge import Run, Usage
from mmrare_judge.backends.base import Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cli import output as progress
from mmrare_judge.cli.output import cost_line, describe, shown_progress
from mmrare_judge.run.summary import Progress
from support.chaos_runs import pairs
from support.makers import keys_of, small_rubric


def run_in(folder: Path) -> Run:
    def all_no(request: Request) -> dict[str, Any]:
        return {k: {"reasoning": "r", "quotes": [], "level": "NO"} for k in keys_of(request)}

    backend = FakeBackend(all_no)
    return Run(folder, "fake/m", backend=backend, cache="off", rubric=small_rubric())


def test_without_a_terminal_there_are_plain_lines_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    run = run_in(tmp_path)
    with shown_progress(run, 4):
        run.grade(pairs(3))
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert printed.out == ""
    assert [line.split(",")[0] for line in lines] == ["1 of 4", "2 of 4", "3 of 4"]
    assert "a second" in lines[-1]
    assert "s left" in lines[-1]
    assert "\x1b" not in printed.err


def test_a_short_run_without_a_terminal_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_in(tmp_path)
    with shown_progress(run, 3):
        run.grade(pairs(3))
    assert capsys.readouterr().err == ""


def test_quiet_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    run = run_in(tmp_path)
    with shown_progress(run, 3, quiet=True):
        run.grade(pairs(3))
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_count_rate_and_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def terminal(**options: Any) -> rich.console.Console:
        return console(**options, force_terminal=True, width=140)

    console = rich.console.Console
    monkeypatch.setattr(rich.console, "Console", terminal)
    run = run_in(tmp_path)
    with shown_progress(run, 3):
        run.grade(pairs(3))
    seen = capsys.readouterr().err
    assert all(words in seen for words in ("3/3", "a second", "calls, $0.00"))


def test_faults_are_told_by_kind() -> None:
    so_far = Progress(faults=Counter({"timeout": 2}), usage=Usage(calls=5, cost=None))
    assert describe(so_far) == "5 calls, cost not known, 2 timeout"


def test_a_small_cost_is_not_told_as_none() -> None:
    assert describe(Progress(usage=Usage(calls=5, cost=0.004))) == "5 calls, $0.004"
    assert describe(Progress(usage=Usage(calls=5, cost=0.00002))) == "5 calls, less than $0.0001"


def test_the_costs_of_a_start_are_told_apart() -> None:
    so_far = Progress(
        usage=Usage(calls=10, retries=2, cost=1.25, extra_tokens=4000, extra_cost=0.25),
        lost=Usage(calls=1, cost=0.5),
        saved=Usage(calls=7, cost=2.0),
    )
    assert cost_line(so_far) == (
        "this start: 11 calls, $1.75, of that for re-asks, second looks and replies of no use "
        "4,000 tokens, $0.25, 2 repeats after faults, saved by the cache 7 calls, $2.00"
    )
