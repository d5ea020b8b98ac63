"""The files of a study: `study.json`, the report in two formats, and the certificate."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mmrare_judge.calibration.report.blocks import CriterionFindings
from mmrare_judge.calibration.report.render import write_reports
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.study.findings import MISSED
from mmrare_judge.calibration.study.study import Study
from mmrare_judge.certificate import FILE, Certificate, CertifiedCriterion, Measured, Rules
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.records import content_hash
from mmrare_judge.run.folder import write_whole

# FOLDED calibration.certify: A study made into a certificate: `calibration.json`.


def certify(study: Study, *, expires: date | None = None) -> Certificate:
    """Bind a study's outcome to the way of judging that was studied.

    A certificate says what was found, good or bad; whether that is good enough is for
    ``mmrare-judge gate`` and its thresholds to say.

    Args:
        study: The study.
        expires: The last day on which the certificate holds; ``None`` for no end.

    Raises:
        InputError: The grades were made in several ways, or the judge was never asked.
    """
    if len(study.signatures) != 1:
        raise InputError(
            f"the studied grades were made in {len(study.signatures)} ways, and a certificate is "
            "bound to one",
            remedy=_remedy(study),
        )
    found = study.findings
    harm = {name: estimate for (name, what), estimate in found.harm if what == MISSED}
    return Certificate(
        signature=study.signatures[0],
        rules=Rules(expires=expires),
        dated=study.options.dated,
        package=study.package,
        gold=study.gold.name,
        gold_hash=study.gold.hash,
        statistic=found.statistic,
        margin=study.options.margin,
        tone=found.tone,
        verdict=found.verdict,
        coverage=study.coverage,
        criteria={one.name: _certified(one, harm.get(one.name)) for one in found.criteria},
        unstudied=study.unlabelled,
        degenerate=found.remarks,
        study_hash=content_hash(study.model_dump(mode="json")),
    )


def _remedy(study: Study) -> str:
    if not study.signatures:
        return "The judge answered nothing; look at the reasons of the unscored grades"
    first, second = (one.model_dump(mode="json") for one in study.signatures[:2])
    names = [name for name, value in first.items() if second[name] != value]
    return f"Grade anew in one way; they differ in {', '.join(names)}"


def _certified(one: CriterionFindings, harm: Estimate | None) -> CertifiedCriterion:
    tested = one.non_inferiority
    return CertifiedCriterion(
        kind=one.kind,
        agreement=_measured(one.judge),
        clinicians=None if one.clinicians is None else _measured(one.clinicians),
        kappa=_measured(one.statistics["cohen_kappa"]) if "cohen_kappa" in one.statistics else None,
        non_inferiority=None if tested is None else tested.verdict,
        missed_harm=None if harm is None else _measured(harm),
        coverage=one.coverage,
    )


def _measured(estimate: Estimate) -> Measured:
    interval = estimate.interval
    return Measured(
        value=estimate.value,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        n=estimate.n,
        reason=estimate.reason,
    )


STUDY = "study.json"


def write_study(study: Study, folder: Path, *, expires: date | None = None) -> tuple[Path, ...]:
    """Write a study's files into a folder, which is made if need be.

    The certificate is left out, and one from before is removed, where the grades were made in
    several ways: `why_uncertified` says so.

    Args:
        study: The study.
        folder: Where to.
        expires: The last day on which the certificate holds.

    Returns:
        The files that were written.

    Raises:
        OutputError: The folder cannot be written.
        MissingExtraError: matplotlib or Jinja is not installed.
    """
    certificate, path = _certificate(study, expires), folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reports = write_reports(study.findings, folder)
        if certificate is None:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror or error}; name another folder"
        ) from error
    write_whole(folder / STUDY, study.model_dump_json(indent=1))
    files = [folder / STUDY, *reports]
    if certificate is not None:
        write_whole(path, certificate.model_dump_json(indent=1))
        files.append(path)
    return tuple(files)


def why_uncertified(study: Study) -> str:
    """Why a study has no certificate; empty if it has one."""
    try:
        certify(study)
    except InputError as error:
        return str(error)
    return ""


def _certificate(study: Study, expires: date | None) -> Certificate | None:
    try:
        return certify(study, expires=expires)
    except InputError:
        return None
