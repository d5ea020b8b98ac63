"""Intervals for a share: exact, score, the rule of three, and what clusters and weights cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    Codes,
    Estimate,
    Floats,
    Interval,
    Mask,
    beta_quantile,
    binary,
    cluster_codes,
    count_clusters,
    group_sums,
    library,
    normal_quantile,
    probability,
    sampling_weights,
    t_quantile,
    two_sided,
)
from mmrare_judge.calibration.statistics.ratings import Ratings, joint
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record


def clopper_pearson(events: float, n: float, *, level: float = 0.95) -> Interval:
    """Exact interval for a share (Clopper and Pearson 1934).

    The ends are beta quantiles: ``B(a/2; x, n-x+1)`` and ``B(1-a/2; x+1, n-x)``, 0 without events
    and 1 without non-events. Fractional counts are legal: they come from effective sample sizes.

    >>> interval = clopper_pearson(0, 10)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.3085)
    """
    _check(events, n)
    high = two_sided(level)
    return Interval(
        low=beta_quantile(1 - high, events, n - events + 1) if events > 0 else 0.0,
        high=beta_quantile(high, events + 1, n - events) if events < n else 1.0,
        level=level,
        method="clopper-pearson",
    )


def upper_limit(events: float, n: float, *, level: float = 0.95) -> float:
    """One-sided exact upper limit of a share: ``B(level; x+1, n-x)``.

    >>> round(upper_limit(0, 30), 4)
    0.095
    """
    _check(events, n)
    below = probability(level)
    return beta_quantile(below, events + 1, n - events) if events < n else 1.0


def wilson(events: float, n: float, *, level: float = 0.95) -> Interval:
    """Score interval for a share (Wilson 1927).

    ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``.

    >>> interval = wilson(5, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2366, 0.7634)
    """
    _check(events, n)
    z, share = normal_quantile(two_sided(level)), events / n
    centre = share + z**2 / (2 * n)
    half = z * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    scale = 1 + z**2 / n
    low, high = max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
    return Interval(low=low, high=high, level=level, method="wilson")


def rule_of_three(n: float, *, level: float = 0.95) -> float:
    """Upper limit of a share of which no case was seen in ``n``.

    Exactly ``1 - (1 - level)^(1/n)``; at 95 % about ``3/n`` (Hanley and Lippman-Hand 1983). It is
    one-sided: the two-sided exact interval at zero events ends higher, at about ``3.7/n``.

    >>> round(rule_of_three(100), 4)
    0.0295
    """
    _check(0, n)
    return float(1 - (1 - probability(level)) ** (1 / n))


class Share(NamedTuple):
    """A weighted share and the number of independent units it is worth."""

    value: float
    n_effective: float
    n: int
    clusters: int

    @property
    def events(self) -> float:
        """How many of the independent units it is worth are events."""
        return min(self.value * self.n_effective, self.n_effective)


def design_share(
    values: Floats, weights: Floats, codes: Codes, *, level: float = 0.95
) -> Share | None:
    """A share with the effective sample size of its design (Korn and Graubard 1998).

    ``n_eff = n (V_simple / V_clustered) (t_{n-1} / t_{G-1})^2``, at most n, where ``V_clustered``
    sums the weighted residuals within the ``G`` clusters. Without weights and clusters it is n.
    At a share of 0 or 1 no variance can be estimated: then it is Kish's ``(sum w)^2 / sum w^2``, at
    most the number of clusters, which is on the safe side. ``None`` where there is no unit.

    >>> design_share(np.array([1.0, 0, 1, 1]), np.ones(4), np.arange(4))
    Share(value=0.75, n_effective=4.0, n=4, clusters=4)
    """
    n = len(values)
    if n == 0:
        return None
    groups = count_clusters(codes)
    value = float(np.average(values, weights=weights))
    simple = bool(groups == n and np.all(weights == weights[0]))
    if simple or groups == 1:
        return Share(value, float(n if simple else 1), n, groups)
    if value in (0.0, 1.0):
        kish = float(weights.sum() ** 2 / (weights**2).sum())
        return Share(value, min(kish, float(groups)), n, groups)
    ratio = _variance_ratio(values - value, weights, codes, value)
    tails = t_quantile(two_sided(level), n - 1) / t_quantile(two_sided(level), groups - 1)
    return Share(value, float(np.clip(n * ratio * tails**2, 1, n)), n, groups)


def _variance_ratio(residuals: Floats, weights: Floats, codes: Codes, share: float) -> float:
    n, groups = len(residuals), count_clusters(codes)
    sums = group_sums(weights * residuals, codes) / weights.sum()
    clustered = groups / (groups - 1) * float((sums**2).sum())
    return float("inf") if clustered == 0 else share * (1 - share) / (n - 1) / clustered


def _check(events: float, n: float) -> None:
    if n <= 0 or not 0 <= events <= n:
        raise InputError(f"{events:g} events among {n:g} are no share")


# --- missed harm: violations that clinicians confirmed and the judge let pass


def missed_harm(
    flagged: ArrayLike,
    violation: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The share of clinician-confirmed violations that the judge passed.

    ``P(not flagged | violation) = 1 - sensitivity``, with the exact (Clopper-Pearson) interval; at
    zero missed the reason adds the rule of three. With clusters or unequal inclusion probabilities
    the interval is taken at the effective sample size of Korn and Graubard (1998). Violations on
    which the judge gave no verdict count as ``missing``, and the reason says what the share would
    be if they had passed.

    Args:
        flagged: 1 where the judge saw the violation, 0 where it passed, nan without a verdict.
        violation: 1 where clinicians confirmed one, 0 where they saw none, nan without gold.
        clusters: The case of each unit.
        inclusion: The probability with which each unit was chosen for gold labels.
        level: Nominal coverage.

    Returns:
        The estimate; its value is ``None`` where clinicians confirmed no violation.

    >>> result = missed_harm([1, 0, 1, 1, 0], [1, 1, 1, 1, 0])
    >>> result.value, result.n
    (0.25, 4)
    """
    gold = binary(violation, "violation")
    judged = binary(flagged, "flagged", length=len(gold))
    return _share_of("missed_harm", 1 - judged, gold == 1, clusters, inclusion, level)


def false_alarm(
    flagged: ArrayLike,
    violation: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The share of units without a violation that the judge flagged: ``1 - specificity``.

    The price of little missed harm; arguments and interval as in `missed_harm`.

    >>> false_alarm([1, 0, 0, 0], [0, 0, 0, 1]).n
    3
    """
    gold = binary(violation, "violation")
    judged = binary(flagged, "flagged", length=len(gold))
    return _share_of("false_alarm", judged, gold == 0, clusters, inclusion, level)


def _share_of(
    name: str,
    event: Floats,
    among: Mask,
    clusters: ArrayLike | None,
    inclusion: ArrayLike | None,
    level: float,
) -> Estimate:
    codes = cluster_codes(clusters, len(event))
    weights = sampling_weights(inclusion, among)
    used = among & ~np.isnan(event)
    missing = int(among.sum() - used.sum())
    share = design_share(event[used], weights[used], codes[used], level=level)
    if share is None:
        reason = _NOTHING[name] if not among.any() else "the judge gave no verdict on any of them"
        groups = count_clusters(codes[among])
        return Estimate(name=name, value=None, n=0, clusters=groups, missing=missing, reason=reason)
    interval = clopper_pearson(share.events, share.n_effective, level=level)
    if share.n_effective != share.n:
        interval = interval.model_copy(update={"method": "korn-graubard"})
    # The share if every unit without a verdict were an event.
    worst = float(np.average(np.nan_to_num(event[among], nan=1.0), weights=weights[among]))
    return Estimate(
        name=name, value=share.value, interval=interval, n=share.n, clusters=share.clusters,
        missing=missing, reason="; ".join(_caveats(share, missing, worst, level)),
    )  # fmt: skip


_NOTHING = {
    "missed_harm": "clinicians confirmed no violation, so none could be missed",
    "false_alarm": "clinicians confirmed a violation everywhere, so none could be a false alarm",
}


def _caveats(share: Share, missing: int, worst: float, level: float) -> Iterator[str]:
    if share.clusters == 1 and share.n > 1:
        yield f"all {share.n} are from one cluster, so they are worth no more than one"
    if share.value == 0:
        limit = rule_of_three(share.n_effective, level=level)
        yield (
            f"none seen in {share.n}: by the rule of three up to {limit:.1%} "
            f"cannot be excluded (one-sided, {level:.0%})"
        )
    if missing:
        yield (
            f"on {missing} more the judge gave no verdict; counted as events they make {worst:.1%}"
        )


# --- p-values adjusted for how many questions were asked


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment: the chance of even one false alarm stays below the level.

    ``max over j <= i of min(1, (m - j + 1) p_(j))`` in rising order (Holm 1979). ``None`` stays
    ``None`` and is not counted.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """

    def stepped(p: Floats) -> Floats:
        order = np.argsort(p, kind="stable")
        adjusted = np.empty_like(p)
        rising = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
        adjusted[order] = np.minimum(rising, 1)
        return adjusted

    return _adjusted(p_values, stepped)


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's adjustment, by scipy: the expected share of false findings.

    ``None`` stays ``None`` and is not counted. Source: Benjamini and Hochberg (1995).

    >>> benjamini_hochberg([0.01, 0.04, None, 0.03])
    [0.03, 0.04, None, 0.04]
    """
    return _adjusted(p_values, lambda p: library("scipy.stats").false_discovery_control(p))


def _adjusted(
    p_values: Sequence[float | None], adjust: Callable[[Floats], Floats]
) -> list[float | None]:
    known = np.array([p for p in p_values if p is not None], dtype=np.float64)
    odd = known[~((known >= 0) & (known <= 1))]
    if len(odd):
        raise InputError(f"p-value {odd[0]:g} lies outside 0..1")
    adjusted = iter(adjust(known).tolist() if len(known) else ())
    return [None if p is None else next(adjusted) for p in p_values]


# --- do two raters use the categories equally often

EXACT_BELOW = 25
"""With fewer discordant pairs McNemar's test is the exact binomial one."""


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
        return _no_test("mcnemar", n)
    if first + second < EXACT_BELOW:
        exact = library("scipy.stats").binomtest(first, first + second, 0.5)
        p_value = float(exact.pvalue)
        return HomogeneityTest(name="mcnemar exact", statistic=None, df=None, p_value=p_value, n=n)
    return _chi_squared("mcnemar", (first - second) ** 2 / (first + second), 1, n)


def _stuart_maxwell(table: Floats) -> HomogeneityTest:
    n = int(table.sum())
    covariance = np.diag(table.sum(axis=0) + table.sum(axis=1)) - table - table.T
    apart = table.sum(axis=1) - table.sum(axis=0)
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    if rank == 0:
        return _no_test("stuart-maxwell", n)
    statistic = float(apart @ np.linalg.pinv(covariance, hermitian=True) @ apart)
    return _chi_squared("stuart-maxwell", statistic, rank, n)


def _chi_squared(name: str, statistic: float, df: int, n: int) -> HomogeneityTest:
    p_value = float(library("scipy.stats").chi2.sf(statistic, df))
    return HomogeneityTest(name=name, statistic=statistic, df=df, p_value=p_value, n=n)


def _no_test(name: str, n: int) -> HomogeneityTest:
    reason = "the raters never differ" if n else "no unit has both labels"
    return HomogeneityTest(name=name, statistic=None, df=None, p_value=None, n=n, reason=reason)
