"""The structure of the package, read from its syntax trees."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import mmrare_judge

ROOT = Path(mmrare_judge.__file__).parent

ROOMS = (
    "root",
    "data",
    "rubric",
    "backends",
    "cache",
    "level2",
    "judging",
    "panels",
    "run",
    "calibration",
    "harness",
    "cli",
)
"""From the ground up: a room imports from itself and from rooms before it."""

INSIDE_CALIBRATION = ("statistics", "gold", "analyses", "report", "study planning", "gate")


def _room(module: str) -> int:
    first, _, rest = module.partition(".")
    return ROOMS.index(first if rest or first in ROOMS else "root")


def _place(module: str) -> int:
    part = module.split(".")[1]
    return next(at for at, parts in enumerate(INSIDE_CALIBRATION) if part in parts.split())


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


@pytest.mark.parametrize("module", [name for name in _modules() if name != "__main__"])
def test_imports_point_down(module: str) -> None:
    imported = _imports(_modules()[module])
    assert not {wanted for wanted in imported if _room(wanted) > _room(module)}
    if module.startswith("calibration."):
        beside = {wanted for wanted in imported if wanted.startswith("calibration.")}
        assert not {wanted for wanted in beside if _place(wanted) > _place(module)}


def test_no_module_imports_itself_through_others() -> None:
    remaining = {name: _imports(tree) & _modules().keys() for name, tree in _modules().items()}
    while leaves := {name for name, wanted in remaining.items() if not wanted & remaining.keys()}:
        for name in leaves:
            del remaining[name]
    assert not remaining


def test_every_room_says_what_it_is() -> None:
    for package in ROOT.rglob("__init__.py"):
        docstring = ast.get_docstring(ast.parse(package.read_text("utf-8")))
        assert len((docstring or "").splitlines()) >= 3, package


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


# The lowest typer that is allowed warns of a name that the newest click is about to drop.
WITHOUT_NUMPY = """
import sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
sys.modules["numpy"] = None
import mmrare_judge.cli.main
print("up")
"""


def test_the_command_line_starts_without_the_extra_calibration(tmp_path: Path) -> None:
    assert _run(WITHOUT_NUMPY, tmp_path) == "up\n"


def test_the_public_names_are_sorted_and_exist() -> None:
    names = mmrare_judge.__all__
    assert names == sorted(names)
    assert all(hasattr(mmrare_judge, name) for name in names)


def test_nothing_public_is_missing_from_the_list_of_names() -> None:
    modules = {name.rpartition(".")[2] for name in sys.modules if name.startswith("mmrare_judge.")}
    public = {name for name in vars(mmrare_judge) if not name.startswith("_")} - modules
    assert public <= set(mmrare_judge.__all__)
