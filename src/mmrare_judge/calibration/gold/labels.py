"""Gold labels: what clinicians said of predictions, criterion by criterion.

`gold_from` reads labels on the declared scales, whichever way a file spells them, checks them and
makes `Gold`; `data_card` describes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mmrare_judge.calibration.gold.spelling import Spelling
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record, content_hash

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
        notes: What was read otherwise than it stood in the file, in sentences.
    """

    labels: tuple[GoldLabel, ...]
    scales: Mapping[str, Scale]
    notes: tuple[str, ...] = ()

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
            [
                *label.unit, label.rater, self._canonical(label), label.cluster,
                *(() if label.inclusion is None else (label.inclusion,)),
            ]
            for label in self.labels
        )  # fmt: skip
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
        return replace(gold_from((*self.labels, *added), self.scales), notes=self.notes)


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
    mmrare_judge.errors.InputError: row 7, field 'label': 'maybe' is no label of 'safe'. \
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
    given = tuple(labels)
    found = list(problems)
    spelling = Spelling(scales, missing)
    levels = (spelling.read(one.criterion, one.label, one.row) for one in given)
    read = tuple(
        one if one.label == level else replace(one, label=level)
        for one, level in zip(given, levels, strict=True)
    )
    found += _no_scale(given, scales)
    found += [Problem(what, remedy, row, "label") for what, remedy, row in spelling.refused()]
    gold = Gold(read, dict(scales), (*notes, *spelling.notes()))
    found += [*_repeated(gold), *_inclusion_problems(gold)]
    if found:
        raise refusal(found, file)
    if not given:
        raise InputError("no labels", file=file)
    return gold


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


def _no_scale(labels: Iterable[GoldLabel], scales: Mapping[str, Scale]) -> Iterator[Problem]:
    unknown: dict[str, GoldLabel] = {}
    for label in labels:
        if label.criterion not in scales:
            unknown.setdefault(label.criterion, label)
    for name, label in unknown.items():
        remedy = f"Declared criteria are: {', '.join(scales)}"
        yield Problem(f"criterion {name!r} has no scale", remedy, label.row, "criterion")


def _repeated(gold: Gold) -> Iterator[Problem]:
    """Whoever labelled a unit twice, and units that are in two clusters."""
    seen: dict[tuple[Unit, str], GoldLabel] = {}
    clusters: dict[Unit, str] = {}
    for label in gold.labels:
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
        items=len({label.item for label in gold.labels}),
        clusters=len({label.cluster for label in gold.labels}),
        systems=Counter(unit[1] for unit in gold.units),
        units=len(gold.units),
        labels=sum(map(_given, gold.labels)),
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


def _given(label: GoldLabel) -> bool:
    return label.label not in (None, "")


def _rater(gold: Gold, rater: str) -> RaterCard:
    own = [_given(label) for label in gold.labels if label.rater == rater]
    return RaterCard(given=sum(own), empty=len(own) - sum(own), absent=len(gold.units) - len(own))


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
    own = [label.label for label in gold.labels if label.criterion == criterion and _given(label)]
    read = [scale.read(label) for label in own]
    if scale.level == "continuous":
        if not read:
            return {}
        return {"least": min(read), "mean": sum(read) / len(read), "greatest": max(read)}
    counts = Counter(scale.categories[int(code)] for code in read)
    return {category: counts[category] for category in scale.categories}
