"""Which corrected scores may be printed: systems of different true quality, gold on some."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest

from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.judge import scales_of
from mmrare_judge.calibration.gold.labels import gold_from
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.study import Study, calibrate
from support.study_makers import SMALL, graded

SYSTEMS, EACH = 20, 60
LABELLED = dict.fromkeys(range(SYSTEMS), 8)


class Benchmark:
    """20 systems that are right on 10 to 90 % of what they are asked; the judge passes more.

    Of what is wrong it passes a share that falls with the system's quality, so that its errors on
    one system say nothing of those on another.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        quality = np.linspace(0.1, 0.9, SYSTEMS)
        self.truth = rng.random((SYSTEMS, EACH)) < quality[:, None]
        self.judge = self.truth | (rng.random((SYSTEMS, EACH)) < 1 - quality[:, None])

    def study(self, labelled: dict[int, int]) -> Study:
        """With gold on so many predictions of each system, by number."""
        rows = [(s, n) for s, count in labelled.items() for n in range(count)]
        grades = [
            graded(f"i{s}-{n}", both(self.judge[s, n]), system=f"m{s:02}")
            for s in range(SYSTEMS) for n in range(EACH)
        ]  # fmt: skip
        gold = gold_from(labels(self.truth, rows), scales_of(SMALL))
        options = StudyOptions(resampling=Resampling(resamples=100), cases=0)
        return calibrate(grades, gold, rubric=SMALL, options=options)


def both(met: Any) -> dict[str, str]:
    return dict.fromkeys(("quality", "safe"), "YES" if met else "NO")


def labels(truth: np.ndarray, rows: Iterable[tuple[int, int]]) -> list[GoldLabel]:
    return [
        GoldLabel(f"i{s}-{n}", f"m{s:02}", name, "A", level, f"i{s}-{n}")
        for s, n in rows for name, level in both(truth[s, n]).items()
    ]  # fmt: skip


@cache
def two_of_twenty(first: int) -> Study:
    return Benchmark(0).study({first: 40, first + 1: 40})


@pytest.mark.parametrize("first", [0, 18], ids=["the worst two", "the best two"])
def test_gold_on_two_of_twenty_systems_is_no_score_for_all(first: int) -> None:
    found = two_of_twenty(first).findings
    for name in ("all systems", "quality", "safe"):
        score = found.corrected[name]
        assert score.ppi.value is None
        assert "gold covers 2 of 20 systems" in score.ppi.reason
    assert found.corrected["quality"].rogan_gladen is not None
    assert found.corrected["quality"].rogan_gladen.value is None


def test_the_scores_of_the_systems_with_gold_are_given_and_told() -> None:
    found = two_of_twenty(10).findings
    assert covers(found.corrected["m10"], Benchmark(0).truth[10].mean())
    assert "no gold of this system" in found.corrected["m00"].ppi.reason
    said = [one for one in found.verdict if "score to print" in one or "There is one for" in one]
    assert said[0].startswith("There is no score to print for all systems: gold covers 2 of 20")
    assert said[1].startswith("There is one for m10 ")


def covers(score: CorrectedScore, truth: float) -> bool:
    interval = score.ppi.interval
    return interval is not None and interval.low <= truth <= interval.high


def test_gold_of_every_system_is_a_score_for_all_however_unevenly_it_is_spread() -> None:
    """40 labels on each of the two worst systems and 4 on the others: each counts by its size.

    Of 30 benchmarks nine tenths or more have the truth in their 95 % interval, which a mean over
    the labels as they are has not.
    """
    uneven = {s: 40 if s < 2 else 4 for s in range(SYSTEMS)}
    hits = 0
    for seed in range(30):
        world = Benchmark(seed)
        hits += covers(world.study(uneven).findings.corrected["quality"], world.truth.mean())
    assert hits >= 27


def test_gold_that_is_spread_evenly_weighs_no_system() -> None:
    world = Benchmark(3)
    score = world.study(LABELLED).findings.corrected["quality"]
    known = np.arange(EACH) < 8
    assert score.labelled.value == pytest.approx(world.truth[:, known].mean())
    assert covers(score, world.truth.mean())


def test_inclusion_probabilities_make_gold_on_some_systems_enough() -> None:
    """Every prediction had the chance 1 in 15; by chance some system has no label."""
    world = Benchmark(4)
    rng = np.random.default_rng(5)
    rows = [(s, n) for s in range(SYSTEMS) for n in range(EACH) if rng.random() < 1 / 15]
    rows = [row for row in rows if row[0] != 7]
    grades = [
        graded(f"i{s}-{n}", both(world.judge[s, n]), system=f"m{s:02}")
        for s in range(SYSTEMS) for n in range(EACH)
    ]  # fmt: skip
    given = [
        GoldLabel(one.item, one.system, one.criterion, one.rater, one.label, one.cluster,
                  inclusion=1 / 15)
        for one in labels(world.truth, rows)
    ]  # fmt: skip
    study = calibrate(
        grades, gold_from(given, scales_of(SMALL)), rubric=SMALL,
        options=StudyOptions(resampling=Resampling(resamples=100), cases=0),
    )  # fmt: skip
    assert study.findings.corrected["all systems"].ppi.value is not None
    assert study.findings.corrected["m07"].ppi.value is None
