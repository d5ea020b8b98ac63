"""The judge's stated confidence in a study, against whether it was right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmrare_judge.calibration.analyses.abstention import guaranteed_threshold, risk_coverage
from mmrare_judge.calibration.analyses.confidence import (
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_diagram,
)
from mmrare_judge.calibration.analyses.recalibration import recalibrate
from mmrare_judge.calibration.report.blocks import ConfidenceFindings
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.table import Table

BINS = 10


def confidence_findings(tables: Sequence[Table], options: StudyOptions) -> ConfidenceFindings:
    """Reliability, risk against coverage and a threshold, over all criteria together."""
    stated = np.concatenate([table.confidence for table in tables])
    judge = np.concatenate([table.judge_codes for table in tables])
    gold = np.concatenate([table.gold_codes for table in tables])
    cases = [case for table in tables for case in table.clusters]
    right = np.where((judge >= 0) & (gold >= 0), (judge == gold).astype(float), np.nan)
    known = ~np.isnan(stated) & ~np.isnan(right)
    if not known.any():
        return ConfidenceFindings(missing=_missing(stated))
    p, y = stated[known], right[known]
    clusters = [case for case, mine in zip(cases, known, strict=True) if mine]
    level, seed = options.resampling.level, options.resampling.seed
    ece = {
        f"ECE, equal {binning}": expected_calibration_error(
            p, y, bins=BINS, binning=binning, clusters=clusters, seed=seed, level=level
        )
        for binning in ("width", "mass")
    }  # fmt: skip
    return ConfidenceFindings(
        bins=tuple(reliability_diagram(p, y, bins=BINS, clusters=clusters, level=level)),
        brier=brier_score(p, y, bins=BINS, clusters=clusters, level=level),
        scores=(*ece.items(), ("log loss", log_loss(p, y, clusters=clusters, level=level))),
        curve=risk_coverage(p, y),
        threshold=guaranteed_threshold(
            p, y, max_risk=options.max_risk, clusters=clusters, level=level, seed=seed
        ),
        recalibration=recalibrate(p, y, clusters=clusters, seed=seed, level=level),
    )


def _missing(stated: np.ndarray) -> str:
    if np.isnan(stated).all():
        return "the judge stated no confidence; ask for it with confidence: logprobs, or repeats"
    return "no verdict has both a confidence and a gold label"
