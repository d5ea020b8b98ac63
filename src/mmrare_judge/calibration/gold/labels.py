"""Gold labels: what clinicians said of predictions, criterion by criterion.

`gold_from` checks labels against the declared scales and makes `Gold`, `data_card` describes it.
The judge's side of the comparison stands at the end: the scales of its rubric, the labels it gave,
and level 2 read as a judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from mmrare_judge.backends.base import Usage
from mmrare_judge.calibration.statistics.ratings import Label, Ratings, Scale
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.data.items import LIST_FIELDS
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Evidence, Grade, Verdict
from mmrare_judge.judging.verdicts import score_verdicts
from mmrare_judge.level2.elements import ElementMatch
from mmrare_judge.level2.rules import FULL_ABOVE, PARTIAL_FROM
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Record, Signature, content_hash
from mmrare_judge.rubric.model import Criterion, Rubric

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
    for check in (_check_scales, _check_once, _check_inclusion):
        check(gold, file)
    return gold


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
        first, *others = wrong
        rest = [f"row {one.row} ({one.label!r})" for one in others[:9]]
        more = f", nor are {', '.join(rest)}" if rest else ""
        more += f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        known = ", ".join(gold.scales[first.criterion].categories) or "finite numbers"
        problem = f"{first.label!r} is no label of {first.criterion!r}{more}"
        remedy = f"Labels are: {known}"
        raise InputError(problem, remedy=remedy, file=file, row=first.row, field="label")


def _check_once(gold: Gold, file: str | None) -> None:
    """Nobody labelled a unit twice, and a unit is in one cluster."""
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
    """Each unit has one inclusion probability, where any has one."""
    if not gold.inclusion:
        return
    for label in gold.labels:
        chance, unit = label.inclusion, " / ".join(label.unit)
        remedy = "Copy it from the labelling sheet"
        if chance is None:
            problem = f"{unit} has no inclusion probability, and other labels have one"
            remedy += "; it is 1 where a unit was chosen for certain"
        elif not 0 < chance <= 1:
            problem = f"inclusion probability {chance:g} of {unit} is outside (0, 1]"
        elif (other := gold.inclusion[label.unit]) != chance:
            problem = f"{unit} has two inclusion probabilities, {chance:g} and {other:g}"
            remedy = "Join labels of one labelling sheet only"
        else:
            continue
        raise InputError(problem, remedy=remedy, file=file, row=label.row, field="inclusion")


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


def data_card(gold: Gold, *, name: str, source: str, licence: str) -> DataCard:
    """Describe gold labels.

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


# --- the judge's side


def scales_of(rubric: Rubric) -> dict[str, Scale]:
    """The scale of each criterion of a rubric: its levels, worst first, with their points.

    Two levels make a nominal scale, more an ordinal one. For a safety criterion the positive
    category is the violation, which is what a judge must not miss: the level worth the least.

    >>> from mmrare_judge.rubric.model import load_rubric
    >>> scales_of(load_rubric("examination"))["precision"].categories
    ('0', '1', '2')
    """
    return {criterion.id: _scale(criterion) for criterion in rubric.criteria}


def _scale(criterion: Criterion) -> Scale:
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


LEVEL2 = "level2"
"""The name level 2 is studied under."""


def level2_grades(grades: Iterable[Grade], rubric: Rubric) -> Iterator[Grade]:
    """Grades in which level 2 is the judge.

    A criterion on the coverage of a list takes its level from the share of elements found: by its
    own ``derive`` where it has one, else above .95 the best level, from .60 the middle one of three
    or more, else the worst. A criterion on violations has its worst level where one was found, one
    on the relation its best or worst. Level 2 abstains from everything else, and never says that a
    plan is free of violations.

    Every prediction comes once, however many judges and rubrics graded it: level 2 is the same.

    Args:
        grades: Grades of any judge, by any rubric of this one's track; others are left alone.
        rubric: The rubric.
    """
    seen: set[tuple[str, str]] = set()
    for grade in grades:
        place = (grade.item_id, grade.system)
        unread = grade.unscored is not None and grade.unscored.kind == "too_long"
        if grade.track == rubric.track and place not in seen and not unread:
            seen.add(place)
            yield _graded(grade, rubric)


def _graded(grade: Grade, rubric: Rubric) -> Grade:
    verdicts = tuple(_verdict(criterion, grade.level2) for criterion in rubric.criteria)
    scored = score_verdicts(rubric, verdicts)
    signature = Signature(
        judge=LEVEL2, rubric=rubric.id, rubric_version=rubric.version, rubric_hash=rubric.hash,
        policy={"terms": grade.signature.policy.get("terms")}, package=grade.signature.package,
    )  # fmt: skip
    return grade.model_copy(
        update={
            "verdicts": verdicts, "unscored": None, "empty": False, "disagreements": (),
            "sample": 0, "calibration": UNCALIBRATED,
            "usage": Usage(), "saved": Usage(), "requests": (), "cached": False,
            "score": None if scored.score is None else float(scored.score),
            "partial_score": None if scored.partial_score is None else float(scored.partial_score),
            "coverage": float(scored.coverage), "signature": signature,
            "bounds": grade.bounds.model_copy(
                update={"worst": float(scored.worst), "best": float(scored.best)}
            ),
        }
    )  # fmt: skip


def _verdict(criterion: Criterion, level2: Level2) -> Verdict:
    label, found = _level(criterion, level2)
    if label is None:
        return Verdict(criterion=criterion.id, status="abstained")
    points = float(criterion.levels[label].points)
    return Verdict(
        criterion=criterion.id, status="judged", level=label, points=points,
        evidence=tuple(_evidence(found)),
    )  # fmt: skip


def _level(criterion: Criterion, level2: Level2) -> tuple[str | None, tuple[ElementMatch, ...]]:
    labels = _worst_first(criterion)
    if criterion.embedded == "coverage":
        wanted = criterion.for_each or next((n for n in criterion.needs if n in LIST_FIELDS), None)
        entry = next((one for one in level2.lists if one.field == wanted), None)
        if entry is None or entry.coverage is None:
            return None, ()
        found = tuple(match for match in entry.elements if match.found)
        return _of_share(criterion, Fraction(len(found), len(entry.elements))), found
    if criterion.embedded == "violations" and level2.violations:
        return labels[0], level2.violations
    if criterion.embedded == "relation" and level2.relation_found is not None:
        return labels[-1 if level2.relation_found == level2.relation_expected else 0], ()
    return None, ()


def _worst_first(criterion: Criterion) -> list[str]:
    return sorted(criterion.levels, key=lambda label: criterion.levels[label].points)


def _of_share(criterion: Criterion, share: Fraction) -> str:
    if criterion.element is not None:
        return next(line.level for line in criterion.element.derive if line.met(share))
    labels = _worst_first(criterion)
    if share > FULL_ABOVE:
        return labels[-1]
    middle = share >= PARTIAL_FROM and len(labels) > 2
    return labels[len(labels) // 2] if middle else labels[0]


def _evidence(found: Iterable[ElementMatch]) -> Iterator[Evidence]:
    for match in found:
        if match.span is not None:
            yield Evidence(
                quote=match.span.text, match="exact", source="prediction",
                start=match.span.start, end=match.span.end, similarity=1.0,
            )  # fmt: skip
