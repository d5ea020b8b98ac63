"""Gold labels: what clinicians said of predictions, criterion by criterion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from mmrare_judge.calibration.gold_checks import check_inclusion, check_once, check_scales
from mmrare_judge.calibration.gold_label import GoldLabel, Unit
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.errors import InputError
from mmrare_judge.records import content_hash


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
    check_scales(gold.labels, gold.scales, file)
    check_once(gold.labels, file)
    check_inclusion(gold.labels, gold.inclusion, file)
    return gold


def _chance(label: GoldLabel) -> tuple[float, ...]:
    return () if label.inclusion is None else (label.inclusion,)
