"""The files of a study: `study.json`, the report in two formats, and the certificate."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from mmrare_judge.calibration.certify import certify
from mmrare_judge.calibration.report.render import write_reports
from mmrare_judge.calibration.study.study import Study
from mmrare_judge.certificate import FILE, Certificate
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.run.folder import write_whole

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
