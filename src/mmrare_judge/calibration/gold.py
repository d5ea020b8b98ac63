"""Gold labels: what clinicians said of predictions, criterion by criterion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mmrare_judge.calibration.ratings import Label, Ratings, Scale
from mmrare_judge.errors import InputError
from mmrare_judge.grade import Grade
from mmrare_judge.rubric import Rubric
from mmrare_judge.signature import content_hash

Unit = tuple[str, str, str]
"""What is labelled: item, system and criterion."""


@dataclass(frozen=True, slots=True)
class GoldLabel:
    """One rater's label of one prediction on one criterion.

    Attributes:
        item: The item.
        system: The model that answered; empty where there is one only.
        criterion: The criterion.
        rater: Who labelled.
        label: The label; ``None`` where the rater gave none.
        cluster: The case the item belongs to; labels of one case are not independent.
        row: The row of the file it was read from.
        inclusion: The probability with which the unit was chosen to be labelled, as the labelling
            sheet says; ``None`` where the units were not sampled with different ones.
    """

    item: str
    system: str
    criterion: str
    rater: str
    label: str | float | None
    cluster: str
    row: int | None = None
    inclusion: float | None = None

    @property
    def unit(self) -> Unit:
        """What is labelled."""
        return self.item, self.system, self.criterion


@dataclass(frozen=True)
class Gold:
    """Gold labels with the scale of every criterion; make it with `gold_from` or `read_gold`.

    Attributes:
        labels: One entry a rater and unit, missing ones among them.
        scales: The declared scale of each criterion.
    """

    labels: tuple[GoldLabel, ...]
    scales: Mapping[str, Scale]

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """Everyone who labelled, sorted by name."""
        return tuple(sorted({label.rater for label in self.labels}))

    @cached_property
    def criteria(self) -> tuple[str, ...]:
        """The criteria that were labelled, in the order of the scales."""
        seen = {label.criterion for label in self.labels}
        return tuple(criterion for criterion in self.scales if criterion in seen)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """What was labelled, in the order of the labels."""
        return tuple(dict.fromkeys(label.unit for label in self.labels))

    @cached_property
    def inclusion(self) -> Mapping[Unit, float]:
        """The probability with which each unit was chosen; empty where all were alike."""
        chances: dict[Unit, float] = {}
        for label in self.labels:
            if label.inclusion is not None:
                chances.setdefault(label.unit, label.inclusion)
        return chances

    @cached_property
    def hash(self) -> str:
        """Tagged hash of labels and scales; the order of rows and the file do not matter.

        Inclusion probabilities enter where there are some: corrected scores depend on them.
        """
        rows = sorted(
            [*label.unit, label.rater, self._canonical(label), label.cluster, *_chance(label)]
            for label in self.labels
        )
        scales = {name: scale.model_dump(mode="json") for name, scale in self.scales.items()}
        return content_hash({"labels": rows, "scales": scales})

    def _canonical(self, label: GoldLabel) -> str | float | None:
        """The label as declared, whichever way a file wrote it; empty where it is missing."""
        scale = self.scales[label.criterion]
        read = scale.read(label.label)
        if read != read:
            return ""
        return scale.categories[int(read)] if scale.categories else read

    def about(self, *, criterion: str | None = None, system: str | None = None) -> Gold:
        """The labels of one criterion, of one system, or of both.

        Raises:
            InputError: Nothing of that name was labelled.
        """
        kept = tuple(
            label
            for label in self.labels
            if criterion in (None, label.criterion) and system in (None, label.system)
        )
        if not kept:
            known = f"Criteria: {', '.join(self.criteria)}; systems: {', '.join(self.systems)}"
            problem = f"no labels of criterion {criterion!r}, system {system!r}"
            raise InputError(problem, remedy=known)
        return replace(self, labels=kept)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The systems whose predictions were labelled, sorted."""
        return tuple(sorted({label.system for label in self.labels}))

    def ratings(self, *, weights: Mapping[Unit, float] | None = None) -> Ratings:
        """The labels as a table of units by raters.

        Args:
            weights: The weight of each unit, where units were not sampled alike.

        Raises:
            InputError: The criteria have different scales, or a unit has no weight.
        """
        scale = self._one_scale()
        columns = {rater: column for column, rater in enumerate(self.raters)}
        rows: dict[Unit, list[Label]] = {unit: [None] * len(columns) for unit in self.units}
        clusters: dict[Unit, str] = {}
        for label in self.labels:
            rows[label.unit][columns[label.rater]] = label.label
            clusters[label.unit] = label.cluster
        lost = [unit for unit in rows if weights is not None and unit not in weights]
        if lost:
            raise InputError(f"unit {' / '.join(lost[0])} has no weight")
        return Ratings.from_labels(
            list(rows.values()),
            scale,
            raters=self.raters,
            clusters=[clusters[unit] for unit in rows],
            weights=None if weights is None else [weights[unit] for unit in rows],
        )

    def _one_scale(self) -> Scale:
        scales = {self.scales[criterion] for criterion in self.criteria}
        if len(scales) != 1:
            names = ", ".join(self.criteria)
            problem = f"criteria with different scales cannot be pooled: {names}"
            raise InputError(problem, remedy="Take one criterion with about(criterion=...)")
        return next(iter(scales))

    def with_rater(self, rater: str, labels: Mapping[Unit, str | float | None]) -> Gold:
        """The same gold with one more rater, such as a judge.

        Args:
            rater: The new rater's name.
            labels: Their labels; a unit that is not there, or ``None``, is missing. Units without
                gold are left out: there is nothing to compare them with.

        Raises:
            InputError: The name is taken, no unit is in the gold, or a label is off the scale.
        """
        if rater in self.raters:
            raise InputError(f"there is a rater {rater!r} already")
        units = {label.unit: label for label in self.labels}
        if not units.keys() & labels.keys():
            example = " / ".join(next(iter(units)))
            problem = f"{rater} labelled no unit of the gold, such as {example}"
            raise InputError(problem, remedy="Compare the ids of items, systems and criteria")
        added = [
            replace(one, rater=rater, label=labels.get(unit), row=None)
            for unit, one in units.items()
        ]
        return gold_from((*self.labels, *added), self.scales)


def gold_from(
    labels: Iterable[GoldLabel], scales: Mapping[str, Scale], *, file: str | None = None
) -> Gold:
    """Check labels against the declared scales.

    Args:
        labels: The labels.
        scales: The scale of each criterion.
        file: What errors call the source.

    Raises:
        InputError: A criterion has no scale, a label is not on its scale, a rater labelled a unit
            twice, a unit is in two clusters, or inclusion probabilities contradict each other; the
            rows are named.

    >>> yes_no = Scale(level="nominal", categories=("NO", "YES"))
    >>> gold_from([GoldLabel("1", "m", "safe", "Dr A", "maybe", "1", row=7)], {"safe": yes_no})
    Traceback (most recent call last):
    mmrare_judge.errors.InputError: row 7, field 'label': 'maybe' is no label of 'safe'. \
Labels are: NO, YES
    """
    gold = Gold(tuple(labels), dict(scales))
    if not gold.labels:
        raise InputError("no labels", file=file)
    _check_scales(gold, file)
    _check_once(gold, file)
    _check_inclusion(gold, file)
    return gold


def scales_of(rubric: Rubric) -> dict[str, Scale]:
    """The scale of each criterion of a rubric: its levels, worst first, with their points.

    Two levels make a nominal scale, more an ordinal one. For a safety criterion the positive
    category is the violation, which is what a judge must not miss: the level worth the least.

    >>> from mmrare_judge.rubric import load_rubric
    >>> scales_of(load_rubric("examination"))["precision"].categories
    ('0', '1', '2')
    """
    return {criterion.id: _scale(rubric, criterion.id) for criterion in rubric.criteria}


def _scale(rubric: Rubric, criterion_id: str) -> Scale:
    criterion = rubric.criterion(criterion_id)
    points = {label: float(level.points) for label, level in criterion.levels.items()}
    categories = tuple(sorted(points, key=points.__getitem__))  # whichever way the YAML lists them
    return Scale(
        level="nominal" if len(categories) == 2 else "ordinal",
        categories=categories,
        points=tuple(points[label] for label in categories),
        positive=categories[0] if criterion.kind == "safety" else None,
    )


def labels_of(grades: Iterable[Grade]) -> dict[Unit, str | float | None]:
    """A judge's levels by unit, for `Gold.with_rater`; what it did not decide is ``None``."""
    return {
        (grade.item_id, grade.system, verdict.criterion): verdict.level
        for grade in grades
        for verdict in grade.verdicts
    }


def _check_scales(gold: Gold, file: str | None) -> None:
    wrong: list[GoldLabel] = []
    for label in gold.labels:
        if label.criterion not in gold.scales:
            remedy = f"Declared criteria are: {', '.join(gold.scales)}"
            problem = f"criterion {label.criterion!r} has no scale"
            raise InputError(problem, remedy=remedy, file=file, row=label.row, field="criterion")
        try:
            gold.scales[label.criterion].read(label.label)
        except (ValueError, TypeError):
            wrong.append(label)
    if wrong:
        first = wrong[0]
        known = ", ".join(gold.scales[first.criterion].categories) or "finite numbers"
        problem = f"{first.label!r} is no label of {first.criterion!r}{_more(wrong)}"
        remedy = f"Labels are: {known}"
        raise InputError(problem, remedy=remedy, file=file, row=first.row, field="label")


def _check_once(gold: Gold, file: str | None) -> None:
    seen: dict[tuple[Unit, str], GoldLabel] = {}
    clusters: dict[Unit, str] = {}
    for label in gold.labels:
        unit = " / ".join(label.unit)
        before = seen.setdefault((label.unit, label.rater), label)
        if before is not label:
            problem = f"{label.rater} labelled {unit} twice, first in row {before.row}"
            raise InputError(problem, remedy="Keep one", file=file, row=label.row, field="rater")
        if clusters.setdefault(label.unit, label.cluster) != label.cluster:
            problem = f"{unit} is in two clusters, {clusters[label.unit]!r} and {label.cluster!r}"
            raise InputError(problem, file=file, row=label.row, field="cluster")


def _check_inclusion(gold: Gold, file: str | None) -> None:
    if not gold.inclusion:
        return
    for label in gold.labels:
        chance, unit = label.inclusion, " / ".join(label.unit)
        if chance is None:
            problem = f"{unit} has no inclusion probability, and other labels have one"
            remedy = "Copy it from the labelling sheet; it is 1 where a unit was chosen for certain"
        elif not 0 < chance <= 1:
            problem = f"inclusion probability {chance:g} of {unit} is outside (0, 1]"
            remedy = "Copy it from the labelling sheet"
        elif chance != gold.inclusion[label.unit]:
            problem = f"{unit} has two inclusion probabilities, {chance:g} and "
            problem += f"{gold.inclusion[label.unit]:g}"
            remedy = "Join labels of one labelling sheet only"
        else:
            continue
        raise InputError(problem, remedy=remedy, file=file, row=label.row, field="inclusion")


def _chance(label: GoldLabel) -> tuple[float, ...]:
    return () if label.inclusion is None else (label.inclusion,)


def _more(wrong: Sequence[GoldLabel]) -> str:
    rest = [f"row {label.row} ({label.label!r})" for label in wrong[1:10]]
    if not rest:
        return ""
    shown = f", nor are {', '.join(rest)}"
    return f"{shown} and {len(wrong) - 10} more" if len(wrong) > 10 else shown
