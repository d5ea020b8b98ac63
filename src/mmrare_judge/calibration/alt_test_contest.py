"""Unit by unit: is the judge or a clinician nearer to the other clinicians?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmrare_judge.calibration.alt_test_outcome import Scoring
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import TINY, Bools, Ratings


@dataclass(frozen=True, eq=False)
class Contest:
    """For each unit, whether judge and clinician were at least as near as the other."""

    judge: Bools
    clinician: Bools
    clusters: Floats

    @property
    def loss(self) -> Floats:
        """How much the judge is worse, unit by unit: -1, 0 or 1; ``d`` of `alt_test`."""
        return np.asarray(self.clinician.astype(float) - self.judge)


def contest_with(ratings: Ratings, column: int, scoring: Scoring, min_others: int) -> Contest:
    """The judge's contest with the clinician of one column; the judge stands in column 0."""
    known = ratings.codes >= 0
    others = [other for other in range(1, len(ratings.raters)) if other != column]
    enough = known[:, others].sum(axis=1) >= max(min_others, 1)
    used = ratings.take(known[:, 0] & known[:, column] & enough)
    judge, clinician = (_nearness(used, rater, others, scoring) for rater in (0, column))
    return Contest(
        judge >= clinician - TINY, clinician >= judge - TINY, used.clusters.astype(float)
    )


def _nearness(ratings: Ratings, rater: int, others: Sequence[int], scoring: Scoring) -> Floats:
    """How near a rater's labels are to the others'; more is nearer."""
    known = ratings.codes[:, others] >= 0
    if scoring == "accuracy":
        equal = ratings.codes[:, others] == ratings.codes[:, [rater]]
        return np.asarray((equal & known).sum(axis=1) / known.sum(axis=1))
    apart = np.where(known, ratings.numbers[:, others] - ratings.numbers[:, [rater]], 0.0)
    return np.asarray(-np.sqrt((apart**2).sum(axis=1) / known.sum(axis=1)))
