"""What the property table says of each statistic holds of it."""

from dataclasses import replace

import numpy as np
import pytest

from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.calibration.statistics.table import STATISTICS, Statistic, estimate, point
from support.agreement_cases import GRADED, NUMBERS, YES_NO, random_labels
from support.paths import ROOT

SEEDS = range(12)

EVERY = pytest.mark.parametrize("row", STATISTICS.values(), ids=STATISTICS)


def scale_for(row: Statistic) -> Scale:
    return YES_NO if row.needs == "positive" else GRADED


def labels_for(row: Statistic, seed: int, *, missing: float = 0.15) -> Ratings:
    raters = 2 if row.raters == "pair" else 3
    return random_labels(scale_for(row), raters=raters, seed=seed, missing=missing)


def value(row: Statistic, ratings: Ratings) -> float:
    found = row.compute(ratings.patterns, ratings.pattern_weights)
    assert found.shape == (1,)
    return float(found[0])


def relabelled(ratings: Ratings, order: list[int]) -> Ratings:
    """The same labels with category k called ``order[k]``."""
    table = np.array([*order, -1])
    codes = table[ratings.codes]
    points = np.array([*ratings.scale.points, np.nan])
    return replace(ratings, codes=codes, numbers=points[codes])


@EVERY
def test_the_order_of_raters_matters_just_where_the_table_says(row: Statistic) -> None:
    differs = []
    for seed in SEEDS:
        ratings = labels_for(row, seed)
        turned = ratings.only(*reversed(ratings.raters))
        differs.append(value(row, turned) != pytest.approx(value(row, ratings)))
    assert any(differs) != row.symmetric


@EVERY
def test_the_order_of_units_does_not_matter(row: Statistic) -> None:
    ratings = labels_for(row, seed=1)
    order = np.random.default_rng(0).permutation(ratings.units)
    shuffled = replace(ratings, codes=ratings.codes[order], numbers=ratings.numbers[order])
    assert value(row, shuffled) == pytest.approx(value(row, ratings))


@EVERY
@pytest.mark.parametrize("kept", ["no unit", "no label"])
def test_where_there_is_nothing_to_compare_a_statistic_is_undefined(
    row: Statistic, kept: str
) -> None:
    ratings = labels_for(row, seed=1)
    if kept == "no unit":
        ratings = ratings.take(np.zeros(ratings.units, dtype=bool))
    else:
        codes, numbers = np.full_like(ratings.codes, -1), np.full_like(ratings.numbers, np.nan)
        ratings = replace(ratings, codes=codes, numbers=numbers)
    assert np.isnan(value(row, ratings))
    found = estimate(ratings, row.name)
    assert (found.value, found.interval, found.n) == (None, None, 0)
    assert found.reason == "no unit has the labels it needs"


@EVERY
def test_the_names_of_categories_matter_just_where_the_table_says(row: Statistic) -> None:
    if row.needs == "positive":
        pytest.skip("the positive category is singled out by its name")
    differs = []
    for seed in SEEDS:
        ratings = labels_for(row, seed)
        renamed = relabelled(ratings, [2, 0, 3, 1])
        differs.append(value(row, renamed) != pytest.approx(value(row, ratings)))
    assert any(differs) != row.relabelling


@EVERY
def test_raters_who_agree_throughout_get_the_perfect_value(row: Statistic) -> None:
    categories = scale_for(row).categories
    raters = 2 if row.raters == "pair" else 4
    rows: list[list[Label]] = [[category] * raters for category in categories * 3]
    found = estimate(Ratings.from_labels(rows, scale_for(row)), row.name, resampling=None)
    assert found.value == pytest.approx(row.perfect)


@EVERY
def test_values_and_intervals_keep_within_the_bounds(row: Statistic) -> None:
    for seed in SEEDS:
        found = estimate(labels_for(row, seed), row.name)
        assert found.value is not None
        assert row.low - 1e-12 <= found.value <= row.high + 1e-12
        assert found.interval is not None
        assert row.low <= found.interval.low <= found.interval.high <= row.high


@EVERY
def test_a_unit_without_labels_changes_nothing_but_the_count_of_what_is_missing(
    row: Statistic,
) -> None:
    ratings = labels_for(row, seed=3)
    blank = np.full((1, ratings.codes.shape[1]), -1)
    longer = replace(
        ratings,
        codes=np.vstack([ratings.codes, blank]),
        numbers=np.vstack([ratings.numbers, np.full(blank.shape, np.nan)]),
        clusters=np.append(ratings.clusters, 99),
        weights=np.append(ratings.weights, 1.0),
    )
    before, after = (estimate(r, row.name) for r in (ratings, longer))
    assert after.value == pytest.approx(before.value)
    assert (after.n, after.missing) == (before.n, before.missing + 1)
    assert before.n + before.missing == ratings.units
    assert after.interval == before.interval


@EVERY
def test_with_one_class_only_a_statistic_is_what_the_table_says(row: Statistic) -> None:
    scale = scale_for(row)
    raters = 2 if row.raters == "pair" else 3
    rows: list[list[Label]] = [[scale.categories[0]] * raters] * 8
    found = estimate(Ratings.from_labels(rows, scale), row.name)
    if row.name in ("specificity", "negative_agreement"):
        assert found.value == 1  # every label is negative, and so is every label of the judge
        return
    assert found.value == row.one_class
    assert found.value is not None or "nothing varies" in found.reason


@EVERY
def test_a_weight_of_two_is_a_unit_counted_twice(row: Statistic) -> None:
    ratings = labels_for(row, seed=4)
    twice = np.arange(ratings.units) % 3 == 0
    heavy = replace(ratings, weights=np.where(twice, 2.0, 1.0))
    again = np.concatenate([np.arange(ratings.units), np.flatnonzero(twice)])
    doubled = replace(
        ratings,
        codes=ratings.codes[again],
        numbers=ratings.numbers[again],
        clusters=ratings.clusters[again],
        weights=ratings.weights[again],
    )
    assert value(row, heavy) == pytest.approx(value(row, doubled))
    assert point(row, heavy) == pytest.approx(value(row, heavy))


@EVERY
def test_many_samples_at_once_give_what_each_gives_alone(row: Statistic) -> None:
    ratings = labels_for(row, seed=5)
    patterns = ratings.patterns
    weights = np.random.default_rng(0).integers(0, 3, (7, len(patterns.codes))).astype(float)
    together = row.compute(patterns, weights)
    alone = [row.compute(patterns, weights[n : n + 1])[0] for n in range(7)]
    np.testing.assert_allclose(together, alone)


LIBRARY = {name: row for name, row in STATISTICS.items() if row.library}


@pytest.mark.parametrize("row", LIBRARY.values(), ids=LIBRARY)
def test_the_library_says_the_same(row: Statistic) -> None:
    for seed in SEEDS:
        ratings = labels_for(row, seed)
        assert row.library is not None
        assert row.library(ratings) == pytest.approx(value(row, ratings), abs=1e-9)


CONTINUOUS = {
    name: row
    for name, row in STATISTICS.items()
    if row.needs == "numbers" and (row.library or row.raters == "pair")
}


@pytest.mark.parametrize("row", CONTINUOUS.values(), ids=CONTINUOUS)
def test_statistics_of_numbers_take_a_continuous_scale(row: Statistic) -> None:
    raters = 2 if row.raters == "pair" else 3
    ratings = random_labels(NUMBERS, raters=raters, seed=2)
    found = point(row, ratings)
    assert found == pytest.approx(value(row, ratings), abs=1e-9)


def test_the_docs_explain_every_statistic_of_the_table() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text("utf-8")
    assert [name for name in STATISTICS if f"`{name}`" not in text] == []
