"""Fixtures every test may ask for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Test modules import the scripted server by name; importlib mode leaves this folder off the path.
sys.path.insert(0, str(Path(__file__).parent))

from mmrare_judge.backends.chat import HISTORIES
from support.server import ScriptedServer


@pytest.fixture(autouse=True, scope="session")
def no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The default cache, where a test does not name one, is a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted OpenAI-compatible server, running; see ``tests/server.py``."""
    HISTORIES.clear()  # another server may have had the same port
    with ScriptedServer().running() as running:
        yield running
