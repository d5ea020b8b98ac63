"""The package finds its public names when they are asked for."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mmrare_judge
from mmrare_judge import calibration

PACKAGES: list[Any] = [mmrare_judge, calibration]


def _fresh(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("package", PACKAGES, ids=[one.__name__ for one in PACKAGES])
def test_names_are_found_at_run_time_where_type_checkers_find_them(package: Any) -> None:
    tree = ast.parse(Path(package.__file__ or "").read_text("utf-8"))
    seen = {
        alias.name: (node.module or "").removeprefix(f"{package.__name__}.")
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == package._HOMES
    assert seen.keys() == set(package.__all__) - {"__version__"}


@pytest.mark.parametrize(
    "name", ["grade", "verify", "calibration.missed_harm", "calibration.estimate"]
)
def test_a_function_is_not_replaced_by_the_module_of_its_name(name: str) -> None:
    code = (
        f"import mmrare_judge.{name}, mmrare_judge.cli.main; print(callable(mmrare_judge.{name}))"
    )
    assert _fresh(code) == "True\n"


def test_every_public_name_can_be_had() -> None:
    for package in PACKAGES:
        for name in package.__all__:
            assert getattr(package, name) is not None


def test_importing_the_package_loads_nothing_else() -> None:
    others = "{'pydantic', 'asyncio', 'json'}"
    code = f"import sys, mmrare_judge; print(sorted({others} & set(sys.modules)))"
    assert _fresh(code) == "[]\n"


def test_an_unknown_name_is_an_attribute_error_and_all_names_are_listed() -> None:
    with pytest.raises(AttributeError, match="'mmrare_judge' has no attribute 'nothing'"):
        mmrare_judge.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert set(mmrare_judge.__all__) <= set(dir(mmrare_judge))
