"""The command line, run in this process: what it prints, and how it ends."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmrare_judge.cli import main as cli


@dataclass
class Done:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


def command(*words: str | Path, cwd: Path) -> Done:
    """Run ``mmrare-judge`` with these words, in a folder."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["mmrare-judge", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())
