"""A stated confidence beside what came true of it, checked and without what is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Codes,
    Floats,
    binary,
    cluster_codes,
    floats,
)
from mmrare_judge.errors import InputError


def probabilities(values: ArrayLike, name: str) -> Floats:
    """The values as a vector of numbers from 0 to 1; nan is missing.

    Raises:
        InputError: One lies outside.

    >>> probabilities([0.5, None], "confidence").tolist()
    [0.5, nan]
    """
    vector = floats(values, name)
    odd = vector[(vector < 0) | (vector > 1)]
    if len(odd):
        remedy = "Divide percentages by 100"
        raise InputError(f"{name} must lie between 0 and 1, not {odd[0]:g}", remedy=remedy)
    return vector


def stated(
    confidence: ArrayLike, correct: ArrayLike, clusters: ArrayLike | None
) -> tuple[Floats, Floats, Codes, int]:
    """Confidences, outcomes and cluster codes of the units with both values, and how many have not.

    >>> p, y, codes, missing = stated([0.9, None, 0.2], [1, 1, 0], None)
    >>> p.tolist(), y.tolist(), missing
    ([0.9, 0.2], [1.0, 0.0], 1)
    """
    p = probabilities(confidence, "confidence")
    y = binary(correct, "correct", length=len(p))
    codes = cluster_codes(clusters, len(p))
    used = ~(np.isnan(p) | np.isnan(y))
    return p[used], y[used], codes[used], int((~used).sum())
