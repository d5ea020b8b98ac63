"""Predictions graded in tests of one's own: replayed, recorded, and shown where they fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from support.server import ScriptedServer, judging

TEST = """
ITEM = {
    "id": "1",
    "track": "treatment",
    "question": "Plan?",
    "reference": {"answer": "Prednisone.", "must_include": ["prednisone 40 mg daily"]},
}

def test_plan(assert_grade):
    assert_grade("Start prednisone 40 mg daily.", ITEM, ARGUMENTS)

def test_fixture(mmrare_grade):
    assert mmrare_grade("Start prednisone 40 mg daily.", ITEM).item_id == "1"
"""


def run_pytest(folder: Path, *options: str, arguments: str, judge: str = "embedded") -> Any:
    (folder / "test_own.py").write_text(TEST.replace("ARGUMENTS", arguments))
    (folder / "pytest.ini").write_text(f"[pytest]\nmmrare_judge = {judge}\n")
    plugin = ["-p", "mmrare_judge.harness.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_grade_that_is_good_enough_passes(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, arguments='criteria={"specific_treatments": "YES"}')
    assert done.returncode == 0, done.stdout


def test_a_failure_shows_verdicts_and_quotes(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, arguments='criteria={"specific_treatments": "NO"}')
    assert done.returncode == 1
    assert "item 1: specific_treatments is YES, not NO" in done.stdout
    assert 'specific_treatments: YES - "prednisone 40 mg daily" (exact)' in done.stdout


def test_a_missing_score_is_a_failure_with_its_reason_and_no_zero(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, arguments="min_score=0.0")
    assert done.returncode == 1
    assert "item 1 has no score: not every criterion was judged: safety abstained" in done.stdout


def test_without_a_certificate_the_gate_is_shut(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--mmrare-gate", "study", arguments="")
    assert done.returncode == 1
    assert "certificate study" in done.stdout


def test_replies_are_recorded_once_and_replayed_without_the_judge(
    tmp_path: Path, server: ScriptedServer
) -> None:
    judge = tmp_path / "judge.yaml"
    judge.write_text(f"model: hosted_vllm/m\napi_base: {server.url}\nbackend: direct\n")
    server.otherwise = judging("YES", "prednisone 40 mg daily")
    wanted = {"arguments": "min_score=1.0", "judge": str(judge)}
    before = run_pytest(tmp_path, **wanted)
    assert before.returncode == 1
    assert "run pytest --mmrare-record" in before.stdout
    recorded = run_pytest(tmp_path, "--mmrare-record", **wanted)
    assert recorded.returncode == 0, recorded.stdout
    asked = len(server.requests)
    assert run_pytest(tmp_path, **wanted).returncode == 0
    assert len(server.requests) == asked == 1
