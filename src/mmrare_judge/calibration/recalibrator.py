"""Maps from a stated confidence to the chance of being right: plain numbers, numpy and JSON."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ConfigDict, Field, model_validator

from mmrare_judge.calibration.confidence import probabilities
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.records import Record

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
