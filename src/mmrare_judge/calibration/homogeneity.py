"""Do two raters use the categories equally often? McNemar, and Stuart-Maxwell beyond two."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.libraries import scipy_stats
from mmrare_judge.calibration.patterns import joint
from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.vectors import Floats
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record

EXACT_BELOW = 25
"""With fewer discordant pairs McNemar's test is the exact binomial one."""

NEVER_DIFFER = "the raters never differ"
NO_PAIR = "no unit has both labels"


class HomogeneityTest(Record):
    """A test of equal margins.

    Attributes:
        name: ``mcnemar exact``, ``mcnemar`` or ``stuart-maxwell``.
        statistic: Chi-squared; ``None`` for the exact test.
        df: Its degrees of freedom.
        p_value: ``None`` where there is no test.
        n: Pairs it rests on.
        reason: Why there is no test, or what to beware of.
    """

    name: str
    statistic: float | None
    df: int | None
    p_value: float | None
    n: int
    reason: str = ""


def marginal_homogeneity(ratings: Ratings) -> HomogeneityTest:
    """Test whether two raters use the categories equally often.

    Two categories, McNemar: ``(b - c)² / (b + c)`` on one degree of freedom, b and c the two
    kinds of discordant pairs; below 25 of them the exact binomial test. More categories,
    Stuart-Maxwell: ``d' S^- d``, d the differences of the margins, ``S_kk = o_k. + o_.k - 2 o_kk``,
    ``S_kl = -(o_kl + o_lk)``, on as many degrees of freedom as S has rank: categories on which the
    raters never differ say nothing.

    The tests take pairs as independent: with several units a case their p-values are too small.

    Raises:
        InputError: There are not exactly two raters, or no categories.

    Source: McNemar (1947); Stuart (1955); Maxwell (1970).
    """
    if len(ratings.raters) != 2 or not ratings.scale.categories:
        raise InputError("marginal homogeneity needs two raters and a scale with categories")
    if ratings.weighted:
        raise InputError("marginal homogeneity cannot be tested on weighted units")
    table = joint(ratings.patterns, ratings.pattern_weights)[0]
    test = _mcnemar(table) if len(table) == 2 else _stuart_maxwell(table)
    repeated = len(np.unique(ratings.clusters)) < ratings.units
    if repeated and test.p_value is not None:
        return test.model_copy(update={"reason": "several units a cluster: p is too small"})
    return test


def _mcnemar(table: Floats) -> HomogeneityTest:
    n, first, second = int(table.sum()), int(table[0, 1]), int(table[1, 0])
    if first + second == 0:
        return _no_test("mcnemar", n, NEVER_DIFFER if n else NO_PAIR)
    if first + second < EXACT_BELOW:
        p_value = float(scipy_stats().binomtest(first, first + second, 0.5).pvalue)
        return HomogeneityTest(name="mcnemar exact", statistic=None, df=None, p_value=p_value, n=n)
    statistic = (first - second) ** 2 / (first + second)
    return _chi_squared("mcnemar", statistic, 1, n)


def _stuart_maxwell(table: Floats) -> HomogeneityTest:
    n = int(table.sum())
    covariance = np.diag(table.sum(axis=0) + table.sum(axis=1)) - table - table.T
    apart = table.sum(axis=1) - table.sum(axis=0)
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    if rank == 0:
        return _no_test("stuart-maxwell", n, NEVER_DIFFER if n else NO_PAIR)
    statistic = float(apart @ np.linalg.pinv(covariance, hermitian=True) @ apart)
    return _chi_squared("stuart-maxwell", statistic, rank, n)


def _chi_squared(name: str, statistic: float, df: int, n: int) -> HomogeneityTest:
    p_value = float(scipy_stats().chi2.sf(statistic, df))
    return HomogeneityTest(name=name, statistic=float(statistic), df=df, p_value=p_value, n=n)


def _no_test(name: str, n: int, reason: str) -> HomogeneityTest:
    return HomogeneityTest(name=name, statistic=None, df=None, p_value=None, n=n, reason=reason)
