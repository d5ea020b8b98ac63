"""The fixture that tests of backends ask with."""

from __future__ import annotations

from functools import partial

import pytest

from support import asking
from support.asking import Ask
from support.server import ScriptedServer


@pytest.fixture
def ask(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`asking.ask` with a running server and no key in the environment."""
    for variable in ("OPENAI_API_KEY", "HOSTED_VLLM_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return partial(asking.ask, server)
