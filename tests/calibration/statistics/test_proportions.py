"""Intervals for a share: published values, scipy's, and what clusters and weights cost by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration.statistics.estimate import (
    Interval,
    beta_quantile,
    normal_quantile,
    t_quantile,
    t_two_sided_p,
)
from mmrare_judge.calibration.statistics.proportions import (
    clopper_pearson,
    design_share,
    rule_of_three,
    upper_limit,
    wilson,
)
from mmrare_judge.errors import ConfigError, InputError

# Newcombe (1998), table I: events, n, method 5 (Clopper-Pearson), method 3 (Wilson).
NEWCOMBE = [
    (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
    (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
    (0, 20, (0.0000, 0.1684), (0.0000, 0.1611)),
    (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
]


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


@pytest.mark.parametrize(("events", "n", "exact", "score"), NEWCOMBE)
def test_the_exact_and_the_score_interval_have_their_published_ends(
    events: int, n: int, exact: tuple[float, float], score: tuple[float, float]
) -> None:
    assert ends(clopper_pearson(events, n)) == pytest.approx(exact, abs=5e-5)
    assert ends(wilson(events, n)) == pytest.approx(score, abs=5e-5)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("events", "n"), [(0, 1), (1, 1), (3, 7), (50, 50), (137, 2000)])
def test_both_intervals_are_those_of_scipy(events: int, n: int, level: float) -> None:
    test = stats.binomtest(events, n)
    exact, score = (test.proportion_ci(level, method=method) for method in ("exact", "wilson"))
    assert ends(clopper_pearson(events, n, level=level)) == pytest.approx(exact, abs=1e-12)
    assert ends(wilson(events, n, level=level)) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize(("events", "n"), [(0, 12), (4, 30), (29, 30)])
def test_at_the_upper_limit_so_few_events_are_just_as_rare_as_the_level_says(
    events: int, n: int
) -> None:
    limit = upper_limit(events, n, level=0.9)
    assert stats.binom.cdf(events, n, limit) == pytest.approx(0.1)


def test_where_every_case_was_an_event_nothing_is_excluded_above() -> None:
    assert upper_limit(5, 5) == 1


# Hanley and Lippman-Hand (1983): exact upper limits beside 3/n; .05^(1/10) = .7411, and so on.
@pytest.mark.parametrize(
    ("n", "percent"), [(10, 26), (20, 14), (50, 6), (100, 3)], ids=lambda n: str(n)
)
def test_the_rule_of_three_has_its_published_values(n: int, percent: int) -> None:
    assert round(100 * rule_of_three(n)) == percent


def test_the_rule_of_three_is_the_one_sided_exact_limit_and_below_three_over_n() -> None:
    for n in (3, 17, 400, 90_000):
        assert rule_of_three(n) == pytest.approx(upper_limit(0, n))
        assert rule_of_three(n) < 3 / n
    assert rule_of_three(90_000) == pytest.approx(3 / 90_000, rel=0.002)


def test_clusters_cost_what_korn_and_graubard_say() -> None:
    # 1 1 | 1 0 | 0 0: share 1/2, residual sums 1, 0, -1.
    # V_clustered = 3/2 * 2/36 = 1/12; V_simple = 1/4 / 5 = 1/20; n V_simple / V_clustered = 3.6.
    # t(.975) is 2.570582 on 5 and 4.302653 on 2 degrees of freedom: 3.6 * .356937 = 1.28497.
    share = design_share(np.array([1.0, 1, 1, 0, 0, 0]), np.ones(6), np.array([0, 0, 1, 1, 2, 2]))
    assert share is not None
    assert share[0] == 0.5
    assert share.n_effective == pytest.approx(3.6 * (2.570582 / 4.302653) ** 2, rel=1e-6)
    assert (share.n, share.clusters) == (6, 3)


def test_unequal_weights_cost_what_korn_and_graubard_say() -> None:
    # Weights 1 1 3 3, values 1 0 1 0: V = 4/3 * (.25 + .25 + 2.25 + 2.25) / 64 = 5/48;
    # V_simple = 1/4 / 3 = 1/12; 4 * (1/12) / (5/48) = 3.2, which is Kish's 8^2 / 20 too.
    share = design_share(np.array([1.0, 0, 1, 0]), np.array([1.0, 1, 3, 3]), np.arange(4))
    assert share is not None
    assert share[0] == 0.5
    assert share.n_effective == pytest.approx(3.2)


def test_clusters_that_are_more_alike_than_chance_add_nothing_beyond_n() -> None:
    share = design_share(np.array([1.0, 0, 0, 1, 1, 0]), np.ones(6), np.array([0, 0, 1, 1, 2, 2]))
    assert share is not None
    assert share.n_effective == 6


def test_without_an_event_the_clusters_are_counted_and_the_weights_judged_by_kish() -> None:
    none = np.zeros(6)
    by_case = design_share(none, np.ones(6), np.array([0, 0, 1, 1, 2, 2]))
    # Kish: (1 + 1 + 1 + 1 + 1 + 5)^2 / (5 + 25) = 100 / 30.
    weighted = design_share(none, np.array([1.0, 1, 1, 1, 1, 5]), np.arange(6))
    assert by_case is not None
    assert weighted is not None
    assert (by_case.value, by_case.n_effective) == (0, 3)
    assert weighted.n_effective == pytest.approx(100 / 30)


def test_one_cluster_is_worth_one_unit_and_no_unit_is_no_share() -> None:
    share = design_share(np.array([1.0, 0, 1]), np.ones(3), np.zeros(3, dtype=np.int64))
    assert share is not None
    assert share.n_effective == 1
    assert design_share(np.array([]), np.array([]), np.array([], dtype=np.int64)) is None


@pytest.mark.parametrize(("events", "n"), [(3, 2), (-1, 5), (0, 0), (1, math.nan)])
def test_counts_that_make_no_share_are_refused(events: float, n: float) -> None:
    for interval in (clopper_pearson, wilson, upper_limit):
        with pytest.raises(InputError, match="are no share"):
            interval(events, n)


@pytest.mark.parametrize("level", [0, 1, 1.5, 95])
def test_a_level_that_is_no_probability_is_refused_by_every_interval(level: float) -> None:
    for interval in (clopper_pearson, wilson, upper_limit):
        with pytest.raises(ConfigError, match="must lie between 0 and 1"):
            interval(1, 5, level=level)
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        rule_of_three(5, level=level)


def test_quantiles_are_those_of_the_tables() -> None:
    # Student's t and normal from the usual tables; beta(1, 19) has .05^(1/19) in closed
    # form: P(X > x) = (1 - x)^19.
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert t_quantile(0.975, 4) == pytest.approx(2.776445, abs=1e-6)
    assert t_quantile(0.95, 1) == pytest.approx(6.313752, abs=1e-6)
    assert t_two_sided_p(2.776445, 4) == pytest.approx(0.05, abs=1e-7)
    assert beta_quantile(0.95, 1, 19) == pytest.approx(1 - 0.05 ** (1 / 19))
