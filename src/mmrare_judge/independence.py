"""How many independent judges a panel amounts to: correlation and effective number; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import fsum, sqrt
from typing import NamedTuple

from pydantic import Field

from mmrare_judge.records import Record

FEWEST_VOTES = 3
"""Votes two members must share for a correlation: through two points it is always 1 or -1."""

Pair = tuple[list[float], list[float]]
"""What two members gave, in step."""


class Seat(NamedTuple):
    """A member of a panel, the same on every item: see `mmrare_judge.panel.Member`."""

    judge: str
    sample: int
    key: str

    def __str__(self) -> str:
        return f"{self.judge} (sample {self.sample})"


Columns = Mapping[Seat, Mapping[int, float]]
"""Each member's points on one criterion, by the number of the panel."""


class Independence(Record):
    """How many independent judges a panel amounts to.

    Attributes:
        members: Members that voted at least once, on a prediction that was not blank.
        rho: Mean correlation of points over all pairs of members.
        n_eff: ``members / (1 + (members - 1) * rho)``.
        votes: The fewest votes that a pair of members shares; ``None`` without a pair.
        reason: Why ``rho`` or ``n_eff`` is ``None``.
    """

    members: int
    rho: float | None = Field(default=None, ge=-1, le=1)
    n_eff: float | None = None
    votes: int | None = None
    reason: str = ""


def independence(members: Sequence[Seat], criteria: Sequence[Columns]) -> Independence:
    """Mean pairwise correlation of the members, over one criterion or several, and its n_eff.

    Nothing is filled in: with one pair undefined, the mean over pairs is ``None``, with the reason.
    """
    if len(members) < 2:
        return Independence(members=len(members), reason="fewer than two members voted")
    pairs = {both: _shared(*both, criteria) for both in combinations(members, 2)}
    fewest = min(_votes(groups) for groups in pairs.values())
    known = Independence(members=len(members), votes=fewest)
    rhos = []
    for (first, second), groups in pairs.items():
        rho = correlation(groups) if _votes(groups) >= FEWEST_VOTES else None
        if rho is None:
            return known.model_copy(update={"reason": _why_undefined(first, second, groups)})
        rhos.append(rho)
    return _with_number(known, fsum(rhos) / len(rhos))


def effective_number(n: int, rho: float) -> float | None:
    """Independent judges that ``n`` judges with mean correlation ``rho`` are worth.

    ``n_eff = n / (1 + (n - 1) * rho)``: n over Kish's design effect (Survey Sampling, 1965), used
    for LLM panels by Kohli (arXiv:2605.29800); on correlated votes see Ladha (American Journal of
    Political Science 36, 1992). Equal judges are one judge. With a negative ``rho`` it exceeds
    ``n``; ``None`` where the votes cancel out and the denominator is not positive.

    >>> effective_number(9, 0.4375)
    2.0
    >>> effective_number(3, 1.0)
    1.0
    >>> effective_number(2, -1.0) is None
    True
    """
    design_effect = 1 + (n - 1) * rho
    return n / design_effect if design_effect > 1e-9 else None


def correlation(groups: Sequence[Pair]) -> float | None:
    """Pearson's correlation within groups; with one group, the plain one.

    ``sum of (x - mean) (y - mean)`` over the root of the product of the two sums of squares; each
    group has means of its own, and all sums run over all groups. ``None`` if one side does not
    vary in any group.

    >>> round(correlation([([0, 0, 1, 1], [0, 1, 1, 1])]), 4)  # 1 / sqrt(3)
    0.5774
    """
    if _constant(groups, 0) or _constant(groups, 1):
        return None
    deviations = [(_deviations(xs), _deviations(ys)) for xs, ys in groups]
    together = fsum(x * y for xs, ys in deviations for x, y in zip(xs, ys, strict=True))
    first = fsum(x * x for xs, _ in deviations for x in xs)
    second = fsum(y * y for _, ys in deviations for y in ys)
    return max(-1.0, min(1.0, together / sqrt(first * second)))


def _constant(groups: Sequence[Pair], side: int) -> bool:
    return all(len(set(group[side])) <= 1 for group in groups)


def _deviations(values: list[float]) -> list[float]:
    mean = fsum(values) / len(values)
    return [value - mean for value in values]


def _shared(first: Seat, second: Seat, criteria: Sequence[Columns]) -> list[Pair]:
    groups = []
    for columns in criteria:
        xs, ys = columns.get(first, {}), columns.get(second, {})
        common = [number for number in xs if number in ys]
        if common:
            groups.append(([xs[n] for n in common], [ys[n] for n in common]))
    return groups


def _votes(groups: Sequence[Pair]) -> int:
    return sum(len(xs) for xs, _ in groups)


def _with_number(known: Independence, rho: float) -> Independence:
    n_eff = effective_number(known.members, rho)
    reason = "" if n_eff is not None else "the votes cancel out: 1 + (n - 1) * rho is not positive"
    return known.model_copy(update={"rho": rho, "n_eff": n_eff, "reason": reason})


def _why_undefined(first: Seat, second: Seat, groups: Sequence[Pair]) -> str:
    if _votes(groups) < FEWEST_VOTES:
        shared = f"{first} and {second} share {_votes(groups)} votes"
        return f"{shared}; a correlation needs {FEWEST_VOTES}"
    one, other = (first, second) if _constant(groups, 0) else (second, first)
    return f"{one} gave the same points wherever {other} voted too; that correlates with nothing"
