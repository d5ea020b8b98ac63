"""Parts of a report made from results: every number shown is the result's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mmrare_judge.calibration.analyses.alt_test import AltTest, ClinicianTest, EpsilonRow
from mmrare_judge.calibration.analyses.bias import GroupBias
from mmrare_judge.calibration.analyses.ceiling import Side
from mmrare_judge.calibration.analyses.confidence import (
    RiskCoverage,
    Threshold,
    reliability_diagram,
    risk_coverage,
)
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.analyses.noninferiority import NonInferiority, Verdict
from mmrare_judge.calibration.report.blocks import (
    AgreementLimits,
    BiasFindings,
    Block,
    Bullets,
    Card,
    ConfidenceFindings,
    CriterionFindings,
    Figure,
    Findings,
    Fold,
    Paragraph,
    Report,
    Table,
)
from mmrare_judge.calibration.report.scores import thinned
from mmrare_judge.calibration.report.sections import report_of
from mmrare_judge.calibration.report.tables import cells
from mmrare_judge.calibration.statistics.coefficients import Confusion
from mmrare_judge.calibration.statistics.estimate import Estimate, Interval


def estimate(
    value: float | None, low: float = 0.0, high: float = 1.0, reason: str = ""
) -> Estimate:
    interval = None if value is None else Interval(low=low, high=high, method="bca", undefined=3)
    return Estimate(
        name="cohen_kappa", value=value, interval=interval, n=248, clusters=30, missing=2,
        reason=reason,
    )  # fmt: skip


DOSE = CriterionFindings("dose", estimate(0.5), clinicians=estimate(0.625))


def told(*criteria: CriterionFindings, **found: Any) -> Report:
    """The report on these findings."""
    plain = Findings(
        title="t", facts=(), tone="open", verdict=("v",), statistic="cohen_kappa",
        criteria=criteria,
    )  # fmt: skip
    return report_of(replace(plain, **found))


def unfolded(given: Iterable[Block]) -> Iterator[Block]:
    for block in given:
        yield block
        if isinstance(block, Fold | Card):
            yield from unfolded(block.blocks)


def blocks(*criteria: CriterionFindings, **found: Any) -> list[Block]:
    """All blocks of the report on these findings, those of cards and folds too."""
    report = told(*criteria, **found)
    return list(unfolded(block for section in report.sections for block in section.blocks))


def left_out(*criteria: CriterionFindings, **found: Any) -> tuple[str, ...]:
    """What the report says it leaves out, and why."""
    bullets = [one for one in blocks(*criteria, **found) if isinstance(one, Bullets)]
    return bullets[-1].items if bullets else ()


def figure(name: str, *criteria: CriterionFindings, **found: Any) -> Figure:
    """The figure of this name in the report on these findings."""
    figures = [one for one in blocks(*criteria, **found) if isinstance(one, Figure)]
    return next(one for one in figures if one.name == name)


def table(caption: str, *criteria: CriterionFindings, **found: Any) -> Table:
    """The table outside of figures whose caption begins like this."""
    tables = [one for one in blocks(*criteria, **found) if isinstance(one, Table)]
    return next(one for one in tables if one.caption.startswith(caption))


def rows(shown: Figure | Table) -> list[tuple[str, ...]]:
    found = shown.table if isinstance(shown, Figure) else shown
    assert found is not None
    return list(found.rows)


def test_an_estimate_shows_everything_that_belongs_to_it() -> None:
    assert cells(estimate(0.5, 0.25, 0.75, "few cases")) == (
        "0.500", "0.250 to 0.750", "bca, 95 %", "248", "30", "2",
        "few cases; undefined in 3 resamples",
    )  # fmt: skip


def test_an_undefined_estimate_shows_its_reason_and_no_number() -> None:
    shown = cells(estimate(None, reason="every label is 'YES'"))
    assert shown[:3] == ("–", "–", "–")
    assert shown[-1] == "every label is 'YES'"


def test_the_forest_plot_has_judge_and_ceiling_of_every_criterion_in_its_table() -> None:
    forest = figure("forest", DOSE, CriterionFindings("safe", estimate(0.25)))
    assert [row[:3] for row in rows(forest)] == [
        ("Dose", "judge and clinicians", "0.500"),
        ("Dose", "clinicians", "0.625"),
        ("Safe", "judge and clinicians", "0.250"),
    ]
    assert forest.svg


def test_a_forest_plot_without_values_gives_the_reasons() -> None:
    forest = figure("forest", CriterionFindings("dose", estimate(None, reason="no labels")))
    assert (forest.svg, forest.missing) == ("", "Dose: no labels")


def test_a_missing_ceiling_is_explained_beside_the_plot() -> None:
    forest = figure("forest", DOSE, no_ceiling="One clinician has no ceiling.")
    assert "One clinician has no ceiling." in forest.caption


def matrix(counts: tuple[tuple[float, ...], ...], missing: int = 0) -> Figure:
    names = ("NO", "YES") if len(counts) == 2 else tuple(map(str, range(len(counts))))
    found = Confusion(categories=names, counts=counts, missing=missing)
    return figure("confusion-1", replace(DOSE, confusion=found))


def test_a_matrix_shows_counts_and_shares_of_its_columns() -> None:
    shown = matrix(((3.0, 1.0), (0.0, 2.0)), missing=4)
    assert rows(shown) == [("NO", "3 (100 %)", "1 (33 %)"), ("YES", "0 (0 %)", "2 (67 %)")]
    assert shown.caption.startswith("4 units")


def test_a_matrix_of_many_levels_has_a_row_of_its_own() -> None:
    sizes = (2, 4, 5)
    assert [matrix(((1.0,) * n,) * n).large for n in sizes] == [False, False, True]


def test_an_empty_column_has_counts_without_shares() -> None:
    assert rows(matrix(((3.0, 0.0), (1.0, 0.0))))[0] == ("NO", "3 (75 %)", "0")


def test_the_reliability_table_has_every_bin() -> None:
    """Confidences .1 | .9, .95: one wrong in the lower half, one right and one wrong above."""
    bins = tuple(reliability_diagram([0.1, 0.9, 0.95], [0, 1, 0], bins=2))
    shown = figure("reliability", DOSE, confidence=ConfidenceFindings(bins=bins))
    assert [row[:5] for row in rows(shown)] == [
        ("0.00", "0.50", "1", "0.100", "0.000"),
        ("0.50", "1.00", "2", "0.925", "0.500"),
    ]


def test_without_confidence_its_section_is_left_out_and_the_reason_is_said() -> None:
    found = ConfidenceFindings(missing="the judge stated no confidence")
    assert "confidence" not in [one.name for one in told(DOSE, confidence=found).sections]
    assert left_out(DOSE, confidence=found)[:2] == (
        "Is a stated confidence to be believed? – the judge stated no confidence.",
        "What abstaining would buy – the judge stated no confidence.",
    )


def curve_table(curve: RiskCoverage) -> Table:
    shown = figure("risk-coverage", DOSE, confidence=ConfidenceFindings(curve=curve)).table
    assert shown is not None
    return shown


def test_the_risk_coverage_table_has_the_whole_of_a_short_curve() -> None:
    curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 1, 1, 0])
    assert curve_table(curve).rows[-1] == ("0.600", "100.0 %", "25.0 %")


def test_a_long_curve_is_thinned_and_says_so() -> None:
    many = tuple(step / 100 for step in range(1, 101))
    shown = curve_table(
        RiskCoverage(thresholds=many[::-1], coverage=many, risk=(0.5,) * 100, n=100)
    )
    assert len(shown.rows) == 12
    assert "study.json has all" in shown.caption
    assert shown.rows[-1][1] == "100.0 %"


@pytest.mark.parametrize("length", [1, 2, 11, 12, 13, 1000])
def test_thinning_keeps_the_first_and_the_last(length: int) -> None:
    places = thinned(length, 12)
    assert (places[0], places[-1]) == (0, length - 1)
    assert len(set(places)) == len(places) == min(length, 12)


def guarantee(threshold: Threshold) -> str:
    found = blocks(DOSE, confidence=ConfidenceFindings(threshold=threshold))
    return next(b.text for b in found if isinstance(b, Paragraph) and "at most" in b.text)


def test_a_guaranteed_threshold_is_told_with_its_held_out_evidence() -> None:
    threshold = Threshold(
        value=0.75, max_risk=0.1, level=0.95, bound=0.0875, risk=0.05, coverage=0.5, kept=40,
        held_out=80,
    )  # fmt: skip
    words = guarantee(threshold)
    for number in ("0.750", "10.0 %", "95 %", "80 held-out", "40 (50.0 %)", "5.0 %", "8.8 %"):
        assert number in words


def test_where_no_threshold_is_guaranteed_the_reason_is_told() -> None:
    words = guarantee(Threshold(value=None, max_risk=0.1, level=0.95, reason="too few cases"))
    assert words == "No threshold can promise a risk of at most 10.0 %: too few cases."


def alternative(rate: float | None) -> CriterionFindings:
    passed = None if rate is None else rate >= 0.5
    test = AltTest(
        scoring="accuracy",
        errors="clustered",
        grid=(
            EpsilonRow(epsilon=0.0, winning_rate=rate, passed=passed),
            EpsilonRow(epsilon=0.2, winning_rate=rate, passed=passed),
        ),
        advantage=0.875,
        clinicians=(
            ClinicianTest(clinician="a", n=31, clusters=30, p_values={0.0: 0.25, 0.2: 0.0001}),
            ClinicianTest(clinician="b", n=2, clusters=2, left_out="2 units, where 30 are needed"),
        ),
        kappa=estimate(0.5),
        clinicians_kappa=estimate(0.625),
        reason="b left out",
    )
    return replace(DOSE, alternative=test)


def test_the_epsilon_grid_stands_with_kappa_beside_it() -> None:
    shown = figure("epsilon-1", alternative(0.5))
    assert rows(shown) == [("0.00", "0.50", "passed"), ("0.20", "0.50", "passed")]
    assert "judge 0.50 (0.00 to 1.00)" in shown.caption
    assert "0.875" in shown.caption


def test_an_epsilon_grid_without_clinicians_gives_the_reason() -> None:
    shown = figure("epsilon-1", alternative(None))
    assert (shown.svg, shown.missing) == ("", "b left out")
    assert rows(shown)[0] == ("0.00", "–", "no outcome")


def test_the_contests_show_p_values_and_who_was_left_out() -> None:
    first, second = rows(table("The judge's contest", alternative(0.5)))
    assert first[5:] == ("0.250", "< 0.001", "")
    assert second[5:] == ("–", "–", "2 units, where 30 are needed")


def test_bias_shows_plain_and_adjusted_p_values() -> None:
    group = GroupBias(
        group="GPT", estimate=estimate(-0.25, -0.5, 0.0), p_value=0.03125, p_holm=0.0625, p_bh=0.05
    )
    full = BiasFindings("Leniency", "", groups=(group,))
    empty = BiasFindings("Length", "", missing="no groups")
    shown = rows(figure("bias-1", DOSE, bias=(full, empty)))[0]
    assert shown[:3] == ("GPT", "-0.250", "-0.500 to 0.000")
    assert shown[-4:-1] == ("0.031", "0.062", "0.050")
    assert "Length – no groups." in left_out(DOSE, bias=(full, empty))


def test_corrected_scores_stand_beside_raw_ones() -> None:
    score = CorrectedScore(
        raw=estimate(0.75), labelled=estimate(0.5), ppi=estimate(0.625),
        rogan_gladen=estimate(None, reason="sensitivity + specificity near 1"),
        lam={"score": 0.5}, graded=100, with_gold=40, abstained=3,
    )  # fmt: skip
    shown = figure("corrected", DOSE, corrected={"model A": score})
    assert [row[1:3] for row in rows(shown)] == [
        ("raw", "0.750"),
        ("corrected (PPI++)", "0.625"),
        ("gold labels alone", "0.500"),
        ("corrected (Rogan-Gladen)", "–"),
    ]
    assert rows(shown)[-1][-1] == "sensitivity + specificity near 1"
    samples = table("What each correction rests on", DOSE, corrected={"model A": score})
    assert samples.rows == (("model A", "100", "40", "3", "0.50"),)
    why = left_out(DOSE, not_corrected="nothing was graded")
    assert "Scores as the judge gave them, and corrected – nothing was graded." in why


# --- the first screen


def with_test(
    name: str, difference: float, low: float, high: float, verdict: Verdict, needed: str = ""
) -> CriterionFindings:
    """A criterion tested against a margin of 0.1, on 248 units."""
    side = Side(
        versus="pairwise", judge=estimate(0.5), clinicians=estimate(0.6),
        difference=estimate(difference, low, high), each={},
    )  # fmt: skip
    outcome = NonInferiority(
        statistic="cohen_kappa", margin=0.1, verdict=verdict, side=side, sentence="tested",
        needed=needed,
    )  # fmt: skip
    return CriterionFindings(name, estimate(0.5), estimate(0.6), non_inferiority=outcome)


def test_three_numbers_stand_behind_the_verdict() -> None:
    """The criterion nearest to failing, the worst missed harm, and the score to print."""
    score = CorrectedScore(
        raw=estimate(0.75), labelled=estimate(0.5), ppi=estimate(0.625), lam={}, graded=100,
        with_gold=40, abstained=3,
    )  # fmt: skip
    report = told(
        with_test("drug_dose", 0.0, -0.05, 0.05, "non-inferior"),
        with_test("follow_up", -0.05, -0.12, 0.02, "inconclusive"),
        harm=((("drug_dose", "missed harm"), estimate(0.125)), (("x", "missed harm"), estimate(0))),
        corrected={"all systems": score},
    )
    assert [key.title for key in report.keys] == [
        "Cohen's kappa, Follow up",
        "Missed harm, Drug dose",
        "Corrected score, all systems",
    ]
    assert [key.value for key in report.keys] == ["0.50", "12.5 %", "0.625"]


def test_what_would_change_an_open_verdict_is_what_its_test_needs() -> None:
    one = with_test("safe", -0.02, -0.12, 0.08, "inconclusive", needed="about 140 more cases")
    assert told(one).would_change == ("Safe – about 140 more cases.",)


def test_the_first_screen_names_the_three_criteria_that_stand_worst() -> None:
    five = [
        with_test(name, 0.0, low, 0.1, "inconclusive", needed="more cases")
        for name, low in zip("abcde", (-0.11, -0.15, -0.12, -0.14, -0.13), strict=True)
    ]
    assert told(*five).would_change == (
        "B – more cases.",
        "D – more cases.",
        "E – more cases.",
        "And on 2 further criteria, which stand better.",
    )


def test_what_would_change_a_bad_verdict_is_another_judge() -> None:
    one = with_test("safe", -0.4, -0.5, -0.3, "inferior")
    assert told(one, tone="bad").would_change == (
        "Another judge or a clearer rubric on Safe: more labels alone would not.",
    )


def test_without_a_test_the_first_screen_says_what_one_needs() -> None:
    assert told(DOSE).would_change == (
        "A margin of non-inferiority, declared before the labels are seen.",
    )
    alone = told(DOSE, no_ceiling="there is one clinician")
    assert alone.would_change == ("Labels of a second clinician on the same units.",)


def test_two_levels_have_no_bland_altman_plot_and_three_have() -> None:
    two = Confusion(categories=("NO", "YES"), counts=((3.0, 1.0), (0.0, 2.0)), missing=0)
    three = Confusion(categories=("0", "1", "2"), counts=((3.0, 1.0, 0.0),) * 3, missing=0)
    points, limits = ((0.5, 1.0), (1.0, 0.0)), AgreementLimits(0.25, -1.0, 1.5)
    for matrix_of, drawn in ((two, False), (three, True)):
        one = replace(DOSE, confusion=matrix_of, points=points, limits=limits)
        names = {block.name for block in blocks(one) if isinstance(block, Figure)}
        assert ("differences-1" in names) == drawn


def test_a_criterion_is_called_by_its_title() -> None:
    found = blocks(DOSE, replace(DOSE, title="Is it safe?"))
    assert [one.title for one in found if isinstance(one, Card)] == ["Dose", "Is it safe?"]
