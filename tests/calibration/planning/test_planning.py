"""How many labels: published sample sizes, hand calculation, and intervals of the wanted width."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mmrare_judge.calibration import (
    design_effect,
    labels_for_corrected_mean,
    labels_for_kappa,
    labels_for_missed_harm,
)
from mmrare_judge.calibration.analyses.correction import ppi_mean
from mmrare_judge.calibration.planning.sizes import (
    binary_table,
    goodness_of_fit_limits,
    kappa_variance,
    table_variance,
)
from mmrare_judge.calibration.statistics.ratings import Ratings, Scale
from mmrare_judge.calibration.statistics.table import estimate
from mmrare_judge.errors import ConfigError, InputError


def test_the_variance_of_kappa_is_that_of_its_paper() -> None:
    # Fleiss, Cohen and Everitt (1969): three diagnoses, n = 200, kappa .429, variance .002885.
    table = [[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]]
    assert table_variance(table) / 200 == pytest.approx(0.002885, abs=5e-7)


def test_the_variance_of_kappa_is_that_of_sas() -> None:
    # A printout of SAS among the tests of statsmodels: kappa 0.4842, standard error 0.1380.
    table = [[0, 4, 1], [0, 8, 0], [0, 1, 5]]
    assert sqrt(table_variance(table) / 19) == pytest.approx(0.1380, abs=5e-5)


CANTOR = {
    # The documented example of N.cohen.kappa in the R package irr, after Cantor (1996): as it is
    # called, kappa is .70 and .85 in the null hypothesis.
    "one-sided": ((0.85, 0.70), 1.6449, 96),
    # By hand, prevalence 1/2, where the variance is 1 - kappa²:
    # (1.96 sqrt(.84) + .8416 sqrt(.51))² / .3² = 63.9.
    "two-sided": ((0.40, 0.70), 1.9600, 64),
}


@pytest.mark.parametrize(("kappas", "z", "subjects"), CANTOR.values(), ids=CANTOR)
def test_tests_of_kappa_need_as_many_subjects_as_published(
    kappas: tuple[float, float], z: float, subjects: int
) -> None:
    null, real = (sqrt(kappa_variance(kappa, (0.5, 0.5))) for kappa in kappas)
    needed = ((z * null + 0.8416 * real) / (kappas[1] - kappas[0])) ** 2
    assert ceil(needed) == subjects


def test_labels_for_kappa_follow_from_its_variance() -> None:
    # At prevalence 1/2 the variance is 1 - .36 = .64: .64 (2 * 1.96 / .2)² = 245.9.
    assert labels_for_kappa(0.6, 0.5, 0.2).labels == 246
    # Twice the variance by clusters: 491.7.
    assert labels_for_kappa(0.6, 0.5, 0.2, design_effect=2).labels == 492
    # Bloch and Kraemer (1989) at prevalence .1: .4 (.4 * -.2 + .6 * 1.4 / .18) = 1.8347, and
    # 1.8347 * 384.15 = 704.8.
    rare = labels_for_kappa(0.6, 0.1, 0.2)
    assert rare.labels == 705
    assert rare.rare == pytest.approx(70.5)
    assert "Beware" not in rare.sentence


def test_a_plan_with_hardly_any_unit_of_the_rarer_answer_says_so() -> None:
    plan = labels_for_kappa(0.6, 0.01, 1.5)
    assert plan.rare < 5
    assert "Beware: only" in plan.sentence


@given(st.floats(-0.3, 0.95), st.floats(0.3, 0.7))
def test_kappa_does_not_care_which_answer_is_called_yes(kappa: float, share: float) -> None:
    assert kappa_variance(kappa, share) == pytest.approx(kappa_variance(kappa, 1 - share))


@given(st.floats(0, 0.95), st.floats(0.02, 0.98))
def test_the_formula_for_many_raters_gives_that_of_two(kappa: float, share: float) -> None:
    # Bloch and Kraemer (1989) against Fleiss, Cohen and Everitt (1969): equal at equal margins.
    spread = share * (1 - share)
    two = (1 - kappa) * ((1 - kappa) * (1 - 2 * kappa) + kappa * (2 - kappa) / (2 * spread))
    assert kappa_variance(kappa, share) == pytest.approx(two)
    assert kappa_variance(kappa, share, raters=3) <= two + 1e-9


def test_planned_studies_of_two_raters_spread_as_wanted() -> None:
    # 4000 studies: a standard deviation is known to 1.1 %.
    plan = labels_for_kappa(0.5, (0.3, 0.2), 0.25)
    shares = binary_table(0.5, 0.3, 0.2)
    rng = np.random.default_rng(20)
    tables = rng.multinomial(plan.labels, shares.ravel(), 4000).reshape(-1, 2, 2) / plan.labels
    observed = tables[:, 0, 0] + tables[:, 1, 1]
    first, second = tables[:, 0].sum(axis=1), tables[:, :, 0].sum(axis=1)
    chance = first * second + (1 - first) * (1 - second)
    kappas = (observed - chance) / (1 - chance)
    assert kappas.mean() == pytest.approx(0.5, abs=0.01)
    assert 2 * 1.96 * kappas.std() == pytest.approx(0.25, rel=0.04)


PLANNED = {
    "middling": (0.6, (0.3, 0.2), 0.20),
    "rare": (0.4, (0.1, 0.1), 0.30),
    "high": (0.8, (0.5, 0.4), 0.15),
}


@pytest.mark.parametrize(("kappa", "shares", "width"), PLANNED.values(), ids=PLANNED)
def test_planned_studies_have_bootstrap_intervals_of_the_wanted_width(
    kappa: float, shares: tuple[float, float], width: float
) -> None:
    plan = labels_for_kappa(kappa, shares, width)
    cells = binary_table(kappa, *shares).ravel()
    labels = np.array([["YES", "YES"], ["YES", "NO"], ["NO", "YES"], ["NO", "NO"]])
    scale = Scale(level="nominal", categories=("NO", "YES"))
    rng = np.random.default_rng(3)
    widths = []
    for _ in range(40):
        rows = labels[rng.choice(4, plan.labels, p=cells)].tolist()
        found = estimate(Ratings.from_labels(rows, scale), "cohen_kappa")
        assert found.interval is not None
        widths.append(found.interval.high - found.interval.low)
    assert np.mean(widths) == pytest.approx(width, rel=0.04)


def test_planned_studies_of_four_raters_spread_as_wanted() -> None:
    plan = labels_for_kappa(0.6, 0.3, 0.16, raters=4)
    rng = np.random.default_rng(21)
    clear = rng.random((3000, plan.labels, 1)) < 0.6
    yes = np.where(
        clear,
        rng.random((3000, plan.labels, 1)) < 0.3,
        rng.random((3000, plan.labels, 4)) < 0.3,
    ).sum(axis=2)
    agreeing = ((yes * (yes - 1) + (4 - yes) * (3 - yes)) / 12).mean(axis=1)
    share = yes.mean(axis=1) / 4
    chance = share**2 + (1 - share) ** 2
    kappas = (agreeing - chance) / (1 - chance)
    assert 2 * 1.96 * kappas.std() == pytest.approx(0.16, rel=0.05)


def test_labels_for_a_corrected_mean_by_hand() -> None:
    # V = (.06 / (2 * 1.96 * .3))² = .002603; without a judge 1 / V = 384.2; with correlation .8
    # among 2000 (1 - .64) / (V - .64 / 2000) = 157.7. Student's t takes about three more.
    plan = labels_for_corrected_mean(0.3, 0.8, 2000, 0.06)
    assert 385 < plan.classical <= 388
    assert 158 < plan.labels <= 162
    assert plan.saving == plan.classical - plan.labels
    assert f"spares {plan.saving}" in plan.sentence


def test_a_judge_that_does_not_help_costs_no_labels() -> None:
    for useless in (0.0, -0.9, 1e-9):
        plan = labels_for_corrected_mean(0.3, useless, 2000, 0.06)
        assert plan.saving == 0


def test_a_perfect_judge_needs_only_the_least_number_of_cases() -> None:
    assert labels_for_corrected_mean(0.3, 1.0, 100_000, 0.06).labels == 5


@pytest.mark.parametrize(("size", "icc"), [(1, 0.0), (4, 0.3)], ids=["alone", "in cases of four"])
def test_planned_corrected_means_have_intervals_of_the_wanted_width(size: int, icc: float) -> None:
    graded, width, correlation = 1200, 0.3, 0.7
    effect = design_effect(size, icc)
    plan = labels_for_corrected_mean(1.0, correlation, graded, width, design_effect=effect)
    rng = np.random.default_rng(22)
    cases = np.repeat(np.arange(graded // size), size)

    def noise() -> np.ndarray:
        shared = rng.normal(size=graded // size)[cases]
        return np.asarray(sqrt(icc) * shared + sqrt(1 - icc) * rng.normal(size=graded))

    widths = []
    for _ in range(150):
        gold = noise()
        judge = correlation * gold + sqrt(1 - correlation**2) * noise()
        labelled = cases < round(plan.labels / size)
        found = ppi_mean(judge, np.where(labelled, gold, np.nan), clusters=cases)
        assert found.estimate.interval is not None
        widths.append(found.estimate.interval.high - found.estimate.interval.low)
    assert np.mean(widths) == pytest.approx(width, rel=0.03)


# Wilks's sample sizes for 95 % coverage with 95 % confidence, by the number allowed beyond the
# limit; the first of them at 10 % and 1 % too.
WILKS = {
    "none": (0.05, 0, 59),
    "one": (0.05, 1, 93),
    "two": (0.05, 2, 124),
    "three": (0.05, 3, 153),
    "four": (0.05, 4, 181),
    "a tenth": (0.10, 0, 29),
    "a hundredth": (0.01, 0, 299),
}


@pytest.mark.parametrize(("share", "missed", "violations"), WILKS.values(), ids=WILKS)
def test_violations_to_confirm_are_those_of_wilks(
    share: float, missed: int, violations: int
) -> None:
    assert labels_for_missed_harm(share, missed=missed).violations == violations


def test_the_gate_needs_more_violations_than_the_one_sided_limit() -> None:
    # 1 - .025^(1/n) <= .05: n = log .025 / log .95 = 71.9.
    plan = labels_for_missed_harm(0.05, violations_share=0.08)
    assert (plan.violations, plan.gate) == (59, 72)
    assert plan.labels == 900  # 72 / .08
    assert "need 72" in plan.sentence


def test_the_design_effect_of_cases_by_hand() -> None:
    assert design_effect(1, 0.9) == 1
    assert design_effect(5, 0.2) == pytest.approx(1.8)
    # Unequal cases: 1 + ((.25 + 1) * 5 - 1) * .2 = 2.05.
    assert design_effect(5, 0.2, size_cv=0.5) == pytest.approx(2.05)


IMPOSSIBLE = {
    "kappa of one": (lambda: labels_for_kappa(1, 0.5, 0.2), "kappa 1 must lie between"),
    "no prevalence": (lambda: labels_for_kappa(0.5, 0.0, 0.2), "prevalence 0.0 must lie between"),
    # Both say yes to at most .1 and no to .5: (.6 - .5) / (1 - .5) with chance .05 + .45.
    "kappa out of reach": (
        lambda: labels_for_kappa(0.9, (0.1, 0.5), 0.2),
        r"cannot be reached.*It lies from -0.20 to 0.20",
    ),
    "three raters of two kinds": (
        lambda: labels_for_kappa(0.5, (0.1, 0.2), 0.2, raters=3),
        "3 raters, kappa 0.5 and prevalence",
    ),
    "one rater": (lambda: labels_for_kappa(0.5, 0.5, 0.2, raters=1), "1 raters"),
    "no width": (lambda: labels_for_kappa(0.5, 0.5, 0.0), "width 0 must lie between 0 and 2"),
    "not a number": (lambda: labels_for_kappa(float("nan"), 0.5, 0.2), "kappa nan"),
    "no design effect": (
        lambda: labels_for_kappa(0.5, 0.5, 0.2, design_effect=0),
        "design effect 0",
    ),
    "too many labels": (lambda: labels_for_missed_harm(1e-9), "more than 10000000 labels"),
    "no spread": (lambda: labels_for_corrected_mean(0, 0.5, 100, 0.1), "deviation 0 must be above"),
    "correlation": (lambda: labels_for_corrected_mean(1, 1.5, 100, 0.1), "correlation 1.5 must"),
    # 2 * 1.984 / sqrt(100) = .397.
    "too few graded": (
        lambda: labels_for_corrected_mean(1, 0, 100, 0.1),
        r"all 100 graded units labelled it is 0.4\. Grade more",
    ),
    "hardly any graded": (lambda: labels_for_corrected_mean(1, 0.5, 3, 9), "3 graded units are"),
    "everything missed": (lambda: labels_for_missed_harm(1.0), "share 1 must lie between"),
    "no violations": (
        lambda: labels_for_missed_harm(0.1, violations_share=0),
        "share of violations 0 must be",
    ),
    "missed less than none": (lambda: labels_for_missed_harm(0.1, missed=-1), "-1 missed"),
    "half a label": (lambda: design_effect(0.5, 0.1), "cluster size 0.5 must be 1 or more"),
    "negative correlation": (lambda: design_effect(5, -0.1), "correlation -0.1 must lie"),
}


@pytest.mark.parametrize(("plan", "problem"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_plans_are_refused_with_the_reason(plan: object, problem: str) -> None:
    assert callable(plan)
    with pytest.raises(InputError, match=problem):
        plan()


def test_a_level_in_per_cent_is_refused() -> None:
    with pytest.raises(ConfigError, match="level 95 must lie between"):
        labels_for_kappa(0.5, 0.5, 0.2, level=95)


@pytest.mark.parametrize(("agreeing", "units"), [(16, 20), (10, 12), (45, 60)])
def test_limits_by_goodness_of_fit_at_one_half_are_wilsons_for_agreement(
    agreeing: int, units: int
) -> None:
    # At prevalence 1/2 kappa is 2 a - 1, with a the share of agreement.
    limits = goodness_of_fit_limits(2 * agreeing / units - 1, 0.5, units)
    wilson = stats.binomtest(agreeing, units).proportion_ci(method="wilson")
    assert limits.low == pytest.approx(2 * wilson.low - 1)
    assert limits.high == pytest.approx(2 * wilson.high - 1)


@pytest.mark.parametrize(
    ("kappa", "prevalence", "units"), [(0.6, 0.2, 25), (0, 0.3, 40), (-0.2, 0.6, 30)]
)
def test_at_its_limits_the_misfit_of_the_counts_is_the_quantile(
    kappa: float, prevalence: float, units: int
) -> None:
    def counts(value: float) -> list[float]:
        both = prevalence * (1 - prevalence)
        yes, no = prevalence**2 + value * both, (1 - prevalence) ** 2 + value * both
        return [units * yes, units * 2 * both * (1 - value), units * no]

    limits = goodness_of_fit_limits(kappa, prevalence, units)
    assert limits.low < kappa < limits.high
    for end in (limits.low, limits.high):
        misfit = stats.chisquare(counts(kappa), counts(end)).statistic
        assert misfit == pytest.approx(stats.chi2.ppf(0.95, 1))


def test_limits_by_goodness_of_fit_stay_in_the_range_of_kappa() -> None:
    limits = goodness_of_fit_limits(-0.25, 0.2, 10)
    assert limits.low == pytest.approx(-0.25)
    assert limits.high < 1
    with pytest.raises(InputError, match="has no limits"):
        goodness_of_fit_limits(-0.5, 0.2, 10)


def test_a_plan_with_few_of_the_rarer_answer_states_the_limits_by_goodness_of_fit() -> None:
    plan = labels_for_kappa(0.6, 0.05, 0.8)
    assert plan.rare < 5
    assert plan.limits is not None
    assert plan.limits == goodness_of_fit_limits(0.6, 0.05, plan.labels)
    assert f"expect {plan.limits.low:.2f} to {plan.limits.high:.2f}" in plan.sentence


def test_limits_of_a_plan_count_clustered_labels_by_what_they_are_worth() -> None:
    plan = labels_for_kappa(0.6, 0.3, 0.3, design_effect=2)
    assert plan.limits == goodness_of_fit_limits(0.6, 0.3, plan.labels / 2)
    assert labels_for_kappa(0.6, 0.3, 0.3, raters=3).limits is None


@pytest.mark.parametrize(
    ("units", "kappa", "prevalence"), [(20, 0.6, 0.3), (20, 0.8, 0.3), (30, 0.6, 0.1)]
)
def test_limits_by_goodness_of_fit_cover_kappa_in_few_units(
    units: int, kappa: float, prevalence: float
) -> None:
    # Exact: all tables of so many units, with their probabilities, where kappa is defined.
    both = prevalence * (1 - prevalence)
    yes, one = prevalence**2 + kappa * both, 2 * both * (1 - kappa)
    law = stats.multinomial(units, [yes, one, 1 - yes - one])
    covered = defined = 0.0
    for twice in range(units + 1):
        for once in range(units + 1 - twice):
            share = (2 * twice + once) / (2 * units)
            chance = law.pmf([twice, once, units - twice - once])
            if chance < 1e-7 or share in (0, 1):
                continue
            estimated = 1 - once / (2 * units * share * (1 - share))
            limits = goodness_of_fit_limits(estimated, share, units)
            defined += chance
            covered += chance * (limits.low <= kappa <= limits.high)
    # The least of these is 92.98 %, at 30 units, kappa .6 and prevalence .1.
    assert 0.929 <= covered / defined <= 0.97


def test_perfect_agreement_has_a_lower_limit_by_goodness_of_fit() -> None:
    limits = goodness_of_fit_limits(1, 0.5, 20)
    assert limits.low == pytest.approx(
        2 * stats.binomtest(20, 20).proportion_ci(method="wilson").low - 1
    )
    assert limits.high == 1
