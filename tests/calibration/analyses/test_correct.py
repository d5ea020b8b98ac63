"""Corrected scores: raw, labelled and corrected beside each other, for one criterion and many."""

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.correction import (
    CorrectedScore,
    corrected_rubric_score,
    corrected_score,
    ppi_mean,
    raw_mean,
    rogan_gladen,
)
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.errors import InputError

NAN = float("nan")


def benchmark(seed: int = 0, units: int = 120, labelled: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A judge that is right in 8 of 10, and gold on the first units."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(units) < 0.5).astype(float)
    judge = np.where(rng.random(units) < 0.8, truth, 1 - truth)
    return judge, np.where(np.arange(units) < labelled, truth, NAN)


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.interval is not None
    return estimate.interval.low, estimate.interval.high


def test_the_parts_of_a_corrected_score_are_those_of_the_single_estimators() -> None:
    judge, gold = benchmark()
    score = corrected_score(judge, gold, binary=True)
    assert score.ppi == ppi_mean(judge, gold).estimate
    assert score.labelled == ppi_mean(judge, gold, lam=0).estimate
    assert score.rogan_gladen == rogan_gladen(judge, gold)
    assert score.raw.value == pytest.approx(judge.mean())
    assert (score.graded, score.with_gold, score.abstained) == (120, 40, 0)
    assert [one.name for one in (score.raw, score.labelled, score.ppi)] == [
        "raw", "labelled", "ppi",
    ]  # fmt: skip


def test_a_score_that_is_not_binary_has_no_rogan_gladen_correction() -> None:
    judge, gold = benchmark()
    assert corrected_score(judge / 2, gold).rogan_gladen is None
    with pytest.raises(InputError, match="must be 0 or 1"):
        corrected_score(judge / 2, gold, binary=True)


def test_the_raw_mean_has_the_t_interval_of_a_mean() -> None:
    # 0 1 2 ... 9: mean 4.5, SD 3.02765, t(.975, 9) = 2.262157.
    found = raw_mean([*range(10), NAN])
    half = 2.262157 * 3.0276504 / 10**0.5
    assert found.value == 4.5
    assert ends(found) == pytest.approx((4.5 - half, 4.5 + half))
    assert (found.name, found.n, found.missing) == ("raw", 10, 1)
    assert found.reason == "only 10 clusters: the interval is rough"


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([NAN, NAN], "the judge gave no verdict on any unit"),
        ([1] * 40, "no interval: all 40 points are alike"),
        ([1] * 38 + [0] * 2, "no interval: only 2 of 40 points differ from the others; 5 are the "),
        ([1, 0, 1], "no interval: 3 clusters, and 5 are the least"),
    ],
    ids=["none", "alike", "rare", "few"],
)
def test_a_raw_mean_without_an_interval_says_why(points: list[float], reason: str) -> None:
    found = raw_mean(points)
    assert found.interval is None
    assert found.reason.startswith(reason)


def test_without_gold_only_the_raw_score_stands() -> None:
    score = corrected_score([1, 0, 1, 1, 0, 1], [NAN] * 6, binary=True)
    assert score.raw.value == pytest.approx(4 / 6)
    assert (score.ppi.value, score.labelled.value, score.with_gold) == (None, None, 0)
    assert score.ppi.reason == score.labelled.reason == "no unit has a gold label"
    assert (score.ppi.name, score.labelled.name, score.lam) == ("ppi", "labelled", {})
    assert score.rogan_gladen is not None
    assert score.rogan_gladen.value is None


def test_without_a_verdict_the_gold_still_stands() -> None:
    _, gold = benchmark()
    score = corrected_score([NAN] * 120, gold)
    assert score.raw.value is None
    assert score.raw.reason == "the judge gave no verdict on any unit"
    assert score.ppi.value == score.labelled.value == pytest.approx(np.nanmean(gold))
    assert (score.abstained, score.ppi.missing, score.labelled.missing) == (120, 120, 0)


def test_an_empty_benchmark_has_no_score() -> None:
    score = corrected_score([], [])
    assert (score.raw.value, score.ppi.value, score.graded) == (None, None, 0)


def test_the_labelled_only_score_counts_what_it_was_computed_from() -> None:
    judge, gold = benchmark()
    score = corrected_score(judge, gold, clusters=np.arange(120) // 2)
    assert (score.labelled.n, score.labelled.clusters) == (40, 20)
    assert (score.ppi.n, score.ppi.clusters) == (120, 60)


def test_a_rubric_of_one_criterion_is_that_criterion() -> None:
    judge, gold = benchmark()
    alone = corrected_score(judge, gold, clusters=np.arange(120) // 2)
    rubric = corrected_rubric_score(
        {"dose": judge}, {"dose": gold}, weights={"dose": 3}, clusters=np.arange(120) // 2
    )
    assert rubric.ppi == alone.ppi
    assert rubric.labelled == alone.labelled
    assert rubric.raw == alone.raw
    assert rubric.lam == {"dose": pytest.approx(alone.lam["score"])}


def two_criteria(weights: tuple[float, float] = (3, 1)) -> CorrectedScore:
    judges, golds = zip(benchmark(1), benchmark(2), strict=True)
    names = ("dose", "monitoring")
    return corrected_rubric_score(
        dict(zip(names, judges, strict=True)),
        dict(zip(names, golds, strict=True)),
        weights=dict(zip(names, weights, strict=True)),
    )


def test_a_rubric_score_is_the_weighted_mean_of_its_criteria() -> None:
    first, second = (corrected_score(*benchmark(seed)) for seed in (1, 2))
    score = two_criteria()
    for way in ("raw", "labelled", "ppi"):
        one, other = getattr(first, way).value, getattr(second, way).value
        assert getattr(score, way).value == pytest.approx(0.75 * one + 0.25 * other)


def test_the_scale_of_the_weights_changes_nothing_and_weight_0_leaves_out() -> None:
    assert two_criteria((3, 1)) == two_criteria((6, 2))
    assert two_criteria((1, 0)).ppi == corrected_score(*benchmark(1)).ppi


def test_the_labelled_rubric_score_has_the_interval_of_each_units_own_score() -> None:
    # Where every labelled unit has gold on all criteria, the mean of sums is the sum of means.
    (_, first), (_, second) = benchmark(1), benchmark(2)
    by_unit = (0.75 * first + 0.25 * second)[:40]
    found = two_criteria().labelled
    half = 2.022691 * by_unit.std(ddof=1) / 40**0.5  # t(.975, 39)
    assert ends(found) == pytest.approx((by_unit.mean() - half, by_unit.mean() + half), rel=1e-6)


def test_the_same_criterion_twice_is_no_more_certain_than_once() -> None:
    judge, gold = benchmark()
    twice = corrected_rubric_score(
        {"a": judge, "b": judge}, {"a": gold, "b": gold}, weights={"a": 1, "b": 1}
    )
    assert ends(twice.ppi) == pytest.approx(ends(corrected_score(judge, gold).ppi))


def test_criteria_may_have_gold_on_different_units() -> None:
    judge, gold = benchmark()
    other = np.roll(gold, 50)
    score = corrected_rubric_score(
        {"a": judge, "b": np.roll(judge, 50)}, {"a": gold, "b": other}, weights={"a": 1, "b": 1}
    )
    assert score.ppi.value == pytest.approx(corrected_score(judge, gold).ppi.value)
    assert score.with_gold == 40


def test_a_criterion_without_gold_leaves_the_rubric_without_a_corrected_score() -> None:
    judge, gold = benchmark()
    empty = np.full(120, NAN)
    names = {"dose": judge, "monitoring": judge}
    score = corrected_rubric_score(
        names, {"dose": gold, "monitoring": empty}, weights={"dose": 1, "monitoring": 1}
    )
    assert (score.ppi.value, score.labelled.value, score.lam) == (None, None, {})
    assert score.ppi.reason == "no gold label for monitoring"
    assert score.raw.value == pytest.approx(judge.mean())


def test_a_criterion_whose_labels_hardly_vary_is_named_in_the_sum() -> None:
    judge, gold = benchmark()
    safe = np.where(np.isnan(gold), NAN, 1.0)
    safe[:2] = 0
    score = corrected_rubric_score(
        {"dose": judge, "safe": judge}, {"dose": gold, "safe": safe}, weights={"dose": 2, "safe": 1}
    )
    assert score.ppi.interval is not None
    assert "on 1 of 2 criteria only 2 of 40 gold labels differ from the others" in score.ppi.reason


def test_a_prediction_lacking_a_verdict_on_one_criterion_has_no_raw_score() -> None:
    judge, gold = benchmark()
    gaps = judge.copy()
    gaps[[3, 100]] = NAN
    score = corrected_rubric_score(
        {"a": judge, "b": gaps}, {"a": gold, "b": gold}, weights={"a": 1, "b": 1}
    )
    assert (score.abstained, score.raw.n, score.raw.missing, score.ppi.missing) == (2, 118, 2, 2)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ({"a": 1}, "weights"),
        ({"a": 1, "b": -1}, "must not be negative, infinite or missing"),
        ({"a": 1, "b": NAN}, "must not be negative, infinite or missing"),
        ({"a": 0, "b": 0}, "must not all be 0"),
    ],
    ids=["criterion lacking", "negative", "nan", "nothing"],
)
def test_weights_that_make_no_mean_are_refused(weights: dict[str, float], problem: str) -> None:
    judge, gold = benchmark()
    with pytest.raises(InputError, match=problem):
        corrected_rubric_score({"a": judge, "b": judge}, {"a": gold, "b": gold}, weights=weights)


def test_criteria_of_different_length_are_refused_by_name() -> None:
    judge, gold = benchmark()
    with pytest.raises(InputError, match="judge of b has 119 values where 120 are needed"):
        corrected_rubric_score(
            {"a": judge, "b": judge[1:]}, {"a": gold, "b": gold[1:]}, weights={"a": 1, "b": 1}
        )
