"""Build the sdist, the wheel from the sdist, install the wheel elsewhere and grade with it.

The wheel is unpacked into a folder of its own, without its dependencies, which come from the
environment this runs in. What is graded and studied shows that rubrics, tables, examples and report
templates came along.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SMOKE = """
import sys
from pathlib import Path
import mmrare_judge
assert Path(mmrare_judge.__file__).is_relative_to(sys.argv[1]), mmrare_judge.__file__
from importlib import resources
assert str(resources.files("mmrare_judge.rubrics")).startswith(sys.argv[1])
item = {"id": "1", "track": "treatment", "question": "Plan?",
        "reference": {"answer": "Start prednisone.", "must_include": ["prednisone"]}}
grade = mmrare_judge.grade("Start prednisone 40 mg daily.", item, judge="embedded")
assert grade.verdicts[0].level == "YES", grade
assert grade.score is None and 0 < grade.coverage < 1, grade
"""


def run(*command: str, **options: str | Path | dict[str, str]) -> None:
    """Run a command and stop with its output where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]  # options are run's own
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Build, install and grade; exits with 1 where a step fails."""
    with tempfile.TemporaryDirectory() as scratch:
        dist, site = Path(scratch, "dist"), Path(scratch, "site")
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT))
        (wheel,) = dist.glob("*.whl")
        (sdist,) = dist.glob("*.tar.gz")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "--no-deps", "--target", str(site), str(wheel))
        environment = os.environ | {"PYTHONPATH": str(site)}
        run(sys.executable, "-c", SMOKE, str(site), cwd=scratch, env=environment)
        judge = (sys.executable, "-m", "mmrare_judge")
        run(*judge, "demo", cwd=scratch, env=environment)
        study = str(ROOT / "calibration" / "kqa" / "study.yaml")
        run(*judge, "calibrate", study, cwd=scratch, env=environment)
        print(f"{sdist.name} and {wheel.name}: built, installed elsewhere, graded and studied")


if __name__ == "__main__":
    main()
