"""Bins of stated confidence, of equal width or equal mass."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Codes, Floats
from mmrare_judge.errors import InputError

Binning = Literal["width", "mass"]


def bin_edges(p: Floats, bins: int, binning: Binning) -> Floats:
    """The edges of the bins from 0 to 1; equal masses may give fewer bins where values are tied.

    Raises:
        InputError: There is no bin, or the way of binning is unknown.

    >>> bin_edges(np.array([0.1, 0.2, 0.6, 0.9]), 2, "mass").tolist()
    [0.0, 0.4, 1.0]
    """
    if bins < 1:
        raise InputError(f"bins must be at least 1, not {bins}")
    if binning == "width":
        # Divided, not added up: 0.3 is an edge, and 3 * 0.1 lies above it.
        return np.arange(bins + 1) / bins
    if binning == "mass":
        inner = np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1])
        return np.unique(np.concatenate([[0.0], inner, [1.0]]))
    raise InputError(f"binning {binning!r} is neither 'width' nor 'mass'")


def placed(p: Floats, edges: Floats) -> tuple[Codes, Codes]:
    """Dense bin codes and which edge each belongs to; a value on an edge is in the upper bin."""
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    kept, dense = np.unique(place, return_inverse=True)
    return dense.astype(np.int64), kept.astype(np.int64)


def bin_means(p: Floats, y: Floats, place: Codes) -> tuple[Floats, Floats, Floats]:
    """Of each bin: how many, their mean confidence, and the share of right ones among them."""
    n = np.bincount(place).astype(np.float64)
    return n, np.bincount(place, weights=p) / n, np.bincount(place, weights=y) / n
