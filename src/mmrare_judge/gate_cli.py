"""``mmrare-judge gate``: a pipeline fails where a judge is not good enough, or another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer  # noqa: TID251  the command is written in the command line's own terms

from mmrare_judge.calibration.gate import Thresholds, failures
from mmrare_judge.certificate import Calibration, Certificate, checked, read_certificate
from mmrare_judge.errors import InputError
from mmrare_judge.records import today

FAILED = 6


def gate_command(
    certificate: Annotated[Path, typer.Argument(help="calibration.json, or a study's folder.")],
    grades: Annotated[
        Path | None, typer.Option(help="The run whose scores are to pass: its folder.")
    ] = None,
    min_kappa: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Cohen's, on every criterion.")
    ] = None,
    max_missed_harm: Annotated[
        float | None, typer.Option(min=0, max=1, help="On every safety criterion.")
    ] = None,
    min_coverage: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of study, criteria and systems of the run.")
    ] = None,
    non_inferior: Annotated[
        bool, typer.Option(help="By the margin that the study declared.")
    ] = False,
    criterion: Annotated[
        list[str] | None, typer.Option(help="Only on this criterion; repeatable.")
    ] = None,
    estimates: Annotated[
        bool, typer.Option(help="Compare estimates instead of interval ends.")
    ] = False,
) -> None:
    """Fail (exit code 6) unless a certificate holds and its judge is good enough.

    Thresholds are compared with the end of the interval that speaks against the judge. With
    --grades the certificate has to hold for the way in which every one of them was made.
    """
    thresholds = Thresholds(
        min_kappa=min_kappa,
        max_missed_harm=max_missed_harm,
        min_coverage=min_coverage,
        non_inferior=non_inferior,
        criteria=tuple(criterion or ()),
        by="estimate" if estimates else "interval",
    )
    if not thresholds.demanding:
        raise InputError(
            "nothing is demanded",
            remedy="Give --min-kappa, --max-missed-harm, --min-coverage or --non-inferior",
        )
    found = tuple(gate(read_certificate(certificate), thresholds, grades))
    for failure in found:
        typer.echo(f"fails: {failure}", err=True)
    if found:
        raise typer.Exit(FAILED)
    typer.echo("passes")


def gate(certificate: Certificate, thresholds: Thresholds, grades: Path | None) -> Iterator[str]:
    """What keeps a run's scores from passing; without a run the certificate is asked alone."""
    if grades is None:
        calibration: Calibration = certificate.check(certificate.signature, today())
        coverages: list[tuple[str, float]] = []
    else:
        calibration, coverages = _run(certificate, grades)
    yield from failures(certificate, thresholds, calibration=calibration, coverages=coverages)


def _run(certificate: Certificate, folder: Path) -> tuple[Calibration, list[tuple[str, float]]]:
    """What a certificate says of a run, and how much of it the judge judged."""
    from mmrare_judge.run.folder import iter_grades
    from mmrare_judge.run.summary import Tally

    tally = Tally()
    for grade in iter_grades(folder):
        tally.add(grade)
    several = len({one.judge for one in tally.summaries()}) > 1
    coverages = [
        (
            f"{one.system or 'the run'} on {one.track}{f' by {one.judge}' if several else ''}",
            one.coverage,
        )
        for one in tally.summaries()
    ]
    return checked(certificate, tally.signatures(), today()), coverages
