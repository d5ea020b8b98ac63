"""When a judge may stand in for clinicians: what a yes needs, and whether each sentence is true."""

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pytest

from mmrare_judge.calibration.report.blocks import Findings
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.statistics.estimate import Estimate, Interval
from mmrare_judge.calibration.study.options import StudyOptions, plan_of
from mmrare_judge.calibration.study.study import Study, calibrate, certify
from mmrare_judge.calibration.study.verdict import Conditions, decided, lacking
from mmrare_judge.errors import InputError
from mmrare_judge.records import Signature
from support.study_makers import SMALL, World, gold_of, graded, signature

FEW = Resampling(resamples=100)


def conditions(
    *, margin: float | None = 0.15, harm: float | None = 0.2, **changes: Any
) -> Conditions:
    options = StudyOptions(margin=margin, max_missed_harm=harm)
    return replace(Conditions(options), **changes)


def studied(world: World, **options: Any) -> Study:
    given = {"resampling": FEW, "cases": 0, "margin": 0.15, "max_missed_harm": 0.2, **options}
    return calibrate(world.grades(), world.gold(), rubric=SMALL, options=StudyOptions(**given))


@cache
def good() -> Findings:
    """A judge as good as the clinicians, on 200 cases."""
    return studied(World(labelled=200, judge_errs=(0.04, 0.04))).findings


def changed(name: str, **changes: Any) -> Findings:
    """The same with one criterion changed."""
    criteria = [
        replace(one, **changes) if one.name == name else one for one in good().criteria
    ]  # fmt: skip
    return replace(good(), criteria=tuple(criteria))


def harm(value: float | None, low: float = 0.0, high: float = 1.0, missing: int = 0) -> Estimate:
    interval = None if value is None else Interval(low=low, high=high, method="clopper-pearson")
    reason = "none was confirmed" if value is None else ""
    return Estimate(
        name="missed_harm", value=value, interval=interval, n=20, clusters=20, missing=missing,
        reason=reason,
    )  # fmt: skip


def missing_harm(**changes: Any) -> Findings:
    return replace(good(), harm=((("safe", "missed harm"), harm(**changes)),))


def test_the_judge_of_these_tests_may_stand_in() -> None:
    found = decided(good(), conditions())
    assert found.tone == "good"
    assert lacking(good(), conditions()) == ()


FEW_CASES = good().criteria[0].judge.model_copy(update={"clusters": 19})
BY_CHANCE = Estimate(
    name="cohen_kappa", value=0.1, n=20, clusters=20,
    interval=Interval(low=-0.1, high=0.3, method="percentile"),
)  # fmt: skip
LACKS: dict[str, tuple[Findings, dict[str, Any], str]] = {
    "a criterion nobody labelled": (good(), {"unlabelled": ("dose",)}, "gold labels on dose"),
    "two ways of judging": (good(), {"ways": 2}, "made in one way"),
    "19 cases": (changed("safe", judge=FEW_CASES), {}, "20 independent cases (safe has 19)"),
    "low coverage": (
        changed("safe", coverage=0.62), {}, "verdicts on 90 % of the units (safe 62.0 %)",
    ),
    "no limit on harm": (good(), {"harm": None}, "a limit on missed harm."),
    "harm not excluded": (
        missing_harm(value=0.1, high=0.317), {},
        "missed harm shown to be at most 20.0 % on safe (it may be 31.7 %)",
    ),
    "harm not known": (missing_harm(value=None), {}, "missed harm known on safe (none was conf"),
    "chance": (
        changed("safe", judge=BY_CHANCE), {},
        "agreement shown to be better than chance on safe",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("findings", "changes", "says"), LACKS.values(), ids=LACKS)
def test_what_is_lacking_keeps_the_verdict_open_and_is_said(
    findings: Findings, changes: dict[str, Any], says: str
) -> None:
    found = decided(findings, conditions(**changes))
    assert found.tone == "open"
    assert "it is non-inferior on quality, safe" in found.verdict[0]
    assert found.verdict[1].startswith("Lacking for a yes: ")
    assert says in found.verdict[1]


def test_harm_that_is_surely_above_the_limit_speaks_against_the_judge() -> None:
    found = decided(missing_harm(value=0.5, low=0.27, high=0.73), conditions())
    assert found.tone == "bad"
    assert found.verdict[0] == (
        "This judge may not stand in for clinicians: it lets 50.0 % of the violations of safe "
        "pass, more than the limit of 20.0 %."
    )


def test_a_remark_alone_makes_no_verdict() -> None:
    odd = replace(good(), remarks=("safe: odd.",))
    assert decided(odd, conditions()).tone == "good"
    assert "A remark on this judge: safe: odd." in decided(odd, conditions()).verdict
    assert decided(odd, conditions(margin=None)).tone == "open"


def test_a_judge_that_could_not_be_asked_gets_no_verdict() -> None:
    why = "the judge could not be asked about 7 of 60 predictions with gold (timeout 7)"
    found = decided(good(), conditions(no_verdict=why))
    assert (found.tone, found.verdict) == ("open", (f"There is no verdict: {why}.",))


# The sentences


def test_violations_without_a_verdict_and_the_level_of_the_interval_are_said() -> None:
    found = decided(missing_harm(value=0.1, low=0.01, high=0.3, missing=4), conditions())
    sentence = next(one for one in found.verdict if one.startswith("Of 20"))
    assert (
        "let 10.0 % pass (95 % interval 1.0 % to 30.0 %); on 4 more it gave no verdict." in sentence
    )
    ninety = studied(
        World(graded=40, labelled=40), resampling=FEW.model_copy(update={"level": 0.9})
    )
    assert any("(90 % interval " in one for one in ninety.findings.verdict)
    assert "90 % intervals)" in ninety.findings.verdict[0]


def test_an_alternative_annotator_test_that_cannot_be_made_does_not_fail() -> None:
    """29 units, where 30 are needed."""
    found = studied(World(graded=29, labelled=29, seed=4), statistic="gwet_ac1").findings
    sentence = next(one for one in found.verdict if one.startswith("The alternative"))
    assert "on all criteria passes" in sentence  # 58 units of both criteria
    alone = replace(found, criteria=tuple(o for o in found.criteria if o.kind != "overall"))
    told = " ".join(decided(alone, conditions()).verdict)
    assert "on quality cannot be made (no clinician has enough units" in told
    assert "passes at no epsilon" not in told


# Labels that hardly differ


def alike(units: int, rare: int) -> Findings:
    """Judge and two clinicians always say the same: NO on ``rare`` units, else YES."""
    levels = {f"i{n}": "NO" if n < rare else "YES" for n in range(units)}
    rows = [(i, name, who, v) for i, v in levels.items() for name in ("quality", "safe")
            for who in "AB"]  # fmt: skip
    grades = [graded(i, {"quality": v, "safe": v}) for i, v in levels.items()]
    options = StudyOptions(resampling=FEW, cases=0, margin=0.1, max_missed_harm=0.2)
    return calibrate(grades, gold_of(rows), rubric=SMALL, options=options).findings


def test_labels_that_are_all_alike_tell_nothing_and_make_no_judge_degenerate() -> None:
    found = alike(40, 0)
    assert found.tone == "open"
    assert "not measurable on quality, safe" in found.verdict[0]
    assert not any("degenerate" in one for one in found.verdict)


@pytest.mark.parametrize(
    ("units", "rare", "tone"),
    [
        # The rule of three: 3 / 40 cases may differ unseen; over 1 - (1/2)² - (1/2)² that is .15.
        (40, 20, "open"),
        # 3 / 80 / .5 = .075, less than the margin of .1.
        (80, 40, "good"),
        # 3 / 60 / (1 - .75² - .25²) = .05 / .375 = .133.
        (60, 15, "open"),
    ],
)
def test_perfect_agreement_on_few_cases_is_no_proof(units: int, rare: int, tone: str) -> None:
    assert alike(units, rare).tone == tone


def test_grades_made_in_two_ways_are_no_yes() -> None:
    world = World(labelled=200, judge_errs=(0.04, 0.04))
    made: Signature = signature(reported_model="judge-2")
    grades = [*world.grades()[:100], *world.grades(made=made)[100:]]
    options = StudyOptions(resampling=FEW, cases=0, margin=0.15, max_missed_harm=0.2)
    study = calibrate(grades, world.gold(), rubric=SMALL, options=options)
    assert study.findings.tone == "open"
    assert "made in one way" in study.findings.verdict[1]


def test_what_would_decide_is_told_where_the_labels_do_not() -> None:
    """30 cases of a judge that is as good as the clinicians prove nothing by a margin of .1."""
    world = World(graded=30, labelled=30, judge_errs=(0.1, 0.1), seed=2)
    found = studied(world, margin=0.1).findings
    quality = found.criteria[0].non_inferiority
    assert quality is not None
    assert quality.verdict == "inconclusive"
    told = next(one for one in found.verdict if one.startswith("To decide it would take: "))
    assert f"on quality, {quality.needed}" in told


# The margin


@pytest.mark.parametrize(
    ("margin", "statistic", "says"),
    [
        (10, "cohen_kappa", "largest possible difference of Cohen's kappa, 2; 10 per cent is 0.1"),
        (1.5, "percent_agreement", "largest possible difference of Percent agreement, 1"),
        (0.25, "cohen_kappa", "above 0.2, which needs a reason in writing"),
    ],
)
def test_a_margin_that_is_too_large_is_refused(margin: float, statistic: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        StudyOptions(margin=margin, statistic=statistic)


def test_a_large_margin_with_a_reason_is_printed_with_it() -> None:
    reason = "screening only: a clinician reads every plan afterwards"
    study = studied(World(graded=60, labelled=60), margin=0.25, margin_reason=reason)
    assert ("reason for the margin", reason) in study.findings.design
    assert certify(study).margin_reason == reason


def test_a_margin_that_a_judge_at_chance_would_pass_is_refused() -> None:
    """Clinicians who err on 3 of 10 reach a kappa of about (1 - 2 x .3)² = .16."""
    world = World(clinicians_err=0.3, seed=5)
    with pytest.raises(InputError, match="not below the clinicians' own agreement"):
        studied(world, margin=0.5, margin_reason="none")


def test_on_one_criterion_such_a_margin_is_no_yes() -> None:
    low = good().criteria[0].clinicians
    assert low is not None
    findings = changed("quality", clinicians=low.model_copy(update={"value": 0.1}))
    found = decided(findings, conditions())
    assert found.tone == "open"
    assert "a margin below the clinicians' own agreement (quality 0.10)" in found.verdict[1]


def test_declared_beforehand_is_what_a_plan_declares() -> None:
    world = World(labelled=200, judge_errs=(0.04, 0.04))
    options = StudyOptions(resampling=FEW, cases=0, margin=0.15, max_missed_harm=0.2)
    plan = plan_of(options, SMALL)
    bare, planned = (
        calibrate(world.grades(), world.gold(), rubric=SMALL, options=options, plan=one)
        for one in (None, plan)
    )
    assert bare.findings.verdict[0].endswith("(Cohen's kappa), given with the analysis.")
    assert planned.findings.verdict[0].endswith("(Cohen's kappa), declared beforehand.")
    assert (planned.plan_hash, planned.planned) == (plan.hash, options.dated)
    assert certify(planned).plan_hash == plan.hash


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"margin": 0.2}, "declares margin 0.15, and this study has 0.2"),
        ({"max_missed_harm": 0.3}, "declares max_missed_harm null, and this study has 0.3"),
        ({"dated": date(2026, 1, 1)}, "the plan is of 2026-02-01, after the study"),
    ],
    ids=["margin", "limit", "date"],
)
def test_a_study_that_does_not_keep_to_its_plan_is_refused(
    changes: dict[str, Any], says: str
) -> None:
    world = World(graded=40, labelled=40)
    options = StudyOptions(resampling=FEW, margin=0.15, dated=date(2026, 2, 1))
    plan = plan_of(options, SMALL, dated=date(2026, 2, 1))
    other = options.model_copy(update=changes)
    with pytest.raises(InputError, match=says):
        calibrate(world.grades(), world.gold(), rubric=SMALL, options=other, plan=plan)
