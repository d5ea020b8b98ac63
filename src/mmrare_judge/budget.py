"""What may be spent in all, kept by setting each attempt's upper bound aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mmrare_judge.errors import ConfigError
from mmrare_judge.gate import Need
from mmrare_judge.usage import Usage


@dataclass
class Budget:
    """What may be spent; an attempt that could pass it is not made.

    Each attempt reserves the most it could cost and gives the difference back. So the limit is
    never passed, and what is left at the end is less than one attempt's upper bound.

    Attributes:
        max_cost: US dollars.
        max_calls: Requests.
        spent: What was spent so far.
        settled: Called whenever an attempt has given its reservation back.
    """

    max_cost: float | None = None
    max_calls: int | None = None
    spent: Usage = field(default_factory=Usage)
    settled: list[Callable[[], None]] = field(default_factory=list)
    _reserved_cost: float = 0.0
    _reserved_calls: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is on the wire, through whichever gate."""
        return self._reserved_calls == 0

    def fits(self, need: Need) -> bool:
        """Whether one more attempt fits beside those on the wire."""
        return self._fits(need, self._reserved_calls, self._reserved_cost)

    def fits_alone(self, need: Need) -> bool:
        """Whether one more attempt would fit if those on the wire cost nothing."""
        return self._fits(need, 0, 0.0)

    def _fits(self, need: Need, calls: int, cost: float) -> bool:
        if self.max_calls is not None and self.spent.calls + calls + 1 > self.max_calls:
            return False
        if self.max_cost is None:
            return True
        if need.cost is None or self.spent.cost is None:
            raise ConfigError(
                "what a call of this model costs is not known, so max_cost cannot be kept; "
                "set max_calls instead"
            )
        return self.spent.cost + cost + need.cost <= self.max_cost

    def reserve(self, need: Need) -> None:
        """Set an attempt's upper bound aside."""
        self._reserved_calls += 1
        self._reserved_cost += need.cost or 0.0

    def settle(self, need: Need, spent: Usage) -> None:
        """Give the reservation back and count what was spent."""
        self._reserved_calls -= 1
        self._reserved_cost -= need.cost or 0.0
        self.spent = self.spent + spent
        for tell in self.settled:
            tell()

    def beyond(self, usage: Usage) -> Usage:
        """What was spent over and above ``usage``; nothing by a backend that passes no gate."""
        spent = self.spent
        if spent.calls <= usage.calls:
            return Usage()
        known = spent.cost is not None and usage.cost is not None
        return Usage(
            calls=spent.calls - usage.calls,
            prompt_tokens=max(0, spent.prompt_tokens - usage.prompt_tokens),
            completion_tokens=max(0, spent.completion_tokens - usage.completion_tokens),
            cost=max(0.0, (spent.cost or 0.0) - (usage.cost or 0.0)) if known else None,
        )
