"""Soft labels: ties, means and Dawid-Skene's probabilities, in scores, harm and comparisons."""

from dataclasses import replace
from typing import Any

import pytest

from mmrare_judge.calibration.gold.labels import Gold, gold_from
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.study import Study, calibrate
from mmrare_judge.judging.grade import Grade
from mmrare_judge.rubric.model import load_rubric, parse_rubric
from support.study_makers import SMALL, World, gold_of, graded, signature

FEW = Resampling(resamples=100)
N, Y = "NO", "YES"
DIAGNOSIS = load_rubric("diagnosis")
EXACT, CATEGORY, SPECIFIC = (one.id for one in DIAGNOSIS.criteria)


def safe_only(items: dict[str, str]) -> Gold:
    """Labels of ``safe`` as words of N and Y, a letter a rater."""
    return gold_of(
        (item, "safe", "ABC"[n], Y if letter == "Y" else N)
        for item, word in items.items()
        for n, letter in enumerate(word)
    )


def judged(levels: dict[str, str], **changes: Any) -> list[Grade]:
    return [graded(i, {"quality": Y, "safe": level}, **changes) for i, level in levels.items()]


def study_of(grades: list[Grade], gold: Gold, **options: Any) -> Study:
    given = {"resampling": FEW, **options}
    return calibrate(grades, gold, rubric=SMALL, options=StudyOptions(**given))


# 16 items on which A, B and C say YES, 4 on which they say NO, 1 on which they are split.
SPLIT = {f"y{n}": "YYY" for n in range(16)} | {f"n{n}": "NNN" for n in range(4)} | {"s": "YYN"}
JUDGE = dict.fromkeys(SPLIT, Y) | {"n0": N, "n1": N, "n2": N}


@pytest.mark.parametrize("rule", ["majority", "dawid_skene", "mean"])
def test_missed_harm_is_counted_on_levels_by_every_rule(rule: str) -> None:
    """Four violations, of which the judge passes one; a probability of .999 is no violation."""
    study = study_of(judged(JUDGE), safe_only(SPLIT), consensus=rule)
    missed = dict(study.findings.harm)["safe", "missed harm"]
    assert (missed.value, missed.n) == (0.25, 4)


@pytest.mark.parametrize(
    ("rule", "split"), [("majority", 1.0), ("mean", 2 / 3)], ids=["majority", "mean"]
)
def test_the_corrected_score_counts_what_the_rule_says_of_a_split_unit(
    rule: str, split: float
) -> None:
    score = study_of(judged(JUDGE), safe_only(SPLIT), consensus=rule).findings.corrected["safe"]
    assert score.labelled.value == pytest.approx((16 + split) / 21)
    assert score.with_gold == 21


# The judge on four more units, which nobody labelled: YES on three of them.
UNLABELLED = {"u0": Y, "u1": Y, "u2": Y, "u3": N}


def test_a_tie_is_half_a_point_in_the_score_and_nothing_in_rogan_and_gladen() -> None:
    tied = {f"y{n}": "YY" for n in range(6)} | {f"n{n}": "NN" for n in range(6)} | {"t": "NY"}
    levels = {item: Y if word[1] == "Y" else N for item, word in tied.items()}
    score = study_of(judged(levels | UNLABELLED), safe_only(tied)).findings.corrected["safe"]
    assert score.labelled.value == pytest.approx(6.5 / 13)
    assert score.with_gold == 13
    assert score.rogan_gladen is not None
    # Sensitivity and specificity are 6 of 6, so that the unlabelled units' rate stands.
    assert score.rogan_gladen.value == pytest.approx(3 / 4)
    assert score.rogan_gladen.n == 16


def noisy() -> tuple[World, Study]:
    """Clinicians who err so often that no probability of Dawid and Skene's is 0 or 1."""
    world = World(graded=300, labelled=200, clinicians_err=0.2, judge_errs=(0.1, 0.1), seed=7)
    always = dict.fromkeys(("quality", "safe"), Y)
    made = signature(judge="openai/other")
    other = [graded(f"i{n}", always, system=world.systems[n], made=made) for n in range(200)]
    options = {"judge": "openai/judge", "consensus": "dawid_skene"}
    return world, study_of([*world.grades(), *other], world.gold(), **options)


def test_a_probability_is_no_violation_and_no_error_of_a_judge() -> None:
    """Against a truth that is known: the labels hit it on nine of ten units or so."""
    world, study = noisy()
    unsafe, right = ~world.truth[:200, 1], world.judge[:200] == world.truth[:200]
    harm = dict(study.findings.harm)
    missed, alarm = harm["safe", "missed harm"], harm["safe", "false alarm"]
    assert missed.n + alarm.n == 200
    assert abs(missed.n - int(unsafe.sum())) < 30
    gain = dict(study.findings.others)["accuracy minus that of openai/other"].value
    assert gain == pytest.approx(right.mean() - world.truth[:200].mean(), abs=0.1)


def test_rogan_and_gladen_has_a_value_beside_dawid_and_skenes_probabilities() -> None:
    world, study = noisy()
    score = study.findings.corrected["safe"]
    assert score.with_gold == 200
    assert score.rogan_gladen is not None
    assert score.rogan_gladen.value == pytest.approx(world.truth[:, 1].mean(), abs=0.15)


def cascade(gold: Gold, rule: str) -> float | None:
    grades = [graded("i0", {EXACT: Y, CATEGORY: Y, SPECIFIC: Y}, rubric=DIAGNOSIS)]
    options = StudyOptions(resampling=FEW, consensus=rule)  # type: ignore[arg-type]  # a word
    study = calibrate(grades, gold, options=options)
    return study.findings.corrected["all systems"].labelled.value


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # The majority holds the gate to be met: (3 + 1 + 1) / 5.
        ("majority", 1.0),
        # Met with 2/3: 2/3 of that, and 1/3 of (1 + 1) / 5 halved.
        ("mean", 2 / 3 + 1 / 3 * 0.2),
    ],
)
def test_a_gate_on_which_clinicians_are_split_is_met_in_part(rule: str, expected: float) -> None:
    labels = [("i0", EXACT, "A", Y), ("i0", EXACT, "B", Y), ("i0", EXACT, "C", N)]
    labels += [("i0", name, who, Y) for name in (CATEGORY, SPECIFIC) for who in "ABC"]
    assert cascade(gold_of(labels, rubric=DIAGNOSIS), rule) == pytest.approx(expected)


GATE_OF_THREE = """
id: gated
version: "1"
track: treatment
title: A gate of three levels
source: made for the tests
instructions: Judge.
scale: ["0", "1", "2"]
total_weight: 2
scoring: {rule: cascade, gate: gate, unmet_factor: 1/2}
criteria:
  - id: gate
    question: q
    weight: 1
    levels:
      "0": {points: 0, meaning: a}
      "1": {points: 1, meaning: b}
      "2": {points: 2, meaning: c}
  - id: more
    question: q
    weight: 1
    levels:
      "0": {points: 0, meaning: a}
      "1": {points: 1, meaning: b}
      "2": {points: 2, meaning: c}
"""


def test_the_middle_level_of_a_gate_is_not_half_met() -> None:
    """Gate 1 of 2 and the other criterion full: (1/2 + 1) / 2, halved, is 3/8."""
    rubric = parse_rubric(GATE_OF_THREE)
    grades = [graded("i0", {"gate": "1", "more": "2"}, rubric=rubric)]
    labels = [("i0", "gate", "A", "1"), ("i0", "more", "A", "2")]
    study = calibrate(
        grades, gold_of(labels, rubric=rubric), rubric=rubric, options=StudyOptions(resampling=FEW)
    )
    assert study.findings.corrected["all systems"].labelled.value == pytest.approx(3 / 8)


def test_split_units_are_told() -> None:
    study = study_of(judged(JUDGE), safe_only(SPLIT), consensus="mean")
    assert any("safe (1 of 21 units)" in caveat for caveat in study.findings.caveats)


# Unequal sampling


@pytest.mark.parametrize("chosen_as", ["a whole", "criteria"])
def test_whole_scores_weigh_by_the_inverse_inclusion_probability(chosen_as: str) -> None:
    """Judge 1 and 1; clinicians 1 (chosen for certain), 0 (with 1/4): error (0 + 4 x 1) / 5."""
    grades = [graded(f"i{n}", {"quality": Y, "safe": Y}) for n in range(2)]
    labels = [(f"i{n}", name, "A", (Y, N)[n]) for n in range(2) for name in ("quality", "safe")]
    gold = gold_of(labels)

    def chance(item: str, criterion: str) -> float:
        odd = chosen_as == "criteria" and criterion == "safe"
        return 1.0 if item == "i0" else 0.5 if odd else 0.25

    weighted = [replace(one, inclusion=chance(one.item, one.criterion)) for one in gold.labels]
    study = study_of(grades, gold_from(weighted, gold.scales))
    score = next(one for one in study.findings.criteria if one.name == "score")
    # Criteria chosen one by one: the chance of having both is not known, so that i1 is left out.
    value, units = (4 / 5, 2) if chosen_as == "a whole" else (0, 1)
    assert score.statistics["mae"].value == pytest.approx(value)
    assert score.statistics["mae"].n == units
