"""Point estimates by the libraries that have them; the one door to krippendorff.

Each takes `Ratings` on which the statistic is defined and that carry no weights.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import numpy as np

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Ints, Ratings
from mmrare_judge.errors import MissingExtraError

Correlation = Literal["spearmanr", "kendalltau"]


def sklearn_part(name: str) -> Any:
    """A module of scikit-learn, or the install line.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        return import_module(f"sklearn.{name}")
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "calibration") from error


def sklearn_metrics() -> Any:
    """``sklearn.metrics``, or the install line.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    return sklearn_part("metrics")


def scipy_stats() -> Any:
    """``scipy.stats``, or the install line.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise MissingExtraError("scipy", "calibration") from error
    return stats


def _complete(ratings: Ratings) -> tuple[Ints, Ints]:
    both = ratings.codes[(ratings.codes[:, :2] >= 0).all(axis=1)]
    return both[:, 0], both[:, 1]


def cohen(ratings: Ratings, *, weights: str | None = None) -> float:
    """Cohen's kappa by scikit-learn; ``weights`` is ``linear``, ``quadratic`` or ``None``."""
    labels = list(range(len(ratings.scale.categories)))
    first, second = _complete(ratings)
    return float(sklearn_metrics().cohen_kappa_score(first, second, labels=labels, weights=weights))


def matthews(ratings: Ratings) -> float:
    """Matthews' correlation by scikit-learn."""
    first, second = _complete(ratings)
    return float(sklearn_metrics().matthews_corrcoef(second, first))


def f1_macro(ratings: Ratings) -> float:
    """Macro-F1 by scikit-learn, over the categories that occur."""
    first, second = _complete(ratings)
    return float(sklearn_metrics().f1_score(second, first, average="macro"))


def f1_macro_pairwise(ratings: Ratings) -> float:
    """Macro-F1 by scikit-learn over all pairs of the first rater with another."""
    columns = [ratings.codes[:, [0, other]] for other in range(1, ratings.codes.shape[1])]
    pairs = np.concatenate(columns)
    first, second = pairs[(pairs >= 0).all(axis=1)].T
    return float(sklearn_metrics().f1_score(second, first, average="macro"))


def recall_macro(ratings: Ratings) -> float:
    """Balanced accuracy by scikit-learn: recall averaged over the second rater's categories."""
    first, second = _complete(ratings)
    labels = np.unique(second)
    score = sklearn_metrics().recall_score(second, first, labels=labels, average="macro")
    return float(score)


def recall(ratings: Ratings, *, of: Literal["positive", "negative"]) -> float:
    """Sensitivity or specificity by scikit-learn."""
    positive = ratings.patterns.positive
    first, second = (codes == positive for codes in _complete(ratings))
    return float(sklearn_metrics().recall_score(second, first, pos_label=of == "positive"))


def _numbers(ratings: Ratings) -> tuple[Floats, Floats]:
    both = ratings.numbers[(ratings.codes[:, :2] >= 0).all(axis=1)]
    return both[:, 0], both[:, 1]


def absolute_error(ratings: Ratings) -> float:
    """The mean absolute error by scikit-learn."""
    first, second = _numbers(ratings)
    return float(sklearn_metrics().mean_absolute_error(second, first))


def rank_correlation(ratings: Ratings, *, kind: Correlation) -> float:
    """Spearman's rho or Kendall's tau-b by scipy."""
    correlate: Callable[..., Any] = getattr(scipy_stats(), kind)
    return float(correlate(*_numbers(ratings)).statistic)


def alpha(ratings: Ratings, *, level: Literal["nominal", "ordinal", "interval"]) -> float:
    """Krippendorff's alpha by krippendorff.

    The library raises where all labels are equal and where no unit has two; it is asked only
    where alpha is defined.
    """
    try:
        import krippendorff
    except ImportError as error:
        raise MissingExtraError("krippendorff", "calibration") from error
    if ratings.scale.level == "continuous":
        table = ratings.numbers.T
        return float(krippendorff.alpha(table, level_of_measurement=level))
    counts = ratings.patterns.counts[ratings.pattern_of_unit].astype(int)
    domain = np.arange(counts.shape[1], dtype=float)
    if level == "interval":
        domain = np.array(ratings.scale.points)
    measure: Callable[..., Any] = krippendorff.alpha
    return float(measure(value_counts=counts, value_domain=domain, level_of_measurement=level))
