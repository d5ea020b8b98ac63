"""Remarks on what is legal in a table but looks mistaken, each said once."""

from __future__ import annotations

import logging

_log = logging.getLogger("mmrare_judge")


class Notices:
    """Logs each remark on a column once, however many rows it is true of.

    Args:
        file: The file the columns belong to; ``None`` for rows given in code.
    """

    def __init__(self, file: str | None = None) -> None:
        self._place = f"{file}, " if file else ""
        self._said: set[tuple[str, str]] = set()

    def say(self, column: str, remark: str) -> None:
        """Log ``remark`` on ``column`` as a warning, unless that was done before."""
        if (column, remark) not in self._said:
            self._said.add((column, remark))
            _log.warning("%scolumn %r: %s", self._place, column, remark)
