"""Which units are labelled next: known probabilities, and means that stay unbiased."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrare_judge.calibration.analyses.correction import ppi_mean
from mmrare_judge.calibration.gold.columns import Unit
from mmrare_judge.calibration.planning.sample import (
    By,
    Candidate,
    allocate,
    drawn,
    label_design,
    label_next,
)
from mmrare_judge.errors import InputError

WHOLES: tuple[By, ...] = ("unit", "prediction", "case")


def frame(cases: int = 30, systems: Sequence[str] = ("m", "n")) -> list[Candidate]:
    """Two criteria: ``safe`` is rarely NO, and the judge is unsure of ``dose`` in every third."""
    return [
        Candidate(
            unit=(str(case), system, criterion),
            cluster=str(case),
            level=level,
            confidence=confidence,
        )
        for case in range(cases)
        for system in systems
        for criterion, level, confidence in (
            ("safe", "NO" if case % 10 == 0 else "YES", 0.95),
            ("dose", "YES", 0.6 if case % 3 == 0 else 0.99),
        )
    ]


def test_more_labels_go_where_members_times_spread_is_greater() -> None:
    # 1 each first. Urgency 100 / sqrt(n (n + 1)) and 40 / sqrt(n (n + 1)):
    # 70.7, 40.8, 28.9 against 28.3, so three more to the first and then one to the second.
    assert allocate([100, 10], [1.0, 4.0], [1, 1], 5) == [4, 1]
    assert allocate([100, 10], [1.0, 4.0], [1, 1], 6) == [4, 2]
    assert allocate([3, 10], [100.0, 1.0], [1, 1], 9) == [3, 6]


def test_no_other_allocation_has_a_smaller_variance() -> None:
    members, spreads, budget = [30, 50, 9], [1.0, 0.4, 2.5], 17

    def variance(taken: Sequence[int]) -> float:
        return sum((n * s) ** 2 / k for n, s, k in zip(members, spreads, taken, strict=True))

    every = [(a, b, budget - a - b) for a in range(1, 16) for b in range(1, 17 - a)]
    best = min((one for one in every if one[2] <= 9), key=variance)
    assert allocate(members, spreads, [1, 1, 1], budget) == list(best)


def test_a_budget_below_one_of_each_stratum_says_what_it_takes() -> None:
    with pytest.raises(
        InputError, match=r"4 labels is too small for 3 strata. One draw .* 6 labels"
    ):
        allocate([5, 5, 5], [1, 1, 1], [2, 2, 2], 4)


@pytest.mark.parametrize("by", WHOLES)
def test_units_are_drawn_as_often_as_their_probability_says(by: By) -> None:
    design = label_design(frame(cases=20), 24, by=by, floor=0.3)
    times, rounds = Counter[Unit](), 1500
    for seed in range(rounds):
        times.update(one.unit for one in drawn(design, seed=seed).units)
    for unit, chance in design.inclusion.items():
        error = np.sqrt(max(chance * (1 - chance), 1e-9) / rounds)
        # 80 units: a difference of 4.5 standard errors has a chance of 1 in 2000 among them all.
        assert abs(times[unit] / rounds - chance) < 4.5 * error + 1e-9


@pytest.mark.parametrize("by", WHOLES)
@settings(max_examples=25, deadline=None)
@given(st.integers(16, 120), st.floats(0.05, 1), st.integers(0, 5))
def test_every_unit_has_a_chance_and_the_sheet_keeps_to_the_budget(
    by: By, budget: int, floor: float, seed: int
) -> None:
    candidates = frame()
    design = label_design(candidates, budget, by=by, floor=floor)
    assert set(design.inclusion) == {one.unit for one in candidates}
    assert all(0 < chance <= 1 for chance in design.inclusion.values())
    sample = drawn(design, seed=seed)
    size = {"unit": 1, "prediction": 2, "case": 4}[by]
    assert budget - size < len(sample.units) <= budget or len(sample.units) == 120
    assert all(one.inclusion == design.inclusion[one.unit] for one in sample.units)
    assert sum(one.labels for one in sample.strata) == len(sample.units)


@pytest.mark.parametrize("by", WHOLES)
def test_what_is_drawn_as_a_whole_is_whole(by: By) -> None:
    units = [one.unit for one in label_next(frame(), 24, by=by).units]
    if by == "prediction":
        assert set(Counter(unit[:2] for unit in units).values()) == {2}
    if by == "case":
        assert set(Counter(unit[0] for unit in units).values()) == {4}


def test_a_case_stands_in_one_piece_and_its_predictions_too() -> None:
    units = [one.unit for one in label_next(frame(), 100, by="unit").units]
    for length in (1, 2):
        heads = [unit[:length] for unit in units]
        changes = 1 + sum(a != b for a, b in pairwise(heads))
        assert changes == len(set(heads))


def test_rare_levels_and_doubtful_verdicts_are_drawn_more_often() -> None:
    chances = label_design(frame(), 40, by="unit", floor=0.2).inclusion
    rare, common = chances["10", "m", "safe"], chances["11", "m", "safe"]
    doubtful, sure = chances["3", "m", "dose"], chances["4", "m", "dose"]
    assert rare > 2 * common
    assert doubtful > 1.5 * sure
    whole = label_design(frame(), 40, by="prediction", floor=0.2).inclusion
    assert whole["20", "m", "dose"] > whole["11", "m", "dose"]


def test_an_undecided_verdict_is_as_doubtful_as_can_be() -> None:
    units = [Candidate((str(n), "m", "safe"), str(n), "YES", 0.99) for n in range(20)]
    units += [Candidate((str(n), "m", "safe"), str(n), None) for n in range(20, 40)]
    chances = label_design(units, 20, by="unit", floor=0.1).inclusion
    # sqrt(.25) against sqrt(.0099): 5.03 times as much, less the even share.
    assert 3 < chances["30", "m", "safe"] / chances["3", "m", "safe"] < 5.03


def test_an_even_floor_gives_an_even_sample() -> None:
    chances = set(label_design(frame(), 60, by="prediction", floor=1, classes=1).inclusion.values())
    assert chances == {0.5}
    sample = label_next(frame(), 60, floor=1, classes=1)
    assert sample.weight_effect == pytest.approx(1)


def test_given_strata_are_all_represented() -> None:
    units = [
        Candidate((str(n), "m", "safe"), str(n), "YES", stratum="rare" if n < 2 else "other")
        for n in range(100)
    ]
    sample = label_next(units, 10, by="prediction")
    assert {one.name: one.members for one in sample.strata} == {
        "other, worth 1": 98,
        "rare, worth 1": 2,
    }
    assert all(one.drawn >= 1 for one in sample.strata)


@pytest.mark.parametrize("by", WHOLES)
def test_a_larger_budget_goes_on_with_the_same_sample(by: By) -> None:
    before: set[Unit] = set()
    for budget in range(20, 121, 7):
        now = {one.unit for one in label_next(frame(), budget, by=by, seed=4).units}
        assert before <= now
        before = now


def test_the_order_of_the_grades_does_not_matter() -> None:
    candidates = frame()
    turned = label_next(candidates[::-1], 40, seed=1)
    assert {one.unit for one in turned.units} == {
        one.unit for one in label_next(candidates, 40, seed=1).units
    }
    assert label_next(candidates, 40, seed=2).units != label_next(candidates, 40, seed=1).units


def test_weighted_corrected_means_are_unbiased_where_naive_ones_are_not() -> None:
    # The judge flags 40 of 400 (NO), and half of these are fine; it passes 360, and a tenth of
    # these are not. Its confidence says little, and mixes both in the strata.
    rng = np.random.default_rng(5)
    flagged = np.arange(400) < 40
    gold = np.where(flagged, rng.permutation(400) % 2, 0.0)
    gold[40:] = 1 - (rng.permutation(360) < 36)
    candidates = [
        Candidate((str(n), "m", "safe"), str(n), "NO" if flagged[n] else "YES", sure)
        for n, sure in enumerate(rng.uniform(0.5, 1, 400))
    ]
    judge = 1.0 - flagged
    design = label_design(candidates, 60, by="prediction", floor=0.1)
    rows = {one.unit: n for n, one in enumerate(candidates)}
    chances = np.array([design.inclusion[one.unit] for one in candidates])
    found: dict[str, list[float]] = {"weighted": [], "corrected": [], "naive": []}
    for seed in range(400):
        chosen = np.zeros(400, dtype=bool)
        chosen[[rows[one.unit] for one in drawn(design, seed=seed).units]] = True
        labels = np.where(chosen, gold, np.nan)
        for name, inclusion, lam in (
            ("weighted", chances, 0.0), ("corrected", chances, None), ("naive", None, 0.0)
        ):  # fmt: skip
            value = ppi_mean(judge, labels, inclusion=inclusion, lam=lam).estimate.value
            assert value is not None
            found[name].append(value)
    truth = gold.mean()
    for name in ("weighted", "corrected"):
        error = np.std(found[name]) / np.sqrt(400)
        assert abs(np.mean(found[name]) - truth) < 3.5 * error
    assert abs(np.mean(found["naive"]) - truth) > 0.02


WRONG = {
    "nothing": ([], {}, "there is nothing to label. Grade first"),
    "twice": ([*frame(1, "m"), *frame(1, "m")], {}, "0 / m / safe is there 2 times"),
    "confidence": (
        [Candidate(("1", "m", "safe"), "1", "YES", 1.5)],
        {},
        "confidence 1.5 of 1 / m / safe must lie",
    ),
    "no budget": (frame(), {"budget": 0}, "a budget of 0 labels"),
    "no floor": (frame(), {"floor": 0}, "floor 0 must be above 0.*could never be drawn"),
    "unknown whole": (frame(), {"by": "item"}, "by 'item' is unknown. It is unit, prediction"),
    "no classes": (frame(), {"classes": 0}, "0 classes are too few"),
    "tiny budget": (frame(), {"budget": 1}, "a budget of 1 labels is too small"),
}


@pytest.mark.parametrize(("candidates", "changes", "problem"), WRONG.values(), ids=WRONG)
def test_impossible_samples_are_refused_with_the_reason(
    candidates: list[Candidate], changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        label_next(candidates, **{"budget": 20, **changes})  # type: ignore[arg-type]  # wrong ones
