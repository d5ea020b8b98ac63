"""What statistics are to one another, by theorems that are older than this code; more textbooks."""

import numpy as np
import pytest

from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.calibration.statistics.table import STATISTICS, Statistic, estimate, used
from support.agreement_cases import (
    FLEISS,
    GRADED,
    KRIPPENDORFF,
    NUMBERS,
    YES_NO,
    from_columns,
    from_table,
    random_labels,
)

SEEDS = pytest.mark.parametrize("seed", range(3))

BINARY = Scale(level="nominal", categories=("0", "1"))
LETTERS = Scale(level="nominal", categories=tuple("abcde"))

# Krippendorff (2011), sections A and B: two observers, no missing labels.
MEG_OWEN = from_columns(["0 1 0 0 0 0 0 0 1 0".split(), "1 1 1 0 0 1 0 0 0 0".split()], BINARY)
BEN_GERRY = from_columns(
    ["a a b b d c c c e d d a".split(), "b a b b b c c c e d d d".split()], LETTERS
)

# Hout, Duncan and Sobel (1987): 91 couples, husbands in rows; the example of Kappa() in R's vcd.
COUPLES = from_table(
    [[7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]],
    Scale(level="ordinal", categories=("never", "fairly often", "very often", "always")),
)

PUBLISHED = {
    "alpha of two observers, binary": (MEG_OWEN, "alpha_nominal", 0.095, 3),
    "alpha of two observers, nominal": (BEN_GERRY, "alpha_nominal", 0.692, 3),
    "kappa of couples": (COUPLES, "cohen_kappa", 0.1293, 4),
    "kappa of couples, linear": (COUPLES, "cohen_kappa_linear", 0.2374, 4),
    # Fleiss (1971): the mean of P_i
    "percent agreement of psychiatrists": (FLEISS, "percent_agreement", 0.556, 3),
    # R's irr: kappam.fleiss(diagnoses, exact = TRUE), after Conger (1980)
    "conger of psychiatrists": (FLEISS, "conger_kappa", 0.442, 3),
}


def value(ratings: Ratings, name: str) -> float:
    found = estimate(ratings, name, resampling=None).value
    assert found is not None
    return found


@pytest.mark.parametrize(("ratings", "name", "known", "digits"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_statistic_gives_its_published_value(
    ratings: Ratings, name: str, known: float, digits: int
) -> None:
    assert round(value(ratings, name), digits) == known


def pair(seed: int, scale: Scale = GRADED) -> Ratings:
    return random_labels(scale, raters=2, seed=seed, missing=0)


@SEEDS
def test_of_two_raters_fleiss_is_scott_and_conger_is_cohen(seed: int) -> None:
    ratings = pair(seed)
    assert value(ratings, "fleiss_kappa") == pytest.approx(value(ratings, "scott_pi"))
    assert value(ratings, "conger_kappa") == pytest.approx(value(ratings, "cohen_kappa"))


@SEEDS
def test_of_two_raters_alpha_is_scotts_pi_for_a_small_sample(seed: int) -> None:
    """Krippendorff (2011): ``alpha = 1 - (N - 1) / N (1 - pi)`` of N labels."""
    ratings = pair(seed)
    labels = 2 * ratings.units
    expected = 1 - (labels - 1) / labels * (1 - value(ratings, "scott_pi"))
    assert value(ratings, "alpha_nominal") == pytest.approx(expected)


@SEEDS
def test_quadratic_kappa_is_the_concordance_of_ranks(seed: int) -> None:
    """Fleiss and Cohen (1973): ``2 cov / (var + var + (mean - mean)²)``, moments over n."""
    ratings = pair(seed)
    x, y = ratings.codes.T.astype(float)
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    expected = 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert value(ratings, "cohen_kappa_quadratic") == pytest.approx(expected)


@SEEDS
def test_two_categories_have_one_alpha_and_one_ac(seed: int) -> None:
    """One distance apart is the only one there is: levels of measurement and weights fall away."""
    scale = Scale(level="ordinal", categories=("NO", "YES"))
    ratings = random_labels(scale, raters=3, seed=seed)
    for level in ("ordinal", "interval"):
        assert value(ratings, f"alpha_{level}") == pytest.approx(value(ratings, "alpha_nominal"))
    for kind in ("linear", "quadratic"):
        assert value(ratings, f"gwet_ac2_{kind}") == pytest.approx(value(ratings, "gwet_ac1"))


@SEEDS
def test_means_of_both_classes(seed: int) -> None:
    ratings = pair(seed, YES_NO)
    halves = {
        "macro_f1": ("positive_agreement", "negative_agreement"),
        "balanced_accuracy": ("sensitivity", "specificity"),
    }
    for name, parts in halves.items():
        assert value(ratings, name) == pytest.approx(sum(value(ratings, p) for p in parts) / 2)
    # PABAK: Byrt, Bishop and Carlin (1993)
    agreement = value(ratings, "percent_agreement")
    assert value(ratings, "brennan_prediger") == pytest.approx(2 * agreement - 1)


@SEEDS
def test_with_one_clinician_healthbenchs_f1_is_macro_f1(seed: int) -> None:
    ratings = random_labels(GRADED, raters=2, seed=seed)
    assert value(ratings, "pairwise_macro_f1") == pytest.approx(value(ratings, "macro_f1"))


@SEEDS
@pytest.mark.parametrize("design", [1, 2, 3])
def test_the_mean_of_k_raters_follows_spearman_and_brown(design: int, seed: int) -> None:
    """Shrout and Fleiss (1979): ``k r / (1 + (k - 1) r)``."""
    ratings = random_labels(NUMBERS, raters=4, seed=seed, missing=0)
    single = value(ratings, f"icc_{design}_1")
    assert value(ratings, f"icc_{design}_k") == pytest.approx(4 * single / (1 + 3 * single))


@SEEDS
def test_limits_of_agreement_lie_evenly_about_leniency(seed: int) -> None:
    ratings = pair(seed, NUMBERS)
    ends = [value(ratings, f"agreement_limit_{side}") for side in ("low", "high")]
    assert sum(ends) / 2 == pytest.approx(value(ratings, "leniency"))


COMPLETE = {name: row for name, row in STATISTICS.items() if row.uses == "complete"}


@pytest.mark.parametrize("row", COMPLETE.values(), ids=COMPLETE)
def test_a_missing_label_takes_its_unit_out_of_statistics_of_complete_units(row: Statistic) -> None:
    scale = YES_NO if row.needs == "positive" else GRADED
    ratings = random_labels(scale, raters=2, seed=7, missing=0.2)
    whole = ratings.take(used(row, ratings))
    assert 0 < whole.units < ratings.units
    assert value(ratings, row.name) == pytest.approx(value(whole, row.name))


def test_an_observer_who_labelled_nothing_changes_no_alpha() -> None:
    """Krippendorff's four observers and a fifth who was ill."""
    rows: list[list[Label]] = [
        [None if code < 0 else KRIPPENDORFF.scale.categories[code] for code in [*row, -1]]
        for row in KRIPPENDORFF.codes.tolist()
    ]
    longer = Ratings.from_labels(rows, KRIPPENDORFF.scale)
    for level in ("nominal", "ordinal", "interval"):
        name = f"alpha_{level}"
        assert value(longer, name) == pytest.approx(value(KRIPPENDORFF, name))


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([["1", None], [None, "2"]], "no unit has the labels it needs"),
        ([["1", "1"], ["1", None]], "every label is '1': nothing varies"),
        ([["1", "1"], ["2", None]], "every label is '1': nothing varies"),
    ],
    ids=["no pair", "one label throughout", "one label among pairs"],
)
def test_alpha_is_none_with_the_reason_where_its_library_raises(
    rows: list[list[str]], reason: str, level: str
) -> None:
    found = estimate(Ratings.from_labels(rows, GRADED), f"alpha_{level}")
    assert (found.value, found.interval, found.reason) == (None, None, reason)


def test_numbers_of_units_do_not_depend_on_their_weights() -> None:
    ratings = pair(1)
    halved = Ratings(
        ratings.codes, ratings.numbers, ratings.scale, ratings.raters, ratings.clusters,
        np.full(ratings.units, 0.5),
    )  # fmt: skip
    first, second = (estimate(one, "cohen_kappa") for one in (ratings, halved))
    assert (second.n, second.clusters) == (first.n, first.clusters)
    assert second.value == pytest.approx(first.value)
