"""What a run cost, what it may cost, and which of its grades count: against the server's books."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Judge, Limits, Run, Usage, read_grades
from mmrare_judge.backends.base import Meter, Reply, Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.errors import ConfigError, OutputError
from support.chaos_runs import SHORT, grades_by_item, pairs, run_against
from support.chaos_server import FAULTS, ChaosServer
from support.makers import keys_of, make_item, small_rubric


def summary_of(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return summary


def check_books(folder: Path, server: ChaosServer) -> None:
    """What all starts incurred is what the server counted, to the call and to the token."""
    log = server.log()
    books = {k: Usage.model_validate(v) for k, v in summary_of(folder)["all_starts"].items()}
    incurred = books["incurred"]
    assert incurred.calls == sum(map(len, log["served"].values()))
    assert incurred.prompt_tokens == log["prompt_tokens"]
    assert incurred.completion_tokens == log["completion_tokens"]
    counted = [Usage.model_validate(s["usage"]) for s in summary_of(folder)["summaries"]]
    parts = sum(counted, books["superseded"] + books["without_grade"])
    assert parts == incurred


def test_max_calls_is_never_passed_and_the_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with ChaosServer(FAULTS).running() as server:
        paid = 0
        for _ in range(20):
            limits = Limits(concurrency=16, max_calls=60)
            report = run_against(server, tmp_path, limits=limits).grade(pairs(300))
            assert server.calls() - paid <= 60
            paid = server.calls()
            check_books(tmp_path, server)
            if report.progress.stopped is None:
                break
            assert report.progress.stopped == "budget"
        else:
            pytest.fail("twenty starts of 60 calls did not do")
        assert set(grades_by_item(tmp_path)) == {str(n) for n in range(300)}


def test_a_budget_of_nothing_sends_nothing(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        report = run_against(server, tmp_path, limits=Limits(max_calls=0)).grade(pairs(5))
        assert (server.calls(), report.progress.stopped) == (0, "budget")
        assert report.progress.graded == 0


def test_max_cost_is_never_passed_and_is_nearly_used(tmp_path: Path) -> None:
    import litellm  # noqa: TID251  for the prices, which are none of ours

    model = "openai/gpt-4o-mini"
    listed = litellm.model_cost["gpt-4o-mini"]
    most = 0.003
    with ChaosServer({"status_500": 100}).running() as server:
        run = Run(
            tmp_path,
            model,
            rubric=small_rubric(),
            cache="off",
            api_base=server.url,
            api_key="none",
            max_tokens=300,
            backoff=SHORT,
            limits=Limits(concurrency=8, max_cost=most),
        )
        report = run.grade(pairs(200))
        log = server.log()
        check_books(tmp_path, server)
    cost = (
        log["prompt_tokens"] * listed["input_cost_per_token"]
        + log["completion_tokens"] * listed["output_cost_per_token"]
    )
    assert report.progress.stopped == "budget"
    assert 0.8 * most < cost <= most
    books = Usage.model_validate(summary_of(tmp_path)["all_starts"]["incurred"])
    assert books.cost == pytest.approx(cost)


def test_a_cost_that_nobody_knows_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        with pytest.raises(ConfigError, match="set max_calls instead"):
            run_against(server, tmp_path, limits=Limits(max_cost=5.0)).grade(pairs(5))
        assert server.calls() == 0


def test_failures_that_were_graded_again_stay_in_the_books(tmp_path: Path) -> None:
    with ChaosServer({"refusal": 300, "status_500": 300}).running() as server:
        run_against(server, tmp_path, retries=0).grade(pairs(60))
        assert summary_of(tmp_path)["all_starts"]["superseded"]["calls"] == 0
        server.calm()
        run_against(server, tmp_path).grade(pairs(60))
        check_books(tmp_path, server)
        assert summary_of(tmp_path)["all_starts"]["superseded"]["calls"] > 20


def test_the_same_run_twice_from_one_cache_writes_the_same_bytes(tmp_path: Path) -> None:
    lines = {}
    with ChaosServer().running() as server:
        for name, made in (("warm", pairs(80)), ("a", pairs(80)), ("b", pairs(80)[::-1])):
            run = run_against(server, tmp_path / name, cache=tmp_path / "cache")
            run.grade(made, canonical=name != "warm")
            lines[name] = (tmp_path / name / "grades.jsonl").read_bytes()
        assert server.calls() == 80
    assert lines["a"] == lines["b"]
    assert [json.loads(line)["item_id"] for line in lines["a"].splitlines()] == sorted(
        str(n) for n in range(80)
    )


async def test_a_run_in_a_running_loop_is_the_same_run(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        run_against(server, tmp_path / "sync").grade(pairs(10), canonical=True)
        await run_against(server, tmp_path / "async").agrade(pairs(10), canonical=True)
    first, second = (tmp_path / name / "grades.jsonl" for name in ("sync", "async"))
    assert first.read_bytes() == second.read_bytes()


def test_what_waits_for_its_turn_is_not_begun_when_a_run_is_stopped(tmp_path: Path) -> None:
    with ChaosServer().running() as server:
        limits = Limits(concurrency=16, requests_per_minute=4)
        run = run_against(server, tmp_path, limits=limits)
        run.watch = lambda progress: run.stop() if progress.graded == 4 else None
        report = run.grade(pairs(30))
        assert server.calls() == 4
    assert (report.progress.stopped, report.progress.graded) == ("interrupted", 4)


def test_what_is_begun_is_finished_when_a_run_is_stopped(tmp_path: Path) -> None:
    """What meets a fault is tried again although the run was told to stop meanwhile."""
    with ChaosServer({"status_500": 400}, latency=0.05).running() as server:
        run = run_against(server, tmp_path, limits=Limits(concurrency=8), retries=9)
        run.watch = lambda progress: run.stop()
        run.grade(pairs(40))
        served = server.log()["served"]
    assert max(map(len, served.values())) > 1
    assert set(grades_by_item(tmp_path)) == set(served)
    assert len(served) < 40


def all_no(request: Request) -> dict[str, Any]:
    verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
    return dict.fromkeys(keys_of(request), verdict)


def fake_run(folder: Path, backend: Any = None, **options: Any) -> Run:
    settings: dict[str, Any] = {"cache": "off", "rubric": small_rubric(), "verify_reask": 0}
    return Run(folder, "fake/model", backend=backend or FakeBackend(all_no), **(settings | options))


def test_a_grade_of_a_changed_prediction_does_not_count_any_more(tmp_path: Path) -> None:
    fake_run(tmp_path).grade(pairs(3))
    changed = [(pairs(3)[1][0].model_copy(update={"text": "Another plan."}), pairs(3)[1][1])]
    report = fake_run(tmp_path).grade([*pairs(1), *changed])
    # Item 2 was not given this time: nothing is known against its grade.
    assert sorted(grades_by_item(tmp_path)) == ["0", "1", "2"]
    assert report.summaries[0].graded == summary_of(tmp_path)["summaries"][0]["graded"] == 3
    assert summary_of(tmp_path)["all_starts"]["incurred"]["calls"] == 4
    aside = (tmp_path / "superseded.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["item_id"] for line in aside] == ["1"]


def test_two_predictions_for_one_item_both_count(tmp_path: Path) -> None:
    (prediction, item), *_ = pairs(1)
    both = [(prediction, item), (prediction.model_copy(update={"text": "Another."}), item)]
    for _ in range(2):
        assert fake_run(tmp_path).grade(both).summaries[0].graded == 2
    assert len(read_grades(tmp_path)) == 2


def test_a_fork_drops_what_its_specification_does_not_cover(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fake_run(old, repeats=2).grade(pairs(3))
    report = fake_run(old, fork=new, repeats=1).grade(pairs(3))
    assert report.summaries[0].graded == len(read_grades(new)) == 3
    assert len(read_grades(old)) == 6


class OnePartFails:
    """Answers the second part of a prediction after the first has failed for good."""

    def __init__(self) -> None:
        self.answered = 0

    async def complete(self, request: Request, meter: Meter) -> Reply:
        if keys_of(request) == ["quality"]:
            raise ConfigError("the key was withdrawn")
        await asyncio.sleep(0.05)
        self.answered += 1
        return Reply(text=json.dumps(all_no(request)))


def test_parts_that_are_being_paid_for_are_awaited_and_kept(tmp_path: Path) -> None:
    backend = OnePartFails()
    run = fake_run(tmp_path / "run", backend, cache=tmp_path / "cache", criteria_per_call=1)
    with pytest.raises(ConfigError, match="withdrawn"):
        run.grade(pairs(1))
    assert backend.answered == 1
    kept = ReplyCache(tmp_path / "cache")
    assert len(kept) == 1
    kept.close()


def test_a_reply_that_cannot_be_kept_is_graded_and_the_next_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: ReplyCache, request: Request, reply: Reply) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(ReplyCache, "put", full)
    backend = FakeBackend(all_no)
    judge = Judge("fake/model", backend=backend, cache=tmp_path, rubric=small_rubric())
    with caplog.at_level(logging.WARNING):
        graded = judge.grade("Plan 0.", make_item())
    # Both looks were made, the second since a level lacked the quote it needs.
    assert (graded.unscored, graded.usage.calls) == (None, 2)
    assert "this reply is graded, but not kept" in caplog.text
    with pytest.raises(OutputError, match="the disk is full"):
        judge.grade("Plan 1.", make_item())
    assert len(backend.requests) == 2
