"""The formulas of agreement, vectorised: from patterns and B rows of weights to B values.

The sample at hand is B = 1, a bootstrap is B = thousands; NaN where a statistic is undefined. In
this order: agreement and the kappas, Gwet and Brennan-Prediger, Krippendorff's alpha, intraclass
correlations, numbers and ranks, and the first rater as a classifier.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import (
    TINY,
    Ints,
    Patterns,
    Ratings,
    beyond_chance,
    joint,
    ratio,
    similarity,
)
from mmrare_judge.records import Record


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


# --- coefficients that stay put where one category is rare


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


# --- Krippendorff's alpha: any raters, missing labels allowed


def coincidences(patterns: Patterns, weights: Floats) -> Floats:
    """B tables of values paired within units.

    ``o_ck = sum_u n_uc (n_uk - [c = k]) / (m_u - 1)`` over units u with m_u >= 2 labels. Units
    with one label count for nothing, neither here nor in the margins n_c.
    """
    counts, labels = patterns.counts, patterns.labels
    pairs = np.einsum("pc,pk->pck", counts, counts)
    pairs -= counts[:, :, None] * np.eye(patterns.categories)
    pairs /= np.maximum(labels - 1, 1)[:, None, None]
    pairs[labels < 2] = 0
    size = patterns.categories
    return np.asarray((weights @ pairs.reshape(len(counts), size**2)).reshape(-1, size, size))


def alpha_nominal(patterns: Patterns, weights: Floats) -> Floats:
    """Krippendorff's alpha where categories are equal or not.

    ``1 - D_o / D_e``, ``D_o = sum o_ck d_ck / n``, ``D_e = sum n_c n_k d_ck / (n (n - 1))``,
    ``d_ck = [c != k]``. Undefined where all pairable labels are the same.

    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability.
    """
    table = coincidences(patterns, weights)
    apart = np.broadcast_to(1 - np.eye(patterns.categories), table.shape)
    return _alpha(table, apart)


def alpha_ordinal(patterns: Patterns, weights: Floats) -> Floats:
    """Krippendorff's alpha where only the order of categories counts.

    As `alpha_nominal`, with ``d_ck = (sum_{g=c..k} n_g - (n_c + n_k) / 2)²``: how many labels
    stand between two categories. Source: Krippendorff (2011).
    """
    table = coincidences(patterns, weights)
    margin = table.sum(axis=2)
    middle = margin.cumsum(axis=1) - margin / 2
    return _alpha(table, (middle[:, :, None] - middle[:, None, :]) ** 2)


def _alpha(table: Floats, apart: Floats) -> Floats:
    margin = table.sum(axis=2)
    chance = margin[:, :, None] * margin[:, None, :]
    observed = (table * apart).sum(axis=(1, 2))
    expected = (chance * apart).sum(axis=(1, 2))
    return 1 - ratio((margin.sum(axis=1) - 1) * observed, expected)


def alpha_interval(patterns: Patterns, weights: Floats) -> Floats:
    """Krippendorff's alpha where differences of points count.

    As `alpha_nominal`, with ``d_ck = (v_c - v_k)²``; computed from sums and sums of squares, so
    that it serves continuous labels too. Source: Krippendorff (2011).
    """
    used = patterns.known & (patterns.labels >= 2)[:, None]
    numbers = np.where(used, patterns.centred, 0.0)
    count, total, square = used.sum(axis=1), numbers.sum(axis=1), (numbers**2).sum(axis=1)
    within = 2 * (count * square - total**2) / np.maximum(count - 1, 1)
    n, first, second = weights @ count, weights @ total, weights @ square
    return 1 - ratio((n - 1) * (weights @ within), 2 * (n * second - first**2))


# --- intraclass correlations: three designs, one rater or the mean of k

Design = Literal["one-way", "two-way random", "two-way mixed"]


class MeanSquares(NamedTuple):
    """The analysis of variance of n units by k raters: BMS, WMS, JMS and EMS of the paper."""

    n: Floats
    k: int
    between: Floats
    within: Floats
    raters: Floats
    error: Floats


def mean_squares(patterns: Patterns, weights: Floats) -> MeanSquares:
    """Mean squares from sums over complete units; a unit with a missing label is left out."""
    numbers = np.where(patterns.complete[:, None], patterns.centred, 0.0)
    n, k = weights @ patterns.complete, numbers.shape[1]
    rows, columns = numbers.sum(axis=1), weights @ numbers
    correction = ratio(columns.sum(axis=1) ** 2, n * k)
    total = weights @ (numbers**2).sum(axis=1) - correction
    between = weights @ rows**2 / k - correction
    raters = ratio((columns**2).sum(axis=1), n) - correction
    # Rounding leaves specks where a sum of squares is zero; they would make a ratio of nothing.
    between, raters, residual = (
        np.where(part > TINY * np.maximum(total, 1), part, 0.0)
        for part in (between, raters, total - between - raters)
    )
    return MeanSquares(
        n=n,
        k=k,
        between=ratio(between, n - 1),
        within=ratio(raters + residual, n * (k - 1)),
        raters=raters / (k - 1),
        error=ratio(residual, (n - 1) * (k - 1)),
    )


def icc(patterns: Patterns, weights: Floats, *, design: Design, average: bool) -> Floats:
    """Intraclass correlation, by Shrout and Fleiss's formulas.

    - one-way, ICC(1,1): ``(BMS - WMS) / (BMS + (k-1) WMS)``; of the mean: ``(BMS - WMS) / BMS``.
    - two-way random, ICC(2,1): ``(BMS - EMS) / (BMS + (k-1) EMS + k (JMS - EMS) / n)``; of the
      mean: ``(BMS - EMS) / (BMS + (JMS - EMS) / n)``.
    - two-way mixed, ICC(3,1): ``(BMS - EMS) / (BMS + (k-1) EMS)``; of the mean:
      ``(BMS - EMS) / BMS``.

    Undefined where the numbers do not vary. Source: Shrout and Fleiss (1979).
    """
    ms = mean_squares(patterns, weights)
    k = ms.k
    noise = ms.within if design == "one-way" else ms.error
    shift = ratio(ms.raters - ms.error, ms.n) if design == "two-way random" else 0.0 * ms.n
    if average:
        return ratio(ms.between - noise, ms.between + shift)
    return ratio(ms.between - noise, ms.between + (k - 1) * noise + k * shift)


# --- two raters' numbers: differences, limits of agreement, rank correlations

_BLOCK = 1000


def _differences(patterns: Patterns) -> Floats:
    """First minus second; zero, to be given no weight, where a label is missing."""
    apart = patterns.numbers[:, 0] - patterns.numbers[:, 1]
    return np.where(patterns.complete, apart, 0.0)


def mean_absolute_error(patterns: Patterns, weights: Floats) -> Floats:
    """``mean |first - second|``; pairs with a missing label are left out."""
    return ratio(weights @ np.abs(_differences(patterns)), weights @ patterns.complete)


def mean_difference(patterns: Patterns, weights: Floats) -> Floats:
    """``mean (first - second)``: above zero, the first rater gives more than the second."""
    return ratio(weights @ _differences(patterns), weights @ patterns.complete)


def limit_of_agreement(patterns: Patterns, weights: Floats, *, side: int) -> Floats:
    """``mean difference + side * 1.96 SD``: between side -1 and 1 lie 95 % of differences.

    SD with ``n - 1``; undefined for fewer than two pairs. Holds as far as differences are roughly
    normal, alike over the range, and independent. Source: Bland and Altman (1986).
    """
    apart, n = _differences(patterns), weights @ patterns.complete
    mean = ratio(weights @ apart, n)
    square = weights @ apart**2 - n * mean**2
    return mean + side * 1.96 * np.sqrt(np.maximum(ratio(square, n - 1), 0))


def spearman(patterns: Patterns, weights: Floats) -> Floats:
    """Spearman's rho: Pearson's correlation of ranks, ties at their middle rank.

    Undefined where a rater's numbers do not vary. Source: Spearman (1904).
    """
    used = weights[:, patterns.complete]
    first, second = (_middle_ranks(used, codes) for codes in _ranked(patterns))
    n = used.sum(axis=1)[:, None]
    first = first - ratio((used * first).sum(axis=1)[:, None], n)
    second = second - ratio((used * second).sum(axis=1)[:, None], n)
    spread = (used * first**2).sum(axis=1) * (used * second**2).sum(axis=1)
    return ratio((used * first * second).sum(axis=1), np.sqrt(spread))


def kendall_tau_b(patterns: Patterns, weights: Floats) -> Floats:
    """Kendall's tau-b: concordant minus discordant pairs of units, corrected for ties.

    ``S / sqrt((n0 - n1) (n0 - n2))``: n0 pairs, n1 and n2 of them tied for one rater. Undefined
    where a rater's numbers do not vary. Source: Kendall (1945).
    """
    used = weights[:, patterns.complete]
    first, second = _ranked(patterns)
    n = used.sum(axis=1)
    untied = [n**2 - (_grouped(used, codes) ** 2).sum(axis=1) for codes in (first, second)]
    return ratio(_concordance(used, first, second), np.sqrt(untied[0] * untied[1]))


def _ranked(patterns: Patterns) -> list[Ints]:
    """Both raters' numbers, complete pairs only, as indices of the ordered distinct numbers."""
    numbers = patterns.numbers[patterns.complete]
    return [np.unique(numbers[:, k], return_inverse=True)[1].reshape(-1) for k in (0, 1)]


def _grouped(weights: Floats, codes: Ints) -> Floats:
    """Weights summed over equal codes; codes are 0, 1, 2, ... without gaps."""
    if not len(codes):
        return np.zeros((len(weights), 0))
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    return np.asarray(np.add.reduceat(weights[:, order], starts, axis=1))


def _middle_ranks(weights: Floats, codes: Ints) -> Floats:
    """The middle rank of each pattern, up to a constant."""
    groups = _grouped(weights, codes)
    return np.asarray((groups.cumsum(axis=1) - groups / 2)[:, codes])


def _concordance(weights: Floats, first: Ints, second: Ints) -> Floats:
    """``sum_ij w_i w_j sign(x_i - x_j) sign(y_i - y_j)``, a block of columns at a time."""
    total = np.zeros(len(weights))
    for start in range(0, len(first), _BLOCK):
        block = slice(start, start + _BLOCK)
        signs = np.sign(first[:, None] - first[None, block])
        signs = signs * np.sign(second[:, None] - second[None, block])
        total += ((weights @ signs.astype(np.float64)) * weights[:, block]).sum(axis=1)
    return total


# --- the first rater as a classifier of the second rater's labels


class Confusion(Record):
    """How often the first rater's label met each label of the second.

    Attributes:
        categories: The declared categories.
        counts: A row for each label of the first rater, a column for each of the second.
        missing: Units left out because one of the labels is missing.
    """

    categories: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]
    missing: int


def confusion(ratings: Ratings) -> Confusion:
    """The confusion matrix of the first two raters, over all declared categories.

    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> scale = Scale(level="nominal", categories=("NO", "YES"))
    >>> confusion(Ratings.from_labels([["NO", "NO"], ["YES", "NO"]], scale)).counts
    ((1.0, 0.0), (1.0, 0.0))
    """
    table = joint(ratings.patterns, ratings.pattern_weights)[0]
    missing = int((ratings.codes[:, :2] < 0).any(axis=1).sum())
    counts = tuple(tuple(float(cell) for cell in row) for row in table)
    return Confusion(categories=ratings.scale.categories, counts=counts, missing=missing)


def macro_f1(patterns: Patterns, weights: Floats) -> Floats:
    """The mean over categories of ``F1_k = 2 o_kk / (o_k. + o_.k)``.

    Categories that neither rater used are left out of the mean (scikit-learn's default);
    undefined where fewer than two are left. Source: van Rijsbergen (1979), macro-averaged.
    """
    return _macro_f1(joint(patterns, weights))


def pairwise_macro_f1(patterns: Patterns, weights: Floats) -> Floats:
    """HealthBench's pairwise balanced macro-F1: the first rater against each of the others.

    All pairs (label of the first, label of another) are put into one table, and `macro_f1` is
    taken of it: a unit with three clinicians counts three times. With two categories the mean of
    the F1 of "met" and of "not met". Source: Arora et al. (2025), HealthBench, section 8.
    """
    first, others = patterns.one_hot[:, 0, :], patterns.one_hot[:, 1:, :].sum(axis=1)
    size = patterns.categories
    cells = np.einsum("pk,pl->pkl", first, others).reshape(len(first), size**2)
    return _macro_f1((weights @ cells).reshape(len(weights), size, size))


def _macro_f1(table: Floats) -> Floats:
    use = table.sum(axis=1) + table.sum(axis=2)
    return _mean_of_two_or_more(ratio(2 * np.diagonal(table, axis1=1, axis2=2), use))


def _mean_of_two_or_more(each: Floats) -> Floats:
    """The mean over the categories that occur; undefined where fewer than two do."""
    occurring = ~np.isnan(each)
    count = occurring.sum(axis=1)
    mean = ratio(np.where(occurring, each, 0.0).sum(axis=1), count.astype(float))
    return np.where(count >= 2, mean, np.nan)


def balanced_accuracy(patterns: Patterns, weights: Floats) -> Floats:
    """The mean over the second rater's categories of the recall ``o_kk / o_.k``.

    Categories that the second rater never gave are left out (scikit-learn's rule); undefined
    where fewer than two are left. Source: Brodersen et al. (2010).
    """
    table = joint(patterns, weights)
    return _mean_of_two_or_more(ratio(np.diagonal(table, axis1=1, axis2=2), table.sum(axis=1)))


def mcc(patterns: Patterns, weights: Floats) -> Floats:
    """Matthews' correlation, for any number of categories.

    ``(c s - sum_k p_k t_k) / sqrt((s² - sum p_k²) (s² - sum t_k²))``: s pairs, c of them equal,
    p and t the margins. Undefined where a rater used one category only (scikit-learn says 0).

    Source: Matthews (1975); Gorodkin (2004).
    """
    table = joint(patterns, weights)
    n = table.sum(axis=(1, 2))
    first, second = table.sum(axis=2), table.sum(axis=1)
    covariance = np.trace(table, axis1=1, axis2=2) * n - (first * second).sum(axis=1)
    spread = (n**2 - (first**2).sum(axis=1)) * (n**2 - (second**2).sum(axis=1))
    return ratio(covariance, np.sqrt(np.maximum(spread, 0)))


def _two_by_two(patterns: Patterns, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """True positives, false positives, false negatives, true negatives; NaN without a positive."""
    table = joint(patterns, weights)
    if not patterns.positive:
        none = np.full(len(table), np.nan)
        return none, none, none, none
    rows = table[:, patterns.positive, :]
    both, first = rows[:, :, patterns.positive].sum(axis=(1, 2)), rows.sum(axis=(1, 2))
    second = table[:, :, patterns.positive].sum(axis=(1, 2))
    return both, first - both, second - both, table.sum(axis=(1, 2)) - first - second + both


def sensitivity(patterns: Patterns, weights: Floats) -> Floats:
    """Share of the second rater's positives that the first found: ``TP / (TP + FN)``.

    Undefined where the second rater gave no positive. Source: Yerushalmy (1947).
    """
    found, _, passed, _ = _two_by_two(patterns, weights)
    return ratio(found, found + passed)


def specificity(patterns: Patterns, weights: Floats) -> Floats:
    """Share of the second rater's negatives that the first left negative: ``TN / (TN + FP)``.

    Undefined where the second rater gave no negative. Source: Yerushalmy (1947).
    """
    _, wrong, _, clear = _two_by_two(patterns, weights)
    return ratio(clear, clear + wrong)


def positive_agreement(patterns: Patterns, weights: Floats) -> Floats:
    """Agreement on the positive category: ``2 TP / (2 TP + FP + FN)``.

    Undefined where neither rater gave it. Source: Cicchetti and Feinstein (1990).
    """
    found, wrong, passed, _ = _two_by_two(patterns, weights)
    return ratio(2 * found, 2 * found + wrong + passed)


def negative_agreement(patterns: Patterns, weights: Floats) -> Floats:
    """Agreement on all that is not positive: ``2 TN / (2 TN + FP + FN)``.

    Undefined where every label is positive. Source: Cicchetti and Feinstein (1990).
    """
    _, wrong, passed, clear = _two_by_two(patterns, weights)
    return ratio(2 * clear, 2 * clear + wrong + passed)
