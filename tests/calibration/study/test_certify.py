"""From a study to a certificate, and from there to grades and runs that say whether it holds."""

import json
from datetime import date
from pathlib import Path

import pytest

from mmrare_judge import grade
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.study import (
    Study,
    calibrate,
    certify,
    why_uncertified,
    write_study,
)
from mmrare_judge.certificate import Certificate
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError
from mmrare_judge.records import content_hash
from mmrare_judge.rubric.model import load_rubric
from mmrare_judge.run.run import Run
from support.makers import make_item
from support.study_makers import SMALL, World, gold_of, graded, signature

OPTIONS = StudyOptions(resampling=Resampling(resamples=200), margin=0.1)
PLAN = "Start prednisone 40 mg daily and taper over six weeks."


def study_of(world: World, **changes: object) -> Study:
    return calibrate(world.grades(**changes), world.gold(), rubric=SMALL, options=OPTIONS)


def embedded_certificate() -> Certificate:
    """A certificate of the embedded judge with the rubric treatment."""
    made = grade(PLAN, make_item(), judge="embedded")
    labels = [(made.item_id, v.criterion, "A", v.level or "NO") for v in made.verdicts]
    gold = gold_of(labels, rubric=load_rubric("treatment"), system="")
    return certify(calibrate([made], gold, options=OPTIONS))


def test_it_holds_what_the_study_found_and_its_hash() -> None:
    study = study_of(World())
    found = certify(study, expires=date(2027, 1, 31))
    kappa = next(one for one in study.findings.criteria if one.name == "safe").judge
    safe = found.criteria["safe"]
    assert safe.kappa is not None
    assert (safe.kappa.value, safe.kappa.n) == (kappa.value, kappa.n)
    assert safe.missed_harm is not None
    assert found.criteria["quality"].missed_harm is None
    assert found.criteria["quality"].non_inferiority in ("non-inferior", "inconclusive", "inferior")
    assert found.gold_hash == World().gold().hash
    assert found.study_hash == content_hash(study.model_dump(mode="json"))
    assert found.rules.expires == date(2027, 1, 31)


def test_grades_made_in_two_ways_get_none_and_the_difference_is_named(tmp_path: Path) -> None:
    world = World()
    grades = [*world.grades()[:100], *world.grades(made=signature(reported_model="judge-2"))[100:]]
    study = calibrate(grades, world.gold(), rubric=SMALL, options=OPTIONS)
    with pytest.raises(InputError, match="they differ in reported_model"):
        certify(study)
    (tmp_path / "calibration.json").write_text("an older one")
    write_study(study, tmp_path)
    assert not (tmp_path / "calibration.json").exists()
    assert "made in 2 ways" in why_uncertified(study)


def test_a_blank_prediction_is_no_way_of_judging() -> None:
    world = World()
    blank = graded("i199", {"quality": "NO", "safe": "NO"}, empty=True, made=signature(mode=None))
    study = calibrate([*world.grades()[:199], blank], world.gold(), rubric=SMALL, options=OPTIONS)
    assert certify(study).signature == signature()


def test_a_grade_says_whether_it_is_calibrated() -> None:
    held = embedded_certificate()
    made = grade(PLAN, make_item(), judge="embedded", certificate=held)
    assert (made.calibration.status, made.calibration.certificate) == ("calibrated", held.hash)
    bare = grade(PLAN, make_item(), judge="embedded")
    assert bare.calibration.status == "uncalibrated"
    assert bare.key == made.key  # a certificate changes no score
    other = grade(
        PLAN, make_item(), judge="embedded", rubric="treatment_elements", certificate=held
    )
    assert other.calibration.status == "stale"
    assert any("rubric was treatment" in reason for reason in other.calibration.reasons)


def test_of_a_blank_prediction_nothing_is_said() -> None:
    made = grade(" ", make_item(), judge="embedded", certificate=embedded_certificate())
    assert made.calibration.status == "uncalibrated"
    assert made.calibration.reasons == ("the judge was not asked",)


def test_a_run_says_it_of_all_its_grades(tmp_path: Path) -> None:
    pairs = [(Prediction(item_id=make_item().id, text=PLAN), make_item())]
    held = embedded_certificate()
    report = Run(tmp_path / "run", "embedded", certificate=held).grade(pairs)
    assert report.calibration.status == "calibrated"
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["calibration"]["status"] == "calibrated"
    again = Run(tmp_path / "run", "embedded").grade(pairs)
    assert again.calibration.status == "uncalibrated"
