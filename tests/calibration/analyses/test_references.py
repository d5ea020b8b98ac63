"""What a rater is compared with: counted on single rows of labels."""

from collections.abc import Sequence

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.ceiling import Comparison, Ties, against, against_others
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.calibration.statistics.table import statistic
from support.agreement_cases import GRADED, NUMBERS

THREE = Scale(level="nominal", categories=("x", "y", "z"))


def rated(rows: Sequence[Sequence[Label]], scale: Scale = THREE) -> Ratings:
    return Ratings.from_labels(rows, scale)


def pairs(found: Comparison) -> list[tuple[int, int, float]]:
    """Rater's category, the reference's, and the share of the unit it carries."""
    rows = zip(found.patterns.codes.tolist(), found.fraction.tolist(), strict=True)
    return sorted((a, b, share) for (a, b), share in rows)


def others(ratings: Ratings, ties: Ties, *, rater: int = 0, left_out: int = 0) -> Comparison:
    rest = [column for column in range(1, len(ratings.raters)) if column != left_out]
    return against_others(ratings.patterns, rater, left_out, rest, ties=ties, also=0)


def test_the_majority_of_the_others_is_the_reference() -> None:
    ratings = rated([["z", "x", "x", "y"]])
    assert pairs(others(ratings, "drop")) == [(2, 0, 1.0)]


def test_a_tie_is_left_out_or_split_in_equal_parts() -> None:
    ratings = rated([["x", "x", "y", "z"]])
    assert pairs(others(ratings, "drop")) == []
    thirds = pairs(others(ratings, "split"))
    assert [(a, b) for a, b, _ in thirds] == [(0, 0), (0, 1), (0, 2)]
    assert sum(share for *_, share in thirds) == pytest.approx(1)
    # Right against one of the three: a third.
    found = others(ratings, "split").value(statistic("percent_agreement"), np.ones((1, 1)))
    assert found[0] == pytest.approx(1 / 3)


def test_a_missing_label_among_the_others_is_no_vote() -> None:
    ratings = rated([["x", None, "y", None]])
    assert pairs(others(ratings, "split")) == [(0, 1, 1.0)]
    assert pairs(others(rated([["x", None, None, None]]), "split")) == []


def test_the_judge_is_measured_only_where_the_clinician_left_out_gave_a_label() -> None:
    ratings = rated([["x", None, "y", "y"], ["x", "z", "y", "y"]])
    assert pairs(others(ratings, "drop", left_out=1)) == [(0, 1, 1.0)]
    # And that clinician only where the judge gave one.
    ratings = rated([[None, "z", "y", "y"]])
    assert pairs(others(ratings, "drop", rater=1, left_out=1)) == []


def test_two_raters_are_compared_where_both_gave_a_label() -> None:
    ratings = rated([["x", "y"], [None, "y"], ["z", None], ["z", "z"]])
    assert pairs(against(ratings.patterns, 0, 1)) == [(0, 1, 1.0), (2, 2, 1.0)]
    assert pairs(against(ratings.patterns, 1, 0)) == [(1, 0, 1.0), (2, 2, 1.0)]


def test_the_weight_of_a_unit_is_shared_among_the_rows_made_of_it() -> None:
    ratings = rated([["x", "x", "y"], ["x", "x", "x"]])
    found = others(ratings, "split")
    order = [int(ratings.pattern_of_unit[unit]) for unit in (0, 1)]
    weights = np.zeros((2, 2))
    weights[0, order], weights[1, order] = [3.0, 1.0], [1.0, 3.0]
    # Tied unit half right, the other wholly: (1.5 + 1) / 4 and (.5 + 3) / 4.
    assert found.value(statistic("percent_agreement"), weights) == pytest.approx([0.625, 0.875])


def test_points_of_the_reference_are_those_of_the_scale() -> None:
    # GRADED counts 0, 1, 2, 4: the judge says 0 where the others say 3.
    found = others(rated([["0", "3", "3"]], GRADED), "drop")
    assert found.patterns.numbers.tolist() == [[0.0, 4.0]]


def test_numbers_are_compared_with_the_mean_of_the_labels_there_are() -> None:
    found = others(rated([[1.0, 2.0, 4.0, None]], NUMBERS), "drop")
    assert found.patterns.numbers.tolist() == [[1.0, 3.0]]
