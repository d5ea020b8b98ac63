"""What a grade cost: `Usage`."""

from __future__ import annotations

from mmrare_judge.records import Record


class Usage(Record):
    """What a grade cost, every attempt counted: failed ones, retries and re-asks too.

    Attributes:
        calls: Requests that were sent.
        retries: Of those, repeats after a transport fault.
        reasks: Of those, repeats after a reply that could not be used or verified.
        prompt_tokens: Tokens sent, as the provider counted them.
        completion_tokens: Tokens received.
        cost: US dollars; ``None`` where the price of the model is not known.
        extra_tokens: Of the tokens, those of re-asks and of attempts whose reply was of no use.
        extra_cost: Of the cost, theirs.
    """

    calls: int = 0
    retries: int = 0
    reasks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    extra_tokens: int = 0
    extra_cost: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        if other == _NOTHING:
            return self
        return Usage(
            calls=self.calls + other.calls,
            retries=self.retries + other.retries,
            reasks=self.reasks + other.reasks,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost=_sum(self.cost, other.cost),
            extra_tokens=self.extra_tokens + other.extra_tokens,
            extra_cost=_sum(self.extra_cost, other.extra_cost),
        )

    def as_extra(self) -> Usage:
        """The same, all of it counted as extra."""
        tokens = self.prompt_tokens + self.completion_tokens
        return self.model_copy(update={"extra_tokens": tokens, "extra_cost": self.cost})


_NOTHING = Usage()


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
