"""The alternative annotator test: may the judge stand in for one of the clinicians?

For each clinician a contest: unit by unit, is the judge or the clinician nearer to the others?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrare_judge.calibration.analyses.ceiling import human_ceiling
from mmrare_judge.calibration.statistics.bootstrap import RESAMPLING, Resampling
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats, library
from mmrare_judge.calibration.statistics.ratings import TINY, Bools, Ints, Ratings
from mmrare_judge.errors import InputError
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


def alt_test(
    ratings: Ratings,
    *,
    judge: str,
    scoring: Scoring = "accuracy",
    errors: Errors = "clustered",
    level: float = 0.05,
    min_units: int = 30,
    min_others: int = 1,
    resampling: Resampling | None = RESAMPLING,
) -> AltTest:
    """Run the alternative annotator test at every epsilon of the grid.

    For clinician j and unit i, S(f, i, j) is how near a label is to the other clinicians' labels:
    the share of them it equals (``accuracy``) or ``-sqrt(mean (f - h)²)`` (``neg_rmse``). With
    ``W_judge = [S(judge) >= S(j)]``, ``W_j = [S(j) >= S(judge)]`` and ``d = W_j - W_judge``,
    ``H0: E d >= epsilon`` is tested one-sided by ``t = (mean d - epsilon) / SE``; omega is the
    share of clinicians for whom Benjamini and Yekutieli's procedure rejects it, rho the mean of
    ``W_judge``. SE allows for clusters (``sqrt(G/(G-1) sum_g (sum_i (d - mean d))²) / n``, G - 1
    degrees of freedom), which with every unit a cluster of its own is the paper's t-test.

    Where the original divides by zero: if d never varies, the p-value is 0 for ``mean d <
    epsilon`` and else 1; a clinician with fewer than ``min_units`` units does not count, and
    without any clinician omega and rho are ``None``, with the reason.

    Args:
        ratings: The labels of the judge and of two clinicians or more; three make a contest.
        judge: The judge's name among the raters.
        scoring: How nearness is measured.
        errors: Whether units of a cluster count as dependent.
        level: The false discovery rate.
        min_units: The least number of units a clinician needs to count.
        min_others: The least number of other clinicians' labels a unit needs.
        resampling: How the kappas' intervals are made; ``None`` for none.

    Raises:
        InputError: There are too few clinicians, or the scale has no numbers for ``neg_rmse``.

    Source: Calderon, Reichart and Dror (2025), arXiv 2501.10970.
    """
    names = [rater for rater in ratings.raters if rater != judge]
    ordered = ratings.only(judge, *names)
    _check(ordered, scoring)
    contests = {
        name: _contest(ordered, column, scoring, min_others) for column, name in enumerate(names, 1)
    }
    tests = tuple(_test(name, contest, errors, min_units) for name, contest in contests.items())
    counted = [test for test in tests if not test.left_out]
    shares = [test.judge_advantage for test in counted if test.judge_advantage is not None]
    judge_kappa, human_kappa = _kappas(ratings, judge, resampling)
    return AltTest(
        scoring=scoring,
        errors=errors,
        grid=tuple(_row(epsilon, counted, level) for epsilon in EPSILONS),
        advantage=sum(shares) / len(shares) if shares else None,
        clinicians=tests,
        kappa=judge_kappa,
        clinicians_kappa=human_kappa,
        reason=_reason(ratings, tests, counted),
    )


def _check(ratings: Ratings, scoring: Scoring) -> None:
    if len(ratings.raters) < 3:
        problem = f"the test needs two clinicians or more, not {len(ratings.raters) - 1}"
        raise InputError(problem, remedy="Have a second clinician label the same units")
    if scoring not in ("accuracy", "neg_rmse"):
        raise InputError(f"scoring {scoring!r}", remedy="Known are: accuracy, neg_rmse")
    has_numbers = ratings.scale.points or ratings.scale.level == "continuous"
    if scoring == "neg_rmse" and not has_numbers:
        remedy = "Give the categories points, or use scoring='accuracy'"
        raise InputError("neg_rmse needs numbers, and the scale has none", remedy=remedy)


@dataclass(frozen=True, eq=False)
class _Contest:
    """For each unit, whether judge and clinician were at least as near as the other."""

    judge: Bools
    clinician: Bools
    clusters: Ints

    @property
    def loss(self) -> Floats:
        """How much the judge is worse, unit by unit: -1, 0 or 1; ``d`` of `alt_test`."""
        return np.asarray(self.clinician.astype(float) - self.judge)


def _contest(ratings: Ratings, column: int, scoring: Scoring, min_others: int) -> _Contest:
    """The judge's contest with the clinician of one column; the judge stands in column 0."""
    known = ratings.codes >= 0
    others = [other for other in range(1, len(ratings.raters)) if other != column]
    enough = known[:, others].sum(axis=1) >= max(min_others, 1)
    used = ratings.take(known[:, 0] & known[:, column] & enough)
    judge, clinician = (_nearness(used, rater, others, scoring) for rater in (0, column))
    return _Contest(judge >= clinician - TINY, clinician >= judge - TINY, used.clusters)


def _nearness(ratings: Ratings, rater: int, others: Sequence[int], scoring: Scoring) -> Floats:
    """How near a rater's labels are to the others'; more is nearer."""
    known = ratings.codes[:, others] >= 0
    if scoring == "accuracy":
        equal = ratings.codes[:, others] == ratings.codes[:, [rater]]
        return np.asarray((equal & known).sum(axis=1) / known.sum(axis=1))
    apart = np.where(known, ratings.numbers[:, others] - ratings.numbers[:, [rater]], 0.0)
    return np.asarray(-np.sqrt((apart**2).sum(axis=1) / known.sum(axis=1)))


def _test(name: str, contest: _Contest, errors: Errors, min_units: int) -> ClinicianTest:
    n, clusters = len(contest.loss), len(np.unique(contest.clusters))
    blank = ClinicianTest(clinician=name, n=n, clusters=clusters)
    if n < max(min_units, 2):
        needed = f"{n} units, where {max(min_units, 2)} are needed"
        return blank.model_copy(update={"left_out": needed})
    if clusters < 2:
        return blank.model_copy(update={"left_out": "only one cluster"})
    groups = contest.clusters if errors == "clustered" else np.arange(n)
    found = {
        "judge_advantage": float(contest.judge.mean()),
        "clinician_advantage": float(contest.clinician.mean()),
        "p_values": {epsilon: _p_value(contest.loss, groups, epsilon) for epsilon in EPSILONS},
    }
    return blank.model_copy(update=found)


def _p_value(loss: Floats, groups: Ints, epsilon: float) -> float:
    """One-sided p-value of ``mean loss >= epsilon``, with cluster-robust standard error."""
    index = np.unique(groups, return_inverse=True)[1].reshape(-1)
    sums = np.bincount(index, loss - loss.mean())
    count = len(sums)
    error = float(np.sqrt(count / (count - 1) * (sums**2).sum())) / len(loss)
    gap = float(loss.mean()) - epsilon
    if error <= TINY:
        return 0.0 if gap < -TINY else 1.0
    return float(library("scipy.stats").t.cdf(gap / error, count - 1))


def _row(epsilon: float, tests: Sequence[ClinicianTest], level: float) -> EpsilonRow:
    if not tests:
        return EpsilonRow(epsilon=epsilon, winning_rate=None, passed=None)
    values = [test.p_values[epsilon] for test in tests]
    adjusted = library("scipy.stats").false_discovery_control(values, method="by")
    rate = float((adjusted <= level).mean())
    return EpsilonRow(epsilon=epsilon, winning_rate=rate, passed=rate >= 0.5)


def _kappas(
    ratings: Ratings, judge: str, resampling: Resampling | None
) -> tuple[Estimate | None, Estimate | None]:
    if not ratings.scale.categories:
        return None, None
    side = human_ceiling(ratings, judge=judge, resampling=resampling).side("pairwise")
    return side.judge, side.clinicians


def _reason(
    ratings: Ratings, tests: Sequence[ClinicianTest], counted: Sequence[ClinicianTest]
) -> str:
    remarks = [f"{test.clinician} left out: {test.left_out}" for test in tests if test.left_out]
    if not counted:
        remarks.insert(0, "no clinician has enough units")
    elif len(counted) < 3:
        remarks.append("with fewer than three clinicians omega takes few values")
    if ratings.weighted:
        remarks.append("sampling weights are not used by this test")
    return "; ".join(remarks)
