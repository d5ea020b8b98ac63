"""What is said of a judge that is constant, at chance or was not asked, and of none that is not."""

import csv
from typing import Any

import numpy as np
import pytest

from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.judge import scales_of
from mmrare_judge.calibration.gold.labels import gold_from
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.study import Study, calibrate, certify
from mmrare_judge.errors import InputError
from mmrare_judge.rubric.model import load_rubric, parse_rubric
from support.paths import ROOT
from support.study_makers import SMALL, World, gold_of, graded, unscored

FEW = Resampling(resamples=200)
KQA = ROOT / "calibration" / "kqa"
GRADED = parse_rubric("""
id: graded
version: "1"
track: treatment
title: One criterion of three levels
source: made for the tests
instructions: Judge.
scale: ["0", "1", "2"]
total_weight: 1
criteria:
  - id: depth
    question: q
    weight: 1
    levels:
      "0": {points: 0, meaning: a}
      "1": {points: 1, meaning: b}
      "2": {points: 2, meaning: c}
""")


def studied(world: World, **options: Any) -> Study:
    given = {"resampling": FEW, "cases": 0, "margin": 0.1, **options}
    return calibrate(world.grades(), world.gold(), rubric=SMALL, options=StudyOptions(**given))


@pytest.mark.parametrize("judge", ["physician_0", "physician_1", "physician_2"])
def test_no_physician_of_kqa_in_the_judges_place_is_degenerate(judge: str) -> None:
    rubric = load_rubric(KQA / "rubric.yaml")
    rows = list(csv.DictReader((KQA / "gold.csv").read_text("utf-8").splitlines()))
    level = {True: "YES", False: "NO"}
    labels = [
        GoldLabel(row["claim"], row["system"], "stated", row["rater"],
                  level[row["label"] == "Entailment"], row["question_id"])
        for row in rows
    ]  # fmt: skip
    theirs = [one for one in labels if one.rater != judge]
    grades = [
        graded(one.item, {"stated": str(one.label)}, system=one.system, rubric=rubric)
        for one in labels if one.rater == judge
    ]  # fmt: skip
    study = calibrate(
        grades, gold_from(theirs, scales_of(rubric)), rubric=rubric,
        options=StudyOptions(resampling=FEW, cases=0, margin=0.1),
    )  # fmt: skip
    assert study.findings.remarks == ()


def test_a_judge_that_always_says_yes_is_degenerate_which_decides_nothing() -> None:
    study = studied(World(judge_errs=(1.0, 0.0)), margin=None)
    (remark,) = [one for one in study.findings.remarks if one.startswith("quality")]
    assert "degenerate: it gives 'YES' in all 120 verdicts" in remark
    assert study.findings.tone == "open"


def test_a_judge_that_tosses_a_coin_is_degenerate() -> None:
    study = studied(World(judge_errs=(0.5, 0.5), clinicians_err=0.02), margin=None)
    assert len(study.findings.remarks) == 2
    assert all("cannot be told from chance" in remark for remark in study.findings.remarks)


def test_where_clinicians_are_at_chance_too_no_judge_is_degenerate() -> None:
    study = studied(World(judge_errs=(0.5, 0.5), clinicians_err=0.5), margin=None)
    assert study.findings.remarks == ()


def test_a_judge_that_is_one_level_off_now_and_then_is_not_degenerate() -> None:
    """It agrees exactly on 2 of 5 units, where always answering "1" would agree on 3 of 5."""
    truth = [0, 1, 1, 1, 2] * 12
    judge = [0, 0, 1, 2, 1] * 12
    rows = [(f"i{n}", "depth", who, str(v)) for n, v in enumerate(truth) for who in "AB"]
    grades = [graded(f"i{n}", {"depth": str(v)}, rubric=GRADED) for n, v in enumerate(judge)]
    options = StudyOptions(resampling=FEW, cases=0, statistic="cohen_kappa_quadratic")
    study = calibrate(grades, gold_of(rows, rubric=GRADED), rubric=GRADED, options=options)
    kappa = study.findings.criteria[0].judge.value
    assert kappa is not None
    # Squared distances: 3 of 5 observed; sum over independent pairs (1, 3, 1)/5 and (2, 2, 1)/5:
    # (1*2 + 4*1 + 3*2 + 3*1 + 4*2 + 1*2) / 25 = 25/25; kappa 1 - (3/5) / 1 = .4.
    assert kappa == pytest.approx(0.4)
    assert study.findings.remarks == ()


def test_a_server_that_was_down_is_no_verdict_and_no_certificate() -> None:
    world = World(graded=40, labelled=40)
    down = [
        unscored(one.item_id).model_copy(update={"system": one.system}) for one in world.grades()
    ]
    study = calibrate(
        [*down[:5], *world.grades()[5:]], world.gold(), rubric=SMALL,
        options=StudyOptions(resampling=FEW, cases=0, margin=0.1),
    )  # fmt: skip
    assert study.findings.verdict == (
        "There is no verdict: the judge could not be asked about 5 of 40 predictions with gold "
        "(timeout 5), and at most 10 % may be missing.",
    )
    with pytest.raises(InputError, match="there is no verdict to certify"):
        certify(study)
    few = calibrate(
        [*down[:4], *world.grades()[4:]], world.gold(), rubric=SMALL,
        options=StudyOptions(resampling=FEW, cases=0, margin=0.1),
    )  # fmt: skip
    assert few.no_verdict == ""
    assert certify(few).tone == few.findings.tone


def test_a_judge_that_abstains_is_not_degenerate() -> None:
    levels = {n: "NO" if n % 3 else "YES" for n in range(60)}
    rows = [(f"i{n}", "safe", who, v) for n, v in levels.items() for who in "AB"]
    grades = [
        graded(f"i{n}", {"quality": "YES", "safe": v if n < 20 else None})
        for n, v in levels.items()
    ]
    study = calibrate(
        grades, gold_of(rows), rubric=SMALL, options=StudyOptions(resampling=FEW, cases=0)
    )
    assert study.findings.remarks == ()
    assert np.isclose(study.coverage, 20 / 60)
