"""The large-sample variance of kappa: what a study can be planned by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.errors import InputError

Prevalence = float | tuple[float, float]
"""The share of units called positive: by every rater, or by the first and by the second."""


def table_variance(table: ArrayLike) -> float:
    """The variance of Cohen's kappa in a large sample, times the number of units.

    With the table's shares p, the sum of margins ``a_ij = p_.i + p_j.``, chance agreement e and
    ``q = 1 - kappa``:
    ``[sum_i p_ii (1 - a_ii q)² + q² sum_{i != j} p_ij a_ij² - (kappa - e q)²] / (1 - e)²``.

    Source: Fleiss, Cohen and Everitt (1969), Psychological Bulletin 72.

    Args:
        table: K by K, the first rater in rows; shares or counts.

    >>> round(table_variance([[40, 10], [10, 40]]), 4)
    0.64
    """
    counts = np.asarray(table, dtype=np.float64)
    shares: Floats = counts / counts.sum()
    rows, columns, same = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
    margins = columns[:, None] + rows[None, :]
    chance = float(rows @ columns)
    kappa = (float(same.sum()) - chance) / (1 - chance)
    agreeing = same @ (1 - np.diag(margins) * (1 - kappa)) ** 2
    disagreeing = (shares * margins**2).sum() - same @ np.diag(margins) ** 2
    centre = (kappa - chance * (1 - kappa)) ** 2
    return float((agreeing + (1 - kappa) ** 2 * disagreeing - centre) / (1 - chance) ** 2)


def binary_table(kappa: float, first: float, second: float) -> Floats:
    """The shares of two raters' yes and no, from kappa and how often each says yes.

    Raises:
        InputError: No table has that kappa and these shares; the range there is, is named.

    >>> binary_table(0.6, 0.5, 0.5).round(2).tolist()
    [[0.4, 0.1], [0.1, 0.4]]
    """
    chance = first * second + (1 - first) * (1 - second)
    both = (chance + kappa * (1 - chance) - 1 + first + second) / 2
    least, most = max(0.0, first + second - 1), min(first, second)
    if not least - 1e-12 <= both <= most + 1e-12:
        low, high = (
            1 - (first + second - 2 * cell) / (1 - chance) for cell in (least, most)
        )  # fmt: skip
        raise InputError(
            f"kappa {kappa:g} cannot be reached where raters say yes to {first:g} and {second:g}",
            remedy=f"It lies from {low:.2f} to {high:.2f} there",
        )
    neither = 1 - first - second + both
    return np.clip([[both, first - both], [second - both, neither]], 0, 1)


def kappa_variance(kappa: float, prevalence: Prevalence, *, raters: int = 2) -> float:
    """The variance of kappa on yes or no in a large sample, times the number of units.

    Two raters: Cohen's kappa (`table_variance`). More: Fleiss's kappa of raters who are alike, with
    ``v = 1 / (p (1 - p))`` and m raters
    ``(1 - kappa) [2 / (m (m - 1)) - (3 - v) kappa + (m - 1) / m (4 - v) kappa²]``, which for two
    raters is the first. It holds for units that are either clear to all raters or to none; for
    other kinds of unit it is somewhat too large or too small.

    Source: Bloch and Kraemer (1989), Biometrics 45; Zou and Donner (2004), Biometrics 60.

    Raises:
        InputError: Kappa, a prevalence or the number of raters is impossible.

    >>> round(kappa_variance(0.6, 0.5), 4), round(kappa_variance(0.6, 0.5, raters=3), 4)
    (0.64, 0.3733)
    """
    shares = _shares(prevalence)
    if not -1 < kappa < 1:
        raise InputError(
            f"kappa {kappa:g} must lie between -1 and 1",
            remedy="Plan with the value you expect; at 1 nothing is left to estimate",
        )
    if raters == 2:
        return table_variance(binary_table(kappa, shares[0], shares[-1]))
    if raters < 2 or kappa < 0 or shares[0] != shares[-1]:
        raise InputError(
            f"{raters} raters, kappa {kappa:g} and prevalence {prevalence} cannot be planned",
            remedy="Two raters, or more of one prevalence with kappa of 0 or more",
        )
    spread = 1 / (shares[0] * (1 - shares[0]))
    pairs = 2 / (raters * (raters - 1))
    beyond = (raters - 1) / raters * (4 - spread) * kappa**2
    return (1 - kappa) * (pairs - (3 - spread) * kappa + beyond)


def _shares(prevalence: Prevalence) -> Sequence[float]:
    shares = prevalence if isinstance(prevalence, tuple) else (prevalence, prevalence)
    if len(shares) != 2 or not all(0 < share < 1 for share in shares):
        raise InputError(
            f"prevalence {prevalence} must lie between 0 and 1",
            remedy="Give one share for all raters, or the first's and the second's",
        )
    return shares
