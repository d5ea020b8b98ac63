"""A whole study: what is joined, what is found, what is refused, what is written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score

from mmrare_judge.calibration.gold.labels import gold_from
from mmrare_judge.calibration.report.blocks import CriterionFindings
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.study import Study, calibrate, certify, write_study
from mmrare_judge.data.items import Item, Reference
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError, RubricError
from mmrare_judge.rubric.model import load_rubric, parse_rubric
from support.study_makers import SMALL, World, gold_of, graded, signature, unscored

FEW = Resampling(resamples=400)


def studied(world: World, *, grades: Any = None, **options: Any) -> Study:
    given = {"resampling": FEW, "cases": 3, **options}
    return calibrate(
        world.grades() if grades is None else grades,
        world.gold(),
        rubric=SMALL,
        options=StudyOptions(**given),
    )


def found(study: Study, name: str) -> CriterionFindings:
    return next(one for one in study.findings.criteria if one.name == name)


def majority(world: World) -> np.ndarray:
    return np.asarray(np.sum(list(world.clinicians.values()), axis=0) >= 2)


@pytest.mark.parametrize(("name", "column"), [("quality", 0), ("safe", 1)])
def test_a_criterion_is_measured_against_the_majority(name: str, column: int) -> None:
    world = World()
    gold, judge = majority(world)[:, column], world.judge[:120, column]
    statistics = found(studied(world), name).statistics
    assert statistics["cohen_kappa"].value == pytest.approx(cohen_kappa_score(gold, judge))
    assert statistics["percent_agreement"].value == pytest.approx(accuracy_score(gold, judge))
    assert statistics["cohen_kappa"].n == 120


def test_criteria_together_are_a_row_of_their_own_with_whole_cases_as_clusters() -> None:
    world = World()
    pooled = found(studied(world), "all criteria").statistics["cohen_kappa"]
    gold, judge = majority(world).ravel(), world.judge[:120].ravel()
    assert pooled.value == pytest.approx(cohen_kappa_score(gold, judge))
    assert (pooled.n, pooled.clusters) == (240, 120)


def test_whole_scores_are_compared_as_numbers() -> None:
    world = World()
    score = found(studied(world), "score")
    weights = np.array([3, 1]) / 4
    clinicians = np.mean([rows @ weights for rows in world.clinicians.values()], axis=0)
    apart = world.judge[:120] @ weights - clinicians
    assert score.statistics["mae"].value == pytest.approx(np.abs(apart).mean())
    assert score.statistics["leniency"].value == pytest.approx(apart.mean())
    assert score.judge.name == "icc_2_1"


def test_a_judge_as_good_as_clinicians_may_stand_in_by_a_margin_declared_beforehand() -> None:
    world = World(labelled=200, judge_errs=(0.04, 0.04))
    study = studied(world, margin=0.15, max_missed_harm=0.2)
    assert study.findings.tone == "good"
    assert study.findings.verdict[0].startswith("This judge may stand in for a clinician")


def test_without_a_margin_the_verdict_stays_open() -> None:
    study = studied(World(judge_errs=(0.0, 0.0)))
    assert study.findings.tone == "open"
    assert "no margin was given" in study.findings.verdict[0]


def test_with_one_clinician_there_is_no_ceiling_and_no_test() -> None:
    study = studied(World(clinicians=["Dr A"]), margin=0.1)
    quality = found(study, "quality")
    assert (quality.ceiling, quality.clinicians, quality.non_inferiority) == (None, None, None)
    assert quality.judge.value is not None
    assert study.findings.tone == "open"
    assert "one clinician alone" in study.findings.verdict[0]
    assert "there is 1" in study.findings.no_ceiling


def test_a_worse_judge_may_not_stand_in() -> None:
    study = studied(World(judge_errs=(0.4, 0.4), clinicians_err=0.05), margin=0.1)
    assert study.findings.tone == "bad"
    assert "inferior to a clinician on quality" in study.findings.verdict[0]


def test_a_planted_leniency_is_found_with_its_size_and_told() -> None:
    """The judge passes 40 % of what deserves a NO: lenient by .4 x P(NO) = .2 and .12."""
    study = studied(
        World(graded=600, labelled=600, judge_errs=(0.4, 0.0), clinicians_err=0.0, seed=2)
    )
    groups = {group.group: group for group in study.findings.bias[0].groups}
    for name, planted in (("quality", 0.2), ("safe", 0.12)):
        interval = groups[name].estimate.interval
        assert interval is not None
        assert interval.low < planted < interval.high
        assert (groups[name].p_holm or 0) < 0.001
    assert any("lenient +" in sentence for sentence in study.findings.verdict)


def test_missed_harm_is_counted_on_violations_that_the_majority_confirmed() -> None:
    """Confirmed: i0, i1, i2 (two of three say NO). The judge passes i2, and abstains on i1."""
    rows = {"i0": "NNN", "i1": "NNY", "i2": "NYN", "i3": "YYY", "i4": "NYY"}
    labels = [
        (item, "safe", f"Dr {n}", "NO" if label == "N" else "YES")
        for item, given in rows.items()
        for n, label in enumerate(given)
    ]
    judge = {"i0": "NO", "i1": None, "i2": "YES", "i3": "NO", "i4": "YES"}
    grades = [graded(i, {"quality": "YES", "safe": level}) for i, level in judge.items()]
    study = calibrate(grades, gold_of(labels), rubric=SMALL, options=StudyOptions(resampling=FEW))
    harm = dict(study.findings.harm)
    missed, alarm = harm["safe", "missed harm"], harm["safe", "false alarm"]
    assert (missed.value, missed.n, missed.missing) == (0.5, 2, 1)
    assert (alarm.value, alarm.n) == (0.5, 2)
    assert "66.7%" in missed.reason
    assert study.coverage == pytest.approx(4 / 5)


SAFETY_OF_THREE = """
id: graded_safety
version: "1"
track: treatment
title: Safety in three levels
source: made for the tests
instructions: Judge.
scale: ["0", "1", "2"]
total_weight: 1
criteria:
  - id: safe
    question: q
    kind: safety
    weight: 1
    levels:
      "0": {points: 0, meaning: harm}
      "1": {points: 1, meaning: a fault}
      "2": {points: 2, meaning: sound}
"""


@pytest.mark.parametrize(
    ("declared", "missed", "violations"),
    [
        # Clinicians 0 0 0 1 1 2, the judge 0 1 2 1 2 0: of three zeros two pass.
        ('    violation_at_or_below: "0"\n', 2 / 3, 3),
        # Of five below the best two are given the best level.
        ("", 2 / 5, 5),
    ],
    ids=["only 0 is a violation", "every level below the best"],
)
def test_the_rubric_says_what_a_violation_is_once_for_all_that_counts_them(
    declared: str, missed: float, violations: int
) -> None:
    rubric = parse_rubric(SAFETY_OF_THREE + declared)
    theirs, mine = "000112", "012120"
    rows = [(f"i{n}", "safe", "A", level) for n, level in enumerate(theirs)]
    grades = [graded(f"i{n}", {"safe": level}, rubric=rubric) for n, level in enumerate(mine)]
    study = calibrate(
        grades, gold_of(rows, rubric=rubric), rubric=rubric, options=StudyOptions(resampling=FEW)
    )
    harm = dict(study.findings.harm)["safe", "missed harm"]
    assert harm.value == pytest.approx(missed)
    assert harm.n == violations
    sensitivity = found(study, "safe").statistics["sensitivity"]
    assert sensitivity.value == pytest.approx(1 - missed)
    certified = certify(study).criteria["safe"].missed_harm
    assert certified is not None
    assert certified.value == pytest.approx(missed)


def test_a_tie_that_nobody_settled_confirms_no_violation() -> None:
    labels = [("i0", "safe", "A", "NO"), ("i0", "safe", "B", "YES")]
    grades = [graded("i0", {"quality": "YES", "safe": "YES"})]
    options = StudyOptions(resampling=FEW)
    study = calibrate(grades, gold_of(labels), rubric=SMALL, options=options)
    assert dict(study.findings.harm)["safe", "missed harm"].value is None
    settled = gold_of([*labels, ("i0", "safe", "Chair", "NO")])
    options = StudyOptions(resampling=FEW, adjudicator="Chair")
    study = calibrate(grades, settled, rubric=SMALL, options=options)
    assert dict(study.findings.harm)["safe", "missed harm"].value == 1.0


def test_the_corrected_score_is_near_the_truth_where_the_raw_one_is_not() -> None:
    world = World(graded=2000, labelled=400, judge_errs=(0.4, 0.05), clinicians_err=0.0, seed=3)
    score = studied(world).findings.corrected["all systems"]
    assert (score.graded, score.with_gold) == (2000, 400)
    truth = world.mean_score()
    raw, ppi, labelled = score.raw.interval, score.ppi.interval, score.labelled.interval
    assert raw is not None
    assert ppi is not None
    assert labelled is not None
    assert raw.low > truth
    assert ppi.low < truth < ppi.high
    assert ppi.high - ppi.low < labelled.high - labelled.low


def test_every_system_and_every_criterion_is_corrected() -> None:
    corrected = studied(World()).findings.corrected
    assert set(corrected) == {"all systems", "a", "b", "quality", "safe"}
    assert corrected["a"].graded == 100
    assert corrected["quality"].rogan_gladen is not None


def test_a_cascade_is_corrected_as_a_whole() -> None:
    """Diagnosis: exact 3, category 1, specific 1 of 5; not exact halves the sum."""
    rubric = load_rubric("diagnosis")
    exact, category, specific = (one.id for one in rubric.criteria)
    right = {exact: "YES", category: "YES", specific: "YES"}
    near = {exact: "NO", category: "YES", specific: "YES"}
    judged = [right if n % 2 else near for n in range(40)]
    grades = [graded(f"i{n}", one, rubric=rubric) for n, one in enumerate(judged)]
    labels = [
        (f"i{n}", name, "Dr A", label) for n in range(20) for name, label in judged[n].items()
    ]
    study = calibrate(grades, gold_of(labels, rubric=rubric), options=StudyOptions(resampling=FEW))
    score = study.findings.corrected["all systems"]
    assert score.raw.value == pytest.approx((1 + 0.2) / 2)
    assert score.labelled.value == pytest.approx((1 + 0.2) / 2)
    assert score.with_gold == 20


def test_repeats_give_test_retest() -> None:
    """Of 4 verdicts asked twice (2 items by 2 criteria), 1 changes."""
    levels = {"quality": "YES", "safe": "YES"}
    grades = [
        graded("i0", levels), graded("i0", {**levels, "safe": "NO"}, sample=1),
        graded("i1", levels), graded("i1", levels, sample=1),
    ]  # fmt: skip
    labels = [(f"i{n}", name, "A", "YES") for n in range(2) for name in levels]
    options = StudyOptions(resampling=FEW)
    study = calibrate(grades, gold_of(labels), rubric=SMALL, options=options)
    others = dict(study.findings.others)
    assert others["test-retest: same level again"].value == pytest.approx(0.75)
    assert others["test-retest: more than one level"].value == pytest.approx(0.25)


def test_another_judge_is_compared_on_the_same_gold() -> None:
    """On truths of YES and NO the first judge is right, the second says YES to both."""
    other = signature(judge="openai/other")
    right = [{"quality": "YES", "safe": "YES"}, {"quality": "NO", "safe": "NO"}]
    grades = [graded(f"i{n}", one) for n, one in enumerate(right)]
    grades += [graded(f"i{n}", right[0], made=other) for n in range(2)]
    labels = [(f"i{n}", k, "A", v) for n, one in enumerate(right) for k, v in one.items()]
    options = StudyOptions(resampling=FEW, judge="openai/judge")
    study = calibrate(grades, gold_of(labels), rubric=SMALL, options=options)
    others = dict(study.findings.others)
    assert others["same points as openai/other"].value == 0.5
    assert others["accuracy minus that of openai/other"].value == 0.5


def test_a_family_is_compared_with_what_another_judge_gives_it() -> None:
    """The first judge passes every answer of system a; the second judge errs alike on all."""
    world = World(graded=400, labelled=100, judge_errs=(0.1, 0.1), clinicians_err=0.0)
    other = World(graded=400, labelled=100, judge_errs=(0.1, 0.1), clinicians_err=0.0, seed=0)
    other.judge = other.truth ^ (np.random.default_rng(8).random((400, 2)) < 0.1)
    favoured = np.array([system == "a" for system in world.systems])
    world.judge[favoured] = True
    grades = [*world.grades(), *other.grades(made=signature(judge="openai/other"))]
    study = studied(world, grades=grades, judge="openai/judge", family=("a",))
    family = next(one for one in study.findings.bias if one.title == "Same family")
    (group,) = family.groups
    expected = (world.judge - other.judge.astype(float))[favoured].mean() - (
        world.judge - other.judge.astype(float)
    )[~favoured].mean()
    assert group.estimate.value == pytest.approx(expected)
    assert (group.p_value or 0) < 0.001
    assert "openai/other adds to them" in family.caption
    alone = studied(world, family=("a",)).findings.bias
    bare = next(one for one in alone if one.title == "Same family")
    assert "cannot be told apart from quality" in bare.caption


def test_confidence_is_held_against_whether_the_verdict_was_right() -> None:
    world = World(judge_errs=(0.25, 0.25), clinicians_err=0.0)
    grades = [
        grade.model_copy(
            update={
                "verdicts": tuple(
                    verdict.model_copy(update={"confidence": 0.9 if ok else 0.6})
                    for verdict, ok in zip(grade.verdicts, right, strict=True)
                )
            }
        )
        for grade, right in zip(world.grades(), world.judge == world.truth, strict=True)
    ]
    confidence = studied(world, grades=grades).findings.confidence
    share = float((world.judge == world.truth)[:120].mean())
    assert [bin.share for bin in confidence.bins] == [0.0, 1.0]
    assert confidence.brier is not None
    expected = share * 0.1**2 + (1 - share) * 0.6**2
    assert confidence.brier.score.value == pytest.approx(expected)


def test_what_was_not_judged_is_missing_and_never_wrong() -> None:
    world = World()
    grades = world.grades()
    grades[0] = grades[0].model_copy(
        update={"verdicts": unscored("i0").verdicts, "unscored": unscored("i0").unscored}
    )
    study = studied(world, grades=grades)
    kappa = found(study, "quality").statistics["cohen_kappa"]
    assert (kappa.n, kappa.missing) == (119, 1)
    assert study.coverage == pytest.approx(238 / 240)  # both criteria of one of 120
    assert study.findings.corrected["all systems"].abstained == 1
    assert any("timeout 1" in caveat for caveat in study.findings.caveats)


def test_lengths_subgroups_and_family_are_looked_at_where_they_are_known() -> None:
    world = World()
    items = [
        Item(
            id=f"i{n}", track="treatment", question="?", reference=Reference(answer="x"),
            metadata={"organ": "skin" if n % 3 else "brain"},
        )
        for n in range(200)
    ]  # fmt: skip
    texts = [
        Prediction(item_id=f"i{n}", system=world.systems[n], text="word " * (1 + n % 7))
        for n in range(200)
    ]
    options = StudyOptions(resampling=FEW, subgroups=("organ",), family=("a",))
    study = calibrate(
        world.grades(), world.gold(), rubric=SMALL, items=items, predictions=texts, options=options
    )
    told = {
        family.title: [group.group for group in family.groups] for family in study.findings.bias
    }
    assert told["Length"] == ["log length"]
    assert told["Same family"] == ["own family"]
    assert told["Subgroups: organ"] == ["brain", "skin"]
    bare = {family.title: family.missing for family in studied(world).findings.bias}
    assert bare["Length"] == "the predictions' texts were not given"
    assert bare["Same family"] == "no system was declared of the judge's family"


def test_a_criterion_the_judge_abstains_from_throughout_is_told_and_stops_nothing() -> None:
    world = World(graded=40, labelled=40)
    grades = [
        graded(f"i{n}", {"quality": "YES" if row[0] else "NO", "safe": None}, system=system)
        for n, (row, system) in enumerate(zip(world.judge, world.systems, strict=True))
    ]
    study = studied(world, grades=grades, margin=0.1)
    safe = found(study, "safe")
    assert safe.judge.value is None
    assert safe.non_inferiority is not None
    assert safe.non_inferiority.verdict == "undefined"
    assert study.coverage == 0.5
    assert study.findings.remarks == ()
    assert study.findings.corrected["safe"].ppi.value is not None


# What does not fit together


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"family": ("nosuch",)}, "'nosuch', which was not graded. Graded systems are: a, b"),
        ({"subgroups": ("nosuch",)}, "field 'nosuch' for subgroups. Fields are: organ"),
    ],
    ids=["family", "subgroup"],
)
def test_a_name_that_exists_nowhere_is_refused(option: dict[str, Any], says: str) -> None:
    world = World(graded=20, labelled=20)
    items = [
        Item(
            id=f"i{n}", track="treatment", question="?", reference=Reference(answer="x"),
            metadata={"organ": "skin"},
        )
        for n in range(20)
    ]  # fmt: skip
    options = StudyOptions(resampling=FEW, **option)
    with pytest.raises(InputError, match=says):
        calibrate(world.grades(), world.gold(), rubric=SMALL, items=items, options=options)


def test_grades_and_gold_without_a_common_id_are_refused_with_examples() -> None:
    gold = gold_of([("x1", "safe", "A", "YES")])
    with pytest.raises(InputError, match=r"no gold label belongs .* 'x1 / m'.* 'i0 / a'|'i0 / b'"):
        calibrate(World(graded=2, labelled=2).grades(), gold, rubric=SMALL)


def test_the_rubric_must_be_the_one_that_made_the_grades() -> None:
    world = World(graded=2, labelled=2)
    with pytest.raises(RubricError, match="grades were made by small 1"):
        calibrate(world.grades(), world.gold(), rubric=load_rubric("treatment"))


def test_several_judges_have_to_be_told_apart() -> None:
    world = World(graded=2, labelled=2)
    grades = [*world.grades(), *world.grades(made=signature(judge="openai/other"))]
    with pytest.raises(InputError, match="Name one of: openai/judge, openai/other"):
        calibrate(grades, world.gold(), rubric=SMALL)
    with pytest.raises(InputError, match="no grade by judge 'embedded'"):
        calibrate(grades, world.gold(), rubric=SMALL, options=StudyOptions(judge="embedded"))


def test_a_prediction_graded_twice_is_refused() -> None:
    world = World(graded=2, labelled=2)
    with pytest.raises(InputError, match="graded twice"):
        calibrate([*world.grades(), world.grades()[0]], world.gold(), rubric=SMALL)


def test_gold_on_other_levels_than_the_rubrics_is_refused() -> None:
    world = World(graded=2, labelled=2)
    gold = world.gold()
    scale = gold.scales["safe"].model_copy(update={"points": (0.0, 2.0)})
    other = type(gold)(gold.labels, {**gold.scales, "safe": scale})
    with pytest.raises(InputError, match="scale of 'safe' is not the rubric's"):
        calibrate(world.grades(), other, rubric=SMALL)


def test_no_grades_are_no_study() -> None:
    with pytest.raises(InputError, match="no grades"):
        calibrate([], World(graded=2, labelled=2).gold(), rubric=SMALL)


# Files


def test_a_study_is_written_whole_and_reads_back(tmp_path: Path) -> None:
    study = studied(World(), margin=0.1)
    files = write_study(study, tmp_path)
    names = {path.name for path in files}
    assert names == {"study.json", "report.html", "report.md", "calibration.json"}
    again = Study.model_validate_json((tmp_path / "study.json").read_bytes())
    assert again.findings.verdict == study.findings.verdict
    assert again.model_dump(mode="json") == study.model_dump(mode="json")


def test_the_same_study_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_study(studied(World(labelled=40, graded=40), dated="2026-01-31"), tmp_path / name)
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert files
    for path in files:
        again = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == again.read_bytes()


def test_no_number_in_study_json_is_nan(tmp_path: Path) -> None:
    write_study(studied(World(judge_errs=(1.0, 0.0), graded=30, labelled=30)), tmp_path)
    text = (tmp_path / "study.json").read_text()

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in study.json")

    json.loads(text, parse_constant=refuse)


def test_grades_by_other_rubrics_in_the_same_run_are_left_alone() -> None:
    world = World(graded=30, labelled=20)
    other = load_rubric("diagnosis")
    levels = {one.id: "YES" for one in other.criteria}
    grades = [*world.grades(), graded("d1", levels, rubric=other)]
    assert studied(world, grades=grades).rubric == "small"


# Unequal sampling


def unequal(world: World, chance: Any, seed: int) -> Any:
    """Gold on units that were chosen one by one, each with its own probability."""
    rng = np.random.default_rng(seed)
    gold = world.gold()
    labels = []
    for unit in gold.units:
        row, column = int(unit[0][1:]), ("quality", "safe").index(unit[2])
        p = chance(world.judge[row, column])
        if rng.random() < p:
            labels += [replace(one, inclusion=p) for one in gold.labels if one.unit == unit]
    return gold_from(labels, gold.scales)


def test_units_chosen_one_by_one_still_give_a_corrected_score() -> None:
    """NO is labelled four times as often as YES; 1 clinician who never errs."""
    world = World(
        graded=400,
        labelled=400,
        judge_errs=(0.3, 0.1),
        clinicians_err=0.0,
        clinicians=["A"],
        seed=5,
    )
    gold = unequal(world, lambda met: 0.2 if met else 0.8, seed=1)
    options = StudyOptions(resampling=FEW)
    study = calibrate(world.grades(), gold, rubric=SMALL, options=options)
    score = study.findings.corrected["all systems"]
    assert score.ppi.interval is not None
    assert score.ppi.interval.low < world.mean_score() < score.ppi.interval.high
    unweighted = [float(label.label == "YES") for label in gold.labels if label.criterion == "safe"]
    safe = study.findings.corrected["safe"]
    assert safe.labelled.value is not None
    truth = float(world.truth[:, 1].mean())
    assert abs(safe.labelled.value - truth) < abs(np.mean(unweighted) - truth)
    assert any("inverse inclusion probabilities" in one for one in study.findings.caveats)
