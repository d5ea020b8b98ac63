"""Prediction-powered means: by hand, by other libraries, and when there is no interval."""

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration.analyses.correction import ppi_mean
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.errors import InputError

NAN = float("nan")
GOLD = [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0.5, 0.5]
JUDGE = [1, 0, 1, 0.5, 0, 0.5, 1, 1, 0, 0.5, 0.5, 1]
REST = [1, 1, 0.5, 0, 0, 0.5, 1, 1, 1, 0, 0.5, 0, 1, 1, 0.5, 0, 0.5, 1, 0, 0]
CHANCES = [0.5, 0.25, 0.5, 1, 0.2, 0.2, 0.4, 0.5, 0.25, 1, 0.5, 0.1]


def half_width(estimate: Estimate) -> float:
    assert estimate.interval is not None
    return (estimate.interval.high - estimate.interval.low) / 2


def yes_no(ones: int, zeros: int) -> list[float]:
    return [1.0] * ones + [0.0] * zeros


# ppi_mean_pointestimate and ppi_mean_ci of ppi-python 0.2.3 (Angelopoulos and others), level 95 %.
@pytest.mark.parametrize(
    ("published", "value", "low", "high"),
    [
        (0.0, 0.58333333, 0.32942601, 0.83724065),
        (0.5, 0.55416667, 0.34980513, 0.75852820),
        (1.0, 0.52500000, 0.27485918, 0.77514082),
    ],
)
def test_value_and_standard_error_are_those_of_the_published_library(
    published: float, value: float, low: float, high: float
) -> None:
    # The published lambda weighs the unlabelled mean alone: ours is lambda N / (N - n), 32 / 20.
    found = ppi_mean(JUDGE + REST, GOLD + [NAN] * 20, lam=published * 32 / 20)
    assert found.estimate.value == pytest.approx(value, abs=1e-8)
    # Its variances divide by n, not n - 1, and its quantile is the normal one.
    assert found.standard_error is not None
    theirs = (high - low) / 2 / 1.959964
    assert found.standard_error * (11 / 12) ** 0.5 == pytest.approx(theirs, rel=1e-6)


def test_lambda_value_and_interval_are_those_worked_by_hand() -> None:
    # 16 labelled, twice (f, y) = 11 11 11 10 | 00 00 00 01; 48 unlabelled with 36 ones.
    judge = yes_no(8, 8) + yes_no(36, 12)
    gold = yes_no(6, 2) + yes_no(2, 6) + [NAN] * 48
    found = ppi_mean(judge, gold)
    # cov(y, f) = 6/16 - 1/4 = 1/8, var f = 1/4 labelled and 3/16 unlabelled:
    # lambda = (1/8 / 16) / (1/4 / 16 + 3/16 / 48) = .4, and ours .4 * 64 / 48.
    assert found.lam == pytest.approx(0.4 * 64 / 48)
    assert found.estimate.value == pytest.approx(0.5 - 0.4 * (0.5 - 0.75))
    # Variance (1/4 - .8/8 + .16/4) / 16 + .16 * 3/16 / 48 = .0125, times 16/14; t(.975, 14).
    assert found.standard_error == pytest.approx((0.0125 * 16 / 14) ** 0.5)
    assert half_width(found.estimate) == pytest.approx(2.144787 * (0.0125 * 16 / 14) ** 0.5)
    assert found.estimate.name == "ppi"
    assert (found.estimate.n, found.estimate.clusters) == (64, 64)


def test_tuned_lambda_is_the_published_one_where_both_sides_are_alike() -> None:
    # PPI++, example 6.1: lambda = cov(y, f) / ((1 + n/N) var f); 12 labelled, 60 unlabelled.
    f, y = np.array(JUDGE), np.array(GOLD)
    expected = ((y - y.mean()) * (f - f.mean())).mean() / ((1 + 12 / 60) * f.var())
    found = ppi_mean(JUDGE * 6, GOLD + [NAN] * 60)
    assert found.lam == pytest.approx(expected * 72 / 60)
    assert found.estimate.value == pytest.approx(np.mean(GOLD))


def test_with_gold_everywhere_the_judge_has_nothing_to_add() -> None:
    found = ppi_mean(JUDGE, GOLD)
    assert found.lam == 0
    assert found.estimate.value == pytest.approx(np.mean(GOLD))
    # The t interval of a mean: SD / sqrt(n) with t(.975, 11) = 2.200985.
    assert half_width(found.estimate) == pytest.approx(2.200985 * np.std(GOLD, ddof=1) / 12**0.5)


def test_the_weighted_mean_has_the_standard_error_of_a_weighted_regression() -> None:
    # statsmodels 0.15: WLS of the gold on a constant, weights 1/chance, cov_type HC1.
    found = ppi_mean(JUDGE, GOLD, inclusion=CHANCES, lam=0)
    assert found.estimate.value == pytest.approx(0.40740741)
    assert found.standard_error == pytest.approx(0.11989428)


@pytest.mark.parametrize(
    ("inclusion", "value", "error"),
    [(None, 0.58333333, 0.15365907), (CHANCES, 0.40740741, 0.14660238)],
    ids=["uniform", "weighted"],
)
def test_clustered_standard_errors_are_those_of_a_regression_by_cluster(
    inclusion: list[float] | None, value: float, error: float
) -> None:
    # statsmodels 0.15: the same with cov_type cluster, six clusters of two.
    clusters = np.repeat(np.arange(6), 2)
    found = ppi_mean(JUDGE, GOLD, inclusion=inclusion, clusters=clusters, lam=0)
    assert found.estimate.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(error)


def test_two_copies_of_a_case_are_no_more_telling_than_one() -> None:
    judge, gold = JUDGE + REST, GOLD + [NAN] * 20
    once = ppi_mean(judge, gold)
    twice = ppi_mean(judge * 2, gold * 2, clusters=[*range(32), *range(32)])
    assert twice.lam == pytest.approx(once.lam)
    assert twice.estimate.value == pytest.approx(once.estimate.value)
    assert half_width(twice.estimate) == pytest.approx(half_width(once.estimate))


def test_one_chance_for_all_is_a_uniform_sample() -> None:
    judge, gold = JUDGE + REST, GOLD + [NAN] * 20
    weighted = ppi_mean(judge, gold, inclusion=[0.375] * 32, lam=0.7)
    plain = ppi_mean(judge, gold, lam=0.7)
    assert weighted.estimate.value == pytest.approx(plain.estimate.value)
    # The chances being known, the number chosen counts as random: nearly the same interval.
    assert half_width(weighted.estimate) == pytest.approx(half_width(plain.estimate), rel=0.01)


def test_unequal_weights_leave_fewer_degrees_of_freedom() -> None:
    # Weights 1/chance: 2 4 2 1 5 5 2.5 2 4 1 2 10, Kish 40.5^2 / 206.25 = 7.95273 units, so
    # t(.975) on 6.95273 degrees of freedom: between 2.364624 on 7 and 2.446912 on 6.
    found = ppi_mean(JUDGE, GOLD, inclusion=CHANCES, lam=0)
    expected = stats.t.ppf(0.975, 40.5**2 / 206.25 - 1) * 0.11989428
    assert half_width(found.estimate) == pytest.approx(expected)


def test_units_in_any_order_give_the_same_numbers() -> None:
    rng = np.random.default_rng(2)
    judge, gold = np.array(JUDGE + REST), np.array(GOLD + [NAN] * 20)
    clusters, order = np.arange(32) // 2, rng.permutation(32)
    first = ppi_mean(judge, gold, clusters=clusters)
    again = ppi_mean(judge[order], gold[order], clusters=clusters[order])
    assert again.estimate.value == pytest.approx(first.estimate.value)
    assert half_width(again.estimate) == pytest.approx(half_width(first.estimate))


def test_points_on_another_scale_give_the_same_answer_on_that_scale() -> None:
    judge, gold = np.array(JUDGE + REST), np.array(GOLD + [NAN] * 20)
    first, scaled = ppi_mean(judge, gold), ppi_mean(10 * judge - 3, 1e-6 * gold)
    assert first.estimate.value is not None
    assert scaled.estimate.value == pytest.approx(1e-6 * first.estimate.value)
    assert half_width(scaled.estimate) == pytest.approx(1e-6 * half_width(first.estimate))


@pytest.mark.parametrize(
    "judge",
    [[0.3] * 32, [1 - point for point in JUDGE] + REST, [NAN] * 32],
    ids=["never varies", "errs the wrong way round", "never answers"],
)
def test_a_judge_that_knows_nothing_is_left_out_and_it_is_said(judge: list[float]) -> None:
    gold = GOLD + [NAN] * 20
    found, alone = ppi_mean(judge, gold), ppi_mean(judge, gold, lam=0)
    assert found.lam == 0
    assert found.estimate.value == alone.estimate.value == pytest.approx(np.mean(GOLD))
    assert found.estimate.interval == alone.estimate.interval
    assert "the judge's points do not help; this is the labelled-only mean" in found.estimate.reason
    assert found.estimate.name == "ppi"


def test_the_labelled_only_mean_counts_the_labelled_units_and_cases() -> None:
    clusters = np.arange(32) // 2
    alone = ppi_mean([NAN] * 2 + JUDGE[2:] + REST, GOLD + [NAN] * 20, clusters=clusters, lam=0)
    kept = alone.estimate
    assert (kept.name, kept.n, kept.clusters, kept.missing) == ("labelled", 12, 6, 0)
    assert "do not help" not in kept.reason


def test_without_gold_there_is_no_value() -> None:
    for lam, name in ((None, "ppi"), (0.0, "labelled")):
        found = ppi_mean([1, 0, 1], [NAN] * 3, lam=lam).estimate
        assert (found.name, found.value, found.interval) == (name, None, None)
        assert found.reason == "no unit has a gold label"


@pytest.mark.parametrize("clusters", [1, 4])
def test_fewer_than_five_labelled_clusters_give_a_value_without_an_interval(clusters: int) -> None:
    ids = [f"case {unit % clusters}" for unit in range(12)] + [f"new {unit}" for unit in range(20)]
    found = ppi_mean(JUDGE + REST, GOLD + [NAN] * 20, clusters=ids)
    assert found.estimate.value is not None
    assert (found.estimate.interval, found.standard_error) == (None, None)
    assert found.estimate.reason.startswith(
        f"no interval: {clusters} labelled clusters, and 5 are the least"
    )


@pytest.mark.parametrize("label", [1.0, 0.1, 0.7])
@pytest.mark.parametrize("count", [5, 7, 11, 23, 49, 93])
def test_labels_that_are_all_alike_never_make_an_interval(count: int, label: float) -> None:
    # Rounding leaves sums of some 1e-17, which are no evidence of certainty.
    judge = [*np.linspace(0, 1, count), 0, 0, 0]
    chances = np.linspace(0.2, 0.9, count + 3)
    for inclusion in (None, chances):
        found = ppi_mean(judge, [label] * count + [NAN] * 3, inclusion=inclusion)
        assert found.estimate.value == pytest.approx(label)
        assert found.estimate.interval is None
        assert f"no interval: all {count} gold labels are alike" in found.estimate.reason


def test_fewer_than_five_labels_of_the_rarer_kind_are_too_few_for_a_t_interval() -> None:
    judge = yes_no(20, 80)
    four = ppi_mean(judge, yes_no(4, 36) + [NAN] * 60)
    assert four.estimate.value is not None
    assert four.estimate.interval is None
    assert four.estimate.reason == (
        "no interval: only 4 of 40 gold labels differ from the others; 5 are the least"
    )
    assert ppi_mean(judge, yes_no(5, 35) + [NAN] * 60).estimate.interval is not None


@pytest.mark.parametrize("labels", [(1, 0), (0.1, 0.3, 0.8)], ids=["binary", "rounded"])
def test_labels_that_differ_within_cases_only_say_nothing_of_other_cases(
    labels: tuple[float, ...],
) -> None:
    width = len(labels)
    clusters = [*np.repeat(np.arange(8), width), *range(10, 20)]
    judge = [*np.linspace(0, 1, 8 * width), *[1] * 10]
    found = ppi_mean(judge, [*labels] * 8 + [NAN] * 10, clusters=clusters)
    assert found.estimate.interval is None
    assert f"the {8 * width} gold labels differ within clusters only" in found.estimate.reason


@pytest.mark.parametrize("points", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("rest", [3, 11, 23, 49])
def test_a_judge_that_never_varies_has_no_weight_whatever_rounding_leaves(
    points: float, rest: int
) -> None:
    for inclusion in (None, np.linspace(0.2, 0.9, 12 + rest)):
        found = ppi_mean([points] * (12 + rest), GOLD + [NAN] * rest, inclusion=inclusion)
        assert found.lam == 0


def test_perfect_agreement_is_no_proof_of_a_perfect_judge() -> None:
    gold = yes_no(15, 15) + [NAN] * 60
    judge = yes_no(15, 15) + yes_no(40, 20)
    # 1 - .05^(1/30) = 9.5 % by units; 1 - .05^(1/10) = 25.9 % where ten cases gave three each.
    assert "up to 9.5% wrong verdicts" in ppi_mean(judge, gold).estimate.reason
    by_case = [unit // 3 for unit in range(90)]
    found = ppi_mean(judge, gold, clusters=by_case)
    assert "in 10 clusters up to 25.9% wrong verdicts" in found.estimate.reason


def test_few_clusters_are_said_to_be_few() -> None:
    found = ppi_mean(JUDGE + REST, GOLD + [NAN] * 20)
    assert found.estimate.reason == "only 12 labelled clusters: the interval is rough"


@pytest.mark.parametrize("lam", [-0.1, NAN, float("inf")])
def test_a_weight_on_the_judge_that_is_none_is_refused(lam: float) -> None:
    with pytest.raises(InputError, match="must be 0 or more"):
        ppi_mean(JUDGE, GOLD, lam=lam)


def test_vectors_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match="judge has 2 values where 3 are needed"):
        ppi_mean([1, 0], [1, 0, 1])
    with pytest.raises(InputError, match="inclusion has 1 values"):
        ppi_mean([1, 0], [1, 0], inclusion=[0.5])
