"""Sensitivity and specificity corrected for: published intervals, and when to refuse."""

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.correction import BinaryTest, lang_reiczigel, rogan_gladen
from mmrare_judge.calibration.statistics.estimate import Interval
from mmrare_judge.errors import ConfigError, InputError

NAN = float("nan")

# Examples 1 to 4 of Lang and Reiczigel (2014), as the help of the R package asht quotes them:
# the apparent prevalence, sensitivity and specificity with their n, the interval, its digits.
PUBLISHED = {
    "1": (BinaryTest(4060 / 11284, 11284, 178 / 179, 179, 358 / 359, 359), (0.349, 0.372), 3),
    "2": (BinaryTest(51 / 2971, 2971, 32 / 33, 33, 20 / 20, 20), (0, 0.053), 3),
    "3": (BinaryTest(0.06, 11862, 0.80, 10, 1, 12), (0, 0.147), 3),
    "4a": (BinaryTest(259 / 509, 509, 84 / 127, 127, 96 / 109, 109), (0.58, 0.87), 2),
    "4b": (BinaryTest(51 / 509, 509, 23 / 41, 41, 187 / 195, 195), (0.037, 0.195), 3),
}


@pytest.mark.parametrize(("test", "ends", "digits"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_interval_has_its_published_ends(
    test: BinaryTest, ends: tuple[float, float], digits: int
) -> None:
    found = lang_reiczigel(test)
    assert (round(found.low, digits), round(found.high, digits)) == ends


def sample(
    *, hits: int, misses: int, alarms: int, passes: int, rest: tuple[int, int]
) -> tuple[list[float], list[float]]:
    """Verdicts and gold with these counts, and verdicts without gold, yes and no."""
    judge = [1.0] * hits + [0.0] * misses + [1.0] * alarms + [0.0] * passes
    gold = [1.0] * (hits + misses) + [0.0] * (alarms + passes)
    return judge + [1.0] * rest[0] + [0.0] * rest[1], gold + [NAN] * sum(rest)


def test_vectors_give_the_published_interval_of_their_counts() -> None:
    judge, gold = sample(hits=84, misses=43, alarms=13, passes=96, rest=(259, 250))
    found = rogan_gladen(judge, gold)
    # (259/509 + 96/109 - 1) / (84/127 + 96/109 - 1) = .38957 / .54215.
    assert found.value == pytest.approx(0.71856, abs=1e-4)
    assert found.interval == lang_reiczigel(PUBLISHED["4a"][0])
    assert (found.n, found.clusters, found.missing, found.reason) == (745, 745, 0, "")


def test_a_perfect_judge_leaves_the_rate_as_it_is() -> None:
    judge, gold = sample(hits=50, misses=0, alarms=0, passes=50, rest=(30, 70))
    assert rogan_gladen(judge, gold).value == pytest.approx(0.3)


def test_a_correction_beyond_the_scale_is_cut_to_it() -> None:
    # The judge flags 1 % of the rest, less than its false alarms alone would be.
    judge, gold = sample(hits=45, misses=5, alarms=10, passes=40, rest=(1, 99))
    found = rogan_gladen(judge, gold)
    assert found.value == 0
    assert found.interval is not None
    assert found.interval.low == 0


def test_turning_yes_into_no_turns_the_estimate_round() -> None:
    judge, gold = map(np.array, sample(hits=40, misses=8, alarms=5, passes=30, rest=(90, 60)))
    first, turned = rogan_gladen(judge, gold), rogan_gladen(1 - judge, 1 - gold)
    assert first.value is not None
    assert turned.value == pytest.approx(1 - first.value)
    assert first.interval is not None
    assert turned.interval is not None
    assert turned.interval.low == pytest.approx(1 - first.interval.high)


def test_fewer_than_five_labels_of_a_kind_are_refused() -> None:
    judge, gold = sample(hits=3, misses=1, alarms=5, passes=30, rest=(40, 60))
    found = rogan_gladen(judge, gold)
    assert (found.value, found.interval) == (None, None)
    assert found.reason == (
        "gold-positive labels with a verdict: 4, gold-negative: 35; 5 of each are the least"
    )


def test_a_judge_that_hardly_knows_good_from_bad_is_refused() -> None:
    # Sensitivity 22/40 and specificity 20/40: their sum is 1.05.
    judge, gold = sample(hits=22, misses=18, alarms=20, passes=20, rest=(60, 60))
    found = rogan_gladen(judge, gold)
    assert found.value is None
    assert found.reason == (
        "sensitivity 0.55 + specificity 0.50 - 1 is 0.05: the judge hardly knows good from bad"
    )


def test_a_judge_that_is_turned_round_is_refused_too() -> None:
    judge, gold = sample(hits=5, misses=35, alarms=30, passes=10, rest=(60, 60))
    assert "is -0.62: the judge hardly knows good from bad" in rogan_gladen(judge, gold).reason


def test_a_sum_that_so_few_labels_cannot_tell_from_one_is_refused() -> None:
    # .67 + .67 - 1 = .33 from six labels each: its error is about .25.
    judge, gold = sample(hits=4, misses=2, alarms=2, passes=4, rest=(60, 60))
    found = rogan_gladen(judge, gold)
    assert found.value is None
    assert found.reason.endswith("is 0.33, but with so few labels not told apart from 0")


def test_labels_of_a_single_case_are_refused() -> None:
    judge, gold = sample(hits=45, misses=5, alarms=5, passes=45, rest=(60, 60))
    clusters = ["one case"] * 100 + [f"case {unit}" for unit in range(120)]
    found = rogan_gladen(judge, gold, clusters=clusters)
    assert found.value is None
    assert "so few labels" in found.reason


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        ([NAN] * 20, "gold-positive labels with a verdict: 0, gold-negative: 0"),
        ([1, 0] * 10, "every unit has gold: there is nothing left to correct"),
    ],
    ids=["no gold", "gold everywhere"],
)
def test_without_gold_or_with_nothing_but_gold_there_is_no_correction(
    gold: list[float], reason: str
) -> None:
    found = rogan_gladen([1, 0] * 10, gold)
    assert found.value is None
    assert found.reason.startswith(reason)


def test_units_without_a_verdict_are_left_out_and_it_is_said() -> None:
    judge, gold = sample(hits=45, misses=5, alarms=5, passes=45, rest=(60, 60))
    whole = rogan_gladen(judge, gold)
    found = rogan_gladen([*judge, NAN, NAN], [*gold, 1, NAN])
    assert (found.value, found.interval) == (whole.value, whole.interval)
    assert found.missing == 2
    assert found.reason == "2 units without a verdict are left out: this is the share of the others"


def test_unequal_chances_weigh_sensitivity_and_specificity() -> None:
    # Hits were labelled with chance .5 and misses with .25: weights 2 * 30 and 4 * 10, so that
    # sensitivity is .6; specificity 36/40 = .9; the rate counts everyone: 34 + 66 of 200.
    judge, gold = sample(hits=30, misses=10, alarms=4, passes=36, rest=(66, 54))
    chances = [0.5] * 30 + [0.25] * 10 + [0.5] * 40 + [NAN] * 120
    found = rogan_gladen(judge, gold, inclusion=chances)
    assert found.value == pytest.approx((100 / 200 + 0.9 - 1) / (0.6 + 0.9 - 1))


def test_an_interval_of_a_useless_test_is_refused_not_divided_by_zero() -> None:
    for sensitivity, specificity in ((0.5, 0.5), (0.2, 0.3)):
        with pytest.raises(InputError, match="such a test says nothing of the prevalence"):
            lang_reiczigel(BinaryTest(0.4, 100, sensitivity, 20, specificity, 20))
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        lang_reiczigel(PUBLISHED["1"][0], level=95)


def test_a_higher_level_makes_a_wider_interval() -> None:
    narrow, wide = (lang_reiczigel(PUBLISHED["4a"][0], level=level) for level in (0.8, 0.99))
    assert isinstance(narrow, Interval)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_verdicts_that_are_not_yes_or_no_are_refused() -> None:
    with pytest.raises(InputError, match=r"judge must be 0 or 1, not 0\.5"):
        rogan_gladen([0.5, 1], [1, 0])
