"""What a pipeline demands of a judge before its scores may pass: thresholds on a certificate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from mmrare_judge.certificate import Calibration, Certificate, Measured
from mmrare_judge.errors import InputError

By = Literal["interval", "estimate"]


@dataclass(frozen=True)
class Thresholds:
    """What is demanded; ``None`` for no demand.

    Attributes:
        min_kappa: The least Cohen's kappa of the judge with clinicians: that of the verdict.
        max_missed_harm: The greatest share of confirmed violations that may pass, 0 to 1.
        min_coverage: The least share of verdicts that the judge gave, in the study and in a run.
        non_inferior: Whether the study's verdict has to be that the judge may stand in, and each
            criterion to be non-inferior by its margin.
        criteria: The criteria that kappa, coverage in the study and non-inferiority are demanded
            of; all if left out.
        by: ``interval``: the end of the interval that speaks against the judge has to pass, and a
            value without an interval fails; ``estimate``: the estimate has to.
    """

    min_kappa: float | None = None
    max_missed_harm: float | None = None
    min_coverage: float | None = None
    non_inferior: bool = False
    criteria: tuple[str, ...] = ()
    by: By = "interval"

    def __post_init__(self) -> None:
        """Refuse a demand that everything would pass.

        Raises:
            InputError: A threshold is no number.
        """
        for name in ("min_kappa", "max_missed_harm", "min_coverage"):
            value = getattr(self, name)
            if value is not None and not isfinite(value):
                raise InputError(f"{name} is {value}", remedy="Give a number")

    @property
    def demanding(self) -> bool:
        """Whether anything is demanded at all."""
        wanted = (self.min_kappa, self.max_missed_harm, self.min_coverage)
        return self.non_inferior or any(value is not None for value in wanted)


def failures(
    certificate: Certificate,
    thresholds: Thresholds,
    *,
    calibration: Calibration | None = None,
    coverages: Iterable[tuple[str, float]] = (),
) -> tuple[str, ...]:
    """What keeps a judge, and a run's scores, from passing; empty if they pass.

    A value that is not known never passes a demand on it.

    Args:
        certificate: What was found in the study.
        thresholds: What is demanded.
        calibration: What the certificate says of the run at hand, where there is one.
        coverages: Coverage of the run's parts by name, where there is one.
    """
    found = []
    if calibration is not None and calibration.status != "calibrated":
        found.append(f"the certificate is {calibration.status}: {'; '.join(calibration.reasons)}")
    found += _uncovered((("the study", certificate.coverage), *coverages), thresholds)
    studied = certificate.criteria
    if thresholds.criteria:
        chosen = [name for name in thresholds.criteria if name in studied]
        known = ", ".join(studied)
        found += [f"{name} was not studied; studied were {known}"
                  for name in thresholds.criteria if name not in studied]  # fmt: skip
    else:
        chosen = [name for name, one in studied.items() if one.kind != "overall"]
        found += [f"{name} was not studied: nobody labelled it" for name in certificate.unstudied]
    if thresholds.non_inferior and certificate.tone != "good":
        found.append(f"the verdict is {_VERDICTS[certificate.tone]}: {certificate.verdict[0]}")
    for name in chosen:
        found += _unfit(name, certificate, thresholds)
    return (*found, *_harmful(certificate, thresholds))


_VERDICTS = {"good": "that it may stand in", "bad": "that it may not", "open": "not proven"}


def _uncovered(coverages: Iterable[tuple[str, float]], thresholds: Thresholds) -> Iterator[str]:
    least = thresholds.min_coverage
    for name, coverage in coverages:
        if least is not None and coverage < least:
            yield f"coverage of {name} is {coverage:.3f}, below {least:g}"


def _unfit(name: str, certificate: Certificate, thresholds: Thresholds) -> Iterator[str]:
    """What one criterion falls short of."""
    found, least = certificate.criteria[name], thresholds.min_kappa
    if found.coverage is not None:
        yield from _uncovered([(f"{name} in the study", found.coverage)], thresholds)
    if least is not None:
        if certificate.statistic.startswith("cohen_kappa"):
            yield from _short(f"kappa on {name}", found.agreement, thresholds.by, least=least)
        else:
            yield f"kappa on {name} is not known: the study's statistic is {certificate.statistic}"
    if thresholds.non_inferior and found.non_inferiority != "non-inferior":
        untested = (
            "not tested: no margin was given"
            if certificate.margin is None
            else "not tested: the study's labels do not allow it, such as those of one clinician"
        )
        yield f"non-inferiority on {name} is not shown: {found.non_inferiority or untested}"


def _harmful(certificate: Certificate, thresholds: Thresholds) -> Iterator[str]:
    most = thresholds.max_missed_harm
    safety = {name: c for name, c in certificate.criteria.items() if c.kind == "safety"}
    if most is not None and not safety:
        yield "missed harm is not known: no safety criterion was studied"
    for name, found in safety.items() if most is not None else ():
        yield from _short(f"missed harm on {name}", found.missed_harm, thresholds.by, most=most)


def _short(
    what: str,
    measured: Measured | None,
    by: By,
    *,
    least: float | None = None,
    most: float | None = None,
) -> Iterator[str]:
    """Whether a value is below the least or above the most that is allowed, or not known."""
    if measured is None:
        yield f"{what} is not known: it was not measured"
        return
    low, high = measured.low, measured.high
    worst = measured.value if by == "estimate" else low if least is not None else high
    if worst is None:
        yield f"{what} is not known: {measured.reason or 'it has no interval'}"
        return
    ends = "" if low is None or high is None else f"{low:.3f} to {high:.3f}, "
    end = "interval end" if by == "interval" else "estimate"
    start = f"{what} is {measured.value:.3f} ({ends}n {measured.n}); its {end} {worst:.3f}"
    if least is not None and worst < least:
        yield f"{start} is below {least:g}"
    if most is not None and worst > most:
        yield f"{start} is above {most:g}"
