"""The piece of work that requests are sent for, known wherever one is sent."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Piece:
    """A piece of work on its way: whether anything was sent for it."""

    begun: bool = False


piece_of_work: ContextVar[Piece | None] = ContextVar("piece_of_work", default=None)
"""The piece that requests are sent for; also for those sent by tasks that its own task starts."""
