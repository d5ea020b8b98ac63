"""Runs against the chaos server: pairs, a run that waits little, and what its ledger says."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mmrare_judge import Grade, Limits, Run, iter_grades
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import MMRareJudgeError
from support.chaos_server import KINDS, ChaosServer, right
from support.makers import make_item, small_rubric

Pair = tuple[Prediction, Item]

_NOBODY = 65534

SHORT = Backoff(base=0.01, cap=0.05)
"""Waits that a test can afford."""


def pairs(count: int, *, start: int = 0, system: str = "o3") -> list[Pair]:
    """Predictions ``Plan 0.``, ``Plan 1.``, ... with an item each."""
    return [
        (Prediction(item_id=str(n), text=f"Plan {n}.", system=system), make_item(id=str(n)))
        for n in range(start, start + count)
    ]


def run_against(server: ChaosServer | str, folder: Path, **options: Any) -> Run:
    """A run over the direct backend, without a cache unless one is named."""
    settings: dict[str, Any] = {
        "api_base": server if isinstance(server, str) else server.url,
        "api_key": "none",
        "backend": "direct",
        "cache": "off",
        "rubric": small_rubric(),
        "backoff": SHORT,
        "retries": 2,
        "reask": 1,
        "timeout": 3.0,
    }
    return Run(folder, "openai/chaos-1", **(settings | options))


def grades_by_item(folder: Path) -> dict[str, Grade]:
    """The grades of a folder; an item that stands there twice is a failure."""
    grades = list(iter_grades(folder))
    by_item = {grade.item_id: grade for grade in grades}
    assert len(by_item) == len(grades), Counter(grade.item_id for grade in grades).most_common(3)
    return by_item


def wrong(grade: Grade, served: list[str]) -> str | None:
    """How a grade contradicts what the server did to its item; ``None`` if it does not.

    The last thing served decides. A right reply has to become its levels, and the score they make:
    the small rubric gives quality 3 of 4 points and safety 1. A fault has to become its reason.
    """
    levels = {verdict.criterion: verdict.level for verdict in grade.verdicts}
    if served[-1] != "right":
        kind = grade.unscored.kind if grade.unscored else None
        unscored = kind == KINDS[served[-1]] and grade.score is None is grade.partial_score
        blank = set(levels.values()) == {None} and grade.coverage == 0
        return None if unscored and blank else f"{served} became {kind}, score {grade.score}"
    wanted = right(int(grade.item_id))
    score = (3 * (wanted["quality"] == "YES") + (wanted["safe"] == "YES")) / 4
    good = levels == wanted and grade.score == score and grade.unscored is None
    return None if good else f"{served} became {levels}, score {grade.score}, {grade.unscored}"


def start(
    server: ChaosServer,
    folder: Path,
    count: int,
    *,
    before: tuple[str, ...] = (),
    **options: Any,
) -> subprocess.Popen[str]:
    """Start a run in a process of its own.

    It ends with code 0, or says on stderr what was wrong and ends with code 1.

    Args:
        server: The server.
        folder: The run's folder.
        count: How many predictions.
        before: Words before the command, of a program that starts others.
        **options: See `_main`.
    """
    job = {"url": server.url, "folder": str(folder), "count": count, **options}
    return subprocess.Popen(
        [*before, sys.executable, "-m", "support.chaos_runs", json.dumps(job)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _main(
    url: str,
    folder: str,
    count: int,
    *,
    first: int = 0,
    concurrency: int = 8,
    file_limit: int | None = None,
    practice: str | None = None,
    **options: Any,
) -> None:
    """Run in this process.

    Args:
        url: The server's address.
        folder: The run's folder.
        count: How many predictions.
        first: The first of them.
        concurrency: Requests on the wire at most.
        file_limit: Bytes a file may have; a write beyond is refused, as on a full disk.
        practice: A folder for a run of one prediction, which imports all there is to import. After
            it root becomes somebody whom permissions bind, and who may not read our packages.
        **options: Settings of the judge.
    """
    if practice is not None:
        run_against(url, Path(practice), cache=Path(practice, "cache")).grade(pairs(1))
        if os.geteuid() == 0:
            os.setuid(_NOBODY)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    run = run_against(url, Path(folder), limits=Limits(concurrency=concurrency), **options)
    run.grade(pairs(count, start=first))


if __name__ == "__main__":
    try:
        _main(**json.loads(sys.argv[1]))
    except MMRareJudgeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
