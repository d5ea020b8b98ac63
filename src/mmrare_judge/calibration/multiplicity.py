"""P-values adjusted for how many questions were asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmrare_judge.errors import InputError


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment: the chance of even one false alarm stays below the level.

    ``max over j <= i of min(1, (m - j + 1) p_(j))`` in rising order (Holm 1979). ``None`` stays
    ``None`` and is not counted.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    known, order = _ordered(p_values)
    m = len(known)
    stepped = [min(1.0, (m - rank) * known[place]) for rank, place in enumerate(order)]
    return _spread(p_values, order, list(np.maximum.accumulate(stepped)) if m else [])


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's adjustment: the expected share of false findings stays below.

    ``min over j >= i of min(1, m p_(j) / j)`` in rising order (Benjamini and Hochberg 1995).
    ``None`` stays ``None`` and is not counted.

    >>> benjamini_hochberg([0.01, 0.04, None, 0.03])
    [0.03, 0.04, None, 0.04]
    """
    known, order = _ordered(p_values)
    m = len(known)
    stepped = [min(1.0, m * known[place] / (rank + 1)) for rank, place in enumerate(order)]
    falling = list(np.minimum.accumulate(stepped[::-1])[::-1]) if m else []
    return _spread(p_values, order, falling)


def _ordered(p_values: Sequence[float | None]) -> tuple[list[float], list[int]]:
    known = [p for p in p_values if p is not None]
    for p in known:
        if not 0 <= p <= 1:
            raise InputError(f"p-value {p} lies outside 0..1")
    return known, sorted(range(len(known)), key=known.__getitem__)


def _spread(
    p_values: Sequence[float | None], order: list[int], adjusted: list[float]
) -> list[float | None]:
    back = dict(zip(order, adjusted, strict=True))
    places = iter(range(len(order)))
    return [None if p is None else float(back[next(places)]) for p in p_values]
