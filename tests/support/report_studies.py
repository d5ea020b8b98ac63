"""Studies to report on: one with everything in it, on labels drawn with a fixed seed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from mmrare_judge.calibration.analyses.alt_test import alt_test
from mmrare_judge.calibration.analyses.bias import leniency_by_group
from mmrare_judge.calibration.analyses.ceiling import human_ceiling
from mmrare_judge.calibration.analyses.confidence import (
    brier_score,
    expected_calibration_error,
    guaranteed_threshold,
    reliability_diagram,
    risk_coverage,
)
from mmrare_judge.calibration.analyses.correction import corrected_score
from mmrare_judge.calibration.analyses.noninferiority import non_inferiority
from mmrare_judge.calibration.report.blocks import (
    AgreementLimits,
    BiasFindings,
    CaseBlock,
    ConfidenceFindings,
    CriterionFindings,
    Findings,
    Key,
    Quote,
)
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.statistics.coefficients import confusion
from mmrare_judge.calibration.statistics.proportions import (
    false_alarm,
    marginal_homogeneity,
    missed_harm,
)
from mmrare_judge.calibration.statistics.ratings import Ratings, Scale
from mmrare_judge.calibration.statistics.table import estimates

FEW = Resampling(resamples=200)
BINARY = Scale(level="nominal", categories=("NO", "YES"), points=(0.0, 1.0))
GRADED = Scale(level="ordinal", categories=("absent", "partial", "complete"))
UNITS, CASES = 120, 40


def drawn(scale: Scale, seed: int, judge_errs: float) -> Ratings:
    """Labels of a judge and three clinicians about a truth that each of them misses at times."""
    rng = np.random.default_rng(seed)
    levels = len(scale.categories)
    truth = rng.integers(0, levels, UNITS)
    columns = [
        np.where(rng.random(UNITS) < wrong, rng.integers(0, levels, UNITS), truth)
        for wrong in (judge_errs, 0.15, 0.2, 0.25)
    ]
    labels = [[scale.categories[code] for code in row] for row in np.stack(columns, axis=1)]
    return Ratings.from_labels(
        labels,
        scale,
        raters=["judge", "Dr A", "Dr B", "Dr C"],
        clusters=[f"case {unit % CASES}" for unit in range(UNITS)],
    )


def criterion(name: str, ratings: Ratings) -> CriterionFindings:
    """All there is to find about one criterion."""
    ceiling = human_ceiling(ratings, judge="judge", resampling=FEW)
    side = ceiling.side("pairwise")
    pair = ratings.only("judge", "Dr A")
    found = estimates(pair, resampling=FEW)
    numbers = pair.numbers
    points = tuple((float(a + b) / 2, float(a - b)) for a, b in numbers)
    ends = [
        found[name].value for name in ("leniency", "agreement_limit_low", "agreement_limit_high")
    ]
    return CriterionFindings(
        name=name, judge=side.judge, clinicians=side.clinicians, statistics=found,
        ceiling=ceiling, confusion=confusion(pair), homogeneity=marginal_homogeneity(pair),
        points=points, limits=AgreementLimits(*(end for end in ends if end is not None)),
        non_inferiority=non_inferiority(ratings, judge="judge", margin=0.1, resampling=FEW),
        alternative=alt_test(ratings, judge="judge", resampling=FEW),
    )  # fmt: skip


def _confidence(ratings: Ratings) -> ConfidenceFindings:
    rng = np.random.default_rng(5)
    right = (ratings.codes[:, 0] == ratings.codes[:, 1]).astype(float)
    stated = np.round(np.clip(0.35 + 0.3 * right + 0.35 * rng.random(len(right)), 0, 1), 3)
    clusters = ratings.clusters
    return ConfidenceFindings(
        bins=tuple(reliability_diagram(stated, right, bins=5)),
        brier=brier_score(stated, right, bins=5, clusters=clusters),
        scores=(
            ("ECE, equal width", expected_calibration_error(stated, right, clusters=clusters)),
        ),
        curve=risk_coverage(stated, right),
        threshold=guaranteed_threshold(stated, right, max_risk=0.2, clusters=clusters),
    )


@cache
def full_findings() -> Findings:
    """A study with everything in it."""
    safe, dose = drawn(BINARY, 1, 0.3), drawn(GRADED, 2, 0.2)
    criteria = (
        criterion("safe", safe),
        criterion("dose", dose),
    )
    judge, gold = safe.numbers[:, 0], safe.numbers[:, 1].copy()
    systems = np.array(["model A", "model B", "model C"])[np.arange(UNITS) % 3]
    gold[60:] = np.nan
    return Findings(
        title="Calibration of embedded on treatment plans",
        facts=(
            ("Judge", "embedded | treatment 1 | mmrare-judge 0.1"),
            ("Gold labels", "drawn at random, 3 clinicians"),
            ("Date", "2026-01-31"),
        ),
        tone="bad",
        verdict=(
            "This judge may not stand in for a clinician on safe.",
            "It may on dose, if a kappa lower by 0.1 is acceptable.",
            "The corrected score is the one to print.",
        ),
        statistic="cohen_kappa",
        criteria=criteria,
        keys=(Key("Agreement on safe (kappa)", "0.49", "0.34 to 0.62; clinicians 0.63"),),
        remarks=("It gives YES more often than clinicians do.",),
        bias=(
            BiasFindings(
                "Leniency by system",
                "Judge minus clinicians, in points.",
                tuple(
                    leniency_by_group(judge, safe.numbers[:, 1], systems, clusters=safe.clusters)
                ),
            ),
        ),
        confidence=_confidence(safe),
        corrected={
            "safe": corrected_score(judge, gold, clusters=safe.clusters, binary=True),
            "dose": corrected_score(dose.numbers[:, 0], dose.numbers[:, 1]),
        },
        harm=(
            (("safe", "missed harm"), missed_harm(1 - judge, 1 - safe.numbers[:, 1])),
            (("safe", "false alarm"), false_alarm(1 - judge, 1 - safe.numbers[:, 1])),
        ),
        cases=(
            CaseBlock(
                "Item 12, model A, safe",
                (("judge", "YES"), ("clinicians", "NO, NO, NO")),
                (
                    Quote("The judge's reasoning", "No contraindication is named."),
                    Quote("Quoted from the prediction", "start methotrexate 15 mg weekly"),
                ),
            ),
        ),
        design=(("cases", "40"), ("intervals", "BCa bootstrap over cases, seed 0")),
        caveats=("Labels were drawn at random.",),
    )


def bare_findings() -> Findings:
    """One criterion, one clinician, no confidence, nothing corrected."""
    pair = drawn(BINARY, 3, 0.3).only("judge", "Dr A")
    found = estimates(pair, ["cohen_kappa"], resampling=FEW)
    return replace(
        full_findings(),
        criteria=(CriterionFindings("safe", found["cohen_kappa"], confusion=confusion(pair)),),
        no_ceiling="A human ceiling needs two clinicians, and there is one.",
        keys=(), remarks=(), bias=(), confidence=ConfidenceFindings(missing="none was stated"),
        corrected={}, not_corrected="every graded item has gold", harm=(), cases=(), design=(),
        caveats=(),
    )  # fmt: skip
