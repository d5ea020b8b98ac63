"""Labels of raters who err at random around a truth, for the simulations of this folder.

Truth is drawn case by case; a rater gives it with a chance that is found for the kappa wanted, and
else another level. Units of one case share their truth, and a rater's errors in it, three times in
ten. Kappa is plain on two levels and weighted by squares on three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmrare_judge.calibration.statistics.ratings import Ratings, Scale

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]
"""Studies by cases by units by raters: a level, or -1 for a missing label."""

SCALES = {
    2: Scale(level="nominal", categories=("NO", "YES")),
    3: Scale(level="ordinal", categories=("0", "1", "2")),
}
KAPPA = {2: "cohen_kappa", 3: "cohen_kappa_quadratic"}

_ALIKE = 0.3


@dataclass(frozen=True)
class Population:
    """What labels are drawn from.

    Attributes:
        levels: 2 (nominal) or 3 (ordinal).
        prevalence: Share of truths off the most frequent level.
    """

    levels: int
    prevalence: float

    @property
    def truth(self) -> Floats:
        """The share of each level."""
        rare = self.levels - 1
        return np.array([1 - self.prevalence] + [self.prevalence / rare] * rare)

    @property
    def cost(self) -> Floats:
        """Disagreement weights: equal or not on two levels, squared distance on three."""
        ranks = np.arange(self.levels)
        return np.asarray((ranks[:, None] - ranks[None, :]) ** 2 / (self.levels - 1) ** 2)

    def given(self, right: float) -> Floats:
        """What a rater gives (columns) for each truth (rows)."""
        wrong = 1 - right
        if self.levels == 2:
            return np.array([[right, wrong], [wrong, right]])
        near, far = 0.7 * wrong, 0.3 * wrong
        return np.array([[right, near, far], [wrong / 2, right, wrong / 2], [far, near, right]])

    def kappa(self, first: float, second: float) -> float:
        """The kappa of two raters by how often they are right."""
        table = np.einsum("t,ta,tb->ab", self.truth, self.given(first), self.given(second))
        chance = np.outer(table.sum(axis=1), table.sum(axis=0))
        return float(1 - (self.cost * table).sum() / (self.cost * chance).sum())

    def clinician(self, kappa: float) -> float:
        """How often clinicians are right who reach a kappa among themselves."""
        return _solved(lambda right: self.kappa(right, right), kappa)

    def judge(self, clinician: float, kappa: float) -> float:
        """How often a judge is right who reaches a kappa with such a clinician."""
        return _solved(lambda right: self.kappa(right, clinician), kappa)


def _solved(of: Callable[[float], float], wanted: float) -> float:
    low, high = 0.4, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if of(middle) < wanted else (low, middle)
    return (low + high) / 2


def draw(
    random: np.random.Generator,
    population: Population,
    right: Sequence[float],
    *,
    studies: int,
    cases: int,
    units: int,
    missing: float = 0.0,
) -> Labels:
    """Labels of raters who are right so often; only those behind the first may be missing."""
    shape = (studies, cases, units)
    limits = np.cumsum(population.truth)[:-1]
    truth = (_within_cases(random, shape)[..., None] > limits).sum(axis=-1)
    labels = np.empty((*shape, len(right)), dtype=np.int8)
    for rater, chance in enumerate(right):
        below = np.cumsum(population.given(chance), axis=1)[:, :-1]
        labels[..., rater] = (_within_cases(random, shape)[..., None] > below[truth]).sum(axis=-1)
    gone = random.random(labels.shape) < missing
    gone[..., 0] = False
    labels[gone] = -1
    return labels


def _within_cases(random: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
    """Uniform numbers that are alike, three times in ten, throughout a case."""
    of_case, of_unit = random.random((*shape[:2], 1)), random.random(shape)
    return np.where(random.random(shape) < _ALIKE, of_case, of_unit)


def ratings_of(labels: Labels, levels: int) -> Ratings:
    """One study as the library takes it, the first rater being the judge."""
    cases, units, raters = labels.shape
    codes = labels.reshape(cases * units, raters).astype(np.int64)
    numbers = np.where(codes < 0, np.nan, codes)
    names = ("judge", *(f"clinician {number}" for number in range(1, raters)))
    clusters = np.repeat(np.arange(cases), units)
    return Ratings(codes, numbers, SCALES[levels], names, clusters, np.ones(len(codes)))
