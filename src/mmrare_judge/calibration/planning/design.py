"""With which probability each unit is to be labelled: strata of worth, settled before a draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrare_judge.calibration.gold.labels import Unit
from mmrare_judge.calibration.planning.allocation import allocate
from mmrare_judge.calibration.planning.frame import (
    Candidate,
    check_candidates,
    commonness,
    doubts,
)
from mmrare_judge.calibration.statistics.estimate import Codes, Floats
from mmrare_judge.errors import InputError

By = Literal["unit", "prediction", "case"]

CLASSES = 4
"""Into so many classes of worth a group is cut."""


@dataclass(frozen=True)
class Stratum:
    """Draws that are all chosen with the same probability.

    Attributes:
        name: What its members share.
        draws: What can be drawn as a whole: single units, predictions or cases.
        taken: How many of them are.
    """

    name: str
    draws: tuple[tuple[Candidate, ...], ...]
    taken: int

    @property
    def inclusion(self) -> float:
        """The probability of each of its draws."""
        return self.taken / len(self.draws)


@dataclass(frozen=True)
class LabelDesign:
    """How to sample.

    Attributes:
        strata: The strata, by name.
        by: What is drawn as a whole.
    """

    strata: tuple[Stratum, ...]
    by: By

    @property
    def inclusion(self) -> dict[Unit, float]:
        """The probability of every unit that could be drawn, drawn or not."""
        return {
            one.unit: stratum.inclusion
            for stratum in self.strata
            for draw in stratum.draws
            for one in draw
        }


def label_design(
    candidates: Sequence[Candidate],
    budget: int,
    *,
    by: By = "prediction",
    floor: float = 0.5,
    classes: int = CLASSES,
) -> LabelDesign:
    """Settle strata and probabilities; nothing is random here.

    What labelling a unit is worth is ``sqrt(c (1 - c) / N)``: c the judge's confidence, N how many
    units of the criterion got the same level from it. So what the judge doubts is worth more, and
    so are rare levels. A draw is worth the root mean square of its units, and an even share
    (``floor``) is mixed in. Strata are the given ones (for single units also criterion and level)
    cut into classes of about equal total worth. Within a stratum all are alike, ``n / N``, and
    `allocate` sets n.

    Source: the judge's doubt: Zrnic and Candès (2024), Active statistical inference; one over the
    root of the size: Bankier (1988), Power allocations.

    Args:
        candidates: Everything that could be labelled.
        budget: Labels, by each rater.
        by: What is drawn as a whole.
        floor: How much of an even sample is kept, above 0 to 1.
        classes: Into how many classes of worth a group is cut at most.

    Raises:
        InputError: A value is impossible, or the budget is too small for the strata.

    >>> units = [Candidate((str(n), "m", "safe"), str(n), "YES") for n in range(40)]
    >>> set(label_design(units, 10).inclusion.values())
    {0.25}
    """
    check_candidates(candidates)
    _check(budget, by, floor, classes)
    draws = _draws(candidates, by)
    members = [tuple(candidates[row] for row in rows) for rows in draws]
    worth = _mixed(_worth(candidates, draws), floor)
    names = _names([_group(some, by) for some in members], worth, classes)
    rows_of = {name: np.flatnonzero(names == name) for name in sorted(set(names))}
    taken = allocate(
        [len(rows) for rows in rows_of.values()],
        [float(np.sqrt((worth[rows] ** 2).mean())) for rows in rows_of.values()],
        [float(np.mean([len(members[row]) for row in rows])) for rows in rows_of.values()],
        budget,
    )
    strata = (
        Stratum(name, tuple(members[row] for row in rows), count)
        for (name, rows), count in zip(rows_of.items(), taken, strict=True)
    )
    return LabelDesign(tuple(strata), by)


def _check(budget: int, by: str, floor: float, classes: int) -> None:
    if by not in ("unit", "prediction", "case"):
        raise InputError(f"by {by!r} is unknown", remedy="It is unit, prediction or case")
    if budget < 1:
        raise InputError(f"a budget of {budget} labels is none")
    if not 0 < floor <= 1:
        raise InputError(
            f"floor {floor:g} must be above 0 and at most 1",
            remedy="Without an even share some units could never be drawn",
        )
    if classes < 1:
        raise InputError(f"{classes} classes are none")


def _draws(candidates: Sequence[Candidate], by: By) -> list[list[int]]:
    draws: dict[tuple[str, ...], list[int]] = {}
    for row, one in enumerate(candidates):
        key = {"unit": one.unit, "prediction": one.unit[:2], "case": (one.cluster,)}[by]
        draws.setdefault(key, []).append(row)
    return list(draws.values())


def _worth(candidates: Sequence[Candidate], draws: Sequence[list[int]]) -> Floats:
    squares = doubts(candidates) / commonness(candidates)
    return np.array([float(np.sqrt(squares[rows].mean())) for rows in draws])


def _mixed(worth: Floats, floor: float) -> Floats:
    mean = float(worth.mean())
    if mean == 0:  # the judge is certain of everything
        return np.ones_like(worth)
    return np.asarray((1 - floor) * worth / mean + floor)


def _group(members: Sequence[Candidate], by: By) -> str:
    given = sorted({one.stratum for one in members} - {""})
    if by == "unit":
        given += [f"{members[0].unit[2]}: {members[0].level or 'undecided'}"]
    return ", ".join(given)


def _names(groups: Sequence[str], worth: Floats, classes: int) -> np.ndarray:
    among = np.array(groups, dtype=object)
    names = among.copy()
    for group in set(groups):
        rows = np.flatnonzero(among == group)
        numbers = _classes(worth[rows], classes)
        names[rows] = [", ".join(filter(None, [group, f"worth {n}"])) for n in numbers]
    return names


def _classes(worth: Floats, classes: int) -> Codes:
    """Classes 1, 2, ... of about equal total worth; what is worth the same is in the same one."""
    values, of = np.unique(worth.round(9), return_inverse=True)
    totals = np.bincount(of, weights=worth, minlength=len(values))
    middles = (np.cumsum(totals) - totals / 2) / totals.sum()
    used = np.unique(np.floor(middles * classes + 1e-9), return_inverse=True)[1]
    return np.asarray(used[of] + 1, dtype=np.int64)
