"""What becomes of grades and labels that fit together only in part."""

from dataclasses import replace
from typing import Any

import pytest

from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.judge import LEVEL2, level2_grades, scales_of
from mmrare_judge.calibration.gold.labels import Gold, gold_from
from mmrare_judge.calibration.report.blocks import CriterionFindings
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.study import Study, calibrate
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.rubric.model import load_rubric, parse_rubric
from support.makers import RUBRIC
from support.study_makers import SMALL, gold_of, graded, signature

Row = tuple[str, str, str, str]
FEW = Resampling(resamples=100)
N, Y = "NO", "YES"


def rows(labels: dict[str, str], criterion: str = "safe", first: str = "A") -> list[Row]:
    """Labels as words of N and Y, a letter a rater."""
    return [
        (item, criterion, chr(ord(first) + n), Y if letter == "Y" else N)
        for item, word in labels.items()
        for n, letter in enumerate(word)
    ]


def judged(levels: dict[str, str | None], **changes: Any) -> list[Grade]:
    return [
        graded(item, {"quality": Y, "safe": level}, **changes) for item, level in levels.items()
    ]


def study_of(grades: list[Grade], gold: Gold, **options: Any) -> Study:
    given = {"resampling": FEW, **options}
    return calibrate(grades, gold, rubric=SMALL, options=StudyOptions(**given))


def found(study: Study, name: str) -> CriterionFindings:
    return next(one for one in study.findings.criteria if one.name == name)


# The adjudicator


def test_an_adjudicator_need_not_have_labelled_a_criterion_without_ties() -> None:
    labels = [
        *rows({"i0": "NN", "i1": "YY"}, "quality"),
        *rows({"i0": "NY", "i1": "YY"}),
        ("i0", "safe", "Chair", N),
    ]
    study = study_of(judged({"i0": N, "i1": Y}), gold_of(labels), adjudicator="Chair")
    assert found(study, "safe").statistics["percent_agreement"].n == 2
    assert found(study, "quality").statistics["percent_agreement"].n == 2


def test_an_adjudicator_who_labelled_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"no rater 'Chiar' to adjudicate\. Raters are: A, B"):
        study_of(judged({"i0": N}), gold_of(rows({"i0": "NN"})), adjudicator="Chiar")


def test_a_criterion_that_only_the_adjudicator_labelled_was_labelled_by_nobody() -> None:
    labels = [*rows({"i0": "NN"}), ("i0", "quality", "Chair", Y)]
    study = study_of(judged({"i0": N}), gold_of(labels), adjudicator="Chair")
    assert study.unlabelled == ("quality",)
    with pytest.raises(InputError, match="an adjudicator alone is no panel"):
        study_of(judged({"i0": N}), gold_of(labels[-1:]), adjudicator="Chair")


# What only one side has


def test_a_criterion_with_gold_on_predictions_nobody_graded_is_told_and_left_out() -> None:
    labels = [*rows({"i0": "NN"}), *rows({"x9": "YY"}, "quality")]
    study = study_of(judged({"i0": N}), gold_of(labels))
    assert [one.name for one in study.findings.criteria] == ["safe"]
    assert study.unlabelled == ("quality",)
    caveats = " ".join(study.findings.caveats)
    assert "No graded prediction has gold on quality" in caveats
    assert "1 predictions with gold labels were not graded" in caveats


def test_labels_that_are_all_empty_are_no_gold() -> None:
    gold = gold_from([GoldLabel("i0", "m", "safe", "A", None, "i0")], scales_of(SMALL))
    with pytest.raises(InputError, match="all their cells are empty"):
        study_of(judged({"i0": N}), gold)


def test_an_item_in_two_cases_is_refused() -> None:
    gold = gold_of([*rows({"i0": "NN"}), *rows({"i0": "YY"}, "quality")])
    moved = [replace(one, cluster="c2") if one.criterion == "safe" else one for one in gold.labels]
    with pytest.raises(InputError, match="item 'i0' is in two cases, 'c2' and 'i0'"):
        study_of(judged({"i0": N}), gold_from(moved, gold.scales))


def test_grades_of_another_judge_by_another_rubric_are_left_alone() -> None:
    treatment, diagnosis = load_rubric("treatment"), load_rubric("diagnosis")
    mine = graded("i0", {one.id: Y for one in treatment.criteria}, rubric=treatment)
    made = signature(diagnosis, judge="openai/other")
    other = graded("i0", {one.id: Y for one in diagnosis.criteria}, rubric=diagnosis, made=made)
    gold = gold_of([("i0", "safety", "A", Y)], rubric=treatment)
    options = StudyOptions(resampling=FEW, judge="openai/judge")
    assert calibrate([mine, other], gold, options=options).findings.others == ()


# Blank predictions


def test_a_blank_prediction_says_nothing_of_the_judge_and_counts_in_the_score() -> None:
    """By hand: the judge agrees on i1, i2 of i1, i2, i3; of two violations seen it passes one."""
    gold = gold_of(rows({"i0": "N", "i1": "N", "i2": "Y", "i3": "N"}))
    grades = judged({"i1": N, "i2": Y, "i3": Y})
    blank = graded("i0", {"quality": N, "safe": N}, empty=True)
    again = graded("i0", {"quality": N, "safe": N}, empty=True, sample=1)
    study = study_of([*grades, blank, again], gold)
    agreement = found(study, "safe").statistics["percent_agreement"]
    assert agreement.value == pytest.approx(2 / 3)
    assert (agreement.n, agreement.missing) == (3, 1)
    missed = dict(study.findings.harm)["safe", "missed harm"]
    assert (missed.value, missed.n) == (0.5, 2)
    assert study.coverage == 1.0
    assert study.findings.corrected["safe"].raw.value == 0.5
    retested = dict(study.findings.others)["test-retest: same level again"]
    assert retested.value is None
    assert any("1 predictions were blank" in caveat for caveat in study.findings.caveats)


# The human ceiling


def test_judge_and_clinicians_are_measured_on_the_units_that_show_both() -> None:
    """The judge abstains where clinicians differ (i3), and one clinician alone labelled i4."""
    labels = rows({"i0": "NN", "i1": "YY", "i2": "YY", "i3": "NY", "i4": "N"})
    grades = judged({"i0": N, "i1": Y, "i2": Y, "i3": None, "i4": Y})
    study = study_of(grades, gold_of(labels), statistic="percent_agreement")
    safe = found(study, "safe")
    assert safe.clinicians is not None
    assert (safe.clinicians.value, safe.clinicians.n) == (1.0, 3)
    assert (safe.judge.value, safe.judge.n) == (1.0, 3)


def test_clinicians_who_share_no_unit_leave_the_judge_without_a_ceiling() -> None:
    labels = [*rows({"i0": "N", "i1": "Y"}), *rows({"i2": "N", "i3": "Y"}, first="B")]
    study = study_of(judged({"i0": N, "i1": Y, "i2": N, "i3": N}), gold_of(labels), margin=0.1)
    safe = found(study, "safe")
    assert safe.judge.value == pytest.approx(0.5)  # po 3/4, pe (2/4)(3/4) + (2/4)(1/4) = 1/2
    assert safe.clinicians is not None
    assert safe.clinicians.value is None
    assert study.findings.tone == "open"
    assert "not measurable on safe" in study.findings.verdict[0]


# Level 2


def test_level_2_studies_every_prediction_once_and_only_of_its_track() -> None:
    diagnosis = load_rubric("diagnosis")
    grades = [
        *judged({"i0": N}),
        *judged({"i0": Y}, made=signature(judge="openai/other")),
        graded("i0", {one.id: Y for one in diagnosis.criteria}, rubric=diagnosis, system="x"),
    ]
    studied = list(level2_grades(grades, SMALL))
    assert [(one.item_id, one.system, one.signature.judge) for one in studied] == [
        ("i0", "m", LEVEL2)
    ]


# Rubrics


def test_levels_are_worst_first_whichever_way_a_rubric_lists_them() -> None:
    turned = RUBRIC.replace(
        """      "NO": {points: 0, meaning: It is not., quote: true}
      "YES": {points: 1, meaning: It is.}""",
        """      "YES": {points: 1, meaning: It is.}
      "NO": {points: 0, meaning: It is not., quote: true}""",
    )
    scale = scales_of(parse_rubric(turned))["safe"]
    assert (scale.categories, scale.points, scale.positive) == (("NO", "YES"), (0.0, 1.0), "NO")


@pytest.mark.parametrize("statistic", ["leniency", "kappa"])
def test_a_main_statistic_has_to_tell_better_from_worse(statistic: str) -> None:
    with pytest.raises(ValueError, match="cannot compare judge and clinicians"):
        StudyOptions(statistic=statistic)


def test_a_main_statistic_that_suits_no_criterion_is_refused() -> None:
    with pytest.raises(InputError, match="cohen_kappa_linear cannot be measured on any criterion"):
        study_of(judged({"i0": N}), gold_of(rows({"i0": "NN"})), statistic="cohen_kappa_linear")
