"""``mmrare-judge calibrate`` and ``mmrare-judge gate``.

The first makes a study of grades and clinicians' labels; by the second a pipeline fails where a
judge is not good enough, or is another one than was studied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer  # noqa: TID251  the command line is the door

from mmrare_judge.backends.base import EMBEDDED
from mmrare_judge.certificate import Certificate, calibration_of, read_certificate
from mmrare_judge.cli.output import say
from mmrare_judge.errors import InputError
from mmrare_judge.records import today

if TYPE_CHECKING:
    from mmrare_judge.calibration.gate import Thresholds
    from mmrare_judge.calibration.study.file import StudyFile
    from mmrare_judge.calibration.study.study import Study
    from mmrare_judge.run.summary import Summariser

JUDGE = "judge"
"""The column of a judge's labels that names the judge."""

PARTIAL, INTERRUPTED = 3, 130
"""Exit codes: not all could be graded, so that there is no verdict; stopped by the user."""

Consensus = Literal["majority", "dawid_skene", "mean"]


def calibrate_command(
    study: Annotated[Path | None, typer.Argument(help="A study's YAML file.")] = None,
    grades: Annotated[Path | None, typer.Option(help="A run's folder or grades.jsonl.")] = None,
    gold: Annotated[Path | None, typer.Option(help="Clinicians' labels.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for study, report, certificate.")] = Path(
        "study"
    ),
    rubric: Annotated[str | None, typer.Option(help="Rubric name or YAML file.")] = None,
    judge: Annotated[str | None, typer.Option(help="The judge, where there are several.")] = None,
    items: Annotated[
        list[Path] | None, typer.Option(help="Items, for subgroups and cases; repeatable.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="The track of the items.")] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="Predictions, for lengths and cases; repeatable.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="item=ID, cluster=CASE, raters=A,B, ...: which column of the gold holds what."
        ),
    ] = None,
    recode: Annotated[
        list[str] | None,
        typer.Option(help="Entailment=YES: a label, and the level it stands for; X= is missing."),
    ] = None,
    missing: Annotated[
        list[str] | None, typer.Option(help="99: a label that stands for a missing one.")
    ] = None,
    judge_labels: Annotated[
        Path | None, typer.Option(help="Labels that a judge gave elsewhere, in place of --grades.")
    ] = None,
    judge_column: Annotated[
        list[str] | None, typer.Option(help="item=ID, ...: which of their columns holds what.")
    ] = None,
    levels: Annotated[
        list[str] | None,
        typer.Option(
            help="NO,YES: their levels, worst first, where no rubric has them; dose=0,1,2: those "
            "of one criterion; repeatable."
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Of non-inferiority: 10 per cent is 0.1.")
    ] = None,
    margin_reason: Annotated[
        str | None, typer.Option(help="Why a margin above 0.2 is acceptable.")
    ] = None,
    max_missed_harm: Annotated[
        float | None, typer.Option(help="Share of violations that may pass.")
    ] = None,
    min_coverage: Annotated[
        float | None, typer.Option(help="Share of units that need a verdict; 0.9 if left out.")
    ] = None,
    statistic: Annotated[str | None, typer.Option(help="The main statistic.")] = None,
    consensus: Annotated[Consensus | None, typer.Option(help="How labels are joined.")] = None,
    adjudicator: Annotated[str | None, typer.Option(help="The rater who settles ties.")] = None,
    subgroup: Annotated[list[str] | None, typer.Option(help="Metadata field; repeatable.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="System of the judge's family.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="What was declared beforehand, by `plan study`.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Write over a study in the folder.")] = False,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The certificate's last day.")
    ] = None,
) -> None:
    """Study how far a judge agrees with clinicians, and correct what it reports.

    Either name a study's YAML file, or give --gold with --grades, or with --judge-labels.
    """
    from mmrare_judge.calibration.study.study import check_free

    settings = {
        "margin": margin,
        "margin_reason": margin_reason,
        "max_missed_harm": max_missed_harm,
        "min_coverage": min_coverage,
        "statistic": statistic,
        "consensus": consensus,
        "adjudicator": adjudicator,
        "subgroups": subgroup,
        "family": family,
    }
    paths = {"grades": grades, "plan": plan}
    given: dict[str, Any] = {name: str(path) for name, path in paths.items() if path is not None}
    lists = {"items": items, "predictions": predictions}
    given |= {name: tuple(map(str, files)) for name, files in lists.items() if files}
    given |= {"rubric": rubric, "judge": judge, "track": track}
    given["levels"] = _levels(levels) if levels else None
    wanted = study_plan(
        study,
        gold=gold,
        columns=pairs(column or (), "--column"),
        recode=pairs(recode or (), "--recode"),
        missing=missing or (),
        judge_labels=judge_labels,
        judge_columns=pairs(judge_column or (), "--judge-column"),
        options={name: value for name, value in settings.items() if value is not None},
        **{name: value for name, value in given.items() if value is not None},
    )
    if not overwrite:
        check_free(out)
    found = run_study(wanted, out)
    for line in report_lines(found, out, None if expires is None else expires.date()):
        say(line)
    if found.no_verdict and found.part != "tuning":
        raise typer.Exit(PARTIAL)


def _levels(given: Sequence[str]) -> dict[str, list[str]]:
    """Levels by criterion; those of all others under the empty name."""
    parts = (one.rpartition("=") for one in given)
    return {name.strip(): [label.strip() for label in labels.split(",")]
            for name, _, labels in parts}  # fmt: skip


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Options of the form ``name=value``.

    Raises:
        InputError: There is no equals sign.

    >>> pairs(["item=index"], "--column")
    {'item': 'index'}
    """
    for one in given:
        if "=" not in one:
            raise InputError(f"{option} {one!r} has no '='", remedy=f"Write {option} name=value")
    return {name: value for name, _, value in (one.partition("=") for one in given)}


def study_plan(
    file: Path | None,
    *,
    gold: Path | None,
    columns: Mapping[str, str],
    recode: Mapping[str, str],
    missing: Sequence[str] = (),
    judge_labels: Path | None = None,
    judge_columns: Mapping[str, str] | None = None,
    options: Mapping[str, Any],
    **given: Any,
) -> StudyFile:
    """The study that a file and options name; what is given as an option goes before the file.

    Raises:
        InputError: Neither names the gold labels, or something is wrong in the file or an option.
    """
    from pydantic import ValidationError

    from mmrare_judge.calibration.study.file import StudyFile, read_study_file, refused

    base = read_study_file(file).model_dump(exclude_unset=True) if file else {}
    labels = dict(base.get("gold", {}))
    if gold is not None:
        labels["path"] = str(gold)
    if "path" not in labels:
        raise InputError(
            "no gold labels", remedy="Name a study's YAML file, or give --gold and --grades"
        )
    judged = dict(base.get("judge_labels") or {})
    if judge_labels is not None:
        judged["path"] = str(judge_labels)
    for table, named in ((labels, columns), (judged, judge_columns or {})):
        table["columns"] = {**table.get("columns", {}), **_lists(named)}
        table["recode"] = {**table.get("recode", {}), **recode}
        table["missing"] = (*table.get("missing", ()), *missing)
    merged = {**base, **given, "gold": labels}
    if "path" in judged:
        judged["columns"].setdefault("rater", JUDGE)
        merged["judge_labels"] = judged
    merged["options"] = {**base.get("options", {}), **options}
    try:
        return StudyFile.model_validate(merged)
    except ValidationError as error:
        raise refused(error) from error


def _lists(columns: Mapping[str, str]) -> dict[str, Any]:
    """Columns of a wide table come as one comma-separated word."""
    found: dict[str, Any] = dict(columns)
    for name in {"raters", "criteria", "header", "fill_down", "criterion_names"} & found.keys():
        found[name] = [one.strip() for one in columns[name].split(",")]
    if "criterion_names" in found:  # Is it safe?:safe,Dose:dose
        parts = (one.rpartition(":") for one in found["criterion_names"])
        found["criterion_names"] = {old.strip(): new.strip() for old, _, new in parts}
    return found


def run_study(plan: StudyFile, out: Path) -> Study:
    """Grade first if need be, and study the grades.

    Raises:
        InputError: There is nothing to study, or grades and gold do not fit together.
        RubricError: The rubric is wrong, or not the one that the grades were made by.
        MissingExtraError: The extra ``calibration`` is not installed.
    """
    from mmrare_judge.calibration.gold.judge import LEVEL2, level2_grades
    from mmrare_judge.calibration.study.options import read_plan
    from mmrare_judge.calibration.study.study import calibrate
    from mmrare_judge.data.items import read_items
    from mmrare_judge.data.predictions import read_predictions
    from mmrare_judge.rubric.model import load_rubric
    from mmrare_judge.run.folder import iter_grades

    given = plan.read_judge_labels(load_rubric(plan.rubric) if plan.rubric else None)
    if given is None:
        folder = Path(plan.grades) if plan.grades else _graded(plan, out / "run")
        rubric = load_rubric(plan.rubric or _rubric_of(folder))
        grades = iter_grades(folder)
        if plan.judge == LEVEL2:
            grades = level2_grades(grades, rubric)
        gold = plan.read_gold(rubric)
    else:
        grades, rubric = iter(given.grades), given.rubric
        gold = plan.read_gold(rubric)
        notes = (f"Of the judge's labels: {note}" for note in given.notes)
        gold = replace(gold, notes=(*gold.notes, *notes))
    return calibrate(
        grades,
        gold,
        rubric=rubric,
        items=read_items(*plan.items, track=plan.track, default_track=rubric.track)
        if plan.items
        else (),
        predictions=read_predictions(*plan.predictions) if plan.predictions else (),
        options=plan.study_options(),
        plan=read_plan(plan.plan) if plan.plan else None,
    )


def _rubric_of(grades: Path) -> str:
    """The name of the rubric by which the first grade was made."""
    from mmrare_judge.run.folder import iter_grades

    for grade in iter_grades(grades):
        return grade.signature.rubric
    raise InputError("holds no grade", file=str(grades))


def _graded(plan: StudyFile, folder: Path) -> Path:
    from mmrare_judge.cli.grade import grade_shown, read_pairs
    from mmrare_judge.data.predictions import PredictionColumns
    from mmrare_judge.run.run import Run
    from mmrare_judge.run.specification import input_files

    if not plan.items or not plan.predictions:
        raise InputError(
            "the study names no grades, and nothing to make them from",
            remedy="Give --grades, or items and predictions to be graded first",
        )
    items, predictions = [*map(Path, plan.items)], [*map(Path, plan.predictions)]
    pairing = read_pairs(items, predictions, PredictionColumns(), plan.track, plan.rubric)
    inputs = input_files(items=items, predictions=predictions)
    run = Run(folder, _grader(plan.judge), rubric=plan.rubric, inputs=inputs)
    progress = grade_shown(run, pairing).progress
    stopped = progress.stopped
    if stopped is not None:
        say(
            f"stopped: {progress.unreachable or stopped}; the grades so far are in {folder}, and "
            "no study was written. Start again to go on",
            err=True,
        )
        raise typer.Exit(INTERRUPTED if stopped == "interrupted" else PARTIAL)
    return folder


def _grader(judge: str | None) -> str | None:
    """Who grades: level 2 is not a judge, and stands in every grade, the embedded judge's too."""
    from mmrare_judge.calibration.gold.judge import LEVEL2

    return EMBEDDED if judge == LEVEL2 else judge


def report_lines(study: Study, out: Path, expires: Any = None) -> Iterator[str]:
    """Write a study's files, and say what it found and where it is."""
    from mmrare_judge.calibration.study.study import why_uncertified, write_study
    from mmrare_judge.certificate import FILE

    files = write_study(study, out, expires=expires, overwrite=True)
    yield from study.findings.verdict
    for caveat in study.findings.caveats:
        yield f"Beware: {caveat}"
    yield f"Written: {', '.join(map(str, files))}"
    if FILE not in {path.name for path in files}:
        yield f"No certificate: {why_uncertified(study)}"


# --- gate

FAILED = 6


def gate_command(
    certificate: Annotated[
        list[Path], typer.Argument(help="calibration.json, or a study's folder; one a rubric.")
    ],
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
    --grades the certificate has to hold for the way in which every one of them was made; a run on
    several tracks is gated track by track, each by the certificate of its rubric.
    """
    from mmrare_judge.calibration.gate import Thresholds

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
    found = tuple(gate([read_certificate(one) for one in certificate], thresholds, grades))
    for failure in found:
        say(f"fails: {failure}", err=True)
    if found:
        raise typer.Exit(FAILED)
    say("passes")


def gate(
    certificates: Sequence[Certificate], thresholds: Thresholds, grades: Path | None
) -> Iterator[str]:
    """What keeps a run's scores from passing; without a run the certificates are asked alone."""
    from mmrare_judge.calibration.gate import failures

    if grades is None:
        for one in certificates:
            yield from failures(one, thresholds, calibration=one.check(one.signature, today()))
        return
    tracks = _tracks(grades)
    for track, counted in tracks.items():
        signatures = counted.signatures()
        rubrics = [one.rubric for one in signatures]
        mine = [one for one in certificates if one.signature.rubric in rubrics]
        if not mine and len(tracks) == len(certificates) == 1:
            mine = list(certificates)  # which is stale, and says why
        of = f"{track}: " if len(tracks) > 1 else ""
        if not mine:
            yield f"{of}no certificate was given for rubric {', '.join(dict.fromkeys(rubrics))}"
        for one in mine:
            holds = calibration_of(one, signatures, today())
            found = failures(one, thresholds, calibration=holds, coverages=_coverages(counted))
            yield from (f"{of}{failure}" for failure in found)


def _tracks(folder: Path) -> dict[str, Summariser]:
    """A run's grades by track."""
    from mmrare_judge.run.folder import iter_grades
    from mmrare_judge.run.summary import Summariser

    tracks: dict[str, Summariser] = {}
    for grade in iter_grades(folder):
        tracks.setdefault(grade.track, Summariser()).add(grade)
    if not tracks:
        raise InputError("holds no grade", file=str(folder))
    return tracks


def _coverages(counted: Summariser) -> Iterator[tuple[str, float]]:
    """How much of each part of a run the judge judged."""
    summaries = counted.summaries()
    several = len({one.judge for one in summaries}) > 1
    for one in summaries:
        by = f" by {one.judge}" if several else ""
        yield f"{one.system or 'the run'} on {one.track}{by}", one.coverage
