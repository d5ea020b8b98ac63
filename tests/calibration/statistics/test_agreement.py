"""Agreement statistics against the numbers that were published for them."""

import numpy as np
import pytest

from mmrare_judge.calibration.gold.exports import GoldColumns
from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.statistics.coefficients import cohen_kappa, confusion
from mmrare_judge.calibration.statistics.proportions import marginal_homogeneity
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.calibration.statistics.table import estimate, estimates
from mmrare_judge.errors import InputError
from support.agreement_cases import (
    FIVE,
    FLEISS,
    GRADED,
    GWET,
    KRIPPENDORFF,
    NUMBERS,
    PEAK_FLOW,
    SHROUT_FLEISS,
    YES_NO,
    from_table,
)
from support.paths import SHARED

KQA = SHARED / "kqa"

PUBLISHED = {
    # Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C
    "alpha nominal": (KRIPPENDORFF, "alpha_nominal", 0.743, 3),
    "alpha ordinal": (KRIPPENDORFF, "alpha_ordinal", 0.815, 3),
    "alpha interval": (KRIPPENDORFF, "alpha_interval", 0.849, 3),
    # Gwet (2014), and the output of irrCAC 1.0 on cac.raw4raters
    "gwet ac1": (GWET, "gwet_ac1", 0.77544, 5),
    "brennan-prediger": (GWET, "brennan_prediger", 0.77273, 5),
    "fleiss, missing labels": (GWET, "fleiss_kappa", 0.76117, 5),
    "conger, missing labels": (GWET, "conger_kappa", 0.76282, 5),
    "percent, missing labels": (GWET, "percent_agreement", 0.81818, 5),
    # Fleiss (1971)
    "fleiss": (FLEISS, "fleiss_kappa", 0.430, 3),
    # Shrout and Fleiss (1979), table 4
    "icc 1,1": (SHROUT_FLEISS, "icc_1_1", 0.17, 2),
    "icc 2,1": (SHROUT_FLEISS, "icc_2_1", 0.29, 2),
    "icc 3,1": (SHROUT_FLEISS, "icc_3_1", 0.71, 2),
    "icc 1,4": (SHROUT_FLEISS, "icc_1_k", 0.44, 2),
    "icc 2,4": (SHROUT_FLEISS, "icc_2_k", 0.62, 2),
    "icc 3,4": (SHROUT_FLEISS, "icc_3_k", 0.91, 2),
    # Bland and Altman (1986): mean -2.1, SD 38.8
    "bland-altman mean": (PEAK_FLOW, "leniency", -2.1, 1),
}


@pytest.mark.parametrize(("ratings", "name", "value", "digits"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_statistic_gives_its_published_value(
    ratings: Ratings, name: str, value: float, digits: int
) -> None:
    found = estimate(ratings, name, resampling=None).value
    assert found is not None
    assert round(found, digits) == value


def test_limits_of_agreement_lie_1_96_standard_deviations_from_the_mean_of_bland_and_altman() -> (
    None
):
    found = estimates(PEAK_FLOW, ["agreement_limit_low", "agreement_limit_high"], resampling=None)
    low, high = (found[name].value for name in found)
    assert low is not None
    assert high is not None
    assert round((high - low) / (2 * 1.96), 1) == 38.8


# Cohen (1968), table 1: 200 cases, shares times 200.
COHEN = from_table(
    [[88, 14, 18], [10, 40, 10], [2, 6, 12]],
    Scale(level="nominal", categories=("personality disorder", "neurosis", "psychosis")),
)
COHEN_COSTS = np.array([[0.0, 1, 3], [1, 0, 6], [3, 6, 0]])


def test_cohen_1960_and_1968() -> None:
    kappa = estimate(COHEN, "cohen_kappa", resampling=None).value
    weighted = cohen_kappa(COHEN.patterns, COHEN.pattern_weights, disagreement=COHEN_COSTS)
    assert kappa == pytest.approx(0.492, abs=5e-4)
    assert weighted[0] == pytest.approx(0.348, abs=5e-4)


# Feinstein and Cicchetti (1990): agreement .85 both times.
BALANCED = from_table([[45, 6], [9, 40]], YES_NO)
SKEWED = from_table([[5, 5], [10, 80]], YES_NO)


@pytest.mark.parametrize(
    ("ratings", "kappa", "positive", "negative"),
    [(BALANCED, 0.70, 0.84, 0.86), (SKEWED, 0.32, 0.91, 0.40)],
    ids=["balanced", "skewed"],
)
def test_the_paradox_of_feinstein_and_cicchetti(
    ratings: Ratings, kappa: float, positive: float, negative: float
) -> None:
    names = ["percent_agreement", "cohen_kappa", "positive_agreement", "negative_agreement"]
    found = [one.value for one in estimates(ratings, names, resampling=None).values()]
    assert found == pytest.approx([0.85, kappa, positive, negative], abs=0.006)


def test_ac1_stays_up_where_kappa_falls_for_a_rare_category() -> None:
    # p_a = .85, pi = (.125, .875): p_e = 2 * .125 * .875 = .21875, AC1 = .63125 / .78125 = .808
    assert estimate(SKEWED, "gwet_ac1", resampling=None).value == pytest.approx(0.808)
    # PABAK = 2 * .85 - 1
    assert estimate(SKEWED, "brennan_prediger", resampling=None).value == pytest.approx(0.70)


def test_classification_statistics_of_a_table_worked_by_hand() -> None:
    # The judge says YES 100 times with 80 right, NO 50 times with 30 right; gold YES 100, NO 50.
    ratings = from_table([[30, 20], [20, 80]], YES_NO)
    found = estimates(ratings, resampling=None)
    expected = {
        "sensitivity": 80 / 100,
        "specificity": 30 / 50,
        "balanced_accuracy": (0.8 + 0.6) / 2,
        "macro_f1": (160 / 200 + 60 / 100) / 2,
        "mcc": (80 * 30 - 20 * 20) / (100 * 50 * 100 * 50) ** 0.5,
        "scott_pi": (110 / 150 - 5 / 9) / (1 - 5 / 9),  # margins 2/3, 1/3
        "mae": 40 / 150,
        "leniency": 0.0,
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert confusion(ratings).counts == ((30, 20), (20, 80))


def test_healthbench_pools_the_pairs_of_the_judge_with_every_clinician() -> None:
    # Pairs (judge, clinician): YY YY YN NN NN, one missing. F1(YES) = 4/5, F1(NO) = 4/5.
    rows: list[list[Label]] = [["YES", "YES", "YES"], ["YES", "NO", None], ["NO", "NO", "NO"]]
    found = estimate(Ratings.from_labels(rows, YES_NO), "pairwise_macro_f1", resampling=None)
    assert found.value == pytest.approx(0.8)


def test_ac2_of_a_table_worked_by_hand() -> None:
    # Ranks 0, 1, 2; quadratic weights 1, .75, 0. Pairs (0,0) (0,1) (2,2) (2,0):
    # p_a = (1 + .75 + 1 + 0) / 4 = .6875; pi = (.5, .125, .375);
    # T = 3 + 4 * .75 = 6, sum pi (1 - pi) = .25 + .109375 + .234375 = .59375;
    # p_e = 6 / 6 * .59375; AC2 = (.6875 - .59375) / .40625 = .230769
    scale = Scale(level="ordinal", categories=("0", "1", "2"))
    rows = [["0", "0"], ["0", "1"], ["2", "2"], ["2", "0"]]
    found = estimate(Ratings.from_labels(rows, scale), "gwet_ac2_quadratic", resampling=None)
    assert found.value == pytest.approx(0.230769, abs=1e-6)


SINGLE: list[list[Label]] = [["a", "a"], ["a", "b"], ["b", None]]
SINGLE_SCALE = Scale(level="nominal", categories=("a", "b"))


@pytest.mark.parametrize(
    ("name", "without", "with_single"),
    [
        # p_a = 1/2 both times. Prevalence without the last unit (3/4, 1/4), with it (1/2, 1/2).
        ("fleiss_kappa", (0.5 - 0.625) / 0.375, 0.0),
        ("gwet_ac1", (0.5 - 0.375) / 0.625, 0.0),
        # n_a = 3, n_b = 1: D_o = 2/4, D_e = 2 * 3 / (4 * 3), alpha = 0 both times.
        ("alpha_nominal", 0.0, 0.0),
    ],
    ids=["fleiss", "gwet", "krippendorff"],
)
def test_a_unit_with_one_label_counts_for_prevalence_in_fleiss_and_gwet_and_not_in_alpha(
    name: str, without: float, with_single: float
) -> None:
    pairs = estimate(Ratings.from_labels(SINGLE[:2], SINGLE_SCALE), name, resampling=None)
    found = estimate(Ratings.from_labels(SINGLE, SINGLE_SCALE), name, resampling=None)
    assert pairs.value == pytest.approx(without)
    assert found.value == pytest.approx(with_single)
    assert (found.n, found.missing) == (2, 1)


def test_chance_depends_on_the_declared_categories_and_not_on_those_that_occur() -> None:
    rows = [["1", "1"], ["1", "2"]]
    three = Ratings.from_labels(rows, Scale(level="nominal", categories=("1", "2", "3")))
    five = Ratings.from_labels(rows, FIVE)
    # Brennan-Prediger: (1/2 - 1/K) / (1 - 1/K)
    assert estimate(three, "brennan_prediger", resampling=None).value == pytest.approx(0.25)
    assert estimate(five, "brennan_prediger", resampling=None).value == pytest.approx(0.375)


REASONS = {
    "no pair": ([["0", None], [None, "1"]], "cohen_kappa", "no unit has the labels it needs"),
    "one class": ([["1", "1"]] * 3, "cohen_kappa", "every label is '1': nothing varies"),
    "no positive": ([["0", "1"]], "sensitivity", "the scale names no positive category"),
    "no unit": ([], "cohen_kappa", "it needs exactly two raters, not 0"),
    "one rater": ([["0"]], "gwet_ac1", "it needs two raters or more, not 1"),
    "one rater constant": ([["0", "1"], ["0", "0"]], "mcc", "never varies or occurs"),
}


@pytest.mark.parametrize(("rows", "name", "reason"), REASONS.values(), ids=REASONS)
def test_an_undefined_statistic_is_none_with_the_reason(
    rows: list[list[str]], name: str, reason: str
) -> None:
    found = estimate(Ratings.from_labels(rows, GRADED), name)
    assert found.value is None
    assert found.interval is None
    assert reason in found.reason


def test_numbers_have_no_kappa() -> None:
    found = estimate(Ratings.from_labels([[1.5, 2.5]], NUMBERS), "cohen_kappa")
    assert found.reason == "a continuous scale has no categories"


def test_an_unknown_statistic_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no statistic 'kapa'.*cohen_kappa"):
        estimate(SKEWED, "kapa")


def test_stuart_maxwell_of_stuart_1955() -> None:
    # Unaided distance vision of 7,477 women, right by left eye: chi-squared 11.96 on 3 df.
    vision = [[1520, 266, 124, 66], [234, 1512, 432, 78], [117, 362, 1772, 205], [36, 82, 179, 492]]
    four = Scale(level="ordinal", categories=tuple("1234"))
    found = marginal_homogeneity(from_table(vision, four))
    assert (found.name, found.df) == ("stuart-maxwell", 3)
    assert found.statistic == pytest.approx(11.96, abs=0.005)


def test_mcnemar_by_hand_and_exact_below_25_discordant_pairs() -> None:
    many = marginal_homogeneity(from_table([[794, 150], [86, 570]], YES_NO))
    assert many.statistic == pytest.approx((150 - 86) ** 2 / (150 + 86))
    few = marginal_homogeneity(from_table([[10, 5], [0, 10]], YES_NO))
    assert few.name == "mcnemar exact"
    assert few.p_value == pytest.approx(2 * 0.5**5)  # five heads of five, both sides


def test_stuart_maxwell_leaves_out_a_category_that_nobody_used() -> None:
    # Two categories in use of three: McNemar's statistic.
    table = [[20, 30, 0], [10, 40, 0], [0, 0, 0]]
    three = Scale(level="nominal", categories=("a", "b", "c"))
    found = marginal_homogeneity(from_table(table, three))
    assert found.df == 1
    assert found.statistic == pytest.approx((30 - 10) ** 2 / 40)


@pytest.fixture
def kqa() -> Gold:
    if not KQA.is_dir():
        pytest.skip("the shared kqa data are not here")
    scale = Scale(level="nominal", categories=("Contradiction", "Neutral", "Entailment"))
    columns = GoldColumns(
        item="claim_id",
        system="model",
        criterion="criterion_category",
        rater="rater_id",
        cluster="item_id",
    )
    scales = {"must_have": scale, "nice_to_have": scale}
    return read_gold(KQA / "labels_long.jsonl", scales, columns=columns)


def test_the_physicians_of_kqa_agree_as_its_readme_says(kqa: Gold) -> None:
    found = estimate(kqa.ratings(), "alpha_nominal")
    assert found.value == pytest.approx(0.6655, abs=5e-5)
    assert (found.n, found.clusters, found.missing) == (248, 30, 0)
    assert found.interval is not None
    assert found.interval.low < 0.6655 < found.interval.high
