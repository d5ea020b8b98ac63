"""The outcome of the alternative annotator test, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.records import Record

EPSILONS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)
"""The cost-benefit penalties that are always shown together."""

Scoring = Literal["accuracy", "neg_rmse"]

Errors = Literal["clustered", "independent"]


class ClinicianTest(Record):
    """The judge's contest with one clinician, before the others.

    Attributes:
        clinician: The clinician who was left out.
        n: Units of the contest.
        clusters: Clusters among them.
        judge_advantage: Share of units on which the judge is at least as near to the others.
        clinician_advantage: Share on which the clinician is.
        p_values: By epsilon, the p-value of "the judge is worse by epsilon or more".
        left_out: Why this clinician does not count; empty if they do.
    """

    clinician: str
    n: int
    clusters: int
    judge_advantage: float | None = None
    clinician_advantage: float | None = None
    p_values: Mapping[float, float] = {}
    left_out: str = ""


class EpsilonRow(Record):
    """The outcome at one epsilon.

    Attributes:
        epsilon: How much worse than a clinician the judge may be, being cheaper.
        winning_rate: omega: the share of clinicians for whom "worse by epsilon" is rejected.
        passed: Whether omega is at least one half; ``None`` without a clinician.
    """

    epsilon: float
    winning_rate: float | None
    passed: bool | None


class AltTest(Record):
    """The outcome of the alternative annotator test.

    Attributes:
        scoring: ``accuracy`` or ``neg_rmse``.
        errors: Whether standard errors allow for clusters.
        grid: omega at every epsilon. Passing at 0.2 is easy: read ``kappa`` beside it.
        advantage: rho: the mean over clinicians of the judge's advantage probability.
        clinicians: The contests one by one.
        kappa: The judge's mean pairwise Cohen's kappa with the clinicians.
        clinicians_kappa: The clinicians' among themselves.
        reason: Why there is no outcome, or what to beware of.
    """

    scoring: Scoring
    errors: Errors
    grid: tuple[EpsilonRow, ...]
    advantage: float | None
    clinicians: tuple[ClinicianTest, ...]
    kappa: Estimate | None
    clinicians_kappa: Estimate | None
    reason: str = ""
