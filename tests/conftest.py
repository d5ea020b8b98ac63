"""Fixtures every test may ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Test modules import the scripted server by name; importlib mode leaves this folder off the path.
sys.path.insert(0, str(Path(__file__).parent))

from server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted OpenAI-compatible server, running; see ``tests/server.py``."""
    with ScriptedServer().running() as running:
        yield running
