"""The package finds its public names when they are asked for."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import mmrare_judge
from mmrare_judge import calibration

PACKAGES: list[Any] = [mmrare_judge, calibration]


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
    assert seen.keys() == set(package.__all__) - {"__version__"}
    for name, module in seen.items():
        home = import_module(f"{package.__name__}.{module}")
        assert getattr(package, name) is getattr(home, name)


def test_importing_the_package_loads_nothing_else() -> None:
    others = "{'pydantic', 'asyncio', 'json'}"
    code = f"import sys, mmrare_judge; print(sorted({others} & set(sys.modules)))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error_and_all_names_are_listed() -> None:
    with pytest.raises(AttributeError, match="'mmrare_judge' has no attribute 'nothing'"):
        mmrare_judge.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert set(mmrare_judge.__all__) <= set(dir(mmrare_judge))
