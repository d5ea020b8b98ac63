"""What the statistics take in, and what they refuse before a number can come of it."""

import numpy as np
import pandas as pd
import pytest

from mmrare_judge.calibration.statistics.estimate import (
    binary,
    cluster_codes,
    count_clusters,
    floats,
    group_sums,
    sampling_weights,
)
from mmrare_judge.errors import InputError

NAN = float("nan")


@pytest.mark.parametrize(
    "values",
    [[1, None, 0], (True, None, False), np.array([1.0, np.nan, 0]), pd.Series([1, None, 0])],
    ids=["list", "tuple", "array", "pandas"],
)
def test_a_missing_value_is_nan_whatever_holds_it(values: object) -> None:
    vector = floats(values, "gold")  # type: ignore[arg-type]  # what callers pass
    assert np.array_equal(vector, [1, np.nan, 0], equal_nan=True)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["1", "0"], "gold must be numbers, not texts"),
        (np.array(["1", None], dtype=object), "gold must be numbers, not texts"),
        (np.array(["2024-05-01"], dtype="datetime64[D]"), "gold must be numbers, not texts or d"),
        (["partly"], "gold must be numbers"),
        ([[1, 0]], r"gold must be a vector, not of shape \(1, 2\)"),
        ([[1], [0, 1]], "gold must be numbers"),
        ([1, float("inf")], "gold holds an infinite value"),
    ],
    ids=["texts", "a text", "dates", "word", "matrix", "ragged", "infinite"],
)
def test_what_is_no_vector_of_numbers_is_refused(values: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        floats(values, "gold")  # type: ignore[arg-type]  # the mistakes of callers


def test_partners_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="judge has 2 values where 3 are needed"):
        floats([1, 0], "judge", length=3)


def test_a_binary_vector_holds_nothing_but_0_and_1() -> None:
    with pytest.raises(InputError, match=r"flagged must be 0 or 1, not 0\.5"):
        binary([0, 1, NAN, 0.5], "flagged")


def test_the_same_cases_get_the_same_codes_whatever_their_names_are() -> None:
    for ids in (["b", "a", "b"], [20, 10, 20], np.array(["y", "x", "y"])):
        assert cluster_codes(ids, 3).tolist() == [1, 0, 1]
    assert cluster_codes(None, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (["a", None, "b"], "a unit's cluster is missing"),
        ([1.0, float("nan"), float("nan")], "a unit's cluster is missing"),
        (["a", float("nan"), "b"], "clusters mix texts and other ids"),
        ([1, "1", 2], "clusters mix texts and other ids"),
        (["a", "b"], "where 3 ids are needed"),
        ([("a", 1), ("a", 2), ("b", 1)], "where 3 ids are needed"),
    ],
    ids=["none", "nan", "nan among texts", "1 and '1'", "too few", "pairs"],
)
def test_units_are_never_put_into_one_case_by_accident(ids: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        cluster_codes(ids, 3)  # type: ignore[arg-type]  # the mistakes of callers


@pytest.mark.parametrize("chance", [0, -0.1, 1.2, NAN])
def test_a_labelled_unit_needs_the_chance_it_was_chosen_with(chance: float) -> None:
    labelled = np.array([True, True, False])
    with pytest.raises(InputError, match="inclusion probability is missing or outside"):
        sampling_weights([0.5, chance, 0.5], labelled)
    assert sampling_weights([0.5, 0.25, chance], labelled).tolist() == [2, 4, 0]


def test_sums_within_clusters_keep_the_total() -> None:
    values, codes = np.random.default_rng(1).normal(size=50), np.arange(50) % 7
    sums = group_sums(values, codes)
    assert sums.sum() == pytest.approx(values.sum())
    assert len(sums) == count_clusters(codes) == 7
