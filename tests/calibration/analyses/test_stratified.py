"""Stratified prediction-powered means: by hand, beside the plain one, and by simulation."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from mmrare_judge.calibration.analyses.correction import corrected_score, ppi_mean
from mmrare_judge.errors import InputError

NAN = float("nan")
# Stratum a: 12 units, 6 labelled; b: 8 units, 4 labelled.
STRATA = ["a"] * 12 + ["b"] * 8
GOLD = [1, 1, 1, 1, 0, 0, *[NAN] * 6, 1, 0, 0, 0, *[NAN] * 4]
JUDGE = [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1]


def test_labelled_only_mean_variance_and_freedom_are_those_worked_by_hand() -> None:
    found = ppi_mean(JUDGE, GOLD, strata=STRATA, lam=0)
    # .6 * 4/6 + .4 * 1/4; .6² * 2/45 + .4² / 16
    assert found.estimate.value == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(0.026**0.5)
    freedom = 0.026**2 / (0.016**2 / 5 + 0.01**2 / 3)
    assert found.estimate.interval is not None
    half = stats.t.ppf(0.975, freedom) * 0.026**0.5
    assert found.estimate.interval.high == pytest.approx(0.5 + half)


def test_corrected_mean_and_variance_are_those_worked_by_hand() -> None:
    found = ppi_mean(JUDGE, GOLD, strata=STRATA, lam=1)
    # a: 2/3 + (7/12 - 6/12) = 3/4; b: 1/4 - (4/8 - 3/8) = 1/8
    assert found.estimate.value == pytest.approx(0.6 * 0.75 + 0.4 * 0.125)
    # a: 6/5 (.708333 / 36 + .25 * 4/3 / 36) = .0347222; b: 4/3 (.5 / 16 + .25 * .75 / 16)
    variance = 0.36 * 0.0347222 + 0.16 * 0.0572917
    assert found.standard_error == pytest.approx(variance**0.5, rel=1e-5)


@pytest.mark.parametrize("lam", [None, 0, 0.7])
def test_one_stratum_gives_what_the_plain_mean_gives(lam: float | None) -> None:
    cases = [n // 2 for n in range(20)]
    plain = ppi_mean(JUDGE, GOLD, clusters=cases, lam=lam)
    found = ppi_mean(JUDGE, GOLD, clusters=cases, lam=lam, strata=["all"] * 20)
    assert plain.standard_error is not None
    assert found.estimate.value == pytest.approx(plain.estimate.value)
    assert found.standard_error == pytest.approx(plain.standard_error)
    assert found.lam == pytest.approx(plain.lam)
    assert found.estimate.interval is not None
    assert plain.estimate.interval is not None
    assert found.estimate.interval.low == pytest.approx(plain.estimate.interval.low)


def test_a_stratum_with_one_labelled_case_gives_no_interval_and_says_so() -> None:
    found = ppi_mean([*JUDGE, 1, 0], [*GOLD, 1, NAN], strata=[*STRATA, "c", "c"]).estimate
    assert found.value is not None
    assert found.interval is None
    assert "1 labelled cluster in stratum c" in found.reason


def test_a_stratum_without_gold_gives_no_value() -> None:
    found = ppi_mean([*JUDGE, 1, 0], [*GOLD, NAN, NAN], strata=[*STRATA, "c", "c"]).estimate
    assert found.value is None
    assert found.reason == "no unit has a gold label in stratum c"


def test_a_case_in_several_strata_gives_no_interval() -> None:
    cases = [*range(19), 0]
    found = ppi_mean(JUDGE, GOLD, strata=STRATA, clusters=cases).estimate
    assert found.interval is None
    assert "1 clusters lie in several strata" in found.reason


def test_strata_of_some_units_only_are_refused() -> None:
    with pytest.raises(InputError, match="stratum of each of 20 units"):
        ppi_mean(JUDGE, GOLD, strata=STRATA[:10])


def test_a_score_by_strata_is_the_stratified_mean() -> None:
    found = corrected_score(JUDGE, GOLD, strata=STRATA)
    assert found.ppi == ppi_mean(JUDGE, GOLD, strata=STRATA).estimate
    assert found.labelled.value == pytest.approx(0.5)


def drawn(
    rng: np.random.Generator, sizes: list[int], rates: list[float], labelled: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int]]:
    strata = [h for h, size in enumerate(sizes) for _ in range(size)]
    truth = (rng.random(len(strata)) < np.repeat(rates, sizes)).astype(float)
    judge = np.where(rng.random(len(strata)) < 0.85, truth, 1 - truth)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    chosen = np.concatenate([np.arange(start, start + labelled) for start in starts])
    gold = np.full(len(strata), NAN)
    gold[chosen] = truth[chosen]
    return judge, gold, strata


@pytest.mark.parametrize("labelled", [10, 30])
def test_interval_covers_the_mean_where_gold_is_drawn_unevenly_by_strata(labelled: int) -> None:
    rng, sizes, rates = np.random.default_rng(20240604), [300, 150, 50], [0.25, 0.5, 0.8]
    truth = (300 * 0.25 + 150 * 0.5 + 50 * 0.8) / 500
    covered, plain = [], []
    for _ in range(600):
        judge, gold, strata = drawn(rng, sizes, rates, labelled)
        found = ppi_mean(judge, gold, strata=strata).estimate
        assert found.interval is not None
        assert found.value is not None
        covered.append(found.interval.low <= truth <= found.interval.high)
        unaware = ppi_mean(judge, gold).estimate.value
        assert unaware is not None
        plain.append((found.value, unaware))
    # Above 97 % where a large stratum has few labels off the most frequent one: widened.
    assert np.mean(covered) >= 0.93
    stratified, unstratified = np.mean(plain, axis=0)
    assert abs(stratified - truth) < 0.01 < abs(unstratified - truth)
