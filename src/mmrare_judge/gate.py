"""What every attempt passes on its way out and on its way back: `Gate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mmrare_judge.usage import Usage


@dataclass(frozen=True)
class Need:
    """What one attempt may take, before it is known.

    Attributes:
        tokens: Upper bound of prompt and reply together.
        cost: Upper bound in US dollars; ``None`` where the price is not known.
    """

    tokens: int = 0
    cost: float | None = 0.0


class Gate(Protocol):
    """What every attempt passes on its way out and on its way back."""

    async def enter(self, need: Need) -> None:
        """Wait until one more attempt may be sent.

        Raises:
            BudgetError: It would pass the budget.
        """
        ...

    def leave(self, need: Need, spent: Usage, error: BaseException | None) -> None:
        """Tell how the attempt ended."""
        ...


class OpenGate:
    """Lets everything through at once; for single grades."""

    async def enter(self, need: Need) -> None:
        """Wait for nothing."""

    def leave(self, need: Need, spent: Usage, error: BaseException | None) -> None:
        """Note nothing."""
