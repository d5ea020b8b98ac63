"""Intraclass correlations of Shrout and Fleiss: three designs, one rater or the mean of k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrare_judge.calibration.patterns import TINY, Patterns, ratio
from mmrare_judge.calibration.vectors import Floats

Design = Literal["one-way", "two-way random", "two-way mixed"]


@dataclass(frozen=True, eq=False)
class MeanSquares:
    """The analysis of variance of n units by k raters.

    Attributes:
        n: Units.
        k: Raters.
        between: Between units (BMS).
        within: Within units (WMS).
        raters: Between raters (JMS).
        error: Residual (EMS).
    """

    n: Floats
    k: int
    between: Floats
    within: Floats
    raters: Floats
    error: Floats


def mean_squares(patterns: Patterns, weights: Floats) -> MeanSquares:
    """Mean squares from sums over complete units; a unit with a missing label is left out."""
    numbers = np.where(patterns.complete[:, None], patterns.centred, 0.0)
    n, k = weights @ patterns.complete, numbers.shape[1]
    rows, columns = numbers.sum(axis=1), weights @ numbers
    correction = ratio(columns.sum(axis=1) ** 2, n * k)
    total = weights @ (numbers**2).sum(axis=1) - correction
    between = weights @ rows**2 / k - correction
    raters = ratio((columns**2).sum(axis=1), n) - correction
    # Rounding leaves specks where a sum of squares is zero; they would make a ratio of nothing.
    between, raters, residual = (
        np.where(part > TINY * np.maximum(total, 1), part, 0.0)
        for part in (between, raters, total - between - raters)
    )
    return MeanSquares(
        n=n,
        k=k,
        between=ratio(between, n - 1),
        within=ratio(raters + residual, n * (k - 1)),
        raters=raters / (k - 1),
        error=ratio(residual, (n - 1) * (k - 1)),
    )


def icc(patterns: Patterns, weights: Floats, *, design: Design, average: bool) -> Floats:
    """Intraclass correlation, by Shrout and Fleiss's formulas.

    - one-way, ICC(1,1): ``(BMS - WMS) / (BMS + (k-1) WMS)``; of the mean: ``(BMS - WMS) / BMS``.
    - two-way random, ICC(2,1): ``(BMS - EMS) / (BMS + (k-1) EMS + k (JMS - EMS) / n)``; of the
      mean: ``(BMS - EMS) / (BMS + (JMS - EMS) / n)``.
    - two-way mixed, ICC(3,1): ``(BMS - EMS) / (BMS + (k-1) EMS)``; of the mean:
      ``(BMS - EMS) / BMS``.

    Undefined where the numbers do not vary. Source: Shrout and Fleiss (1979).
    """
    ms = mean_squares(patterns, weights)
    k = ms.k
    noise = ms.within if design == "one-way" else ms.error
    shift = ratio(ms.raters - ms.error, ms.n) if design == "two-way random" else 0.0 * ms.n
    if average:
        return ratio(ms.between - noise, ms.between + shift)
    return ratio(ms.between - noise, ms.between + (k - 1) * noise + k * shift)
