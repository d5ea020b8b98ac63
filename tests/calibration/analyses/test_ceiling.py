"""The human ceiling and non-inferiority, on labels small enough to count by hand."""

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.ceiling import Ceiling, human_ceiling
from mmrare_judge.calibration.analyses.noninferiority import non_inferiority
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.calibration.statistics.table import estimate
from mmrare_judge.errors import InputError
from support.agreement_cases import GRADED, NUMBERS, YES_NO, random_labels

RATERS = ["judge", "a", "b", "c"]


def rated(rows: str, raters: list[str] | None = None) -> Ratings:
    """Units as words of Y, N and . for missing; the judge first."""
    names: dict[str, Label] = {"Y": "YES", "N": "NO", ".": None}
    cells = [[names[cell] for cell in word] for word in rows.split()]
    return Ratings.from_labels(cells, YES_NO, raters=raters or RATERS)


# Judge and a, b, c. Pairs of clinicians agree on: a-b 3 of 4, a-c 3 of 4, b-c 2 of 4.
SMALL = rated("YYYY NNNN YYYN NYNY")


def ceiling(ratings: Ratings, name: str = "percent_agreement") -> Ceiling:
    return human_ceiling(ratings, judge="judge", name=name, resampling=None)


def test_pairwise_is_the_mean_over_pairs() -> None:
    side = ceiling(SMALL).side("pairwise")
    assert side.clinicians.value == pytest.approx((3 / 4 + 3 / 4 + 2 / 4) / 3)
    # judge: with a 3 of 4, with b all 4, with c 2 of 4
    assert side.judge.value == pytest.approx((3 / 4 + 4 / 4 + 2 / 4) / 3)
    assert side.each["a"].value == pytest.approx(3 / 4)
    assert side.each["c"].value == pytest.approx((3 / 4 + 2 / 4) / 2)


def test_a_pair_counts_both_ways_where_the_order_of_raters_matters() -> None:
    # YES by a 1 2, by b 1 2 3: a finds 2 of b's 3, b finds 2 of a's 2. The judge says YES to 1.
    ratings = rated("YYY NYY NNY NNN", ["judge", "a", "b"])
    side = ceiling(ratings, "sensitivity").side("pairwise")
    assert side.clinicians.value == pytest.approx((2 / 3 + 2 / 2) / 2)
    assert side.judge.value == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert side.each["a"].value == pytest.approx(2 / 3)


def test_kappa_of_judge_and_ceiling_by_hand() -> None:
    # a-b: YY YY NN NY, margins of YES 1/2 and 3/4: p_o 3/4, p_e 1/2, kappa 1/2.
    # judge-a: YY NY NN NN: p_o 3/4, p_e (1/4)(1/2) + (3/4)(1/2) = 1/2, kappa 1/2.
    # judge-b: YY NY NN NY: p_o 1/2, p_e (1/4)(3/4) + (3/4)(1/4) = 3/8, kappa 1/5.
    side = ceiling(rated("YYY NYY NNN NNY", ["judge", "a", "b"]), "cohen_kappa").side("pairwise")
    assert side.clinicians.value == pytest.approx(0.5)
    assert side.judge.value == pytest.approx((0.5 + 0.2) / 2)
    assert side.difference.value == pytest.approx(-0.15)


def test_leave_one_out_drops_ties() -> None:
    side = ceiling(SMALL).side("leave one out, ties dropped")
    # b, c agree on units 1, 2 (Y, N); a is right on both, so is the judge.
    # a, c agree on 1, 2, 4 (Y, N, Y); b is right on 2 of 3, so is the judge.
    # a, b agree on 1, 2, 3 (Y, N, Y); c is right on 2 of 3, the judge on 3.
    assert side.clinicians.value == pytest.approx((2 / 2 + 2 / 3 + 2 / 3) / 3)
    assert side.judge.value == pytest.approx((2 / 2 + 2 / 3 + 3 / 3) / 3)
    assert side.difference.value == pytest.approx(1 / 9)


def test_leave_one_out_splits_ties() -> None:
    side = ceiling(SMALL).side("leave one out, ties split")
    # A tied unit counts half right whatever the label: a (2 + 1)/4, b (2 + 1/2)/4, c (2 + 1/2)/4.
    assert side.clinicians.value == pytest.approx((3 / 4 + 2.5 / 4 + 2.5 / 4) / 3)
    assert side.judge.value == pytest.approx((3 / 4 + 2.5 / 4 + 3.5 / 4) / 3)


def test_judge_and_clinician_are_measured_on_the_same_units() -> None:
    # The judge did not label unit 2 and clinician a not unit 3: neither counts in a's contest.
    ratings = rated("YYYY .NNN Y.YY NNNN")
    side = ceiling(ratings).side("leave one out, ties dropped")
    assert side.each["a"].n == 2
    assert side.judge.n == 3
    assert side.judge.missing == 1


def test_with_two_clinicians_leaving_one_out_is_comparing_the_pair() -> None:
    ratings = rated("YYY NNY YYN NNN", ["judge", "a", "b"])
    found = ceiling(ratings, "cohen_kappa")
    expected = estimate(ratings.only("a", "b"), "cohen_kappa", resampling=None).value
    for side in found.sides:
        assert side.clinicians.value == pytest.approx(expected)


def test_a_judge_who_copies_a_clinician_stands_at_the_ceiling_or_above() -> None:
    ratings = random_labels(GRADED, raters=3, seed=1, units=200, missing=0)
    copied = ratings.only("rater 1", "rater 1", "rater 2", "rater 3")
    rows = Ratings(
        copied.codes,
        copied.numbers,
        copied.scale,
        tuple(RATERS),
        copied.clusters,
        copied.weights,
    )
    found = ceiling(rows, "cohen_kappa").side("leave one out, ties split")
    assert found.difference.value is not None
    assert found.difference.value >= 0


def test_less_error_is_a_difference_above_zero() -> None:
    # Clinicians 0 and 2, judge 1: it errs by 1 against each, they by 2 against one another.
    rows = [[1.0, 0.0, 2.0], [5.0, 4.0, 6.0]]
    ratings = Ratings.from_labels(rows, NUMBERS, raters=["judge", "a", "b"])
    found = ceiling(ratings, "mae")
    assert [side.versus for side in found.sides] == ["pairwise", "leave one out, ties dropped"]
    pairwise = found.side("pairwise")
    assert (pairwise.judge.value, pairwise.clinicians.value) == (1, 2)
    assert pairwise.difference.value == 1


def test_numbers_are_compared_with_the_mean_of_the_others() -> None:
    rows = [[3.0, 0.0, 2.0, 4.0]]
    ratings = Ratings.from_labels(rows, NUMBERS, raters=RATERS)
    side = ceiling(ratings, "mae").side("leave one out, ties dropped")
    # Others' means 3, 2, 1; clinicians 0, 2, 4 err by 3, 0, 3, the judge by 0, 1, 2.
    assert side.clinicians.value == pytest.approx(2)
    assert side.judge.value == pytest.approx(1)


def test_points_follow_the_majority_label_also_where_the_scale_is_uneven() -> None:
    # GRADED counts its categories 0, 1, 2, 4.
    rows = [["1", "3", "3", "3"], ["0", "0", "0", "0"]]
    ratings = Ratings.from_labels(rows, GRADED, raters=RATERS)
    side = ceiling(ratings, "mae").side("leave one out, ties dropped")
    assert side.judge.value == pytest.approx((3 + 0) / 2)


def test_an_undefined_part_leaves_the_mean_undefined_with_the_reason() -> None:
    found = ceiling(rated("YYYY YYYY"), "cohen_kappa").side("pairwise")
    assert found.judge.value is None
    assert "undefined for at least one" in found.judge.reason


REFUSED = {
    "one clinician": ("YY NN", ["judge", "a"], "cohen_kappa", "two clinicians or more, not 1"),
    "no direction": ("YYYY NNNN", RATERS, "leniency", "no better and worse"),
    "unknown judge": ("YYY NNN", ["x", "a", "b"], "cohen_kappa", "no rater 'judge'"),
    "no order": ("YYYY NNNN", RATERS, "gwet_ac2_linear", "have no order"),
}


@pytest.mark.parametrize(("rows", "raters", "name", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused(
    rows: str, raters: list[str], name: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        ceiling(rated(rows, raters), name)


def noisy(right: float, *, judge_right: float, cases: int = 150, scale: Scale = YES_NO) -> Ratings:
    """Three clinicians and a judge who give the truth with the probabilities stated."""
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, (cases, 1))
    chance = np.array([judge_right, right, right, right])
    codes = np.where(random.random((cases, 4)) < chance, truth, 1 - truth)
    rows: list[list[Label]] = [[scale.categories[code] for code in row] for row in codes]
    return Ratings.from_labels(rows, scale, raters=RATERS)


@pytest.mark.parametrize(
    ("judge_right", "verdict"),
    [(0.95, "non-inferior"), (0.6, "inferior"), (0.8, "inconclusive")],
    ids=["better judge", "poor judge", "slightly worse judge"],
)
def test_non_inferiority_finds_what_was_planted(judge_right: float, verdict: str) -> None:
    ratings = noisy(0.85, judge_right=judge_right)
    found = non_inferiority(ratings, judge="judge", margin=0.1)
    assert found.verdict == verdict
    assert found.sentence.endswith(f"it is {verdict}.")


def test_the_difference_is_paired() -> None:
    # The judge is clinician a's echo: the difference varies less than either of its terms.
    ratings = noisy(0.85, judge_right=0.85)
    side = human_ceiling(ratings, judge="judge").side("pairwise")
    widths = []
    for found in (side.difference, side.judge, side.clinicians):
        assert found.interval is not None
        widths.append(found.interval.high - found.interval.low)
    assert widths[0] < widths[1] + widths[2]
    assert side.difference.value == pytest.approx(
        (side.judge.value or 0) - (side.clinicians.value or 0)
    )


def test_without_an_interval_there_is_no_verdict() -> None:
    found = non_inferiority(rated("YYYY YYYY"), judge="judge", margin=0.1)
    assert found.verdict == "undefined"
    assert found.sentence.startswith("No verdict: undefined for at least one")


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan")])
def test_a_margin_has_to_be_given_and_above_zero(margin: float) -> None:
    with pytest.raises(InputError, match="above zero"):
        non_inferiority(SMALL, judge="judge", margin=margin)


def test_numbers_have_no_ties_to_split() -> None:
    ratings = Ratings.from_labels([[1.0, 0.0, 2.0]], NUMBERS, raters=["judge", "a", "b"])
    with pytest.raises(InputError, match="For this scale there are: pairwise"):
        non_inferiority(
            ratings,
            judge="judge",
            margin=0.1,
            name="mae",
            versus="leave one out, ties split",
            resampling=Resampling(resamples=100),
        )
