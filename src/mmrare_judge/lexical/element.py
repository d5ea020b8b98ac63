"""An element of a reference, compiled: `Element`, and the `Demand` of each of its words."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from mmrare_judge.element_match import ElementMatch
from mmrare_judge.lexical.lazy import lazy

Kind = Literal["name", "order", "statement"]

SHARES: dict[Kind, Fraction] = {
    "name": Fraction(1),
    "order": Fraction(2, 3),
    "statement": Fraction(1, 2),
}
"""The least share of an element's words that has to be there."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One word, number or term that an element asks for.

    Attributes:
        key: The key of a token or a term.
        negated: Whether the element itself negates it.
        required: Whether the element is not stated without it: numbers and drugs.
        aside: Part of an example or a condition: counts only if it is required.
    """

    key: str
    negated: bool
    required: bool
    aside: bool


class Least(NamedTuple):
    """What has to be in a text for an element to be stated.

    Attributes:
        words: The keys of tokens that count.
        terms: The terms that count.
        needed: How many of these have to be there, at least one.
        counted: The demands that count, by their places among the element's.
        required: Those without which it is not stated, likewise.
    """

    words: frozenset[str]
    terms: tuple[str, ...]
    needed: int
    counted: frozenset[int]
    required: frozenset[int]


@dataclass(frozen=True, eq=False)
class Element:
    """An element of a reference, compiled.

    Attributes:
        text: As the reference has it.
        kind: ``name`` of a thing, ``order`` without a subject, or ``statement`` with a verb.
        demands: What it asks for; empty if it holds no word that says anything.
    """

    text: str
    kind: Kind
    demands: tuple[Demand, ...]

    @lazy
    def keys(self) -> tuple[str, ...]:
        """The key of each demand."""
        return tuple(demand.key for demand in self.demands)

    @lazy
    def words(self) -> frozenset[str]:
        """Of `keys`, those of tokens."""
        return frozenset(key for key in self.keys if key[0] != "=")

    @lazy
    def least(self) -> Least:
        """What has to be there at least; asides count in a name only."""
        counted = [one for one in self.demands if self.kind == "name" or not one.aside]
        places = {one.key: at for at, one in enumerate(self.demands)}
        return Least(
            words=frozenset(one.key for one in counted if one.key[0] != "="),
            terms=tuple(one.key for one in counted if one.key[0] == "="),
            needed=max(1, math.ceil(SHARES[self.kind] * len(counted))),
            counted=frozenset(places[one.key] for one in counted),
            required=frozenset(places[one.key] for one in self.demands if one.required),
        )

    @lazy
    def absent(self) -> ElementMatch:
        """What is said of it where a text does not mention it."""
        return ElementMatch(element=self.text, found=False)

    def made_of(self, there: Collection[int]) -> bool:
        """Whether some demands, by their places among `demands`, make the element."""
        _, _, needed, counted, required = self.least
        return required.issubset(there) and len(counted.intersection(there)) >= needed
