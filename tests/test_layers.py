"""The structure of the package, read from its syntax trees."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import mmrare_judge

ROOT = Path(mmrare_judge.__file__).parent

LAYERS = (
    {"_version", "by_identity", "clock", "errors", "lazy_names", "record"},
    # values and texts, about nothing in particular
    {"crew", "loop", "notices", "signature", "validation", "yaml_source"},
    {"folding", "near_match", "text"},
    {"independence", "label_positions", "label_tokens", "retry", "certificate"},
    # what is graded, by what, and what comes out
    {"item", "item_fields", "criterion", "criterion_problems", "rubric", "rubric_reading"},
    {"spec", "cells", "csv_io", "json_io", "tables_io"},
    {"grade", "metadata", "thresholds"},
    {"columns", "prediction_columns", "rows", "prediction", "reading", "pairing"},
    # pure: texts and verdicts in, values out
    {"lexical", "backends.base", "task", "scoring", "disagreement", "verify"},
    {"evidence", "schema", "summary", "panel", "display"},
    {"verdicts", "prompt", "label_confidence", "panel_votes", "panel_report"},
    {"panel_grading", "panel_summary", "panel_display"},
    # replies: asked for, kept, found again
    {"gate", "pieces", "budget", "rate_window", "adaptive_gate", "limits"},
    {"backends", "cache_entry", "drafting", "flights"},
    {"cache"},
    {"replay", "shelf"},
    {"cache_miss", "cache_check", "asked_labels", "graded_texts"},
    {"answering", "asking", "cache_bundle", "llm_judge", "stored_answers"},
    {"cache_import", "assessors", "grading"},
    {"kept_grades", "own_source"},
    # one prediction, then many
    {"judge", "regrade"},
    {"estimate", "shortcuts"},
    {"run_record", "run_report", "ledger"},
    {"run_differences", "panels"},
    {"run_folder"},
    {"run"},
    # what is measured about the judge itself
    {"calibration"},
    # the command line
    {"progress"},
    {"outcome", "record_schemas", "rubric_display"},
    {"grade_command", "grade_printing"},
    {"demo", "cache_cli", "gate_cli", "panel_cli", "regrade_cli"},
    {"calibrate_cli", "plan_cli"},
    {"cli"},
    {"__main__"},
)
"""From the bottom to the top: a module imports only from its own layer or from below."""


def _layer(module: str) -> int:
    parts = module.split(".")
    names = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    found = [level for level, layer in enumerate(LAYERS) if layer & names]
    assert found, f"{module} stands in no layer"
    return min(found)


@cache
def _modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "__init__.py"
    }


def _imports(tree: ast.Module) -> set[str]:
    wanted = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmrare_judge."):
            wanted.add((node.module or "").removeprefix("mmrare_judge."))
    return wanted


@pytest.mark.parametrize("module", _modules())
def test_imports_point_down(module: str) -> None:
    upward = {wanted for wanted in _imports(_modules()[module]) if _layer(wanted) > _layer(module)}
    assert not upward, f"{module} imports {upward} from above"


def _run(code: str, cwd: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd).stdout


WATCHED = """
import socket, sys, builtins, pathlib
def refuse(*args, **kwargs): raise AssertionError(f"network: {args}")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
opened = []
def hook(event, args):
    if event != "open":
        return
    if str(args[0]).endswith(".env") or set(str(args[1] or "r")) & set("wax+"):
        opened.append(args[:2])
sys.addaudithook(hook)
import mmrare_judge
slow = {"litellm", "instructor", "openai", "sklearn", "pandas", "numpy", "scipy", "matplotlib",
        "krippendorff", "diskcache", "typer", "rich", "tenacity", "aiohttp", "httpx"}
print(sorted(slow & set(sys.modules)), opened)
"""


def test_importing_the_package_is_light_silent_and_offline(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=never-read\n")
    assert _run(WATCHED, tmp_path) == "[] []\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_the_public_names_are_sorted_and_exist() -> None:
    names = mmrare_judge.__all__
    assert names == sorted(names)
    assert all(hasattr(mmrare_judge, name) for name in names)


def test_nothing_public_is_missing_from_the_list_of_names() -> None:
    modules = {name.rpartition(".")[2] for name in sys.modules if name.startswith("mmrare_judge.")}
    public = {name for name in vars(mmrare_judge) if not name.startswith("_")} - modules
    assert public <= set(mmrare_judge.__all__)
