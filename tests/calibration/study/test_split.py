"""Tuning is not testing: what was used to choose the judge is no part of the verdict."""

from dataclasses import replace
from typing import Any

import pytest

from mmrare_judge.calibration.gold.labels import gold_from
from mmrare_judge.calibration.report.blocks import with_ends
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import Split, StudyOptions
from mmrare_judge.calibration.study.split import tuning_cases
from mmrare_judge.calibration.study.study import Study, calibrate, certify
from mmrare_judge.data.items import Item, Reference
from mmrare_judge.errors import InputError
from support.study_makers import SMALL, World

FEW = Resampling(resamples=100)


def overfitted() -> World:
    """A judge that is right on the first 60 of 120 items, and tosses a coin on the others."""
    world = World(graded=120, labelled=120, clinicians_err=0.02)
    coin = World(graded=120, labelled=120, judge_errs=(0.5, 0.5), seed=9)
    world.judge[:60] = world.truth[:60]
    world.judge[60:] = coin.judge[60:]
    return world


def studied(split: Split | None, **options: Any) -> Study:
    world = overfitted()
    given = {"resampling": FEW, "cases": 0, "margin": 0.2, "split": split, **options}
    return calibrate(world.grades(), world.gold(), rubric=SMALL, options=StudyOptions(**given))


FIRST = Split(cases=tuple(f"i{n}" for n in range(60)), used="the wording")


def test_the_verdict_and_the_certificate_rest_on_the_other_part_alone() -> None:
    study = studied(FIRST)
    assert (study.part, study.findings.tone) == ("test", "bad")
    quality = study.findings.criteria[0]
    assert quality.judge.n == 60
    assert quality.judge.interval is not None
    assert quality.judge.interval.low < 0.1
    assert certify(study).criteria["quality"].agreement.n == 60
    assert study.findings.caveats[0] == (
        "60 of 120 cases with gold were used to choose the wording. Everything here is of the 60 "
        "others, unless it says so."
    )
    assert study.findings.corrected["quality"].graded == 60


def test_what_was_found_on_the_part_used_for_tuning_is_shown_beside() -> None:
    others = dict(studied(FIRST).findings.others)
    tuned = others["quality, on the part used for tuning: judge"]
    theirs = others["quality, on the part used for tuning: clinicians"]
    assert tuned.value is not None
    assert theirs.value is not None
    assert tuned.value > 0.9
    assert tuned.n == theirs.n == 60


def test_where_every_case_was_used_there_is_no_verdict() -> None:
    study = studied(Split(tuning=1, note="On 20 unseen cases kappa was 0.22."))
    assert study.part == "tuning"
    assert study.findings.verdict[:2] == (
        "There is no verdict: every case with gold was used to make or choose the judge.",
        f"There its Cohen's kappa with clinicians on quality is {reached(study, 0)}.",
    )
    assert study.findings.criteria[0].judge.n == 120
    assert "On 20 unseen cases kappa was 0.22." in study.findings.caveats
    with pytest.raises(InputError, match="no verdict to certify"):
        certify(study)


def reached(study: Study, number: int) -> str:
    one = study.findings.criteria[number]
    assert one.clinicians is not None
    return f"{with_ends(one.judge, 2)}, and theirs {with_ends(one.clinicians, 2)}"


def test_a_draw_is_by_case_and_the_same_whatever_the_order_of_the_labels() -> None:
    gold = overfitted().gold()
    split = Split(tuning=0.25, seed=3)
    drawn = tuning_cases(split, gold, {})
    assert len(drawn) == 30
    turned = gold_from(gold.labels[::-1], gold.scales)
    assert tuning_cases(split, turned, {}) == drawn
    assert tuning_cases(Split(tuning=0.25, seed=4), gold, {}) != drawn


def test_a_draw_within_strata_takes_the_same_share_of_each() -> None:
    gold = overfitted().gold()
    items = {
        f"i{n}": Item(
            id=f"i{n}", track="treatment", question="q", reference=Reference(answer="a"),
            metadata={"organ": "lung" if n < 20 else "skin"},
        )
        for n in range(120)
    }  # fmt: skip
    drawn = tuning_cases(Split(tuning=0.5, strata="organ"), gold, items)
    assert sum(int(case[1:]) < 20 for case in drawn) == 10
    assert len(drawn) == 60
    with pytest.raises(InputError, match="the split is by 'organ', which is not known of item"):
        tuning_cases(Split(tuning=0.5, strata="organ"), gold, {})


def test_a_case_without_gold_cannot_be_named() -> None:
    with pytest.raises(InputError, match="names case 'x', which has no gold label"):
        studied(replace_cases(FIRST, ("x",)))


def replace_cases(split: Split, cases: tuple[str, ...]) -> Split:
    return split.model_copy(update={"cases": cases})


def test_all_labels_of_a_case_are_in_one_part() -> None:
    gold = overfitted().gold()
    joined = gold_from(
        [replace(one, cluster=f"c{int(one.item[1:]) // 4}") for one in gold.labels], gold.scales
    )
    drawn = tuning_cases(Split(tuning=0.5), joined, {})
    assert len(drawn) == 15
    assert all(case.startswith("c") for case in drawn)
