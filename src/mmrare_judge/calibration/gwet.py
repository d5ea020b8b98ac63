"""Coefficients that stay put where one category is rare: Gwet's AC1/AC2, Brennan-Prediger."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.kappa import percent_agreement, prevalence
from mmrare_judge.calibration.patterns import Patterns, beyond_chance, similarity
from mmrare_judge.calibration.vectors import Floats


def gwet_ac(patterns: Patterns, weights: Floats, *, alike: str = "identity") -> Floats:
    """Gwet's AC1, or AC2 with linear or quadratic weights.

    ``p_e = T / (K (K - 1)) sum_k pi_k (1 - pi_k)``, T the sum of the weight matrix (K for AC1), K
    the number of **declared** categories. Units with one label count for the prevalence pi.

    Source: Gwet (2008); AC2 and missing labels: Gwet (2014).
    """
    size = patterns.categories
    share = prevalence(patterns, weights)
    total = similarity(size, alike).sum()
    expected = total / (size * (size - 1)) * (share * (1 - share)).sum(axis=1)
    return beyond_chance(percent_agreement(patterns, weights, alike=alike), expected)


def brennan_prediger(patterns: Patterns, weights: Floats, *, alike: str = "identity") -> Floats:
    """Brennan-Prediger: chance is every declared category alike; PABAK for two categories.

    ``(p_a - p_e) / (1 - p_e)``, ``p_e = T / K²``, T the sum of the weight matrix (K unweighted).

    Source: Brennan and Prediger (1981); PABAK: Byrt, Bishop and Carlin (1993).
    """
    size = patterns.categories
    observed = percent_agreement(patterns, weights, alike=alike)
    expected = similarity(size, alike).sum() / size**2
    return beyond_chance(observed, np.full_like(observed, expected))
