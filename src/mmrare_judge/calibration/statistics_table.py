"""The property table: one row a statistic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Literal

from mmrare_judge.calibration import classify, libraries
from mmrare_judge.calibration.alpha import alpha_interval, alpha_nominal, alpha_ordinal
from mmrare_judge.calibration.continuous import (
    kendall_tau_b,
    leniency,
    limit_of_agreement,
    mean_absolute_error,
    spearman,
)
from mmrare_judge.calibration.gwet import brennan_prediger, gwet_ac
from mmrare_judge.calibration.icc import Design, icc
from mmrare_judge.calibration.kappa import (
    cohen_kappa,
    conger_kappa,
    fleiss_kappa,
    percent_agreement,
    scott_pi,
)
from mmrare_judge.calibration.patterns import Compute
from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.statistic import Needs, Statistic
from mmrare_judge.errors import InputError


def _cohen(kind: Literal["linear", "quadratic"]) -> Statistic:
    return Statistic(
        f"cohen_kappa_{kind}",
        f"Cohen's kappa, {kind} weights",
        partial(cohen_kappa, alike=kind),
        partial(libraries.cohen, weights=kind),
        needs="order",
        relabelling=False,
    )


def _many(name: str, title: str, compute: Compute, one_class: float | None = None) -> Statistic:
    low = 0.0 if name == "percent_agreement" else -1.0
    return Statistic(
        name, title, compute, raters="many", uses="pairable", low=low, one_class=one_class
    )


def _graded(name: str, title: str, compute: Compute) -> Statistic:
    return Statistic(
        name,
        title,
        compute,
        needs="order",
        raters="many",
        uses="pairable",
        one_class=1.0,
        relabelling=False,
    )


def _alpha(level: Literal["nominal", "ordinal", "interval"], compute: Compute) -> Statistic:
    needs: dict[str, Needs] = {"nominal": "categories", "ordinal": "order", "interval": "numbers"}
    return Statistic(
        f"alpha_{level}",
        f"Krippendorff's alpha, {level}",
        compute,
        partial(libraries.alpha, level=level),
        needs=needs[level],
        raters="many",
        uses="pairable",
        relabelling=level == "nominal",
    )


def _share(
    name: str,
    title: str,
    compute: Compute,
    library: Callable[[Ratings], float] | None = None,
    *,
    needs: Needs = "positive",
    symmetric: bool = False,
) -> Statistic:
    return Statistic(name, title, compute, library, needs=needs, low=0.0, symmetric=symmetric)


def _icc(name: str, design: Design, *, average: bool) -> Statistic:
    title = f"ICC({name.removeprefix('icc_').replace('_', ',')})"
    return Statistic(
        name,
        title,
        partial(icc, design=design, average=average),
        needs="numbers",
        raters="many",
        low=-inf,
        relabelling=False,
    )


def _number(name: str, title: str, compute: Compute, *, low: float = -inf) -> Statistic:
    return Statistic(
        name,
        title,
        compute,
        libraries.absolute_error if name == "mae" else None,
        needs="numbers",
        low=low,
        high=inf,
        perfect=0.0,
        one_class=0.0,
        symmetric=name == "mae",
        relabelling=False,
        higher_is_better=False if name == "mae" else None,
    )


def _rank(name: str, title: str, compute: Compute, kind: libraries.Correlation) -> Statistic:
    correlate = partial(libraries.rank_correlation, kind=kind)
    return Statistic(name, title, compute, correlate, needs="numbers", relabelling=False)


_ROWS = (
    _many("percent_agreement", "Percent agreement", percent_agreement, one_class=1.0),
    Statistic("cohen_kappa", "Cohen's kappa", cohen_kappa, libraries.cohen),
    _cohen("linear"),
    _cohen("quadratic"),
    Statistic("scott_pi", "Scott's pi", scott_pi),
    _many("fleiss_kappa", "Fleiss's kappa", fleiss_kappa),
    _many("conger_kappa", "Conger's kappa", conger_kappa),
    _alpha("nominal", alpha_nominal),
    _alpha("ordinal", alpha_ordinal),
    _alpha("interval", alpha_interval),
    _many("gwet_ac1", "Gwet's AC1", gwet_ac, one_class=1.0),
    _graded("gwet_ac2_linear", "Gwet's AC2, linear", partial(gwet_ac, alike="linear")),
    _graded("gwet_ac2_quadratic", "Gwet's AC2, quadratic", partial(gwet_ac, alike="quadratic")),
    _many("brennan_prediger", "Brennan-Prediger (PABAK)", brennan_prediger, one_class=1.0),
    Statistic("mcc", "Matthews' correlation", classify.mcc, libraries.matthews),
    _share(
        "macro_f1",
        "Macro-F1",
        classify.macro_f1,
        libraries.f1_macro,
        needs="categories",
        symmetric=True,
    ),
    Statistic(
        "pairwise_macro_f1",
        "Pairwise balanced macro-F1 (HealthBench)",
        classify.pairwise_macro_f1,
        libraries.f1_macro_pairwise,
        raters="many",
        uses="pairable",
        low=0.0,
        symmetric=False,
    ),
    _share(
        "balanced_accuracy",
        "Balanced accuracy",
        classify.balanced_accuracy,
        libraries.recall_macro,
        needs="categories",
    ),
    _share(
        "sensitivity", "Sensitivity", classify.sensitivity, partial(libraries.recall, of="positive")
    ),
    _share(
        "specificity", "Specificity", classify.specificity, partial(libraries.recall, of="negative")
    ),
    _share("positive_agreement", "Positive agreement", classify.positive_agreement, symmetric=True),
    _share("negative_agreement", "Negative agreement", classify.negative_agreement, symmetric=True),
    _icc("icc_1_1", "one-way", average=False),
    _icc("icc_2_1", "two-way random", average=False),
    _icc("icc_3_1", "two-way mixed", average=False),
    _icc("icc_1_k", "one-way", average=True),
    _icc("icc_2_k", "two-way random", average=True),
    _icc("icc_3_k", "two-way mixed", average=True),
    _rank("spearman", "Spearman's rho", spearman, "spearmanr"),
    _rank("kendall_tau_b", "Kendall's tau-b", kendall_tau_b, "kendalltau"),
    _number("mae", "Mean absolute error", mean_absolute_error, low=0.0),
    _number("leniency", "Leniency (mean signed difference)", leniency),
    _number(
        "agreement_limit_low", "Lower limit of agreement", partial(limit_of_agreement, side=-1)
    ),
    _number(
        "agreement_limit_high", "Upper limit of agreement", partial(limit_of_agreement, side=1)
    ),
)

STATISTICS: Mapping[str, Statistic] = {row.name: row for row in _ROWS}
"""Every statistic by its name, in the order reports show them."""


def statistic(name: str) -> Statistic:
    """A row of the table.

    Raises:
        InputError: There is no such statistic; the message lists them.

    >>> statistic("gwet_ac1").one_class
    1.0
    """
    try:
        return STATISTICS[name]
    except KeyError:
        known = ", ".join(STATISTICS)
        raise InputError(f"no statistic {name!r}", remedy=f"Known are: {known}") from None
