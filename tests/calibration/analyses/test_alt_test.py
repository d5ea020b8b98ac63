"""The alternative annotator test against scipy's t-test and labels counted by hand."""

import numpy as np
import pytest
from scipy import stats

from mmrare_judge.calibration.analyses.alt_test import EPSILONS, AltTest, alt_test
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.errors import InputError
from support.agreement_cases import NUMBERS, YES_NO

RATERS = ["judge", "a", "b", "c"]


def rated(rows: list[str], clusters: list[int] | None = None) -> Ratings:
    names: dict[str, Label] = {"Y": "YES", "N": "NO", ".": None}
    cells = [[names[cell] for cell in row] for row in rows]
    return Ratings.from_labels(cells, YES_NO, raters=RATERS, clusters=clusters)


def run(ratings: Ratings, **options: object) -> AltTest:
    return alt_test(ratings, judge="judge", resampling=None, **options)  # type: ignore[arg-type]  # options of the test


# 40 units: all agree on 30; on 6 the judge alone differs; on 4 clinician a alone differs.
COUNTED = rated(["YYYY"] * 15 + ["NNNN"] * 15 + ["NYYY"] * 6 + ["YNYY"] * 4)


def test_advantages_are_counted() -> None:
    found = {test.clinician: test for test in run(COUNTED).clinicians}
    # Against a: on the 4 the judge is nearer to b and c, on the 6 a is, else both are as near.
    assert (found["a"].judge_advantage, found["a"].clinician_advantage) == (34 / 40, 36 / 40)
    # Against b: on the 4 both equal one of a (NO) and c (YES); on the 6 only b is near.
    assert (found["b"].judge_advantage, found["b"].clinician_advantage) == (34 / 40, 40 / 40)
    assert run(COUNTED).advantage == pytest.approx(34 / 40)


def test_p_values_are_those_of_the_one_sided_t_test() -> None:
    # d = (clinician at least as near) - (judge at least as near): 6 times 1, 4 times -1.
    loss = [0.0] * 30 + [1.0] * 6 + [-1.0] * 4
    found = run(COUNTED).clinicians[0].p_values
    for epsilon in EPSILONS:
        expected = stats.ttest_1samp(loss, epsilon, alternative="less").pvalue
        assert found[epsilon] == pytest.approx(expected)


def test_the_t_statistic_by_hand_and_the_p_value_by_a_printed_table() -> None:
    # Against a: mean 2/40, sum of squares 10, variance (10 - 40 * .05²) / 39 = .25385,
    # SE sqrt(.25385 / 40) = .07966; epsilon .2: t = (.05 - .2) / .07966 = -1.883 on 39 degrees of
    # freedom, between 1.685 (5 %) and 2.023 (2.5 %) in the table of Student's t.
    found = run(COUNTED).clinicians[0].p_values
    assert 0.025 < found[0.2] < 0.05
    # epsilon .05: t = 0
    assert found[0.05] == pytest.approx(0.5)


def test_two_cases_by_hand() -> None:
    # Case 0: d = 1 and 0, case 1: d = -1 and 0. Mean 0, sums about it 1 and -1,
    # SE sqrt(2 / 1 * (1 + 1)) / 4 = 1/2. On one degree of freedom Student's t is Cauchy's
    # distribution: at epsilon .25, p = 1/2 + atan(-.25 / .5) / pi.
    ratings = rated(["NYYY", "YYYY", "YNYY", "NNNN"], clusters=[0, 0, 1, 1])
    found = run(ratings, min_units=2).clinicians[0]
    assert (found.n, found.clusters) == (4, 2)
    assert found.p_values[0.25] == pytest.approx(0.5 + np.arctan(-0.5) / np.pi)


def test_a_judge_who_copies_a_colleague_is_as_near_as_that_colleague() -> None:
    # The judge repeats b: against b it never loses and never wins, so rho there is 1 and d is 0.
    random = np.random.default_rng(3)
    rows = ["".join(random.choice(["Y", "N"], size=3)) for _ in range(60)]
    found = {t.clinician: t for t in run(rated([row[1] + row for row in rows])).clinicians}
    assert (found["b"].judge_advantage, found["b"].clinician_advantage) == (1, 1)
    assert found["b"].p_values[0.0] == 1


def test_the_grid_is_always_whole_and_omega_never_falls_along_it() -> None:
    grid = run(COUNTED).grid
    assert [row.epsilon for row in grid] == [0, 0.05, 0.1, 0.15, 0.2, 0.25]
    rates = [row.winning_rate or 0 for row in grid]
    assert rates == sorted(rates)


def test_omega_counts_rejections_by_benjamini_and_yekutieli() -> None:
    # a: mean .05, b and c: mean .15, all with known errors; thresholds .05 * rank / (3 * 11/6).
    found = run(COUNTED)
    for row in found.grid:
        values = sorted(test.p_values[row.epsilon] for test in found.clinicians)
        limits = [0.05 * rank / (3 * (1 + 1 / 2 + 1 / 3)) for rank in (1, 2, 3)]
        passing = [rank for rank in (1, 2, 3) if values[rank - 1] <= limits[rank - 1]]
        assert row.winning_rate == pytest.approx(max(passing, default=0) / 3)


def test_a_judge_like_a_coin_passes_at_a_large_epsilon_and_kappa_tells() -> None:
    # Clinicians say YES nineteen times in twenty; so does the judge, without looking.
    random = np.random.default_rng(1)
    rows = ["".join(random.choice(["Y", "N"], p=[0.95, 0.05], size=4)) for _ in range(300)]
    found = run(rated(rows))
    assert found.grid[4].epsilon == 0.2
    assert found.grid[4].passed
    assert found.kappa is not None
    assert found.kappa.value is not None
    assert abs(found.kappa.value) < 0.1


def test_where_nothing_varies_the_original_divides_by_zero_and_this_does_not() -> None:
    found = run(rated(["YYYY", "NNNN"] * 20))
    assert [row.winning_rate for row in found.grid] == [0, 1, 1, 1, 1, 1]
    assert found.clinicians[0].p_values[0.0] == 1
    assert found.clinicians[0].p_values[0.05] == 0
    assert found.advantage == 1


def test_clinicians_with_too_few_units_do_not_count_and_are_named() -> None:
    found = run(rated(["YYYY"] * 20 + ["NNN."] * 20))
    assert [test.left_out for test in found.clinicians] == ["", "", "20 units, where 30 are needed"]
    assert "c left out: 20 units, where 30 are needed" in found.reason
    assert "fewer than three clinicians" in found.reason


def test_without_any_clinician_there_is_no_outcome_but_a_reason() -> None:
    found = run(rated(["YYYY", "NNNN"]))
    assert found.advantage is None
    assert all(row.winning_rate is None and row.passed is None for row in found.grid)
    assert found.reason.startswith("no clinician has enough units")


def test_units_of_one_case_do_not_count_as_independent() -> None:
    rows = ["YYYY"] * 15 + ["NNNN"] * 15 + ["NYYY"] * 6 + ["YNYY"] * 4
    doubled = rated(rows * 2, clusters=[*range(40), *range(40)])
    clustered = run(doubled).clinicians[0].p_values
    independent = run(doubled, errors="independent").clinicians[0].p_values
    assert clustered == pytest.approx(run(COUNTED).clinicians[0].p_values)
    assert independent[0.2] < clustered[0.2]


def test_one_case_is_no_test() -> None:
    found = run(rated(["YYYY"] * 40, clusters=[0] * 40))
    assert found.clinicians[0].left_out == "only one cluster"


def test_nearness_in_numbers_is_the_root_mean_squared_error() -> None:
    # Others 0 and 4: judge at 3 errs by sqrt((9 + 1) / 2), clinician a at 2 by sqrt((4 + 4) / 2).
    rows: list[list[Label]] = [[3.0, 2.0, 0.0, 4.0], [2.0, 3.0, 0.0, 4.0], [1.0, 1.0, 0.0, 4.0]]
    ratings = Ratings.from_labels(rows, NUMBERS, raters=RATERS)
    found = alt_test(ratings, judge="judge", scoring="neg_rmse", min_units=3, resampling=None)
    assert found.clinicians[0].judge_advantage == pytest.approx(2 / 3)
    assert found.clinicians[0].clinician_advantage == pytest.approx(2 / 3)
    assert found.kappa is None


def test_units_with_too_few_other_clinicians_are_left_out() -> None:
    ratings = rated(["YYYY"] * 30 + ["YYY."] * 10)
    found = run(ratings, min_others=2)
    assert [test.n for test in found.clinicians] == [30, 30, 30]


def test_numbers_are_needed_for_the_error() -> None:
    scale = Scale(level="nominal", categories=("a", "b"))
    ratings = Ratings.from_labels([["a", "a", "b"]], scale, raters=["judge", "x", "y"])
    with pytest.raises(InputError, match="needs numbers"):
        run(ratings, scoring="neg_rmse")


@pytest.mark.parametrize(
    ("raters", "scoring", "problem"),
    [(["judge", "a"], "accuracy", "two clinicians or more, not 1"), (RATERS, "f1", "scoring 'f1'")],
    ids=["one clinician", "unknown scoring"],
)
def test_what_the_test_cannot_do_is_refused(raters: list[str], scoring: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        run(COUNTED.only(*raters), scoring=scoring)
