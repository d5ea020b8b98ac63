"""The points of a reliability diagram: how often verdicts of a stated confidence were right."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.confidence import stated
from mmrare_judge.calibration.confidence_bins import Binning, bin_edges, bin_means, placed
from mmrare_judge.calibration.statistics.estimate import Codes, Floats, Interval
from mmrare_judge.calibration.statistics.proportions import design_share, wilson
from mmrare_judge.records import Record


class ReliabilityBin(Record):
    """One point of the reliability diagram.

    Attributes:
        low: Lower edge of the bin.
        high: Its upper edge.
        n: Verdicts in it.
        confidence: Their mean confidence.
        share: The share of right ones among them.
        interval: Wilson's interval of that share.
    """

    low: float
    high: float
    n: int
    confidence: float
    share: float
    interval: Interval


def reliability_diagram(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "width",
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> list[ReliabilityBin]:
    """The points of a reliability diagram: for every bin that holds verdicts.

    The interval is Wilson's at the effective sample size: verdicts of one case that err together
    count for less.

    >>> [(b.low, b.high, b.n) for b in reliability_diagram([0.1, 0.9, 0.95], [0, 1, 1], bins=2)]
    [(0.0, 0.5, 1), (0.5, 1.0, 2)]
    """
    p, y, codes, _ = stated(confidence, correct, clusters)
    if len(p) == 0:
        return []
    edges = bin_edges(p, bins, binning)
    place, kept = placed(p, edges)
    n, conf, share = bin_means(p, y, place)
    return [
        ReliabilityBin(
            low=float(edges[k]), high=float(edges[k + 1]), n=int(n[i]), confidence=float(conf[i]),
            share=float(share[i]),
            interval=_share_interval(y[place == i], codes[place == i], level),
        )
        for i, k in enumerate(kept)
    ]  # fmt: skip


def _share_interval(y: Floats, codes: Codes, level: float) -> Interval:
    share = design_share(y, np.ones_like(y), codes, level=level)
    assert share is not None, "a bin that is shown holds a verdict"
    n = share.n_effective
    return wilson(min(share.value * n, n), n, level=level)
