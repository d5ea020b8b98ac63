"""From the confidence a judge states to the chance that it is right, checked out of fold.

`recalibrate`, at the end, is the whole. Before it: the maps, which need numpy alone and are stored
as JSON; their fits by scikit-learn; and the folds of whole cases in which they are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ConfigDict, Field, model_validator

from mmrare_judge.calibration.analyses.confidence import (
    brier_score,
    expected_calibration_error,
    log_loss,
    probabilities,
)
from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Codes,
    Estimate,
    Floats,
    binary,
    cluster_codes,
    count_clusters,
    library,
)
from mmrare_judge.calibration.statistics.regression import clustered_mean
from mmrare_judge.errors import ConfigError
from mmrare_judge.records import Record

# --- maps from a stated confidence to the chance of being right: plain numbers

EDGE = 1e-6
"""Logarithms of 0 do not exist: a stated confidence of 0 or 1 is read as so far from it."""

Probability = Annotated[float, Field(ge=0, le=1)]


class _Record(Record):
    model_config = ConfigDict(allow_inf_nan=False)


class Unchanged(_Record):
    """The stated confidence, as it is."""

    method: Literal["unchanged"] = "unchanged"

    def value(self, confidence: Floats) -> Floats:
        """Calibrated probabilities."""
        return confidence


class Platt(_Record):
    """``logit q = a logit p + c``: the judge too sure (a < 1) or not sure enough throughout.

    Platt (1999), on the logit of the confidence, so that leaving it alone (a = 1, c = 0) is among
    the maps.

    Attributes:
        a: Slope, not below 0: surer is never read as less likely right.
        c: Shift.
    """

    method: Literal["platt"] = "platt"
    a: float = Field(ge=0)
    c: float

    def value(self, confidence: Floats) -> Floats:
        """Calibrated probabilities."""
        right, wrong = log_chances(confidence)
        return _logistic(self.a * (right - wrong) + self.c)


class Beta(_Record):
    """``logit q = a ln p - b ln(1 - p) + c``: unlike Platt's, bent otherwise at either end.

    Kull, Silva Filho and Flach (2017).

    Attributes:
        a: Weight of ``ln p``, not below 0.
        b: Weight of ``-ln(1 - p)``, not below 0.
        c: Shift.
    """

    method: Literal["beta"] = "beta"
    a: float = Field(ge=0)
    b: float = Field(ge=0)
    c: float

    def value(self, confidence: Floats) -> Floats:
        """Calibrated probabilities."""
        right, wrong = log_chances(confidence)
        return _logistic(self.a * right - self.b * wrong + self.c)


class Isotonic(_Record):
    """The non-decreasing steps that fit best, joined by straight lines, flat outside.

    Zadrozny and Elkan (2002). Below about a thousand verdicts it follows chance more than the
    others do (Niculescu-Mizil and Caruana 2005).

    Attributes:
        stated: Confidences, rising.
        right: The chance of being right at each, not falling.
    """

    method: Literal["isotonic"] = "isotonic"
    stated: tuple[Probability, ...] = Field(min_length=1)
    right: tuple[Probability, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> Isotonic:
        if len(self.stated) != len(self.right):
            raise ValueError("give one chance for each stated confidence")
        if (np.diff(self.stated) <= 0).any() or (np.diff(self.right) < 0).any():
            raise ValueError("stated confidences must rise, and chances must not fall")
        return self

    def value(self, confidence: Floats) -> Floats:
        """Calibrated probabilities."""
        return np.interp(confidence, self.stated, self.right)


Curve = Annotated[Unchanged | Platt | Beta | Isotonic, Field(discriminator="method")]


class Recalibrator(_Record):
    """A fitted map with what it was fitted on.

    It is valid for the judge, the rubric and the kind of cases it was fitted on. Stored as JSON by
    ``model_dump_json`` and read by ``model_validate_json``; applying it needs numpy alone.

    Attributes:
        curve: The map.
        n: Verdicts it was fitted on.
        clusters: Cases among them.
        right: The share of right verdicts among them.

    >>> halved = Recalibrator(curve=Platt(a=0.5, c=0.0), n=100, clusters=50, right=0.7)
    >>> halved([0.9, 0.5, None]).round(3).tolist()
    [0.75, 0.5, nan]
    """

    format: Literal[1] = 1
    curve: Curve
    n: int
    clusters: int
    right: float

    def __call__(self, confidence: ArrayLike) -> Floats:
        """The calibrated probability of being right; nan stays nan.

        Raises:
            InputError: A confidence lies outside 0 to 1.
        """
        return self.curve.value(probabilities(confidence, "confidence"))


def log_chances(confidence: Floats) -> tuple[Floats, Floats]:
    """``ln p`` and ``ln(1 - p)``, p kept ``EDGE`` away from 0 and 1.

    >>> [round(float(part[0]), 4) for part in log_chances(np.array([0.5]))]
    [-0.6931, -0.6931]
    """
    inner = np.clip(confidence, EDGE, 1 - EDGE)
    return np.log(inner), np.log1p(-inner)


def _logistic(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -700, 700))))


# --- fitting the maps, by scikit-learn

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
    regression = library("sklearn.isotonic").IsotonicRegression(y_min=0, y_max=1)
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
    regression = library("sklearn.linear_model").LogisticRegression(
        C=1 / _RIDGE, solver="newton-cholesky", tol=1e-8
    )
    outcomes = np.repeat([1, 0], len(target))
    weights = np.concatenate([target, 1 - target])
    regression.fit(np.vstack([terms, terms]), outcomes, sample_weight=weights)
    return regression.coef_[0], float(regression.intercept_[0])


# --- grouped folds, and the choice of a method within them

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
    splitter = library("sklearn.model_selection").GroupKFold(n_splits=count)
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


# --- the recalibration and what it is worth

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
    saved = (data.stated - data.right) ** 2 - (fresh - data.right) ** 2
    values = iter(fresh.tolist())
    return Recalibration(
        asked=method,
        recalibrator=Recalibrator(
            curve=final, n=len(data.right), clusters=count_clusters(data.codes),
            right=float(data.right.mean()),
        ),
        out_of_fold=tuple(next(values) if mine else None for mine in used),
        chosen=tuple(curve.method for curve in curves),
        before=_calibration(data.stated, data, level, seed),
        after=_calibration(fresh, data, level, seed),
        gain=clustered_mean("brier_gain", saved, data.codes, level=level).estimate,
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
    return ConfidenceScores(
        brier=brier_score(chance, data.right, clusters=data.codes, level=level).score,
        log_loss=log_loss(chance, data.right, clusters=data.codes, level=level),
        ece=expected_calibration_error(
            chance, data.right, binning="mass", clusters=data.codes, seed=seed, level=level
        ),
    )
