"""Tests of equal margins beyond the published tables of test_agreement."""

import pytest
from scipy.stats import chi2

from mmrare_judge.calibration.statistics.proportions import marginal_homogeneity
from mmrare_judge.calibration.statistics.ratings import Ratings, Scale
from mmrare_judge.errors import InputError
from support.agreement_cases import NUMBERS, YES_NO, from_table

THREE = Scale(level="nominal", categories=("a", "b", "c"))
FOUR = Scale(level="nominal", categories=("a", "b", "c", "d"))


def test_stuart_maxwell_of_a_table_worked_by_hand() -> None:
    # Rows 20, 30, 50, columns 40, 30, 30: d = (-20, 0, 20). Off the diagonal o_ab + o_ba = 9,
    # o_ac + o_ca = 15, o_bc + o_cb = 9, so that S = [[24, -9], [-9, 18]] for a and b, its
    # determinant 351, and d' S^-1 d = 400 * 18 / 351.
    table = [[18, 1, 1], [8, 21, 1], [14, 8, 28]]
    found = marginal_homogeneity(from_table(table, THREE))
    assert found.statistic == pytest.approx(400 * 18 / 351)
    assert found.df == 2
    assert found.p_value == pytest.approx(chi2.sf(400 * 18 / 351, 2))
    assert found.n == 100


def test_a_category_on_which_the_raters_never_differ_leaves_mcnemar_of_the_others() -> None:
    for table in ([[5, 0, 0], [0, 20, 30], [0, 10, 40]], [[20, 30, 0], [10, 40, 0], [0, 0, 5]]):
        found = marginal_homogeneity(from_table(table, THREE))
        assert found.df == 1
        assert found.statistic == pytest.approx((30 - 10) ** 2 / 40)


def test_two_separate_pairs_of_categories_add_up() -> None:
    # a and b are mixed up 9 and 4 times, c and d 6 and 3 times: 25/13 + 9/9 on two degrees.
    table = [[8, 9, 0, 0], [4, 8, 0, 0], [0, 0, 8, 6], [0, 0, 3, 8]]
    found = marginal_homogeneity(from_table(table, FOUR))
    assert found.df == 2
    assert found.statistic == pytest.approx(25 / 13 + 1)


def test_the_order_of_raters_does_not_matter() -> None:
    table = [[18, 1, 1], [8, 21, 1], [14, 8, 28]]
    turned = [list(column) for column in zip(*table, strict=True)]
    first, second = (marginal_homogeneity(from_table(t, THREE)) for t in (table, turned))
    assert first.p_value == pytest.approx(second.p_value)


WITHOUT = {
    "alike, two": ([["YES", "YES"], ["NO", "NO"]], YES_NO, "the raters never differ"),
    "alike, three": ([["a", "a"], ["b", "b"]], THREE, "the raters never differ"),
    "no pair, two": ([["YES", None]], YES_NO, "no unit has both labels"),
    "no pair, three": ([["a", None]], THREE, "no unit has both labels"),
}


@pytest.mark.parametrize(("rows", "scale", "reason"), WITHOUT.values(), ids=WITHOUT)
def test_where_there_is_no_test_it_says_why(
    rows: list[list[str | None]], scale: Scale, reason: str
) -> None:
    found = marginal_homogeneity(Ratings.from_labels(rows, scale))
    assert found.p_value is None
    assert found.statistic is None
    assert found.reason == reason


def test_several_units_a_case_are_warned_of() -> None:
    rows = [["YES", "NO"]] * 4 + [["NO", "NO"]] * 4
    found = marginal_homogeneity(Ratings.from_labels(rows, YES_NO, clusters=list("aabbccdd")))
    assert found.p_value == pytest.approx(2 * 0.5**4)
    assert found.reason == "several units a cluster: p is too small"


def test_what_cannot_be_tested_is_refused() -> None:
    three_raters = Ratings.from_labels([["a", "b", "c"]], THREE)
    numbers = Ratings.from_labels([[1.0, 2.0]], NUMBERS)
    weighted = Ratings.from_labels([["a", "b"]], THREE, weights=[2.0])
    for ratings, problem in (
        (three_raters, "two raters"),
        (numbers, "scale with categories"),
        (weighted, "weighted"),
    ):
        with pytest.raises(InputError, match=problem):
            marginal_homogeneity(ratings)
