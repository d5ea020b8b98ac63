"""Percent agreement and the kappa family: Cohen, Scott, Fleiss, Conger."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.patterns import Patterns, beyond_chance, joint, ratio, similarity
from mmrare_judge.calibration.vectors import Floats


def percent_agreement(patterns: Patterns, weights: Floats, *, alike: str = "identity") -> Floats:
    """Share of agreeing pairs of raters, averaged over units.

    ``p_a = mean_i sum_k n_ik (n*_ik - 1) / (n_i (n_i - 1))`` with ``n*_ik = sum_l w_kl n_il``;
    n_ik raters gave unit i category k. Units with fewer than two labels count for nothing.

    Source: Fleiss (1971); with weights Gwet (2014), Handbook of Inter-Rater Reliability.
    """
    counts, labels = patterns.counts, patterns.labels
    pairable = labels >= 2
    similar = counts @ similarity(patterns.categories, alike)
    agreeing = (counts * (similar - 1)).sum(axis=1)
    share = np.where(pairable, agreeing / np.maximum(labels * (labels - 1), 1), 0.0)
    return ratio(weights @ share, weights @ pairable)


def prevalence(patterns: Patterns, weights: Floats) -> Floats:
    """B by K: the mean over units of the share of raters who gave category k.

    ``pi_k = mean_i n_ik / n_i`` over units with **at least one** label: a unit that only one
    rater labelled counts here, although no pair agrees or disagrees on it. Fleiss's kappa and
    Gwet's coefficients share this rule (Gwet, 2014); Krippendorff's alpha leaves such units out.
    """
    share = patterns.counts / np.maximum(patterns.labels, 1)[:, None]
    return ratio(weights @ share, (weights @ (patterns.labels >= 1))[:, None])


def cohen_kappa(
    patterns: Patterns,
    weights: Floats,
    *,
    alike: str = "identity",
    disagreement: Floats | None = None,
) -> Floats:
    """Cohen's kappa of the first two raters, plain or weighted.

    ``1 - sum v_kl o_kl / sum v_kl e_kl``: o the shares of the table, e the products of its
    margins, v the disagreement weights (1 off the diagonal; linear; quadratic; or given).
    Pairs with a missing label are left out. Undefined where both raters use one and the same
    category throughout.

    Source: Cohen (1960); weighted: Cohen (1968).
    """
    table = joint(patterns, weights)
    shares = ratio(table, table.sum(axis=(1, 2))[:, None, None])
    chance = shares.sum(axis=2)[:, :, None] * shares.sum(axis=1)[:, None, :]
    cost = 1 - similarity(patterns.categories, alike) if disagreement is None else disagreement
    return 1 - ratio((shares * cost).sum(axis=(1, 2)), (chance * cost).sum(axis=(1, 2)))


def scott_pi(patterns: Patterns, weights: Floats) -> Floats:
    """Scott's pi of the first two raters: kappa with one set of margins for both.

    ``(p_o - p_e) / (1 - p_e)``, ``p_e = sum_k ((p_k. + p_.k) / 2)²``. Pairs with a missing label
    are left out. Source: Scott (1955).
    """
    table = joint(patterns, weights)
    shares = ratio(table, table.sum(axis=(1, 2))[:, None, None])
    pooled = (shares.sum(axis=1) + shares.sum(axis=2)) / 2
    return beyond_chance(np.trace(shares, axis1=1, axis2=2), (pooled**2).sum(axis=1))


def fleiss_kappa(patterns: Patterns, weights: Floats) -> Floats:
    """Fleiss's kappa: any number of raters, not the same for every unit.

    ``(p_a - p_e) / (1 - p_e)``, ``p_e = sum_k pi_k²``; units with one label count for the
    prevalence pi, and not for p_a. Source: Fleiss (1971); missing labels: Gwet (2014).
    """
    expected = (prevalence(patterns, weights) ** 2).sum(axis=1)
    return beyond_chance(percent_agreement(patterns, weights), expected)


def conger_kappa(patterns: Patterns, weights: Floats) -> Floats:
    """Conger's kappa: the same raters throughout, each with margins of their own.

    ``p_e`` is the mean over ordered pairs of raters g, h of ``sum_k p_gk p_hk``, p_gk being the
    share of category k among the labels that g gave. With two raters and no missing label it is
    Cohen's kappa. Undefined where a rater gave no label. Source: Conger (1980).
    """
    units, raters, size = patterns.one_hot.shape
    totals = (weights @ patterns.one_hot.reshape(units, raters * size)).reshape(-1, raters, size)
    shares = ratio(totals, totals.sum(axis=2)[:, :, None])
    together = (shares.sum(axis=1) ** 2).sum(axis=1)
    alone = (shares**2).sum(axis=(1, 2))
    expected = (together - alone) / (raters * (raters - 1))
    return beyond_chance(percent_agreement(patterns, weights), expected)
