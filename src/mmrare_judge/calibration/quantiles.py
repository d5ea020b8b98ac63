"""Quantiles of the normal, t, beta and chi-square distributions; the only scipy door here."""

from __future__ import annotations

import importlib
from statistics import NormalDist
from typing import Any

from mmrare_judge.errors import ConfigError, MissingExtraError


def two_sided(level: float) -> float:
    """The probability below the upper end of a two-sided interval.

    >>> two_sided(0.95)
    0.975
    """
    _check(level)
    return (1 + level) / 2


def one_sided(level: float) -> float:
    """The probability below the end of a one-sided interval: the level itself, once checked.

    >>> one_sided(0.95)
    0.95
    """
    _check(level)
    return level


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution.

    >>> round(normal_quantile(0.975), 4)
    1.96
    """
    return NormalDist().inv_cdf(probability)


def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t distribution.

    >>> round(t_quantile(0.975, 10), 3)
    2.228
    """
    return float(_special().stdtrit(freedom, probability))


def t_two_sided_p(statistic: float, freedom: float) -> float:
    """Two-sided p-value of a t statistic.

    >>> round(t_two_sided_p(2.228, 10), 3)
    0.05
    """
    return float(2 * _special().stdtr(freedom, -abs(statistic)))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Quantile of the beta distribution.

    >>> round(beta_quantile(0.5, 2, 2), 3)
    0.5
    """
    return float(_special().betaincinv(a, b, probability))


def chi_square_quantile(probability: float) -> float:
    """Quantile of the chi-square distribution with one degree of freedom.

    >>> round(chi_square_quantile(0.95), 3)
    3.841
    """
    return normal_quantile((1 + probability) / 2) ** 2


def _check(level: float) -> None:
    if not 0 < level < 1:
        raise ConfigError(f"level {level} must lie between 0 and 1, as in 0.95")


def _special() -> Any:
    try:
        return importlib.import_module("scipy.special")
    except ImportError as error:
        raise MissingExtraError("scipy", "calibration") from error
