"""The alternative annotator test: may the judge stand in for one of the clinicians?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmrare_judge.calibration.alt_test_contest import Contest, contest_with
from mmrare_judge.calibration.alt_test_outcome import (
    EPSILONS,
    AltTest,
    ClinicianTest,
    EpsilonRow,
    Errors,
    Scoring,
)
from mmrare_judge.calibration.ceiling import human_ceiling
from mmrare_judge.calibration.statistics.bootstrap import RESAMPLING, Resampling
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.libraries import scipy_stats
from mmrare_judge.calibration.statistics.ratings import TINY, Ratings
from mmrare_judge.errors import InputError


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
        name: contest_with(ordered, column, scoring, min_others)
        for column, name in enumerate(names, 1)
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


def _test(name: str, contest: Contest, errors: Errors, min_units: int) -> ClinicianTest:
    n, clusters = len(contest.loss), len(np.unique(contest.clusters))
    if n < max(min_units, 2):
        return ClinicianTest(
            clinician=name,
            n=n,
            clusters=clusters,
            left_out=f"{n} units, where {max(min_units, 2)} are needed",
        )
    if clusters < 2:
        return ClinicianTest(clinician=name, n=n, clusters=clusters, left_out="only one cluster")
    groups = contest.clusters if errors == "clustered" else np.arange(n, dtype=float)
    return ClinicianTest(
        clinician=name,
        n=n,
        clusters=clusters,
        judge_advantage=float(contest.judge.mean()),
        clinician_advantage=float(contest.clinician.mean()),
        p_values={epsilon: _p_value(contest.loss, groups, epsilon) for epsilon in EPSILONS},
    )


def _p_value(loss: Floats, groups: Floats, epsilon: float) -> float:
    """One-sided p-value of ``mean loss >= epsilon``, with cluster-robust standard error."""
    index = np.unique(groups, return_inverse=True)[1].reshape(-1)
    sums = np.bincount(index, loss - loss.mean())
    count = len(sums)
    error = float(np.sqrt(count / (count - 1) * (sums**2).sum())) / len(loss)
    gap = float(loss.mean()) - epsilon
    if error <= TINY:
        return 0.0 if gap < -TINY else 1.0
    return float(scipy_stats().t.cdf(gap / error, count - 1))


def _row(epsilon: float, tests: Sequence[ClinicianTest], level: float) -> EpsilonRow:
    if not tests:
        return EpsilonRow(epsilon=epsilon, winning_rate=None, passed=None)
    values = [test.p_values[epsilon] for test in tests]
    adjusted = scipy_stats().false_discovery_control(values, method="by")
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
