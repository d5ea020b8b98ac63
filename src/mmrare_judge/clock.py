"""The day it is, asked for in one place."""

from __future__ import annotations

from datetime import UTC, date, datetime


def today() -> date:
    """The date in UTC."""
    return datetime.now(UTC).date()
