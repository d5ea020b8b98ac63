"""Parts of a report made from results: every number shown is the result's own."""

from __future__ import annotations

import pytest

from mmrare_judge.calibration.analyses.alt_test import AltTest, ClinicianTest, EpsilonRow
from mmrare_judge.calibration.analyses.bias import GroupBias
from mmrare_judge.calibration.analyses.confidence import (
    RiskCoverage,
    Threshold,
    reliability_diagram,
    risk_coverage,
)
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.report.blocks import Table
from mmrare_judge.calibration.report.sections import (
    bias_figure,
    cells,
    clinicians_table,
    confusion_figure,
    corrected_figure,
    epsilon_figure,
    forest_figure,
    reliability_figure,
    risk_coverage_figure,
    sample_table,
    thinned,
    threshold_sentence,
)
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


def rows(table: Table | None) -> list[tuple[str, ...]]:
    assert table is not None
    return list(table.rows)


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
    figure = forest_figure(
        [("dose", estimate(0.5), estimate(0.625)), ("safe", estimate(0.25), None)], "cohen_kappa"
    )
    shown = [row[:3] for row in rows(figure.table)]
    assert shown == [
        ("dose", "judge and clinicians", "0.500"),
        ("dose", "clinicians", "0.625"),
        ("safe", "judge and clinicians", "0.250"),
    ]
    assert figure.svg


def test_a_forest_plot_without_values_gives_the_reasons() -> None:
    figure = forest_figure([("dose", estimate(None, reason="no labels"), None)], "cohen_kappa")
    assert (figure.svg, figure.missing) == ("", "dose: no labels")


def test_a_missing_ceiling_is_explained_beside_the_plot() -> None:
    figure = forest_figure(
        [("dose", estimate(0.5), None)], "cohen_kappa", no_ceiling="One clinician has no ceiling."
    )
    assert "One clinician has no ceiling." in figure.caption


def test_a_matrix_shows_counts_and_shares_of_its_columns() -> None:
    matrix = Confusion(categories=("NO", "YES"), counts=((3.0, 1.0), (0.0, 2.0)), missing=4)
    figure = confusion_figure("dose", matrix, "c")
    assert rows(figure.table) == [
        ("NO", "3 (100 %)", "1 (33 %)"),
        ("YES", "0 (0 %)", "2 (67 %)"),
    ]
    assert figure.caption.startswith("4 units")


def test_a_matrix_of_many_levels_has_a_row_of_its_own() -> None:
    def large(levels: int) -> bool:
        names = tuple(map(str, range(levels)))
        counts = ((1.0,) * levels,) * levels
        return confusion_figure(
            "d", Confusion(categories=names, counts=counts, missing=0), "c"
        ).large

    assert [large(levels) for levels in (2, 4, 5)] == [False, False, True]


def test_an_empty_column_has_counts_without_shares() -> None:
    matrix = Confusion(categories=("NO", "YES"), counts=((3.0, 0.0), (1.0, 0.0)), missing=0)
    assert rows(confusion_figure("dose", matrix, "c").table)[0] == ("NO", "3 (75 %)", "0")


def test_the_reliability_table_has_every_bin() -> None:
    """Confidences .1 | .9, .95: one wrong in the lower half, one right and one wrong above."""
    bins = reliability_diagram([0.1, 0.9, 0.95], [0, 1, 0], bins=2)
    shown = [row[:5] for row in rows(reliability_figure(bins, missing="").table)]
    assert shown == [
        ("0.00", "0.50", "1", "0.100", "0.000"),
        ("0.50", "1.00", "2", "0.925", "0.500"),
    ]


def test_without_confidence_both_plots_give_the_reason() -> None:
    reason = "the judge stated no confidence"
    figures = [
        reliability_figure([], missing=reason),
        risk_coverage_figure(RiskCoverage(reason=reason), None),
    ]
    assert [(f.svg, f.missing, f.table) for f in figures] == [("", reason, None)] * 2


def test_the_risk_coverage_table_has_the_whole_of_a_short_curve() -> None:
    curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [1, 1, 1, 0])
    assert rows(risk_coverage_figure(curve, None).table)[-1] == ("0.600", "100.0 %", "25.0 %")


def test_a_long_curve_is_thinned_and_says_so() -> None:
    many = tuple(step / 100 for step in range(1, 101))
    curve = RiskCoverage(thresholds=many[::-1], coverage=many, risk=(0.5,) * 100, n=100)
    table = risk_coverage_figure(curve, None).table
    assert len(rows(table)) == 12
    assert table is not None
    assert "study.json has all" in table.caption
    assert rows(table)[-1][1] == "100.0 %"


@pytest.mark.parametrize("length", [1, 2, 11, 12, 13, 1000])
def test_thinning_keeps_the_first_and_the_last(length: int) -> None:
    places = thinned(length, 12)
    assert (places[0], places[-1]) == (0, length - 1)
    assert len(set(places)) == len(places) == min(length, 12)


def test_a_guaranteed_threshold_is_told_with_its_held_out_evidence() -> None:
    threshold = Threshold(
        value=0.75, max_risk=0.1, level=0.95, bound=0.0875, risk=0.05, coverage=0.5, kept=40,
        held_out=80,
    )  # fmt: skip
    words = threshold_sentence(threshold)
    for number in ("0.750", "10.0 %", "95 %", "80 held-out", "40 (50.0 %)", "5.0 %", "8.8 %"):
        assert number in words


def alternative(rate: float | None) -> AltTest:
    passed = None if rate is None else rate >= 0.5
    return AltTest(
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


def test_the_epsilon_grid_stands_with_kappa_beside_it() -> None:
    figure = epsilon_figure(alternative(0.5))
    assert rows(figure.table) == [("0.00", "0.50", "passed"), ("0.20", "0.50", "passed")]
    assert "judge 0.50 (0.00 to 1.00)" in figure.caption
    assert "0.875" in figure.caption


def test_an_epsilon_grid_without_clinicians_gives_the_reason() -> None:
    figure = epsilon_figure(alternative(None))
    assert (figure.svg, figure.missing) == ("", "b left out")
    assert rows(figure.table)[0] == ("0.00", "–", "no outcome")


def test_the_contests_show_p_values_and_who_was_left_out() -> None:
    first, second = rows(clinicians_table(alternative(0.5)))
    assert first[5:] == ("0.250", "< 0.001", "")
    assert second[5:] == ("–", "–", "2 units, where 30 are needed")


def test_bias_shows_plain_and_adjusted_p_values() -> None:
    group = GroupBias(
        group="GPT", estimate=estimate(-0.25, -0.5, 0.0), p_value=0.03125, p_holm=0.0625, p_bh=0.05
    )
    texts = {"name": "bias", "title": "t", "caption": "", "missing": "no groups"}
    shown = rows(bias_figure([group], **texts).table)[0]
    assert shown[:3] == ("GPT", "-0.250", "-0.500 to 0.000")
    assert shown[-4:-1] == ("0.031", "0.062", "0.050")
    assert bias_figure([], **texts).missing == "no groups"


def test_corrected_scores_stand_beside_raw_ones() -> None:
    score = CorrectedScore(
        raw=estimate(0.75), labelled=estimate(0.5), ppi=estimate(0.625),
        rogan_gladen=estimate(None, reason="sensitivity + specificity near 1"),
        lam={"score": 0.5}, graded=100, with_gold=40, abstained=3,
    )  # fmt: skip
    figure = corrected_figure({"model A": score}, missing="")
    assert [row[1:3] for row in rows(figure.table)] == [
        ("raw", "0.750"),
        ("corrected (PPI++)", "0.625"),
        ("gold labels alone", "0.500"),
        ("corrected (Rogan-Gladen)", "–"),
    ]
    assert rows(figure.table)[-1][-1] == "sensitivity + specificity near 1"
    assert rows(sample_table({"model A": score})) == [("model A", "100", "40", "3", "0.50")]
    assert corrected_figure({}, missing="nothing was graded").missing == "nothing was graded"
