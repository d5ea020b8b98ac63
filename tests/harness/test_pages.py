"""The pages on harnesses: their code runs where the harness is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmrare_judge import read_items
from support.harnesses import EXAMPLES
from support.paths import ROOT

PAGES = ROOT / "docs" / "harnesses"
ALL = [*sorted(PAGES.glob("*.md")), ROOT / "docs" / "common-jobs.md"]
NEEDS = {
    "frames": "pandas",
    "deepeval": "deepeval",
    "pydantic-evals": "pydantic_evals",
    "mlflow": "mlflow",
    "inspect": "inspect_ai",
    "service": "fastapi",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pages' code runs: items, answers, a rubric, and a table of VLMEvalKit's."""
    shutil.copy(EXAMPLES / "items.jsonl", tmp_path)
    shutil.copy(EXAMPLES / "predictions.jsonl", tmp_path / "answers.jsonl")
    rubric = (ROOT / "docs" / "rubrics.md").read_text(encoding="utf-8")
    dose = _code(rubric, "yaml")[0].partition("  - id: no_harm")[0]
    (tmp_path / "mine.yaml").write_text(dose.replace("total_weight: 4", "total_weight: 3"))
    table = "index\tquestion\tanswer\trubric_must_include\trubric_must_not\tprediction\n"
    (tmp_path / "model_plans.tsv").write_text(table + "1\tPlan?\tRest.\trest\t\tRest.\n")
    return tmp_path


def _code(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, folder: Path) -> None:
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem], reason=f"{NEEDS[page.stem]} is not installed")
    command = [sys.executable, "-c"]
    if page.stem == "pytest":
        plugin = ["-p", "mmrare_judge.harness.pytest_plugin", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *plugin, "page.py"]
    for code in _code(page.read_text(encoding="utf-8"), "python"):
        (folder / "page.py").write_text(code)
        last = [] if page.stem == "pytest" else [code]
        done = subprocess.run(
            [*command, *last], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_items_of_the_pages_are_there() -> None:
    known = {item.id for item in read_items(EXAMPLES / "items.jsonl")}
    for page in PAGES.glob("*.md"):
        assert set(re.findall(r"T-PMC\d+", page.read_text(encoding="utf-8"))) <= known
