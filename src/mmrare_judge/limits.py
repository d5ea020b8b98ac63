"""What a run, or a judge that grades many, may use: `Limits`."""

from __future__ import annotations

from dataclasses import dataclass

from mmrare_judge.adaptive_gate import AdaptiveGate
from mmrare_judge.budget import Budget


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        concurrency: Requests on the wire at most; the run finds out how many of them the provider
            stands.
        requests_per_minute: Ceiling over any 60 seconds.
        tokens_per_minute: Ceiling over any 60 seconds.
        max_cost: US dollars; the run stops before it would be passed.
        max_calls: Requests; likewise.
    """

    concurrency: int = 64
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_cost: float | None = None
    max_calls: int | None = None

    @property
    def workers(self) -> int:
        """Predictions worked on at once: no more than a ceiling lets through in ten minutes.

        Who waits longer runs out of ``item_timeout``, 30 minutes, without ever having been asked.

        >>> Limits(concurrency=64, requests_per_minute=2).workers
        20
        """
        if self.requests_per_minute is None:
            return self.concurrency
        return min(self.concurrency, 10 * self.requests_per_minute)

    def budget(self) -> Budget:
        """A budget of which nothing is spent."""
        return Budget(self.max_cost, self.max_calls)

    def gate(self, budget: Budget | None = None) -> AdaptiveGate:
        """A gate for one judge; several share a budget."""
        return AdaptiveGate(
            self.concurrency,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            budget=self.budget() if budget is None else budget,
        )
