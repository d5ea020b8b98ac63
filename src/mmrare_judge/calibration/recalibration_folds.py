"""Grouped folds, and the choice of a method within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from mmrare_judge.calibration.recalibration_fit import Method, fitted
from mmrare_judge.calibration.recalibrator import Curve
from mmrare_judge.calibration.statistics.estimate import Codes, Floats, count_clusters
from mmrare_judge.calibration.statistics.libraries import sklearn_part

Loss = Literal["brier", "log_loss"]

Parts = Sequence[tuple[Codes, Codes]]
"""Rows to fit on and rows to apply to, fold by fold."""


class Verdicts(NamedTuple):
    """Stated confidences, whether each was right (1 or 0), and their cases."""

    stated: Floats
    right: Floats
    codes: Codes

    def part(self, rows: Codes) -> Verdicts:
        """Some of them."""
        return Verdicts(self.stated[rows], self.right[rows], self.codes[rows])


def shuffled(codes: Codes, seed: int) -> Codes:
    """The clusters renamed at random: scikit-learn deals them out by size, ties by name."""
    dense = np.unique(codes, return_inverse=True)[1]
    names = np.random.default_rng(seed).permutation(int(dense.max(initial=-1)) + 1)
    return np.asarray(names[dense], dtype=np.int64)


def folds_of(data: Verdicts, folds: int) -> Parts:
    """The rows of each fold; no case is in two of them."""
    count = min(folds, count_clusters(data.codes))
    splitter = sklearn_part("model_selection").GroupKFold(n_splits=count)
    return list(splitter.split(data.stated, groups=data.codes))


def one_sided(data: Verdicts, parts: Parts) -> str:
    """Why the folds do not allow a fit; empty if they do."""
    if any(len(np.unique(data.right[train])) < 2 for train, _ in parts):
        return "without the cases of one fold, all verdicts are right or all are wrong"
    return ""


def best_curve(data: Verdicts, method: Method | Literal["choose"], by: Loss, folds: int) -> Curve:
    """The map fitted to the data by a method, or by the one that does best within them."""
    if method == "choose":
        method = _chosen(data, by, folds)
    return fitted(method, data.stated, data.right)


def _chosen(data: Verdicts, by: Loss, folds: int) -> Method:
    """The method with the least loss over folds of cases; the first of them at a tie."""
    parts = folds_of(data, folds)
    if one_sided(data, parts):
        return "unchanged"
    losses = {}
    for method in get_args(Method):
        curves = [best_curve(data.part(train), method, by, folds) for train, _ in parts]
        losses[method] = _loss(out_of_fold(data, parts, curves), data.right, by)
    return min(losses, key=losses.__getitem__)


def out_of_fold(data: Verdicts, parts: Parts, curves: Sequence[Curve]) -> Floats:
    """The probability of each verdict by the map of the fold that left out its case."""
    fresh = np.full(len(data.stated), np.nan)
    for (_, test), curve in zip(parts, curves, strict=True):
        fresh[test] = curve.value(data.stated[test])
    return fresh


def _loss(chance: Floats, right: Floats, by: Loss) -> float:
    given = np.where(right == 1, chance, 1 - chance)
    if by == "brier":
        return float(((1 - given) ** 2).mean())
    with np.errstate(divide="ignore"):
        return float(-np.log(given).mean())
