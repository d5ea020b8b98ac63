"""Intervals: what they are by hand, by scipy, and how often they cover the truth."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration.statistics.bootstrap import (
    Resampling,
    cluster_table,
    intervals,
    left_out,
    replicates,
    resampled,
)
from mmrare_judge.calibration.statistics.estimate import Floats, Interval
from mmrare_judge.calibration.statistics.ratings import Ratings
from mmrare_judge.calibration.statistics.table import estimate, estimates, statistic
from mmrare_judge.errors import InputError, MissingExtraError
from support.agreement_cases import GRADED, NUMBERS, YES_NO, random_labels


def measured(ends: Interval | None) -> tuple[float, float]:
    assert ends is not None
    return ends.low, ends.high


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    ratings = random_labels(GRADED, raters=3, seed=1, units=200)
    first, again, other = (
        estimate(ratings, "icc_2_1", resampling=Resampling(seed=seed)).interval
        for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_statistics_asked_for_together_get_the_intervals_they_get_alone() -> None:
    ratings = random_labels(GRADED, raters=3, seed=1, units=200)
    together = estimates(ratings)
    assert together["gwet_ac1"] == estimate(ratings, "gwet_ac1")
    assert together["icc_2_1"] == estimate(ratings, "icc_2_1")


def test_below_20_clusters_the_jackknife_of_a_mean_is_the_classical_t_interval() -> None:
    # Differences 1, 2, 3, 4, 10: mean 4, SD sqrt(50 / 4), t = 2.776 on 4 degrees of freedom.
    rows = [[difference, 0.0] for difference in (1.0, 2.0, 3.0, 4.0, 10.0)]
    found = estimate(Ratings.from_labels(rows, NUMBERS), "leniency")
    half = 2.7764451 * (50 / 4) ** 0.5 / 5**0.5
    assert measured(found.interval) == pytest.approx((4 - half, 4 + half))
    assert found.interval is not None
    assert found.interval.method == "jackknife-t"
    assert found.reason.startswith("fewer than 20 clusters")


def test_two_units_of_one_case_are_no_more_telling_than_one() -> None:
    rows = [[difference, 0.0] for difference in (1.0, 2.0, 3.0, 4.0, 10.0)]
    once = estimate(Ratings.from_labels(rows, NUMBERS), "leniency")
    twice = Ratings.from_labels(rows * 2, NUMBERS, clusters=[*range(5), *range(5)])
    assert measured(estimate(twice, "leniency").interval) == pytest.approx(measured(once.interval))


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_of_a_mean_are_those_of_scipy(method: str) -> None:
    sample = np.random.default_rng(3).exponential(size=50)
    ratings = Ratings.from_labels([[float(number), 0.0] for number in sample], NUMBERS)
    resampling = Resampling(resamples=20_000, method=method)  # type: ignore[arg-type]  # a word
    ours = estimate(ratings, "leniency", resampling=resampling).interval
    theirs = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method=method.replace("bca", "BCa"), rng=1
    )
    # Two runs of 20,000 resamples differ by about a hundredth of the interval's width.
    assert measured(ours) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_an_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    # 20 cases of three units; in 10 cases the raters agree throughout, in 10 nowhere. A resample
    # holds Bin(20, 1/2) agreeing cases: P(<= 5) = .0207, P(<= 6) = .0577, so the ends are 6/20
    # and 14/20.
    rows = [["YES", "YES"]] * 30 + [["YES", "NO"]] * 30
    ratings = Ratings.from_labels(rows, YES_NO, clusters=[unit // 3 for unit in range(60)])
    resampling = Resampling(resamples=20_000, method="percentile")
    found = estimate(ratings, "percent_agreement", resampling=resampling)
    assert measured(found.interval) == (0.3, 0.7)


def test_a_resample_draws_whole_clusters() -> None:
    ratings = random_labels(YES_NO, raters=2, seed=1, units=100)  # 20 cases of 5 units
    for weights in resampled(cluster_table(ratings), Resampling(resamples=300)):
        assert (weights.sum(axis=1) == 100).all()


def test_leaving_a_cluster_out_takes_its_units_and_no_others() -> None:
    ratings = random_labels(YES_NO, raters=2, seed=1, units=25)
    table = cluster_table(ratings)
    sizes = [weights.sum(axis=1) for weights in left_out(table)]
    assert np.concatenate(sizes).tolist() == [20.0] * len(table.multiplicity)
    assert table.total.tolist() == ratings.pattern_weights.tolist()


def test_drawing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = random_labels(GRADED, raters=3, seed=1, units=200)
    whole = estimate(ratings, "gwet_ac1", resampling=Resampling(method="bca"))
    monkeypatch.setattr("mmrare_judge.calibration.statistics.bootstrap.CELLS_AT_ONCE", 1000)
    pieces = estimate(ratings, "gwet_ac1", resampling=Resampling(method="bca"))
    assert measured(pieces.interval) == pytest.approx(measured(whole.interval))


def test_undefined_resamples_are_counted_and_said() -> None:
    # One positive in 30: a share (29/30)^30 = .36 of resamples has none, and no such number.
    def share(weights: Floats) -> Floats:
        return np.where(weights[:, 1] > 0, weights[:, 0], np.nan)

    ratings = Ratings.from_labels([["YES", "YES"]] + [["NO", "NO"]] * 29, YES_NO)
    interval, reason = intervals({"it": share}, cluster_table(ratings), Resampling())["it"]
    assert interval is not None
    assert interval.undefined == pytest.approx(2000 * (29 / 30) ** 30, abs=80)
    assert f"undefined in {interval.undefined} of 2,000 resamples" in reason


def test_more_undefined_than_defined_resamples_give_no_interval() -> None:
    def rarely(weights: Floats) -> Floats:
        return np.where(weights[:, 1] > 3, 1.0, np.nan)

    ratings = Ratings.from_labels([["YES", "NO"]] + [["NO", "NO"]] * 29, YES_NO)
    interval, reason = intervals({"rarely": rarely}, cluster_table(ratings), Resampling())["rarely"]
    assert interval is None
    assert reason.endswith("too many for an interval")


def test_one_cluster_has_no_interval() -> None:
    ratings = Ratings.from_labels([["YES", "NO"], ["NO", "NO"]], YES_NO, clusters=["a", "a"])
    found = estimate(ratings, "percent_agreement")
    assert found.interval is None
    assert found.reason == "fewer than two clusters: no interval"


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_a_bootstrap_without_any_spread_gives_no_interval(method: str) -> None:
    ratings = Ratings.from_labels([["YES", "YES"], ["NO", "NO"]] * 20, YES_NO)
    resampling = Resampling(method=method)  # type: ignore[arg-type]  # a word
    found = estimate(ratings, "cohen_kappa", resampling=resampling)
    assert found.interval is None
    assert "every resample gave the same value: no interval" in found.reason


def test_bca_says_where_it_had_to_be_a_percentile_interval() -> None:
    # Greatest where each of 40 different units is drawn once: every resample lies below.
    def spread(weights: Floats) -> Floats:
        return np.asarray(-((weights - 1) ** 2).sum(axis=1))

    ratings = Ratings.from_labels([[float(n), 0.0] for n in range(40)], NUMBERS)
    resampling = Resampling(method="bca")
    interval, reason = intervals({"it": spread}, cluster_table(ratings), resampling)["it"]
    assert interval is not None
    assert interval.method == "percentile"
    assert reason.startswith("percentile instead of bca: all resamples lie on one side")


def test_weights_shift_the_interval_too() -> None:
    # Units on which the raters agree weigh nothing: what is left is disagreement.
    rows = [["YES", "YES"]] * 30 + [["YES", "NO"]] * 30
    plain = Ratings.from_labels(rows, YES_NO)
    ratings = replace(plain, weights=np.array([0.0] * 30 + [1.0] * 30))
    half = replace(plain, weights=np.array([1.0] * 30 + [3.0] * 30))
    found, before = estimate(half, "percent_agreement"), estimate(plain, "percent_agreement")
    assert (found.value, before.value) == (0.25, 0.5)
    assert measured(found.interval)[1] < measured(before.interval)[1]
    assert estimate(ratings, "percent_agreement").value == 0


@pytest.mark.parametrize("weights", [[-1.0], [float("nan")]], ids=["negative", "not a number"])
def test_an_impossible_weight_is_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="negative or not finite"):
        Ratings.from_labels([["YES", "NO"]], YES_NO, weights=weights)


def clustered_agreement(random: np.random.Generator, cases: int) -> Ratings:
    """Five units a case; agreement is 1 in half of the cases and .4 in the others: .7 in all."""
    chance = np.repeat(np.where(random.random(cases) < 0.5, 1.0, 0.4), 5)
    agree = random.random(cases * 5) < chance
    codes = np.column_stack([np.ones(cases * 5, dtype=np.int64), agree.astype(np.int64)])
    blank = Ratings.from_labels([["YES", "YES"]] * (cases * 5), YES_NO)
    return replace(blank, codes=codes, clusters=np.repeat(np.arange(cases), 5))


def test_a_95_percent_interval_over_clusters_covers_93_to_97_percent() -> None:
    # 1,500 samples: the standard error of the coverage is .6 %.
    random = np.random.default_rng(11)
    covered = {"cases": 0, "units": 0}
    row = statistic("percent_agreement")
    for seed in range(1500):
        ratings = clustered_agreement(random, cases=100)
        loose = replace(ratings, clusters=np.arange(ratings.units))
        for name, sample in (("cases", ratings), ("units", loose)):
            functional = {"it": partial(row.compute, sample.patterns)}
            resampling = Resampling(resamples=400, seed=seed)
            found, _ = intervals(functional, cluster_table(sample), resampling)["it"]
            low, high = measured(found)
            covered[name] += low <= 0.7 <= high
    assert 0.93 <= covered["cases"] / 1500 <= 0.97
    # Within cases units correlate by .09 / .21: units for clusters cover far too seldom.
    assert covered["units"] / 1500 < 0.85


def test_with_few_cases_a_jackknife_t_interval_still_covers() -> None:
    # 12 cases, 1,500 samples: the standard error of the coverage is .6 %.
    random = np.random.default_rng(13)
    row, covered = statistic("percent_agreement"), 0
    for _ in range(1500):
        sample = clustered_agreement(random, cases=12)
        functional = {"it": partial(row.compute, sample.patterns)}
        found, _ = intervals(functional, cluster_table(sample), Resampling())["it"]
        low, high = measured(found)
        covered += low <= 0.7 <= high
    assert 0.93 <= covered / 1500 <= 0.97


def test_replicates_keep_the_order_of_samples() -> None:
    samples = [np.array([[1.0], [2.0]]), np.array([[3.0]])]
    found = replicates({"first": lambda weights: weights[:, 0]}, samples)
    assert found["first"].tolist() == [1, 2, 3]


WITHOUT = """
import sys
sys.modules["numpy"] = None
try:
    import mmrare_judge.calibration
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_without_numpy_the_package_says_what_to_install() -> None:
    command = [sys.executable, "-c", WITHOUT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(
        "MissingExtraError numpy is not installed; "
        "install it with: pip install 'mmrare-judge[calibration]'"
    )


@pytest.mark.parametrize(
    ("module", "name", "package"),
    [
        ("sklearn.metrics", "cohen_kappa", "scikit-learn"),
        ("krippendorff", "alpha_nominal", "krippendorff"),
        ("scipy.sparse", "scott_pi", "scipy"),
    ],
    ids=["scikit-learn", "krippendorff", "scipy"],
)
def test_a_missing_library_is_named_with_the_install_line(
    module: str, name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    ratings = Ratings.from_labels([["YES", "YES"], ["NO", "NO"]], YES_NO)
    with pytest.raises(MissingExtraError, match=rf"{package} is not.*mmrare-judge\[calibration\]"):
        estimate(ratings, name)


LIGHT = """
import sys
import mmrare_judge.calibration.statistics.table, mmrare_judge.calibration.analyses.alt_test
import mmrare_judge.calibration.statistics.proportions, mmrare_judge.calibration.analyses.ceiling
import mmrare_judge.calibration.gold.labels, mmrare_judge.calibration.gold.reading
slow = {"scipy", "sklearn", "krippendorff", "pandas", "matplotlib", "litellm"}
print(sorted(slow & set(sys.modules)))
"""


def test_importing_the_modules_loads_no_library_but_numpy() -> None:
    command = [sys.executable, "-c", LIGHT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
