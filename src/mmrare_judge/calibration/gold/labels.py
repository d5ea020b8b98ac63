"""Gold labels: what clinicians said of predictions, criterion by criterion.

`gold_from` reads labels on the declared scales, whichever way a file spells them, checks them and
makes `Gold`; `data_card` describes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np

from mmrare_judge.calibration.gold.columns import (
    Column,
    GoldLabel,
    LabelBuilder,
    Labels,
    Unit,
)
from mmrare_judge.calibration.gold.spelling import Spelling
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools, Ints, Ratings, Scale, indexed
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record, canonical_json, stream_hash


@dataclass(frozen=True)
class Gold:
    """Gold labels with the scale of every criterion; make it with `gold_from` or `read_gold`.

    Attributes:
        labels: One entry a rater and unit, missing ones among them; kept in columns.
        scales: The declared scale of each criterion.
        notes: What was read otherwise than it stood in the file, in sentences.
    """

    labels: Labels
    scales: Mapping[str, Scale]
    notes: tuple[str, ...] = ()

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """Everyone who labelled, sorted by name."""
        return tuple(sorted(self._used("rater")))

    @cached_property
    def criteria(self) -> tuple[str, ...]:
        """The criteria that were labelled, in the order of the scales."""
        seen = set(self._used("criterion"))
        return tuple(criterion for criterion in self.scales if criterion in seen)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The systems whose predictions were labelled, sorted."""
        return tuple(sorted(self._used("system")))

    def _used(self, name: str) -> tuple[str, ...]:
        return self.labels.columns[name].used

    @property
    def units(self) -> tuple[Unit, ...]:
        """What was labelled, in the order of the labels."""
        return tuple((item, system, criterion) for item, system, criterion in self.labels.units)

    @cached_property
    def inclusion(self) -> Mapping[Unit, float]:
        """The probability with which each unit was chosen; empty where all were alike."""
        known = self.labels.take(~np.isnan(self.labels.inclusion))
        chances = known.inclusion[known.units.first].tolist()
        return {
            (item, system, criterion): chance
            for (item, system, criterion), chance in zip(known.units, chances, strict=True)
        }

    @cached_property
    def hash(self) -> str:
        """Tagged hash of labels and scales; the order of rows and the file do not matter.

        Inclusion probabilities enter where there are some: corrected scores depend on them.
        """
        names = ("item", "system", "criterion", "rater")
        ranks = [_ranks(self.labels.columns[name]) for name in names]
        order = np.lexsort(ranks[::-1])
        scales = {name: scale.model_dump(mode="json") for name, scale in self.scales.items()}
        # The canonical JSON of {"labels": [[...], ...], "scales": {...}}, row by row.
        rows = (canonical_json(self._canonical(label)) for label in self.labels.take(order))
        return stream_hash(
            chain(['{"labels":['], _joined(rows), ['],"scales":', canonical_json(scales), "}"])
        )

    def _canonical(self, label: GoldLabel) -> list[str | float | None]:
        """A label as it is hashed: as declared, whichever way a file wrote it."""
        scale = self.scales[label.criterion]
        read = scale.read(label.label)
        level = "" if read != read else scale.categories[int(read)] if scale.categories else read
        more = () if label.inclusion is None else (label.inclusion,)
        return [*label.unit, label.rater, level, label.cluster, *more]

    def about(self, *, criterion: str | None = None, system: str | None = None) -> Gold:
        """The labels of one criterion, of one system, or of both.

        Raises:
            InputError: Nothing of that name was labelled.
        """
        columns = self.labels.columns
        kept = columns["criterion"].where(lambda name: criterion in (None, name))
        kept = kept & columns["system"].where(lambda name: system in (None, name))
        if not kept.any():
            known = f"Criteria: {', '.join(self.criteria)}; systems: {', '.join(self.systems)}"
            problem = f"no labels of criterion {criterion!r}, system {system!r}"
            raise InputError(problem, remedy=known)
        return replace(self, labels=self.labels.take(kept))

    def ratings(self, *, weights: Mapping[Unit, float] | None = None) -> Ratings:
        """The labels as a table of units by raters.

        Args:
            weights: The weight of each unit, where units were not sampled alike.

        Raises:
            InputError: The criteria have different scales, or a unit has no weight.
        """
        labels, units, scale = self.labels, self.labels.units, self._one_scale()
        heavy = np.ones(len(units))
        if weights is not None:
            lost = [unit for unit in self.units if unit not in weights]
            if lost:
                raise InputError(f"unit {' / '.join(lost[0])} has no weight")
            heavy = np.array([weights[unit] for unit in self.units], dtype=np.float64)
        place = {rater: number for number, rater in enumerate(self.raters)}
        rater, label = labels.columns["rater"], labels.columns["label"]
        where = np.array([place.get(name, -1) for name in rater.values])[rater.codes]
        cells = np.full((len(units), len(place)), np.nan)
        cells[units.of, where] = _read(scale, label)
        clusters = np.empty(len(units), dtype=np.int64)
        clusters[units.of] = labels.columns["cluster"].codes
        return Ratings.from_cells(
            cells, scale, raters=self.raters, clusters=indexed(clusters.tolist()), weights=heavy
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
        added = (
            replace(one, rater=rater, label=labels.get(unit), row=None)
            for unit, one in units.items()
        )
        return replace(gold_from(chain(self.labels, added), self.scales), notes=self.notes)


def _read(scale: Scale, label: Column) -> Floats:
    """The labels as the scale reads them.

    Raises:
        InputError: One is not on the scale.
    """
    used = set(label.used)
    found = []
    for value in label.values:
        try:
            found.append(scale.read(value) if value in used else np.nan)
        except ValueError as error:
            remedy = f"Labels are: {', '.join(scale.categories) or 'finite numbers'}"
            raise InputError(f"label {value!r}", remedy=remedy) from error
    return np.array(found, dtype=np.float64)[label.codes]


def _ranks(column: Column) -> Ints:
    """Each label's place among the sorted values."""
    order = sorted(range(len(column.values)), key=column.values.__getitem__)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[column.codes]


def _joined(rows: Iterable[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f",{row}" if number else row


def gold_from(
    labels: Iterable[GoldLabel],
    scales: Mapping[str, Scale],
    *,
    missing: Collection[str] = (),
    file: str | None = None,
) -> Gold:
    """Read labels on the declared scales, and check them.

    Args:
        labels: The labels.
        scales: The scale of each criterion.
        missing: What else stands for a missing label, beside the words of `MISSING`.
        file: What errors call the source.

    Raises:
        InputError: A criterion has no scale, a label is not on its scale, a rater labelled a unit
            twice, a unit is in two clusters, or inclusion probabilities contradict each other. One
            message has all that is wrong, with the rows.

    >>> yes_no = Scale(level="nominal", categories=("NO", "YES"))
    >>> gold_from([GoldLabel("1", "m", "safe", "Dr A", "maybe", "1", row=7)], {"safe": yes_no})
    Traceback (most recent call last):
    mmrare_judge.errors.InputError: row 7, field 'label': 'maybe' is not a label of 'safe'. \
Labels are: NO, YES
    """
    return checked_gold(labels, scales, missing=missing, file=file)


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with gold labels: what, the remedy, and where."""

    what: str
    remedy: str = ""
    row: int | None = None
    field: str | None = None


def checked_gold(
    labels: Iterable[GoldLabel],
    scales: Mapping[str, Scale],
    *,
    missing: Collection[str] = (),
    file: str | None = None,
    problems: Iterable[Problem] = (),
    notes: Iterable[str] = (),
) -> Gold:
    """`gold_from` with the problems and notes of whoever read the file."""
    builder, spelling = LabelBuilder(), Spelling(scales, missing)
    for one in labels:
        builder.add(one, spelling.read(one.criterion, one.label, one.row))
    gold = Gold(builder.labels(), dict(scales))
    found = [*problems, *_no_scale(gold.labels, scales)]
    found += [Problem(what, remedy, row, "label") for what, remedy, row in spelling.refused()]
    found += [*_repeated(gold), *_inclusion_problems(gold)]
    if found:
        raise refusal(found, file)
    if not gold.labels:
        raise InputError("no labels", file=file)
    return replace(gold, notes=(*notes, *spelling.notes()))


SHOWN = 20
"""How many problems one message lists."""


def refusal(problems: Sequence[Problem], file: str | None) -> InputError:
    """One error that says all that is wrong."""
    first = problems[0]
    if len(problems) == 1:
        return InputError(
            first.what, remedy=first.remedy, file=file, row=first.row, field=first.field
        )
    lines = [_line(problem) for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"and {len(problems) - SHOWN} more")
    remedies = dict.fromkeys(problem.remedy for problem in problems if problem.remedy)
    what = f"{len(problems)} problems:\n- " + "\n- ".join(lines) + "\n"
    return InputError(what, remedy="; ".join(remedies), file=file)


def _line(problem: Problem) -> str:
    row = "" if problem.row is None else f"row {problem.row}, "
    where = f"{row}field {problem.field!r}: " if problem.field else row
    return f"{where}{problem.what}"


def _no_scale(labels: Labels, scales: Mapping[str, Scale]) -> Iterator[Problem]:
    criterion = labels.columns["criterion"]
    for name in criterion.used:
        if name not in scales:
            remedy = f"Declared criteria are: {', '.join(scales)}"
            row = int(labels.row[criterion.where(name.__eq__)][0]) or None
            yield Problem(f"criterion {name!r} has no scale", remedy, row, "criterion")


def _repeated(gold: Gold) -> Iterator[Problem]:
    """Whoever labelled a unit twice, and units that are in two clusters."""
    labels, units = gold.labels, gold.labels.units
    cluster = labels.columns["cluster"].codes
    twice = len(labels.grouped("item", "system", "criterion", "rater")) < len(labels)
    if not twice and (cluster == cluster[units.first][units.of]).all():
        return
    seen: dict[tuple[Unit, str], GoldLabel] = {}
    clusters: dict[Unit, str] = {}
    for label in labels:
        unit = " / ".join(label.unit)
        before = seen.setdefault((label.unit, label.rater), label)
        if before is not label:
            what = f"{label.rater} labelled {unit} twice, first in row {before.row}"
            yield Problem(what, "Keep one", label.row, "rater")
        elif clusters.setdefault(label.unit, label.cluster) != label.cluster:
            what = f"{unit} is in two clusters, {clusters[label.unit]!r} and {label.cluster!r}"
            yield Problem(what, "Give a unit one case", label.row, "cluster")


def _inclusion_problems(gold: Gold) -> Iterator[Problem]:
    """Each unit has one inclusion probability, where any has one."""
    if not gold.inclusion:
        return
    for label in gold.labels:
        chance, unit = label.inclusion, " / ".join(label.unit)
        remedy = "Copy it from the labelling sheet"
        if chance is None:
            what = f"{unit} has no inclusion probability, and other labels have one"
            remedy += "; it is 1 where a unit was chosen for certain"
        elif not 0 < chance <= 1:
            what = f"inclusion probability {chance:g} of {unit} is outside (0, 1]"
        elif (other := gold.inclusion[label.unit]) != chance:
            what = f"{unit} has two inclusion probabilities, {chance:g} and {other:g}"
            remedy = "Join labels of one labelling sheet only"
        else:
            continue
        yield Problem(what, remedy, label.row, "inclusion")


# --- the data card of a gold file: what a reader has to know before believing a number


class RaterCard(Record):
    """What one rater did: labels given, cells left empty, units never shown."""

    given: int
    empty: int
    absent: int


class CriterionCard(Record):
    """What is known of one criterion.

    Attributes:
        units: Units labelled by anyone.
        distribution: How often each declared category was given, all raters together; for a
            continuous scale least, mean and greatest number.
        missing: Cells of units by raters without a label.
        per_unit: How many units have 0, 1, 2, ... labels.
    """

    units: int
    distribution: Mapping[str, float]
    missing: int
    per_unit: Mapping[int, int]


class DataCard(Record):
    """A gold file at a glance.

    Attributes:
        name: What it is called.
        source: Where it comes from.
        licence: On which terms.
        hash: Tagged hash of labels and scales.
        items: Items.
        clusters: Independent cases.
        systems: Units by system.
        units: Units: item, system and criterion.
        labels: Labels given.
        raters: By rater.
        criteria: By criterion.
        population: What was rated; this and what follows is what the study states, in words.
        clinicians: Who rated.
        training: How raters were trained.
        blinding: What they did not see.
        sampling: How units and raters were chosen.
        independence: Whether they worked alone.
        registration: Where the study was registered.
    """

    name: str
    source: str
    licence: str
    hash: str
    items: int
    clusters: int
    systems: Mapping[str, int]
    units: int
    labels: int
    raters: Mapping[str, RaterCard]
    criteria: Mapping[str, CriterionCard]
    population: str = ""
    clinicians: str = ""
    training: str = ""
    blinding: str = ""
    sampling: str = ""
    independence: str = ""
    registration: str = ""


def data_card(
    gold: Gold,
    *,
    name: str,
    source: str,
    licence: str,
    population: str = "",
    raters: str = "",
    training: str = "",
    blinding: str = "",
    sampling: str = "",
    independence: str = "",
    registration: str = "",
) -> DataCard:
    """Describe gold labels.

    Args:
        gold: The labels.
        name: What they are called.
        source: Where they come from.
        licence: On which terms.
        population: What was rated: which cases, from where, when.
        raters: Who rated: how many, of which specialty, how chosen.
        training: How raters were trained, and their experience.
        blinding: What raters did not see, such as the judge's verdicts and which system answered.
        sampling: How units and raters were chosen, and how many were planned.
        independence: Whether raters worked alone, and when they talked.
        registration: Where the study was registered, and when.

    >>> scales = {"safe": Scale(level="nominal", categories=("NO", "YES"))}
    >>> labels = [GoldLabel("1", "m", "safe", "a", "NO", "1")]
    >>> card = data_card(gold_from(labels, scales), name="n", source="s", licence="MIT")
    >>> card.criteria["safe"].distribution
    {'NO': 1.0, 'YES': 0.0}
    """
    return DataCard(
        name=name,
        source=source,
        licence=licence,
        hash=gold.hash,
        items=len(gold.labels.columns["item"].used),
        clusters=len(gold.labels.columns["cluster"].used),
        systems=Counter(unit[1] for unit in gold.labels.units),
        units=len(gold.labels.units),
        labels=int(_given(gold.labels).sum()),
        raters={rater: _rater(gold, rater) for rater in gold.raters},
        population=population,
        clinicians=raters,
        training=training,
        blinding=blinding,
        sampling=sampling,
        independence=independence,
        registration=registration,
        criteria={criterion: _criterion(gold, criterion) for criterion in gold.criteria},
    )


def _given(labels: Labels) -> Bools:
    return labels.columns["label"].where(lambda label: label not in (None, ""))


def _rater(gold: Gold, rater: str) -> RaterCard:
    own = _given(gold.labels.take(gold.labels.columns["rater"].where(rater.__eq__)))
    given = int(own.sum())
    absent = len(gold.labels.units) - len(own)
    return RaterCard(given=given, empty=len(own) - given, absent=absent)


def _criterion(gold: Gold, criterion: str) -> CriterionCard:
    ratings = gold.about(criterion=criterion).ratings()
    labels = (ratings.codes >= 0).sum(axis=1)
    return CriterionCard(
        units=ratings.units,
        distribution=_distribution(gold, criterion),
        missing=ratings.units * len(gold.raters) - int(labels.sum()),
        per_unit=dict(sorted(Counter(labels.tolist()).items())),
    )


def _distribution(gold: Gold, criterion: str) -> Mapping[str, float]:
    scale = gold.scales[criterion]
    about = gold.labels.take(gold.labels.columns["criterion"].where(criterion.__eq__))
    read = _read(scale, about.take(_given(about)).columns["label"]).tolist()
    if scale.level == "continuous":
        if not read:
            return {}
        return {"least": min(read), "mean": sum(read) / len(read), "greatest": max(read)}
    counts = Counter(scale.categories[int(code)] for code in read)
    return {category: counts[category] for category in scale.categories}
