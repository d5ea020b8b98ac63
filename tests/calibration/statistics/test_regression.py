"""Slopes with cluster-robust errors against formulas written out, and where they must say no."""

import numpy as np
import pytest

from mmrare_judge.calibration.statistics.regression import (
    clustered_mean,
    clustered_slope,
    dummies,
    first_coefficient,
)
from mmrare_judge.errors import InputError


def written_out(design: np.ndarray, outcome: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """CR2 and its degrees of freedom by n x n matrices: Pustejovsky and Tipton (2018)."""
    bread = np.linalg.inv(design.T @ design)
    residual_maker = np.eye(len(outcome)) - design @ bread @ design.T
    residuals = residual_maker @ outcome
    variance, columns = 0.0, []
    for code in np.unique(codes):
        rows = codes == code
        values, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        adjusted = vectors @ np.diag(values**-0.5) @ vectors.T @ design[rows] @ bread[:, 0]
        variance += float(adjusted @ residuals[rows]) ** 2
        columns.append(residual_maker[:, rows] @ adjusted)
    moments = np.array(columns) @ np.array(columns).T
    return variance, np.trace(moments) ** 2 / np.trace(moments @ moments)


def test_value_error_and_freedom_are_those_of_the_formula_written_out() -> None:
    random = np.random.default_rng(1)
    codes, levels = random.integers(0, 11, 60), random.integers(0, 3, 60).astype(float)
    slope = random.normal(size=60) + 0.1 * codes
    design = np.column_stack([slope, dummies(levels)])
    outcome = slope + random.normal(size=60) + random.normal(size=11)[codes]
    found = first_coefficient(design, outcome, codes)
    variance, freedom = written_out(design, outcome, codes)
    assert found.value == pytest.approx(np.linalg.lstsq(design, outcome, rcond=None)[0][0])
    assert found.error**2 == pytest.approx(variance)
    assert found.freedom == pytest.approx(freedom)


def test_with_one_unit_a_cluster_the_error_is_hc2() -> None:
    # statsmodels 0.14, OLS(y, [1, x]).fit(cov_type="HC2"): slope .8970588, bse .1427080.
    x = np.array([0.0, 1, 2, 3, 4, 6, 7, 9])
    y = np.array([1.0, 1, 2, 5, 3, 5, 9, 8])
    found = first_coefficient(np.column_stack([x, np.ones(8)]), y, np.arange(8))
    assert found.value == pytest.approx(0.8970588)
    assert found.error == pytest.approx(0.1427080, abs=1e-7)


def test_two_groups_have_welchs_error_and_the_freedom_of_imbens_and_kolesar() -> None:
    # Imbens and Kolesar (2016), two groups of n1 and n0:
    # s1^2/n1 + s0^2/n0, and (1/n1 + 1/n0)^2 / (1/(n1^2 (n1-1)) + 1/(n0^2 (n0-1))).
    one, other = np.array([2.0, 5.0, 8.0]), np.array([0.0, 1.0, 1.0, 2.0, 4.0, 4.0, 9.0])
    member = np.repeat([1.0, 0.0], [3, 7])
    design = np.column_stack([member, np.ones(10)])
    found = first_coefficient(design, np.concatenate([one, other]), np.arange(10))
    assert found.value == pytest.approx(5 - 3)
    assert found.error**2 == pytest.approx(one.var(ddof=1) / 3 + other.var(ddof=1) / 7)
    freedom = (1 / 3 + 1 / 7) ** 2 / (1 / (9 * 2) + 1 / (49 * 6))
    assert found.freedom == pytest.approx(freedom)


def test_a_mean_over_clusters_of_one_size_is_the_t_interval_of_their_means() -> None:
    # Cluster means 1, 3, 5, 7: mean 4, SD sqrt(20/3), error sqrt(20/3/4) = 1.29099, t(3) = 3.18245.
    values = np.array([0.0, 2, 2, 4, 5, 5, 6, 8])
    found = clustered_mean("mean", values, np.repeat(np.arange(4), 2)).estimate
    assert found.value == 4
    assert found.interval is not None
    assert found.interval.low == pytest.approx(4 - 3.18245 * 1.29099, abs=1e-4)
    assert found.interval.high == pytest.approx(4 + 3.18245 * 1.29099, abs=1e-4)
    assert found.reason == "only 3.0 degrees of freedom: the interval is rough"


def test_terms_may_determine_each_other_but_not_the_first() -> None:
    random = np.random.default_rng(4)
    first, other = random.normal(size=30), random.normal(size=30)
    outcome = first + random.normal(size=30)
    plain = np.column_stack([first, other, np.ones(30)])
    twice = np.column_stack([plain, 2 * other])
    fits = [clustered_slope("b", design, outcome, np.arange(30)) for design in (plain, twice)]
    assert fits[0].estimate.value == pytest.approx(fits[1].estimate.value)
    assert fits[0].p_value == pytest.approx(fits[1].p_value)
    same = clustered_slope("b", np.column_stack([other, 2 * other]), outcome, np.arange(30))
    assert same.estimate.value is None
    assert same.estimate.reason == "it does not vary once the other terms are held fixed"


def test_what_hangs_on_a_single_cluster_has_a_value_and_no_interval() -> None:
    codes = np.repeat(np.arange(10), 3)
    design = np.column_stack([(codes == 4).astype(float), np.ones(30)])
    found = clustered_slope("gap", design, np.random.default_rng(0).normal(size=30), codes)
    assert found.estimate.value is not None
    assert found.estimate.interval is None
    assert found.p_value is None
    assert found.estimate.reason == "no interval: it hangs on a single cluster"


def test_a_level_that_one_cluster_alone_shows_does_no_harm() -> None:
    random = np.random.default_rng(6)
    codes = np.repeat(np.arange(12), 5)
    levels = np.where(codes == 3, 2.0, codes % 2)
    term = random.normal(size=60)
    design = np.column_stack([term, dummies(levels)])
    found = clustered_slope("slope", design, random.normal(size=60), codes)
    assert found.p_value is not None


def test_many_units_in_blocks_give_what_they_give_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    codes = random.integers(0, 40, 200)
    design = np.column_stack(
        [random.normal(size=200), dummies(random.integers(0, 4, 200).astype(np.float64))]
    )
    outcome = random.normal(size=200)
    whole = first_coefficient(design, outcome, codes)
    monkeypatch.setattr("mmrare_judge.calibration.statistics.regression.CELLS_AT_ONCE", 300)
    assert first_coefficient(design, outcome, codes) == pytest.approx(whole)


FEW = {
    "none": ([], [], None, "no unit has both values"),
    "one cluster": ([1.0, 3.0], [0, 0], 2.0, "no interval: 1 cluster is too few"),
    "two clusters": ([1.0, 3.0], [0, 1], 2.0, "no interval: 2 clusters are too few"),
    "all equal": ([1.0] * 5, range(5), 1.0, "no interval: the residuals are all zero"),
}


@pytest.mark.parametrize(("values", "codes", "value", "reason"), FEW.values(), ids=FEW)
def test_where_there_is_no_interval_it_says_why(
    values: list[float], codes: list[int], value: float | None, reason: str
) -> None:
    found = clustered_mean("mean", np.array(values), np.array(list(codes), dtype=np.int64))
    assert found.estimate.value == value
    assert found.estimate.interval is None
    assert found.estimate.reason == reason
    assert found.p_value is None


def test_lengths_have_to_fit() -> None:
    with pytest.raises(InputError, match="3 rows, 2 outcomes, 3 clusters"):
        clustered_slope("b", np.ones((3, 1)), np.ones(2), np.arange(3))
