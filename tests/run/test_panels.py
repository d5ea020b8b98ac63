"""Several judges and repeats, from a run to what they decided together."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Run, read_grades
from mmrare_judge.backends.base import Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cli.output import figure_lines, panel_row
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import ConfigError, InputError, TransportError
from mmrare_judge.run.summary import read_panel_figures, read_panels
from support.chaos_runs import pairs
from support.makers import keys_of, make_item, small_rubric

JUDGES = ["fake/a", "fake/b", "fake/c"]


def says(request: Request) -> Any:
    """On quality judge c says NO and the others YES; judge a fails on item 1; safety is YES."""
    text = request.messages[1]["content"]
    if request.model == "fake/a" and "Plan 1." in text:
        return TransportError("down", kind="server_error")
    quality = "NO" if request.model == "fake/c" else "YES"
    quote = text[text.index("Plan ") :].split("\n")[0]
    return {
        key: {"reasoning": "r", "quotes": [quote], "level": quality if key == "quality" else "YES"}
        for key in keys_of(request)
    }


def panel_run(folder: Path, **options: Any) -> Run:
    settings: dict[str, Any] = {
        "judge": JUDGES,
        "backend": FakeBackend(says),
        "cache": "off",
        "rubric": small_rubric(),
    }
    return Run(folder, **(settings | options))


def test_a_run_sums_up_what_its_panel_decided(tmp_path: Path) -> None:
    """Weights are 3 for quality and 1 for safety.

    Item 0: quality 2 of 3 YES, safety 3 of 3: score 1, all of the panel voted.
    Item 1: two votes. Quality 1 to 1: undecided, open in full. Safety 2 of 3: decided, so the
    score lies between 1/4 and 1, and coverage is 1/4 of the weight times 2/3 of the panel.
    """
    report = panel_run(tmp_path).grade(pairs(2))
    assert report.panel is not None
    (summary,) = report.panel.summaries
    assert (summary.panels, summary.scored, summary.mean_score) == (2, 1, 1.0)
    assert summary.coverage == pytest.approx((1 + 1 / 4 * 2 / 3) / 2)
    assert (summary.worst, summary.best) == ((1 + 1 / 4) / 2, 1.0)
    quality = summary.criteria["quality"]
    assert quality.statuses == {"judged": 1, "undecided": 1}
    assert quality.confidence == pytest.approx(2 / 3)
    assert quality.missing == {"unscored": 1}
    assert summary.gradings == dict.fromkeys(JUDGES, 2)
    assert summary.failed == {"fake/a": 1}
    written = json.loads((tmp_path / "summary.json").read_text("utf-8"))["panel"]
    assert written == report.panel.model_dump(mode="json")
    assert (written["size"], written["rule"], written["confidence_by"]) == (3, "majority", "votes")


def test_the_rule_can_be_chosen_before_and_after_and_moves_no_grade(tmp_path: Path) -> None:
    """Mean of item 0: quality 2/3, safety 1: (3 * 2/3 + 1) / 4; item 1: quality 1/2: 2.5 / 4."""
    panel_run(tmp_path, rule="mean").grade(pairs(2))
    scores = {panel.item_id: panel.score for panel in read_panels(tmp_path, rule="mean")}
    assert scores == {"0": pytest.approx(3 / 4), "1": pytest.approx(2.5 / 4)}
    backend = FakeBackend(says)
    again = panel_run(tmp_path, rule="median", backend=backend).grade(pairs(2))
    assert len(backend.requests) == 1  # the failed one, which fails again
    assert again.panel is not None
    assert again.panel.rule == "median"


def test_a_single_grading_is_no_panel(tmp_path: Path) -> None:
    report = panel_run(tmp_path, judge="fake/b").grade(pairs(1))
    assert report.panel is None
    assert "panel" not in json.loads((tmp_path / "summary.json").read_text("utf-8"))


def test_gradings_are_joined_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    panel_run(tmp_path, repeats=2).grade(pairs(6))
    before = {panel.item_id: panel for panel in read_panels(tmp_path)}
    ledger = tmp_path / "grades.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    ledger.write_bytes(b"".join(lines))
    assert {panel.item_id: panel for panel in read_panels(tmp_path)} == before
    assert {panel.size for panel in before.values()} == {6}


def test_gradings_that_have_not_come_are_missing_votes(tmp_path: Path) -> None:
    panel_run(tmp_path).grade(pairs(1))
    ledger = tmp_path / "grades.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:1]))
    (panel,) = read_panels(tmp_path)
    assert (panel.score, panel.size) == (None, 3)
    assert panel.verdict("safe").missing == {"absent": 2}
    assert panel_row(panel)[5:] == ("1 of 3", "no quorum: quality, safe")


def test_two_predictions_of_one_system_for_one_item_are_not_joined(tmp_path: Path) -> None:
    two = [(Prediction(item_id="1", text=f"Plan {n}.", system="o3"), make_item()) for n in (2, 3)]
    report = panel_run(tmp_path).grade(two)
    assert report.panel is None
    assert len(read_grades(tmp_path)) == 6
    problem = json.loads((tmp_path / "summary.json").read_text("utf-8"))["panel"]["problem"]
    assert "item '1', system 'o3': 6 grades for a panel of 3" in problem


def test_a_folder_is_read_with_the_rubric_it_holds_or_the_one_that_is_named(tmp_path: Path) -> None:
    panel_run(tmp_path).grade(pairs(1))
    record = json.loads((tmp_path / "run.json").read_text("utf-8"))
    (tmp_path / "run.json").write_text(json.dumps(record | {"rubric_contents": {}}))
    with pytest.raises(InputError, match=r"graded with rubric 'small' 1, which is not"):
        list(read_panels(tmp_path))
    assert len(list(read_panels(tmp_path, rubric=small_rubric()))) == 1


def test_grades_without_a_run_need_the_size_of_their_panel(tmp_path: Path) -> None:
    """As those that `regrade` writes."""
    panel_run(tmp_path).grade(pairs(2))
    before = list(read_panels(tmp_path))
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match="there is no run"):
        read_panels(tmp_path)
    assert list(read_panels(tmp_path, rubric=small_rubric(), size=3)) == before


def test_an_unknown_rule_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown rule 'best'"):
        panel_run(tmp_path, rule="best")


def test_figures_are_told_in_sentences(tmp_path: Path) -> None:
    """Three judges on 2 items: on quality 2 of 3 pairs differ on item 0, the one pair on item 1."""
    panel_run(tmp_path).grade(pairs(2))
    first, failed, independent, quality, safe = figure_lines(read_panel_figures(tmp_path))
    assert first.startswith("o3, treatment, majority of 3: 2 predictions, 1 decided in full")
    assert failed == "  fake/a: 1 of 2 gradings failed"
    assert independent.startswith("small: effective number of judges not known: ")
    assert quality == "  quality: 83% of the pairs of votes differ"
    assert safe == "  safe: 0% of the pairs of votes differ"


def test_the_command_line_tells_what_a_panel_decided(tmp_path: Path) -> None:
    panel_run(tmp_path).grade(pairs(2))

    def printed(*options: str) -> str:
        command = [sys.executable, "-m", "mmrare_judge", "panel", str(tmp_path), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    assert "majority of 3: 2 predictions" in printed()
    figures = json.loads(printed("--format", "json", "--rule", "mean"))
    assert figures == read_panel_figures(tmp_path, rule="mean").model_dump(mode="json")
