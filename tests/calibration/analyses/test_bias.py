"""Planted biases are found with the planted size, and none where none was planted."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.bias import (
    GroupBias,
    family_difference,
    family_preference,
    leniency,
    leniency_by_group,
    subgroup_bias,
    verbosity_slope,
)
from mmrare_judge.calibration.statistics.estimate import Codes, Estimate, Floats
from mmrare_judge.errors import InputError

CASES, EACH = 120, 4
NAN = float("nan")


class Sample(NamedTuple):
    """Verdicts of four systems on each of 120 cases, the judge's errors alike within a case."""

    judge: Floats
    gold: Floats
    cases: Codes
    systems: np.ndarray
    words: Floats


def sample(seed: int) -> Sample:
    """An unbiased judge; clinicians reward length, and two systems are better than the others."""
    random = np.random.default_rng(seed)
    cases = np.repeat(np.arange(CASES), EACH)
    systems = np.tile(np.array(["a", "b", "c", "d"]), CASES)
    words = np.exp(random.normal(5, 0.7, len(cases)))
    ability = np.log(words) - 5 + np.isin(systems, ["a", "b"]) + random.normal(0, 0.7, len(cases))
    gold = np.digitize(ability, [0.0, 1.0]).astype(float)
    error = random.normal(0, 0.4, CASES)[cases] + random.normal(0, 0.4, len(cases))
    return Sample(gold + error, gold, cases, systems, words)


def covers(found: Estimate, planted: float) -> bool:
    assert found.interval is not None
    return found.interval.low <= planted <= found.interval.high


def times_covered(planted: float, estimates: list[Estimate]) -> int:
    return sum(covers(found, planted) for found in estimates)


RUNS = range(60)
LEAST = 51
"""95 % of 60 are 57, with a standard deviation of 1.7."""


def test_leniency_is_found_with_its_size() -> None:
    found = []
    for seed in RUNS:
        s = sample(seed)
        found.append(leniency(s.judge + 0.3, s.gold, clusters=s.cases))
    assert np.mean([one.value for one in found if one.value is not None]) == pytest.approx(
        0.3, abs=0.02
    )
    assert times_covered(0.3, found) >= LEAST


def test_leniency_towards_one_system_is_found_there_and_only_there() -> None:
    found: dict[str, list[GroupBias]] = {name: [] for name in "abcd"}
    for seed in RUNS:
        s = sample(seed)
        judge = s.judge + 0.4 * (s.systems == "c")
        for one in leniency_by_group(judge, s.gold, s.systems, clusters=s.cases):
            found[one.group].append(one)
    for name, planted in {"a": 0.0, "b": 0.0, "c": 0.4, "d": 0.0}.items():
        assert times_covered(planted, [one.estimate for one in found[name]]) >= LEAST
    assert all(one.p_holm is not None and one.p_holm < 0.05 for one in found["c"])


def test_the_verbosity_slope_is_found_and_not_mixed_up_with_better_answers() -> None:
    found, naive = [], []
    for seed in RUNS:
        s = sample(seed)
        judge = s.judge + 0.2 * np.log(s.words)
        found.append(verbosity_slope(judge, s.gold, s.words, clusters=s.cases).estimate)
        naive.append(np.polyfit(np.log(s.words), judge, 1)[0])
    assert np.mean([one.value for one in found if one.value is not None]) == pytest.approx(
        0.2, abs=0.02
    )
    assert times_covered(0.2, found) >= LEAST
    assert np.mean(naive) > 0.4  # clinicians, too, find the longer answers better


def test_the_preference_for_the_own_family_is_found_and_not_mixed_up_with_better_systems() -> None:
    found = []
    for seed in RUNS:
        s = sample(seed)
        own = np.isin(s.systems, ["a", "b"])
        judge = s.judge + 0.25 * own
        found.append(family_preference(judge, s.gold, own, clusters=s.cases).estimate)
    assert np.mean([one.value for one in found if one.value is not None]) == pytest.approx(
        0.25, abs=0.02
    )
    assert times_covered(0.25, found) >= LEAST


CATEGORIES = np.repeat([f"category {n}" for n in range(8)], [40, 30, 20, 10, 8, 6, 4, 2])


def test_a_subgroup_is_found_against_all_others() -> None:
    found = []
    for seed in RUNS:
        s = sample(seed)
        groups = CATEGORIES[s.cases]
        judge = s.judge + 0.5 * (groups == "category 1")
        rows = subgroup_bias(judge, s.gold, groups, clusters=s.cases)
        found.append(next(row for row in rows if row.group == "category 1"))
    assert times_covered(0.5, [row.estimate for row in found]) >= LEAST
    assert sum(row.p_holm is not None and row.p_holm < 0.05 for row in found) >= LEAST


def test_under_no_bias_some_subgroup_stands_out_in_one_of_twenty_studies_at_most() -> None:
    """Also with categories of two, four and six cases, in which few clusters carry the term."""
    runs, alarms, unadjusted = 200, 0, 0
    for seed in range(runs):
        s = sample(1000 + seed)
        rows = subgroup_bias(s.judge, s.gold, CATEGORIES[s.cases], clusters=s.cases)
        alarms += any(row.p_holm is not None and row.p_holm < 0.05 for row in rows)
        unadjusted += any(row.p_value is not None and row.p_value < 0.05 for row in rows)
    # 5 % of 200 are 10, with a standard deviation of 3.1.
    assert alarms <= 18
    assert unadjusted > 40  # eight looks without adjustment: this is what it is for


def test_worse_judging_without_favour_shows_in_absolute_errors_alone() -> None:
    s = sample(3)
    groups = np.where(CATEGORIES[s.cases] == "category 0", "rare", "other")
    random = np.random.default_rng(0)
    noise = np.where(groups == "rare", random.choice([-1.0, 1.0], len(groups)), 0)
    rare = {
        kind: subgroup_bias(s.gold + noise, s.gold, groups, clusters=s.cases, error=kind)[1]
        for kind in ("signed", "absolute")
    }
    # Outside the group the judge is right throughout, inside it errs by one point both ways.
    assert rare["absolute"].estimate.value == pytest.approx(1)
    assert rare["signed"].p_value is not None
    assert rare["signed"].p_value > 0.05


def test_a_slope_worked_by_hand() -> None:
    # Gold 0: ln length 0, 1 and errors 0, 1; gold 2: ln length 1, 3 and errors 0, -2.
    # Within levels the lengths lie -.5, .5, -1, 1 from their mean, the errors -.5, .5, 1, -1:
    # slope (.25 + .25 - 1 - 1) / (.25 + .25 + 1 + 1) = -1.5 / 2.5
    found = verbosity_slope([0, 1, 2, 0], [0, 0, 2, 2], np.exp([0, 1, 1, 3]))
    assert found.estimate.value == pytest.approx(-0.6)


def test_missing_verdicts_and_labels_are_counted() -> None:
    judge, gold = [1, NAN, 2, 0, 1], [1, 1, NAN, 1, 0]
    assert leniency(judge, gold).missing == 2
    assert leniency(judge, gold).value == pytest.approx((0 - 1 + 1) / 3)
    assert verbosity_slope(judge, gold, [5, 6, 7, 8, 9]).estimate.missing == 2


def test_without_any_pair_there_is_no_bias_to_speak_of() -> None:
    assert leniency([NAN, 1], [1, NAN]).reason == "no unit has both values"
    found = family_preference([NAN], [1], [1])
    assert (found.estimate.value, found.estimate.missing) == (None, 1)


def test_one_family_alone_cannot_be_preferred() -> None:
    found = family_preference([1, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1])
    assert found.estimate.value is None
    assert "does not vary" in found.estimate.reason


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "blank text": (lambda: verbosity_slope([1, 1], [1, 0], [0, 4]), "length must be above 0"),
    "lengths": (lambda: leniency([1, 2], [1]), "judge has 2 values where 1 are needed"),
    "no group": (lambda: subgroup_bias([1, 1], [1, 0], np.array(["a", None])), "group is missing"),
    "groups": (lambda: leniency_by_group([1], [1], ["a", "b"]), "where 1 names are needed"),
    "kind": (
        lambda: subgroup_bias([1], [1], ["a"], error="squared"),  # type: ignore[arg-type]
        "neither 'signed' nor 'absolute'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_asked_is_refused(name: str) -> None:
    ask, problem = REFUSED[name]
    with pytest.raises(InputError, match=problem):
        ask()


def test_a_family_that_looks_better_to_all_judges_is_no_preference() -> None:
    """Both judges add .3 to systems of the family; the first judge adds .1 to everything."""
    rng = np.random.default_rng(0)
    base, same = rng.random(400), np.arange(400) % 2
    other = base + 0.3 * same
    judge = other + 0.1 + rng.normal(0, 0.01, 400)
    slope = family_difference(judge, other[:, None], same)
    assert slope.estimate.value == pytest.approx(0, abs=0.005)
    assert slope.p_value is not None
    assert slope.p_value > 0.05


def test_a_preference_is_what_one_judge_adds_beyond_the_mean_of_the_others() -> None:
    """Own family: (.5 - .1) and (.7 - .3) above the others; else 0: .4."""
    judge, same = [0.5, 0.7, 0.2, 0.4], [1, 1, 0, 0]
    others = [[0.1, np.nan], [0.2, 0.4], [0.2, 0.2], [0.3, 0.5]]
    assert family_difference(judge, others, same).estimate.value == pytest.approx(0.4)
