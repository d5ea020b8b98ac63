"""What a run would cost, told before anything is sent: against what it then does cost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Limits, Run, read_grades
from mmrare_judge.backends import litellm as litellm_door
from mmrare_judge.backends.base import Request, Usage
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import OutputError, TransportError
from mmrare_judge.run.estimate import ENOUGH, JudgeEstimate, total_line
from support.chaos_runs import pairs
from support.makers import keys_of, make_item, small_rubric
from support.server import ScriptedServer, error


def run_at(server: ScriptedServer, folder: Path, **options: Any) -> Run:
    settings: dict[str, Any] = {
        "judge": "openai/judge",
        "api_base": server.url,
        "api_key": "none",
        "backend": "direct",
        "cache": "off",
        "rubric": small_rubric(),
        "verify_reask": 0,
        "retries": 0,
    }
    return Run(folder, **(settings | options))


def only(run: Run, count: int, **options: Any) -> JudgeEstimate:
    (estimate,) = run.estimate(pairs(count), **options)
    return estimate


def test_an_estimate_sends_nothing_and_leaves_no_trace(
    server: ScriptedServer, tmp_path: Path
) -> None:
    estimate = only(run_at(server, tmp_path / "run"), 5, cache=tmp_path / "cache")
    assert (estimate.to_ask, estimate.calls, estimate.done, estimate.cached) == (5, 5, 0, 0)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("criteria_per_call", [None, 1])
def test_the_calls_it_tells_are_those_the_run_then_makes(
    server: ScriptedServer, tmp_path: Path, criteria_per_call: int | None
) -> None:
    def run() -> Run:
        cache = tmp_path / "cache"
        return run_at(server, tmp_path / "run", criteria_per_call=criteria_per_call, cache=cache)

    run().grade(pairs(3))
    before = len(server.requests)
    told = only(run(), 7).calls
    run().grade(pairs(7))
    assert told == len(server.requests) - before == 4 * (2 if criteria_per_call else 1)


def test_what_is_done_costs_nothing_and_what_failed_has_to_be_asked(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(error(500))
    run_at(server, tmp_path, limits=Limits(concurrency=1)).grade(pairs(4))
    estimate = only(run_at(server, tmp_path), 6)
    assert (estimate.done, estimate.to_ask, estimate.calls) == (3, 3, 3)


def test_a_torn_line_is_not_done_and_stays_as_it_is(server: ScriptedServer, tmp_path: Path) -> None:
    run_at(server, tmp_path).grade(pairs(3))
    ledger = tmp_path / "grades.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-30])
    before = ledger.read_bytes()
    estimate = only(run_at(server, tmp_path), 3)
    assert (estimate.done, estimate.to_ask) == (2, 1)
    assert ledger.read_bytes() == before


def test_what_the_cache_holds_costs_nothing_but_the_second_look_it_lacks(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The server answers NO without a quote, and the small rubric wants one for a NO on safety."""
    cache = tmp_path / "cache"
    run_at(server, tmp_path / "first", cache=cache).grade(pairs(4))
    again = run_at(server, tmp_path / "again", cache=cache)
    assert only(again, 6).model_dump(include={"cached", "to_ask", "calls"}) == {
        "cached": 4,
        "to_ask": 2,
        "calls": 2,
    }
    looking_twice = run_at(server, tmp_path / "twice", cache=cache, verify_reask=1)
    told = only(looking_twice, 4)
    assert (told.cached, told.to_ask, told.calls) == (0, 4, 4)
    before = len(server.requests)
    looking_twice.grade(pairs(4))
    assert len(server.requests) - before == told.calls


def test_equal_requests_are_counted_once_where_a_cache_keeps_the_reply(
    server: ScriptedServer, tmp_path: Path
) -> None:
    same = [(Prediction(item_id="1", text="Rest.", system=s), make_item()) for s in ("a", "b")]
    (kept,) = run_at(server, tmp_path / "run").estimate(same, cache=tmp_path / "cache")
    assert (kept.calls, kept.cached, kept.to_ask) == (1, 1, 1)
    (lost,) = run_at(server, tmp_path / "run").estimate(same)
    assert lost.calls == 2


def test_blank_and_overlong_predictions_and_the_embedded_judge_take_no_call(
    server: ScriptedServer, tmp_path: Path
) -> None:
    odd = [
        (Prediction(item_id="1", text=" "), make_item()),
        (Prediction(item_id="1", text="x" * 50), make_item()),
    ]
    (estimate,) = run_at(server, tmp_path, max_prediction_chars=20).estimate(odd)
    assert (estimate.free, estimate.calls, estimate.likely) == (2, 0, Usage())
    (embedded,) = Run(tmp_path, "embedded", rubric=small_rubric()).estimate(pairs(3))
    assert (embedded.free, embedded.calls, embedded.likely.cost) == (3, 0, 0.0)
    assert list(embedded.lines())[-1].endswith("none; it costs nothing")


def test_several_judges_and_repeats_are_counted_each(
    server: ScriptedServer, tmp_path: Path
) -> None:
    run = run_at(server, tmp_path, judge=["openai/a", "openai/b"], repeats=3)
    estimates = run.estimate(pairs(2))
    assert [(e.judge, e.calls) for e in estimates] == [("openai/a", 6), ("openai/b", 6)]
    assert total_line(estimates) == "12 calls; cost not known"


def test_a_price_that_nobody_knows_is_said_to_be_unknown(
    server: ScriptedServer, tmp_path: Path
) -> None:
    estimate = only(run_at(server, tmp_path), 1)
    assert estimate.likely.cost is estimate.most_cost is None
    assert "cost      not known" in "\n".join(estimate.lines())


def test_a_known_price_is_applied_to_likely_and_to_most_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 and 10 dollars a million tokens, and twice that at most; 3 requests of 2 verdicts."""
    monkeypatch.setattr(litellm_door, "usual_prices", lambda model: (2e-6, 10e-6))
    monkeypatch.setattr(litellm_door, "highest_prices", lambda model: (4e-6, 20e-6))
    run = Run(tmp_path, "openai/dear", cache="off", rubric=small_rubric(), max_tokens=500)
    (estimate,) = run.estimate(pairs(3))
    likely = estimate.likely
    assert likely.completion_tokens == 3 * 2 * 100
    assert likely.cost == pytest.approx(likely.prompt_tokens * 2e-6 + 600 * 10e-6)
    prompts = estimate.most_tokens - 3 * 500
    assert estimate.most_cost == pytest.approx(prompts * 4e-6 + 1500 * 20e-6)
    assert likely.prompt_tokens == pytest.approx(0.75 * prompts, abs=3)


def test_enough_gradings_that_were_seen_make_the_estimate(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The server says 1000 tokens of prompt and 200 of reply a call; one failed, and is paid."""
    run_at(server, tmp_path).grade(pairs(ENOUGH - 1))
    assert only(run_at(server, tmp_path), ENOUGH + 4).seen == 0
    run_at(server, tmp_path).grade(pairs(ENOUGH))
    estimate = only(run_at(server, tmp_path), ENOUGH + 4)
    assert estimate.seen == ENOUGH
    assert (estimate.likely.calls, estimate.likely.prompt_tokens) == (4, 4000)
    assert estimate.likely.completion_tokens == 800


def test_a_folder_of_another_specification_is_refused_and_a_fork_looked_through(
    server: ScriptedServer, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    run_at(server, old).grade(pairs(2))
    with pytest.raises(OutputError, match="repeats: 1 -> 2"):
        only(run_at(server, old, repeats=2), 2)
    estimate = only(run_at(server, old, repeats=2, fork=tmp_path / "new"), 2)
    assert (estimate.done, estimate.calls) == (2, 2)
    assert not (tmp_path / "new").exists()


def test_an_estimate_changes_nothing_for_the_run_it_is_made_of(tmp_path: Path) -> None:
    def all_no(request: Request) -> Any:
        verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
        broken = "Plan 1." in request.messages[1]["content"]
        return TransportError("x") if broken else dict.fromkeys(keys_of(request), verdict)

    def run() -> Run:
        backend = FakeBackend(all_no)
        return Run(tmp_path, "hosted_vllm/m", backend=backend, cache="off", rubric=small_rubric())

    run().grade(pairs(2))
    again = run()
    again.estimate(pairs(2))
    report = again.grade(pairs(2))
    assert (report.progress.graded, report.progress.resumed) == (1, 1)
    assert len(read_grades(tmp_path)) == 2


async def test_an_estimate_works_in_a_notebook(server: ScriptedServer, tmp_path: Path) -> None:
    assert only(run_at(server, tmp_path), 2).calls == 2


def test_the_command_line_estimates_without_key_network_or_trace(tmp_path: Path) -> None:
    items, answers = tmp_path / "items.jsonl", tmp_path / "answers.jsonl"
    made = pairs(3)
    items.write_text("".join(item.model_dump_json() + "\n" for _, item in made), "utf-8")
    answers.write_text("".join(answer.model_dump_json() + "\n" for answer, _ in made), "utf-8")
    options = {
        "--items": items,
        "--predictions": answers,
        "--judge": "hosted_vllm/qwen3",
        "--api-base": "http://127.0.0.1:9/v1",  # nobody listens there
        "--backend": "direct",
        "--cache-dir": tmp_path / "cache",
        "--out": tmp_path / "run",
    }
    words = [str(word) for option in options.items() for word in option]
    done = subprocess.run(
        [sys.executable, "-m", "mmrare_judge", "grade", *words, "--estimate"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"},
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "hosted_vllm/qwen3"
    assert "3 to be asked for" in lines[1]
    assert "not known" in lines[4]
    assert lines[-1] == "Nothing was sent."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "items.jsonl"]
