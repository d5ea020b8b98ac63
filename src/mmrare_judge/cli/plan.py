"""``mmrare-judge plan``: how many labels a calibration study needs, and which ones are next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer  # noqa: TID251  the command line is the door

from mmrare_judge.cli.output import say, say_json
from mmrare_judge.errors import InputError, OutputError

if TYPE_CHECKING:
    from mmrare_judge.calibration.planning.sizes import Plan

plan_app = typer.Typer(
    no_args_is_help=True, help="How many labels a calibration study needs, and which ones."
)

By = Literal["unit", "prediction", "case"]

Width = Annotated[float, typer.Option(help="Of the interval, from end to end.")]
Level = Annotated[float, typer.Option(help="Of the interval.")]
ClusterSize = Annotated[float, typer.Option(help="Labels of one case, in the mean.")]
Icc = Annotated[float, typer.Option(help="How alike labels of one case are, 0 to 1.")]
Json = Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")]


@plan_app.command("study")
def study_command(
    study: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    out: Annotated[Path, typer.Option(help="The plan to write: a new file.")] = Path("plan.json"),
) -> None:
    """Declare margin, limits and statistic of a study, with the date, before labels are looked at.

    `calibrate --plan` then refuses what differs, and the report says that it was declared
    beforehand. Commit or register the hash: the date in the file is only what it says.
    """
    from mmrare_judge.calibration.study.file import read_study_file
    from mmrare_judge.calibration.study.options import plan_of
    from mmrare_judge.files import write_whole
    from mmrare_judge.rubric.model import load_rubric

    file = read_study_file(study)
    if file.rubric is None:
        raise InputError("a plan names its rubric", file=str(study), remedy="Give rubric:")
    if out.exists():
        raise OutputError(f"{out} is there already, and a plan is not written over")
    plan = plan_of(file.study_options(), load_rubric(file.rubric))
    write_whole(out, plan.model_dump_json(indent=1))
    say(f"{out}: plan of {plan.dated}, {plan.hash}")


@plan_app.command("split")
def split_command(study: Annotated[Path, typer.Argument(help="The study's YAML file.")]) -> None:
    """List the cases by the part that the study's split puts them in, before anything is tuned."""
    from mmrare_judge.calibration.study.file import read_study_file
    from mmrare_judge.calibration.study.split import tuning_cases
    from mmrare_judge.data.items import read_items
    from mmrare_judge.rubric.model import load_rubric

    file = read_study_file(study)
    split = file.study_options().split
    if split is None or file.rubric is None:
        raise InputError("the study has no split, or no rubric", file=str(study))
    gold = file.read_gold(load_rubric(file.rubric))
    items = read_items(*file.items, track=file.track) if file.items else ()
    tuning = tuning_cases(split, gold, {item.id: item for item in items})
    for case in gold.labels.columns["cluster"].used:
        say(f"{case}\t{'tuning' if case in tuning else 'test'}")


@plan_app.command("kappa")
def kappa_command(
    kappa: Annotated[float, typer.Option(help="As expected.")],
    prevalence: Annotated[float, typer.Option(help="The share of yes, as expected.")],
    width: Width,
    second_prevalence: Annotated[
        float | None, typer.Option(help="The second rater's, where it is another.")
    ] = None,
    raters: Annotated[int, typer.Option(min=2, help="Who label every unit.")] = 2,
    cluster_size: ClusterSize = 1.0,
    icc: Icc = 0.0,
    level: Level = 0.95,
    as_json: Json = False,
) -> None:
    """Tell how many units to label for an interval of kappa."""
    from mmrare_judge.calibration import design_effect, labels_for_kappa

    shares = prevalence if second_prevalence is None else (prevalence, second_prevalence)
    effect = design_effect(cluster_size, icc)
    _say(
        labels_for_kappa(kappa, shares, width, design_effect=effect, level=level, raters=raters),
        as_json,
    )


@plan_app.command("score")
def score_command(
    gold_sd: Annotated[float, typer.Option(help="Standard deviation of the gold points.")],
    correlation: Annotated[float, typer.Option(help="Of judge and gold, as expected.")],
    graded: Annotated[int, typer.Option(min=1, help="Units that the judge graded.")],
    width: Width,
    cluster_size: ClusterSize = 1.0,
    icc: Icc = 0.0,
    level: Level = 0.95,
    as_json: Json = False,
) -> None:
    """Tell how many units to label for an interval of the corrected score."""
    from mmrare_judge.calibration import design_effect, labels_for_corrected_mean

    effect = design_effect(cluster_size, icc)
    _say(
        labels_for_corrected_mean(
            gold_sd, correlation, graded, width, design_effect=effect, level=level
        ),
        as_json,
    )


@plan_app.command("harm")
def harm_command(
    max_share: Annotated[float, typer.Option(help="Share of missed violations to exclude.")],
    missed: Annotated[int, typer.Option(min=0, help="Missed ones to allow for.")] = 0,
    violations_share: Annotated[
        float | None, typer.Option(help="The share of units that are violations, as expected.")
    ] = None,
    level: Level = 0.95,
    as_json: Json = False,
) -> None:
    """Tell how many confirmed violations show that a judge misses few of them."""
    from mmrare_judge.calibration import labels_for_missed_harm

    plan = labels_for_missed_harm(
        max_share, level=level, missed=missed, violations_share=violations_share
    )
    _say(plan, as_json)


@plan_app.command("non-inferiority")
def noninferiority_command(
    kappa: Annotated[float, typer.Option(help="Of judge and clinician, as expected.")],
    clinicians_kappa: Annotated[float, typer.Option(help="Of two clinicians, as expected.")],
    margin: Annotated[float, typer.Option(help="By how much the judge may be worse.")],
    prevalence: Annotated[float, typer.Option(help="The share of yes, as expected.")],
    clinicians: Annotated[int, typer.Option(help="Who label every unit.")] = 3,
    power: Annotated[float, typer.Option(help="The chance of a yes.")] = 0.8,
    cluster_size: ClusterSize = 1.0,
    icc: Icc = 0.0,
    level: Level = 0.95,
    as_json: Json = False,
) -> None:
    """Tell how many units show that a judge agrees as well as clinicians do, up to a margin."""
    from mmrare_judge.calibration import design_effect, labels_for_noninferiority

    plan = labels_for_noninferiority(
        kappa, clinicians_kappa, margin, prevalence, clinicians=clinicians, power=power,
        level=level, design_effect=design_effect(cluster_size, icc),
    )  # fmt: skip
    _say(plan, as_json)


@plan_app.command("alternative")
def alternative_command(
    kappa: Annotated[float, typer.Option(help="Of judge and clinician, as expected.")],
    clinicians_kappa: Annotated[float, typer.Option(help="Of two clinicians, as expected.")],
    prevalence: Annotated[float, typer.Option(help="The share of yes, as expected.")],
    epsilon: Annotated[float, typer.Option(help="How much worse the judge may be.")] = 0.2,
    clinicians: Annotated[int, typer.Option(help="Who label every unit.")] = 3,
    power: Annotated[float, typer.Option(help="The chance to win against one.")] = 0.8,
    cluster_size: ClusterSize = 1.0,
    icc: Icc = 0.0,
    level: Annotated[float, typer.Option(help="The false discovery rate.")] = 0.05,
    as_json: Json = False,
) -> None:
    """Tell how many units the alternative annotator test needs."""
    from mmrare_judge.calibration import design_effect, labels_for_alternative_test

    plan = labels_for_alternative_test(
        kappa, clinicians_kappa, prevalence, clinicians=clinicians, epsilon=epsilon, power=power,
        level=level, design_effect=design_effect(cluster_size, icc),
    )  # fmt: skip
    _say(plan, as_json)


@plan_app.command("next")
def next_command(
    grades: Annotated[Path, typer.Option(help="Grades of a run: its folder or grades.jsonl.")],
    budget: Annotated[int, typer.Option(min=1, help="Labels, by each rater.")],
    out: Annotated[Path, typer.Option(help="The labelling sheet to write: a new CSV file.")],
    key: Annotated[
        Path | None,
        typer.Option(help="Keep the probabilities in this file; `plan join` brings them back."),
    ] = None,
    by: Annotated[By, typer.Option(help="What is drawn as a whole.")] = "prediction",
    floor: Annotated[float, typer.Option(help="Share of an even sample that is kept, to 1.")] = 0.5,
    classes: Annotated[int, typer.Option(min=1, help="Strata a group is cut into.")] = 4,
    seed: Annotated[int, typer.Option(help="With the same, a larger budget goes on.")] = 0,
    rater: Annotated[str, typer.Option(help="Who labels; blank to be filled in.")] = "",
    labelled: Annotated[
        list[Path] | None, typer.Option(help="Sheets labelled before, to go on; repeatable.")
    ] = None,
    rubric: Annotated[str | None, typer.Option(help="Its grades only: name or YAML file.")] = None,
    judge: Annotated[str | None, typer.Option(help="The judge, where there are several.")] = None,
    items: Annotated[
        list[Path] | None, typer.Option(help="Items, for cases and strata; repeatable.")
    ] = None,
    track: Annotated[str | None, typer.Option(help="The track of the items.")] = None,
    case_field: Annotated[
        str | None, typer.Option(help="Metadata field of the items that names the case.")
    ] = None,
    stratum_field: Annotated[
        str | None, typer.Option(help="Metadata field whose values must all be represented.")
    ] = None,
    predictions: Annotated[
        list[Path] | None, typer.Option(help="Predictions, to be shown in the sheet; repeatable.")
    ] = None,
) -> None:
    """Draw what to label next, and write a sheet that shows nothing of the judge."""
    from mmrare_judge.calibration.planning.sample import (
        candidates_of,
        label_next,
        labelled_units,
        write_sheet,
    )
    from mmrare_judge.rubric.model import load_rubric
    from mmrare_judge.run.folder import iter_grades

    wanted = None if rubric is None else load_rubric(rubric)
    candidates = candidates_of(
        (one for one in iter_grades(grades) if wanted is None or one.signature.rubric == wanted.id),
        judge=judge,
        rubric=wanted,
        clusters=_field(items, track, case_field, "--case-field"),
        strata=_field(items, track, stratum_field, "--stratum-field"),
    )
    sample = label_next(candidates, budget, by=by, floor=floor, classes=classes, seed=seed)
    rows = write_sheet(
        sample, out, rater=rater, key=key, labelled=labelled_units(labelled or ()),
        texts=_texts(predictions),
    )  # fmt: skip
    say(sample.sentence)
    for one in sample.strata:
        say(f"  {one.name}: {one.drawn} of {one.members}, {one.labels} labels")
    say(f"{rows} rows to label written to {out}")


@plan_app.command("join")
def join_command(
    sheets: Annotated[list[Path], typer.Argument(help="Labelled sheets, of one rater or more.")],
    key: Annotated[Path, typer.Option(help="The key that was written with the last sheet.")],
    out: Annotated[Path, typer.Option(help="The gold file to write: a new CSV file.")],
) -> None:
    """Join labelled sheets with the probabilities in their key, into one gold file."""
    from mmrare_judge.calibration.planning.sample import join_labels

    say(f"{join_labels(sheets, key, out)} labels written to {out}")


def _say(plan: Plan, as_json: bool) -> None:
    if as_json:
        say_json(plan.model_dump_json(indent=1))
    else:
        say(plan.sentence)


def _field(
    items: list[Path] | None, track: str | None, field: str | None, option: str
) -> dict[str, str] | None:
    """A metadata field of the items, by item."""
    from mmrare_judge.data.items import read_items

    if field is None:
        return None
    if not items:
        raise InputError(f"{option} needs the items", remedy="Give --items")
    found = {}
    for item in read_items(*items, track=track):
        if field not in item.metadata:
            known = ", ".join(item.metadata) or "none"
            raise InputError(
                f"item {item.id!r} has no metadata field {field!r}", remedy=f"It has: {known}"
            )
        found[item.id] = str(item.metadata[field])
    return found


def _texts(predictions: list[Path] | None) -> dict[tuple[str, str], str] | None:
    from mmrare_judge.data.predictions import read_predictions

    if not predictions:
        return None
    return {(one.item_id, one.system): one.text for one in read_predictions(*predictions)}
