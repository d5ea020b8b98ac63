"""The first rater as a classifier of the second rater's labels: F1, recall, MCC, confusion."""

from __future__ import annotations

import numpy as np

from mmrare_judge.calibration.patterns import Patterns, joint, ratio
from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.vectors import Floats
from mmrare_judge.records import Record


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

    >>> from mmrare_judge.calibration.ratings import Scale
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
    each = ratio(2 * np.diagonal(table, axis1=1, axis2=2), use)
    occurring = ~np.isnan(each)
    mean = ratio(np.where(occurring, each, 0.0).sum(axis=1), occurring.sum(axis=1).astype(float))
    return np.where(occurring.sum(axis=1) >= 2, mean, np.nan)


def balanced_accuracy(patterns: Patterns, weights: Floats) -> Floats:
    """The mean over the second rater's categories of the recall ``o_kk / o_.k``.

    Categories that the second rater never gave are left out (scikit-learn's rule); undefined
    where fewer than two are left. Source: Brodersen et al. (2010).
    """
    table = joint(patterns, weights)
    each = ratio(np.diagonal(table, axis1=1, axis2=2), table.sum(axis=1))
    occurring = ~np.isnan(each)
    mean = ratio(np.where(occurring, each, 0.0).sum(axis=1), occurring.sum(axis=1).astype(float))
    return np.where(occurring.sum(axis=1) >= 2, mean, np.nan)


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
    if patterns.positive is None:
        none = np.full(len(table), np.nan)
        return none, none, none, none
    k = patterns.positive
    both, first, second = table[:, k, k], table[:, k, :].sum(axis=1), table[:, :, k].sum(axis=1)
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
