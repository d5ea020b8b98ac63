"""Adjusted p-values: published, and against scipy."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from mmrare_judge.calibration.statistics.proportions import benjamini_hochberg, holm
from mmrare_judge.errors import InputError

Adjust = Callable[[Sequence[float | None]], list[float | None]]

# Benjamini and Hochberg (1995), section 3.2: 15 end points of a trial of thrombolysis.
THROMBOLYSIS = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
    0.6528, 0.7590, 1.0000,
]  # fmt: skip


def rejected(adjusted: list[float | None]) -> int:
    return sum(p is not None and p <= 0.05 for p in adjusted)


def test_thrombolysis_three_hypotheses_fall_to_holm_and_four_to_benjamini_and_hochberg() -> None:
    assert rejected(holm(THROMBOLYSIS)) == 3
    assert rejected(benjamini_hochberg(THROMBOLYSIS)) == 4


def test_benjamini_and_hochberg_is_scipys() -> None:
    random = np.random.default_rng(0)
    for size in (1, 2, 7, 30):
        p = random.random(size) ** 2
        assert benjamini_hochberg(p.tolist()) == pytest.approx(false_discovery_control(p))


def test_holm_worked_by_hand() -> None:
    # Rising .01, .02, .03, .9: 4 * .01 = .04; 3 * .02 = .06; 2 * .03 = .06; 1 * .9.
    assert holm([0.9, 0.02, 0.01, 0.03]) == pytest.approx([0.9, 0.06, 0.04, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_an_unknown_p_value_stays_unknown_and_is_not_counted(adjust: Adjust) -> None:
    known = adjust([0.01, 0.04])
    assert adjust([None, 0.01, None, 0.04]) == [None, known[0], None, known[1]]
    assert adjust([]) == []
    assert adjust([None]) == [None]


@pytest.mark.parametrize("odd", [-0.1, 1.1, float("nan")])
def test_a_p_value_outside_0_to_1_is_refused(odd: float) -> None:
    with pytest.raises(InputError, match="outside 0"):
        holm([0.5, odd])
