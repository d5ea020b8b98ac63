"""From the confidence a judge states to the chance that it is right, checked out of fold."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.calibration_error import expected_calibration_error
from mmrare_judge.calibration.confidence import probabilities
from mmrare_judge.calibration.proper_scores import brier_score, log_loss
from mmrare_judge.calibration.recalibration_fit import Method
from mmrare_judge.calibration.recalibration_folds import (
    Loss,
    Verdicts,
    best_curve,
    folds_of,
    one_sided,
    out_of_fold,
    shuffled,
)
from mmrare_judge.calibration.recalibrator import Recalibrator
from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Estimate,
    Floats,
    Mask,
    binary,
    cluster_codes,
    count_clusters,
)
from mmrare_judge.calibration.statistics.regression import clustered_mean
from mmrare_judge.errors import ConfigError
from mmrare_judge.records import Record

FEWEST_OF_EACH = 10
"""With fewer right or wrong verdicts there is nothing to fit a curve of three numbers to."""


class ConfidenceScores(Record):
    """How good confidences are.

    Attributes:
        brier: Mean squared error.
        log_loss: Mean surprise, in nats; no value after a certain and wrong one.
        ece: Expected calibration error over ten bins of equal mass.
    """

    brier: Estimate
    log_loss: Estimate
    ece: Estimate


class Recalibration(Record):
    """A recalibration and what it is worth on cases it has not seen.

    Attributes:
        asked: The method that was asked for, or ``choose``.
        recalibrator: The map fitted on all verdicts with gold, for new confidences; ``None`` where
            it cannot be fitted.
        out_of_fold: For each unit the probability by a map fitted without its case; ``None`` where
            there is no confidence or no gold.
        chosen: The method used in each outer fold.
        before: Of the stated confidences.
        after: Of those out of fold.
        gain: Brier score before minus after, paired; above 0 recalibrating helped.
        reason: Why there is none.
    """

    asked: str
    recalibrator: Recalibrator | None = None
    out_of_fold: tuple[float | None, ...] = ()
    chosen: tuple[str, ...] = ()
    before: ConfidenceScores | None = None
    after: ConfidenceScores | None = None
    gain: Estimate | None = None
    reason: str = ""


def recalibrate(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    method: Method | Literal["choose"] = "choose",
    by: Loss = "brier",
    folds: int = 5,
    seed: int = 0,
    level: float = 0.95,
) -> Recalibration:
    """Fit a map from stated confidence to the chance of being right, and test it on other cases.

    Outer folds of whole cases give every verdict a probability from a map that has not seen its
    case: ``before`` and ``after`` are those of the same verdicts. ``choose`` takes, within each
    outer training part, the method with the least loss over inner folds, likewise of whole cases;
    ``unchanged`` is among them, so that a calibrated judge may stay as it is, and wins a tie. The
    map for new confidences is chosen and fitted on everything; ``after`` is what to expect of it.

    Args:
        confidence: Stated probability, 0 to 1; nan where the judge stated none.
        correct: 1 where the verdict was that of the gold, 0 where not, nan without gold.
        clusters: The case of each unit.
        method: ``platt``, ``beta``, ``isotonic``, ``unchanged``, or ``choose``.
        by: The loss to choose by: ``brier``, or ``log_loss``, which is infinite for a method that
            was certain and wrong once.
        folds: Outer folds, and inner ones.
        seed: Of the order in which cases go to folds.
        level: Nominal coverage of the intervals.

    Returns:
        The recalibration; with the reason and without a map where there are fewer than 20 cases,
        fewer than 10 right or 10 wrong verdicts, or a fold without one of them.

    Raises:
        ConfigError: There is no such method or loss, or fewer than two folds.
        InputError: A confidence lies outside 0 to 1, or lengths differ.
        MissingExtraError: scikit-learn is not installed.

    >>> recalibrate([0.9, 0.8], [1, 1]).reason
    '2 cases with confidence and gold: 20 are the least'
    """
    _check_options(method, by, folds)
    stated = probabilities(confidence, "confidence")
    right = binary(correct, "correct", length=len(stated))
    codes = cluster_codes(clusters, len(stated))
    used = ~(np.isnan(stated) | np.isnan(right))
    data = Verdicts(stated[used], right[used], shuffled(codes[used], seed))
    parts = [] if _too_little(data) else folds_of(data, folds)
    reason = _too_little(data) or one_sided(data, parts)
    if reason:
        return Recalibration(asked=method, reason=reason)
    curves = [best_curve(data.part(train), method, by, folds) for train, _ in parts]
    fresh = out_of_fold(data, parts, curves)
    final = best_curve(data, method, by, folds)
    return Recalibration(
        asked=method,
        recalibrator=Recalibrator(
            curve=final, n=len(data.right), clusters=count_clusters(data.codes),
            right=float(data.right.mean()),
        ),
        out_of_fold=_spread(fresh, used),
        chosen=tuple(curve.method for curve in curves),
        before=_calibration(data.stated, data, level, seed),
        after=_calibration(fresh, data, level, seed),
        gain=_gain(fresh, data, level),
    )  # fmt: skip


def _check_options(method: str, by: str, folds: int) -> None:
    known = (*get_args(Method), "choose")
    if method not in known:
        raise ConfigError(f"no method {method!r}; there are {', '.join(known)}")
    if by not in get_args(Loss):
        raise ConfigError(f"no loss {by!r}; there are {', '.join(get_args(Loss))}")
    if folds < 2:
        raise ConfigError(f"folds {folds}: two are the least")


def _too_little(data: Verdicts) -> str:
    groups, right = count_clusters(data.codes), int(data.right.sum())
    wrong = len(data.right) - right
    if groups < FEW_CLUSTERS:
        return f"{groups} cases with confidence and gold: {FEW_CLUSTERS} are the least"
    if min(right, wrong) < FEWEST_OF_EACH:
        return f"{right} right and {wrong} wrong verdicts: {FEWEST_OF_EACH} of each are the least"
    return ""


def _calibration(chance: Floats, data: Verdicts, level: float, seed: int) -> ConfidenceScores:
    ece = expected_calibration_error(
        chance, data.right, binning="mass", clusters=data.codes, seed=seed, level=level
    )
    return ConfidenceScores(
        brier=brier_score(chance, data.right, clusters=data.codes, level=level).score,
        log_loss=log_loss(chance, data.right, clusters=data.codes, level=level),
        ece=ece,
    )


def _gain(fresh: Floats, data: Verdicts, level: float) -> Estimate:
    saved = (data.stated - data.right) ** 2 - (fresh - data.right) ** 2
    return clustered_mean("brier_gain", saved, data.codes, level=level).estimate


def _spread(fresh: Floats, used: Mask) -> tuple[float | None, ...]:
    values = iter(fresh.tolist())
    return tuple(next(values) if mine else None for mine in used)
