"""The certificate of a calibration study, and whether it holds for a grade at hand.

A certificate speaks for one way of judging: the fields of one `Signature`. A grade made in another
way is not covered by it, however small the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from mmrare_judge.errors import ConfigError
from mmrare_judge.records import Record, Signature, canonical_json, content_hash, problem_in

Status = Literal["calibrated", "stale", "uncalibrated"]
Tone = Literal["good", "bad", "open"]
"""Whether a study's verdict speaks for the judge, against it, or is open."""


class _Record(Record):
    # A value that is no number would compare as neither too low nor too high.
    model_config = ConfigDict(allow_inf_nan=False)


class Calibration(_Record):
    """Whether a grade was made in a way that was studied against clinicians.

    Attributes:
        status: ``calibrated``: a certificate holds for it; ``stale``: one was given and does not;
            ``uncalibrated``: none was given.
        certificate: Hash of the certificate, where one was given.
        verdict: What the study says of the judge: ``good``, ``bad`` or ``open``. A calibrated
            judge is one that was studied, not one that is good.
        reasons: Why it is stale, or why nothing can be said, in sentences.
    """

    status: Status = "uncalibrated"
    certificate: str | None = None
    verdict: Tone | None = None
    reasons: tuple[str, ...] = ()


UNCALIBRATED = Calibration()
"""What is said where no certificate was given."""

NOT_ASKED = Calibration(reasons=("the judge was not asked",))
"""What is said of a blank prediction, and of one that the judge could not be asked about."""


class Measured(_Record):
    """One measured value.

    Attributes:
        value: The estimate; ``None`` where it could not be told.
        low: Lower end of its interval; ``None`` without one.
        high: Upper end.
        n: Units it rests on.
        reason: Why there is no value, or what to beware of.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str = ""


class CertifiedCriterion(_Record):
    """What was found about one criterion.

    Attributes:
        kind: ``quality``, ``safety``, or ``overall`` for all criteria together.
        agreement: The judge with clinicians, by the study's statistic.
        clinicians: Clinicians among themselves, by the same.
        kappa: The same as ``agreement`` where the statistic is Cohen's kappa; ``None`` elsewhere.
        non_inferiority: The verdict by the margin; ``None`` without one.
        missed_harm: Share of confirmed violations that the judge passed; safety criteria only.
        coverage: Share of the units with gold on which the judge gave a verdict.
    """

    kind: str
    agreement: Measured
    clinicians: Measured | None = None
    kappa: Measured | None = None
    non_inferiority: str | None = None
    missed_harm: Measured | None = None
    coverage: float | None = Field(default=None, ge=0, le=1)


class Rules(_Record):
    """When a certificate holds.

    Attributes:
        fields: The fields of the signature that must be equal.
        expires: The last day on which it holds; ``None`` for no end.
    """

    fields: tuple[str, ...] = tuple(Signature.model_fields)
    expires: date | None = None


class Certificate(_Record):
    """The outcome of a calibration study, bound to the way of judging that was studied.

    Attributes:
        format: Version of this record.
        signature: How the studied grades were made.
        rules: When the certificate holds.
        dated: The date of the study.
        package: The package version that made it.
        gold: What the gold labels are called.
        gold_hash: Tagged hash of the gold labels.
        statistic: The study's main statistic.
        margin: The margin of non-inferiority; ``None`` without one.
        margin_reason: Why that much is acceptable; always given above 0.2.
        planned: The date of the plan that declared margin and limits; ``None`` where they were
            given with the analysis.
        plan_hash: Hash of that plan.
        tone: ``good``, ``bad`` or ``open``: whether the verdict speaks for the judge.
        verdict: The verdict in sentences.
        coverage: Share of the verdicts on units with gold that the judge gave.
        criteria: What was found, by criterion.
        unstudied: Criteria of the rubric of which nothing was found, since nobody labelled them.
        degenerate: What is peculiar about the judge, in sentences.
        study_hash: Tagged hash of ``study.json``'s content.
    """

    format: int = 1
    signature: Signature
    rules: Rules
    dated: date
    package: str
    gold: str
    gold_hash: str
    statistic: str
    margin: float | None = Field(default=None, gt=0)
    margin_reason: str = ""
    planned: date | None = None
    plan_hash: str | None = None
    tone: Tone
    verdict: tuple[str, ...]
    coverage: float = Field(ge=0, le=1)
    criteria: Mapping[str, CertifiedCriterion]
    unstudied: tuple[str, ...] = ()
    degenerate: tuple[str, ...] = ()
    study_hash: str

    @cached_property
    def hash(self) -> str:
        """Tagged hash of the whole content."""
        return content_hash(self.model_dump(mode="json"))

    def check(self, signature: Signature, on: date) -> Calibration:
        """Whether this certificate holds for grades of that signature on that day.

        Args:
            signature: How the grades were made.
            on: The day it is asked for.
        """
        reasons = tuple(self._reasons(signature, on))
        status: Status = "stale" if reasons else "calibrated"
        return Calibration(status=status, certificate=self.hash, verdict=self.tone, reasons=reasons)

    def _reasons(self, signature: Signature, on: date) -> Iterator[str]:
        if self.rules.expires is not None and on > self.rules.expires:
            yield f"it expired on {self.rules.expires}"
        for name in self.rules.fields:
            was, now = getattr(self.signature, name), getattr(signature, name)
            if was != now:
                before, after = _apart(was, now)
                yield f"{name} was {_plain(before)} in the study and is {_plain(after)}"


def _apart(was: object, now: object) -> tuple[object, object]:
    """Of two mappings what differs; anything else as it is."""
    if not (isinstance(was, Mapping) and isinstance(now, Mapping)):
        return was, now
    return (
        {name: value for name, value in was.items() if name not in now or now[name] != value},
        {name: value for name, value in now.items() if name not in was or was[name] != value},
    )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value)


CertificateLike = Certificate | str | Path
"""A certificate, or the path of ``calibration.json`` or of the study's folder."""

FILE = "calibration.json"


def read_certificate(source: CertificateLike) -> Certificate:
    """A certificate from ``calibration.json``, or from the folder of a study.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    if isinstance(source, Certificate):
        return source
    path = Path(source)
    path = path / FILE if path.is_dir() else path
    try:
        return Certificate.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"certificate {path} cannot be read: {error.strerror}; make one with "
            "`mmrare-judge calibrate`"
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"certificate {path}: {problem_in(error)}; it is written by `mmrare-judge calibrate` "
            "and not by hand"
        ) from error


def calibration_of(
    certificate: Certificate | None, signatures: Iterable[Signature], on: date
) -> Calibration:
    """What a certificate says of many grades: calibrated only if it holds for every signature.

    >>> calibration_of(None, [], date(2026, 1, 1)).status
    'uncalibrated'
    """
    if certificate is None:
        return UNCALIBRATED
    found = [certificate.check(signature, on) for signature in signatures]
    reasons = tuple(dict.fromkeys(reason for one in found for reason in one.reasons))
    status: Status = "stale" if reasons or not found else "calibrated"
    return Calibration(
        status=status,
        certificate=certificate.hash,
        verdict=certificate.tone,
        reasons=reasons if found else ("there is no grade it could hold for",),
    )
