"""Missed harm and false alarms on the safety criteria of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.proportions import false_alarm, missed_harm
from mmrare_judge.calibration.study.table import Table

MISSED, ALARM = "missed harm", "false alarm"


def harm_findings(
    tables: Sequence[Table], level: float
) -> Iterator[tuple[tuple[str, str], Estimate]]:
    """By safety criterion, what the judge let pass and what it flagged in vain.

    A violation is any level below the best one, on which clinicians decided: a tie that nobody
    settled confirms nothing. The judge flags one by any level below the best, too.
    """
    for table in tables:
        if table.criterion.kind != "safety":
            continue
        flagged, violation = _below_best(table.judge), _below_best(table.decided)
        for what, measure in ((MISSED, missed_harm), (ALARM, false_alarm)):
            found = measure(
                flagged, violation, clusters=list(table.clusters), inclusion=table.inclusion,
                level=level,
            )  # fmt: skip
            yield (table.criterion.id, what), found


def _below_best(shares: Floats) -> Floats:
    return np.where(np.isnan(shares), np.nan, shares < 1)
