"""A regression coefficient's standard error when units come in clusters, few of them perhaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmrare_judge.calibration.vectors import Codes, Floats

_ONE = 1 - 1e-9
"""An eigenvalue of a cluster's leverage above this is 1: the cluster alone decides a direction."""

_CELLS_AT_ONCE = 4_000_000


class Fit(NamedTuple):
    """The first coefficient of a least-squares regression.

    Attributes:
        value: The coefficient.
        error: Its standard error (CR2); 0 where one cluster decides.
        freedom: Degrees of freedom of its t statistic.
        one_cluster: Without some cluster there would be no coefficient: its error cannot be known.
    """

    value: float
    error: float
    freedom: float
    one_cluster: bool


def first_coefficient(design: Floats, outcome: Floats, codes: Codes) -> Fit:
    """The first coefficient with a bias-reduced cluster-robust error and its degrees of freedom.

    With ``X = Q R``, ``l`` such that ``b_1 = l' Q' y``, and residuals ``e``::

        h_g = (I - Q_g' Q_g)^(-1/2) l        a_g = Q_g h_g        V = sum_g (a_g' e_g)^2

    which is CR2 of Bell and McCaffrey (2002): each cluster's residuals are stretched by what
    fitting took from them. The usual CR1 stretches all alike, and is far too short for a term that
    varies in few clusters, as membership of a small group does. The degrees of freedom are
    Satterthwaite's under independent errors, ``(tr S)^2 / tr S^2`` with
    ``S_gh = [g = h] a_g' a_g - a_g' Q_g Q_h' a_h`` (Pustejovsky and Tipton 2018): G - 1 for the
    mean of G clusters of one size, Imbens and Kolesar's (2016) for two groups.

    Args:
        design: Units by terms; the terms behind the first may determine each other.
        outcome: One number a unit.
        codes: The cluster of each unit.

    >>> fit = first_coefficient(np.ones((4, 1)), np.array([1.0, 2, 3, 4]), np.arange(4))
    >>> round(fit.value, 6), round(fit.error**2, 6), round(fit.freedom, 6)
    (2.5, 0.416667, 3.0)
    """
    basis, first = _basis(design)
    residuals = outcome - basis @ (basis.T @ outcome)
    cluster = np.unique(codes, return_inverse=True)[1]
    stretched, inner, one_cluster = _stretched(basis, first, cluster)
    influence = (basis * stretched[cluster]).sum(axis=1)
    scores = np.bincount(cluster, weights=influence * residuals)
    return Fit(
        value=float(first @ (basis.T @ outcome)),
        error=0.0 if one_cluster else float(np.sqrt((scores**2).sum())),
        freedom=_freedom(stretched, inner),
        one_cluster=one_cluster,
    )


def _basis(design: Floats) -> tuple[Floats, Floats]:
    """An orthonormal basis Q of the terms, and l."""
    left, sizes, right = np.linalg.svd(design, full_matrices=False)
    kept = sizes > sizes.max() * max(design.shape) * np.finfo(np.float64).eps
    return left[:, kept], right[kept, 0] / sizes[kept]


def _stretched(basis: Floats, first: Floats, cluster: Codes) -> tuple[Floats, Floats, bool]:
    """``h_g`` and ``Q_g' Q_g h_g`` of each cluster; whether the coefficient hangs on one of them.

    Some clusters at a time: a product of two terms for each unit would fill the memory.
    """
    order = np.argsort(cluster, kind="stable")
    parts = 1 + basis.size * basis.shape[1] // _CELLS_AT_ONCE
    blocks = np.array_split(np.arange(int(cluster.max()) + 1), parts)
    sorted_codes, rows = cluster[order], basis[order]
    found = []
    for block in (block for block in blocks if len(block)):
        starts = np.searchsorted(sorted_codes, [*block, block[-1] + 1])
        found.append(_block(rows[starts[0] : starts[-1]], starts[:-1] - starts[0], first))
    stretched, inner, alone = zip(*found, strict=True)
    return np.concatenate(stretched), np.concatenate(inner), any(alone)


def _block(rows: Floats, starts: Codes, first: Floats) -> tuple[Floats, Floats, bool]:
    leverage = np.add.reduceat(rows[:, :, None] * rows[:, None, :], starts, axis=0)
    values, vectors = np.linalg.eigh(leverage)
    along = np.einsum("gij,i->gj", vectors, first)
    decided = values > _ONE
    factors = np.where(decided, 0.0, 1 / np.sqrt(np.where(decided, 1.0, 1 - values)))
    alone = np.abs(along[decided]) > 1e-6 * np.linalg.norm(first)
    stretched = np.einsum("gij,gj->gi", vectors, factors * along)
    return stretched, np.einsum("gij,gj->gi", leverage, stretched), bool(alone.any())


def _freedom(stretched: Floats, inner: Floats) -> float:
    own, lost = (inner * stretched).sum(axis=1), (inner**2).sum(axis=1)
    squares = (own**2).sum() - 2 * (own * lost).sum() + ((inner.T @ inner) ** 2).sum()
    return float((own - lost).sum() ** 2 / squares) if squares > 0 else 1.0
