"""What a pipeline demands of a judge before its scores may pass: thresholds on a certificate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from mmrare_judge.certificate import Calibration, Certificate, CertifiedCriterion, Measured
from mmrare_judge.errors import InputError

By = Literal["interval", "estimate"]


@dataclass(frozen=True)
class Thresholds:
    """What is demanded; ``None`` for no demand.

    Attributes:
        min_kappa: The least Cohen's kappa of the judge with the clinicians taken together.
        max_missed_harm: The greatest share of confirmed violations that may pass, 0 to 1.
        min_coverage: The least share of verdicts that the judge gave, in the study and in a run.
        non_inferior: Whether the judge has to be non-inferior by the study's own margin.
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
    return tuple(_failures(certificate, thresholds, calibration, coverages))


def _failures(
    certificate: Certificate,
    thresholds: Thresholds,
    calibration: Calibration | None,
    coverages: Iterable[tuple[str, float]],
) -> Iterator[str]:
    if calibration is not None and calibration.status != "calibrated":
        yield f"the certificate is {calibration.status}: {'; '.join(calibration.reasons)}"
    if thresholds.min_coverage is not None:
        whole = (("the study", certificate.coverage), *coverages)
        yield from _uncovered(whole, thresholds.min_coverage)
    chosen = _chosen(certificate, thresholds)
    for name in thresholds.criteria:
        if name not in certificate.criteria:
            yield f"{name} was not studied; studied were {', '.join(certificate.criteria)}"
    if not thresholds.criteria:
        yield from (f"{name} was not studied: nobody labelled it" for name in certificate.unstudied)
    for name, found in chosen.items():
        if thresholds.min_coverage is not None and found.coverage is not None:
            part = ((f"{name} in the study", found.coverage),)
            yield from _uncovered(part, thresholds.min_coverage)
        if thresholds.min_kappa is not None:
            yield from _below(f"kappa on {name}", found.kappa, thresholds.min_kappa, thresholds.by)
        if thresholds.non_inferior and found.non_inferiority != "non-inferior":
            verdict = found.non_inferiority or _untested(certificate)
            yield f"non-inferiority on {name} is not shown: {verdict}"
    if thresholds.max_missed_harm is not None:
        yield from _harmful(certificate, thresholds.max_missed_harm, thresholds.by)


def _chosen(certificate: Certificate, thresholds: Thresholds) -> dict[str, CertifiedCriterion]:
    wanted = thresholds.criteria or tuple(
        name for name, found in certificate.criteria.items() if found.kind != "overall"
    )
    return {name: certificate.criteria[name] for name in wanted if name in certificate.criteria}


def _untested(certificate: Certificate) -> str:
    if certificate.margin is None:
        return "not tested: no margin was declared beforehand"
    return "not tested: the study's labels do not allow it, such as those of one clinician"


def _uncovered(coverages: Iterable[tuple[str, float]], least: float) -> Iterator[str]:
    for name, coverage in coverages:
        if coverage < least:
            yield f"coverage of {name} is {coverage:.3f}, below {least:g}"


def _harmful(certificate: Certificate, most: float, by: By) -> Iterator[str]:
    safety = {name: c for name, c in certificate.criteria.items() if c.kind == "safety"}
    if not safety:
        yield "missed harm is not known: no safety criterion was studied"
    for name, found in safety.items():
        yield from _above(f"missed harm on {name}", found.missed_harm, most, by)


def _below(what: str, measured: Measured | None, least: float, by: By) -> Iterator[str]:
    worst = None if measured is None else measured.low if by == "interval" else measured.value
    if measured is None or worst is None:
        yield f"{what} is not known: {_reason(measured)}"
    elif worst < least:
        yield f"{what} is {_shown(measured)}; {_asked(worst, by)} is below {least:g}"


def _above(what: str, measured: Measured | None, most: float, by: By) -> Iterator[str]:
    worst = None if measured is None else measured.high if by == "interval" else measured.value
    if measured is None or worst is None:
        yield f"{what} is not known: {_reason(measured)}"
    elif worst > most:
        yield f"{what} is {_shown(measured)}; {_asked(worst, by)} is above {most:g}"


def _asked(worst: float, by: By) -> str:
    return f"its {'interval end' if by == 'interval' else 'estimate'} {worst:.3f}"


def _shown(measured: Measured) -> str:
    if measured.low is None or measured.high is None:
        return f"{measured.value:.3f} (n {measured.n})"
    return f"{measured.value:.3f} ({measured.low:.3f} to {measured.high:.3f}, n {measured.n})"


def _reason(measured: Measured | None) -> str:
    if measured is None:
        return "it was not measured"
    return measured.reason or "it has no interval"
