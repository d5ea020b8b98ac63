"""What must hold of gold labels together: scales, raters, clusters and sampling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mmrare_judge.calibration.gold_label import GoldLabel, Unit
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.errors import InputError


def check_scales(
    labels: Iterable[GoldLabel], scales: Mapping[str, Scale], file: str | None
) -> None:
    """Check that every label is on the declared scale of its criterion.

    Raises:
        InputError: A criterion has no scale, or labels are not on it.
    """
    wrong: list[GoldLabel] = []
    for label in labels:
        if label.criterion not in scales:
            remedy = f"Declared criteria are: {', '.join(scales)}"
            problem = f"criterion {label.criterion!r} has no scale"
            raise InputError(problem, remedy=remedy, file=file, row=label.row, field="criterion")
        try:
            scales[label.criterion].read(label.label)
        except (ValueError, TypeError):
            wrong.append(label)
    if wrong:
        first = wrong[0]
        known = ", ".join(scales[first.criterion].categories) or "finite numbers"
        problem = f"{first.label!r} is no label of {first.criterion!r}{_more(wrong)}"
        remedy = f"Labels are: {known}"
        raise InputError(problem, remedy=remedy, file=file, row=first.row, field="label")


def check_once(labels: Iterable[GoldLabel], file: str | None) -> None:
    """Check that nobody labelled a unit twice, and that a unit is in one cluster.

    Raises:
        InputError: One of both.
    """
    seen: dict[tuple[Unit, str], GoldLabel] = {}
    clusters: dict[Unit, str] = {}
    for label in labels:
        unit = " / ".join(label.unit)
        before = seen.setdefault((label.unit, label.rater), label)
        if before is not label:
            problem = f"{label.rater} labelled {unit} twice, first in row {before.row}"
            raise InputError(problem, remedy="Keep one", file=file, row=label.row, field="rater")
        if clusters.setdefault(label.unit, label.cluster) != label.cluster:
            problem = f"{unit} is in two clusters, {clusters[label.unit]!r} and {label.cluster!r}"
            raise InputError(problem, file=file, row=label.row, field="cluster")


def check_inclusion(
    labels: Iterable[GoldLabel], inclusion: Mapping[Unit, float], file: str | None
) -> None:
    """Check that each unit has one inclusion probability, where any has one.

    Raises:
        InputError: One is missing, impossible, or contradicts another.
    """
    if not inclusion:
        return
    for label in labels:
        chance, unit = label.inclusion, " / ".join(label.unit)
        if chance is None:
            problem = f"{unit} has no inclusion probability, and other labels have one"
            remedy = "Copy it from the labelling sheet; it is 1 where a unit was chosen for certain"
        elif not 0 < chance <= 1:
            problem = f"inclusion probability {chance:g} of {unit} is outside (0, 1]"
            remedy = "Copy it from the labelling sheet"
        elif chance != inclusion[label.unit]:
            problem = f"{unit} has two inclusion probabilities, {chance:g} and "
            problem += f"{inclusion[label.unit]:g}"
            remedy = "Join labels of one labelling sheet only"
        else:
            continue
        raise InputError(problem, remedy=remedy, file=file, row=label.row, field="inclusion")


def _more(wrong: Sequence[GoldLabel]) -> str:
    rest = [f"row {label.row} ({label.label!r})" for label in wrong[1:10]]
    if not rest:
        return ""
    shown = f", nor are {', '.join(rest)}"
    return f"{shown} and {len(wrong) - 10} more" if len(wrong) > 10 else shown
