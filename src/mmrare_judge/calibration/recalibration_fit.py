"""Fitting the maps of `recalibrator`, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from mmrare_judge.calibration.recalibrator import (
    Beta,
    Curve,
    Isotonic,
    Platt,
    Unchanged,
    log_chances,
)
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.libraries import sklearn_part

Method = Literal["unchanged", "platt", "beta", "isotonic"]

_RIDGE = 1e-6
"""Penalty that keeps a fit finite where confidences take one value only; it moves nothing else."""


def fitted(method: Method, confidence: Floats, right: Floats) -> Curve:
    """The map of that kind that fits best.

    >>> stated = np.repeat([0.2, 0.8], 50)
    >>> fitted("isotonic", stated, np.tile([1.0, 0.0], 50)).right
    (0.5, 0.5)
    """
    return _FITS[method](confidence, right)


def _platt(confidence: Floats, right: Floats) -> Curve:
    """Maximum likelihood on the logit; a slope below 0 is set to 0."""
    sure, unsure = log_chances(confidence)
    (a,), c = _logistic_regression((sure - unsure)[:, None], right)
    return Platt(a=a, c=c)


def _beta(confidence: Floats, right: Floats) -> Curve:
    """Maximum likelihood on ``ln p`` and ``-ln(1 - p)``; a weight below 0 is set to 0."""
    sure, unsure = log_chances(confidence)
    (a, b), c = _logistic_regression(np.column_stack([sure, -unsure]), right)
    return Beta(a=a, b=b, c=c)


def _isotonic(confidence: Floats, right: Floats) -> Curve:
    """Least squares, with one wrong verdict added at the top and a right one at the bottom.

    They do what Platt's soft outcomes do: a single right verdict at the greatest confidence would
    otherwise be read as certainty from there on.
    """
    regression = sklearn_part("isotonic").IsotonicRegression(y_min=0, y_max=1)
    ends = [confidence.max(), confidence.min()]
    regression.fit(np.append(confidence, ends), np.append(right, [0.0, 1.0]))
    steps = np.clip(np.maximum.accumulate(regression.y_thresholds_), 0, 1)
    return Isotonic(stated=tuple(regression.X_thresholds_.tolist()), right=tuple(steps.tolist()))


_FITS: Mapping[Method, Callable[[Floats, Floats], Curve]] = {
    "unchanged": lambda confidence, right: Unchanged(),
    "platt": _platt,
    "beta": _beta,
    "isotonic": _isotonic,
}


def _logistic_regression(terms: Floats, right: Floats) -> tuple[list[float], float]:
    """Weights, none below 0, and the intercept.

    Outcomes are Platt's ``(n_right + 1) / (n_right + 2)`` and ``1 / (n_wrong + 2)``: right and
    wrong that are told apart without exception would ask for infinite weights. A term whose weight
    comes out below 0 is left out and the others are fitted again, the worst first (as Kull and
    others do).
    """
    target = np.where(
        right == 1, (right.sum() + 1) / (right.sum() + 2), 1 / ((1 - right).sum() + 2)
    )
    used = list(range(terms.shape[1]))
    while used:
        weights, intercept = _likeliest(terms[:, used], target)
        if (weights >= 0).all():
            found = dict(zip(used, weights.tolist(), strict=True))
            return [found.get(term, 0.0) for term in range(terms.shape[1])], intercept
        del used[int(np.argmin(weights))]
    return [0.0] * terms.shape[1], float(np.log(target.mean() / (1 - target.mean())))


def _likeliest(terms: Floats, target: Floats) -> tuple[Floats, float]:
    """Logistic regression on soft outcomes: each row once as right and once as wrong, by weight."""
    regression = sklearn_part("linear_model").LogisticRegression(
        C=1 / _RIDGE, solver="newton-cholesky", tol=1e-8
    )
    outcomes = np.repeat([1, 0], len(target))
    weights = np.concatenate([target, 1 - target])
    regression.fit(np.vstack([terms, terms]), outcomes, sample_weight=weights)
    return regression.coef_[0], float(regression.intercept_[0])
