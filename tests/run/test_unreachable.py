"""A dead address ends a run early, says which one it is, and keeps everything."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import FakeBackend, Limits, Run, read_grades
from mmrare_judge.backends.base import Meter, Reply, Request
from mmrare_judge.cli.output import exit_code, print_report
from mmrare_judge.errors import TransportError
from support.chaos_runs import pairs, run_against
from support.makers import keys_of, small_rubric


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@pytest.mark.parametrize("backend", ["direct", "litellm"])
@pytest.mark.parametrize("concurrency", [1, 64], ids=["one at a time", "64 at once"])
def test_an_address_that_never_answers_ends_the_run_after_a_few_predictions(
    tmp_path: Path, backend: str, concurrency: int, capsys: pytest.CaptureFixture[str]
) -> None:
    address = nobody()
    limits = Limits(concurrency=concurrency)
    run = run_against(address, tmp_path, backend=backend, limits=limits, timeout=30.0)
    begun = time.monotonic()
    report = run.grade(pairs(300))
    assert time.monotonic() - begun < 30
    assert report.progress.stopped == "unreachable"
    assert 3 <= report.progress.graded < 3 + concurrency
    assert {grade.unscored.kind for grade in read_grades(tmp_path) if grade.unscored} == {
        "connection"
    }
    print_report(report)
    said = capsys.readouterr().err
    assert f"stopped: {address} does not answer (3 predictions in a row: " in said
    assert said.count("does not answer") == 1
    assert exit_code(report) == 3
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))["this_start"]
    assert summary["stopped"] == "unreachable"
    assert address in summary["unreachable"]


class Dying:
    """Answers until an item comes up, and then no more."""

    def __init__(self, last: int, returns_after: int = 10**6) -> None:
        self.calls = 0
        self._last, self._returns_after = last, returns_after

    def __call__(self, request: Request) -> Any:
        self.calls += 1
        if self._last < self.calls <= self._last + self._returns_after:
            return TransportError("connection refused", kind="connection")
        verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
        return dict.fromkeys(keys_of(request), verdict)


def run_over(folder: Path, answers: Dying) -> Run:
    return Run(
        folder,
        "fake/model",
        backend=FakeBackend(answers),
        cache="off",
        rubric=small_rubric(),
        verify_reask=0,
        limits=Limits(concurrency=1),
    )


def test_an_address_that_dies_on_the_way_ends_the_run_and_the_next_start_goes_on(
    tmp_path: Path,
) -> None:
    report = run_over(tmp_path, Dying(20)).grade(pairs(100))
    assert (report.progress.stopped, report.progress.graded) == ("unreachable", 25)
    assert report.progress.unreachable.startswith("the endpoint of fake/model does not answer")
    again = run_over(tmp_path, Dying(100)).grade(pairs(100))
    assert (again.progress.resumed, again.progress.graded) == (20, 80)
    assert [grade.unscored for grade in read_grades(tmp_path)] == [None] * 100


def test_a_connection_that_comes_back_ends_nothing(tmp_path: Path) -> None:
    report = run_over(tmp_path, Dying(2, returns_after=4)).grade(pairs(20))
    assert (report.progress.stopped, report.progress.graded) == (None, 20)
    assert report.progress.faults == {"connection": 4}


class Knocking:
    """Fails three times at once; all later ones would knock for ten minutes."""

    def __init__(self) -> None:
        self.calls = 0

    async def complete(self, request: Request, meter: Meter) -> Reply:
        self.calls += 1
        if self.calls > 3:
            await asyncio.sleep(600)
        raise TransportError("connection refused", kind="connection")


def test_what_would_knock_again_and_again_is_not_waited_for(tmp_path: Path) -> None:
    run = Run(tmp_path, "fake/m", backend=Knocking(), cache="off", limits=Limits(concurrency=8))
    begun = time.monotonic()
    report = run.grade(pairs(20))
    assert time.monotonic() - begun < 10
    assert (report.progress.stopped, report.progress.graded) == ("unreachable", 3)


def test_a_dead_judge_leaves_the_other_ones_replies_in_peace(tmp_path: Path) -> None:
    def one_is_dead(request: Request) -> Any:
        if request.model == "fake/dead":
            return TransportError("connection refused", kind="connection")
        verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
        return dict.fromkeys(keys_of(request), verdict)

    run = Run(
        tmp_path,
        ["fake/dead", "fake/alive"],
        backend=FakeBackend(one_is_dead),
        cache="off",
        rubric=small_rubric(),
        limits=Limits(concurrency=4),
    )
    report = run.grade(pairs(50))
    assert report.progress.stopped == "unreachable"
    assert "fake/dead does not answer" in report.progress.unreachable
    assert report.progress.usage.calls == sum(g.usage.calls for g in read_grades(tmp_path))
