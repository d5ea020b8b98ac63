"""A harness is imported only where it is used, and says what to install where it is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from mmrare_judge import MissingExtraError


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("deepeval", "deepeval", "deepeval"),
        ("inspect_ai", "inspect_ai", "inspect"),
        ("lm_eval", "lm_eval", "lm-eval"),
        ("mlflow", "mlflow", "mlflow"),
        ("pydantic_evals", "pydantic_evals", "pydantic-evals"),
        ("service", "fastapi", "serve"),
    ],
)
def test_a_missing_harness_is_one_line_that_says_what_to_install(
    module: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, f"mmrare_judge.harness.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install '\.\[{extra}\]'") as caught:
        importlib.import_module(f"mmrare_judge.harness.{module}")
    assert "\n" not in str(caught.value)


def test_the_room_imports_no_harness() -> None:
    code = (
        "import sys, mmrare_judge.harness.grader, mmrare_judge.harness.frames; print(*sys.modules)"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    harnesses = {
        "deepeval",
        "inspect_ai",
        "lm_eval",
        "mlflow",
        "pydantic_evals",
        "pytest",
        "fastapi",
    }
    assert not harnesses & set(loaded)
    assert not {"pandas", "polars", "datasets"} & set(loaded)
