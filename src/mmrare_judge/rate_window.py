"""What happened over the last minute, against a ceiling: requests, or tokens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mmrare_judge.gate import Need


class Window:
    """What happened over the last 60 seconds, against a ceiling."""

    def __init__(self, ceiling: int | None) -> None:
        self._ceiling = ceiling
        self._events: deque[_Event] = deque()
        self._sum = 0

    def wait(self, now: float, amount: int) -> float:
        """Seconds until ``amount`` more fits; one above the ceiling waits for an empty window."""
        if self._ceiling is None:
            return 0.0
        while self._events and self._events[0].when <= now - 60:
            self._sum -= self._events.popleft().amount
        if not self._events or self._sum + amount <= self._ceiling:
            return 0.0
        return self._events[0].when + 60 - now

    def add(self, now: float, amount: int, need: Need) -> None:
        """Count an attempt, with its upper bound for now."""
        if self._ceiling is not None:
            self._events.append(_Event(now, amount, need))
            self._sum += amount

    def correct(self, need: Need, amount: int) -> None:
        """Replace the upper bound of an attempt by what it really was, if it still counts."""
        event = next((event for event in reversed(self._events) if event.need is need), None)
        if event is not None:
            self._sum += amount - event.amount
            event.amount = amount


@dataclass
class _Event:
    when: float
    amount: int
    need: Need
