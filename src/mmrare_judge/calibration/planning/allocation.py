"""How many to draw from each stratum: Neyman's allocation in whole numbers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from math import sqrt

from mmrare_judge.errors import InputError


def allocate(
    members: Sequence[int], spreads: Sequence[float], costs: Sequence[float], budget: float
) -> list[int]:
    """How many members of each stratum to draw, at least one of each.

    The next one always goes to the stratum with the greatest ``N s / sqrt(c n (n + 1))``: N
    members, s their spread, c what one costs, n drawn so far. Without rounding that is Neyman's
    ``n`` in proportion to ``N s / sqrt(c)``. In whole numbers and at equal costs no other
    allocation gives a smaller variance, and a larger budget never takes any member away.

    Source: Wright (2012), The American Statistician 66.

    Args:
        members: Members of each stratum, 1 or more.
        spreads: Their spread, above 0.
        costs: The cost of one member of each, above 0.
        budget: What may be spent.

    Raises:
        InputError: The budget is too small for one of each.

    >>> allocate([100, 10], [1.0, 4.0], [1, 1], 14)
    [10, 4]
    """
    drawn = [1] * len(members)
    left = budget - sum(costs)
    if left < -1e-9:
        raise InputError(
            f"a budget of {budget:g} labels is too small for {len(members)} strata",
            remedy=f"One draw of each takes {sum(costs):.0f} labels; raise the budget, or make "
            "fewer strata",
        )

    def urgency(stratum: int) -> float:
        n = drawn[stratum]
        return -members[stratum] * spreads[stratum] / sqrt(costs[stratum] * n * (n + 1))

    queue = [(urgency(h), h) for h in range(len(members)) if members[h] > 1]
    heapq.heapify(queue)
    while queue:
        _, h = heapq.heappop(queue)
        if costs[h] > left + 1e-9:
            break
        drawn[h], left = drawn[h] + 1, left - costs[h]
        if drawn[h] < members[h]:
            heapq.heappush(queue, (urgency(h), h))
    return drawn
