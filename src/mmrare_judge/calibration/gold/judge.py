"""The judge's side of a comparison: its scales, its labels, and which gold belongs to them.

The grades of a run are there already; `read_judge_labels` makes grades of labels that were given
elsewhere, and `level2_grades` makes level 2 a judge. `joined` finds the graded predictions that
gold labels belong to, though ids may be spelt otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import Usage
from mmrare_judge.calibration.gold.columns import GoldLabel, Unit
from mmrare_judge.calibration.gold.exports import GoldColumns, gold_rows
from mmrare_judge.calibration.gold.labels import Gold, Problem, refusal
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.gold.spelling import criterion_id, folded, whole_number
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.data.items import LIST_FIELDS
from mmrare_judge.data.tables import Row
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Bounds, Evidence, Grade, Verdict
from mmrare_judge.judging.grading import score_verdicts
from mmrare_judge.level2.elements import ElementMatch
from mmrare_judge.level2.rules import FULL_ABOVE, PARTIAL_FROM
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Signature, content_hash
from mmrare_judge.rubric.model import Criterion, Level, Rubric


def scales_of(rubric: Rubric) -> dict[str, Scale]:
    """The scale of each criterion of a rubric: its levels, worst first, with their points.

    Two levels make a nominal scale, more an ordinal one. For a safety criterion the positive
    categories are the violations, which are what a judge must not miss.

    >>> from mmrare_judge.rubric.model import load_rubric
    >>> scales_of(load_rubric("examination"))["precision"].categories
    ('0', '1', '2')
    """
    return {criterion.id: _scale(criterion) for criterion in rubric.criteria}


def _scale(criterion: Criterion) -> Scale:
    points = {label: float(level.points) for label, level in criterion.levels.items()}
    categories = tuple(sorted(points, key=points.__getitem__))  # whichever way the YAML lists them
    violations = [label for label in categories if label in criterion.violations]
    return Scale(
        level="nominal" if len(categories) == 2 else "ordinal",
        categories=categories,
        points=tuple(points[label] for label in categories),
        positive=violations[-1] if violations else None,
        positive_and_worse=len(violations) > 1,
    )


def labels_of(grades: Iterable[Grade]) -> dict[Unit, str | float | None]:
    """A judge's levels by unit, for `Gold.with_rater`; what it did not decide is ``None``."""
    return {
        (grade.item_id, grade.system, verdict.criterion): verdict.level
        for grade in grades
        for verdict in grade.verdicts
    }


# --- labels that were given elsewhere


def rubric_of_levels(
    criteria: Sequence[str], levels: Sequence[str] | Mapping[str, Sequence[str]]
) -> Rubric:
    """A rubric for labels that no rubric of ours made: its criteria and their levels.

    A criterion that cannot be an id, such as ``Is it safe?``, gets one; its own words are its
    question.

    Args:
        criteria: What was judged.
        levels: The labels of every criterion, worst first; or those of each, by its name.

    Raises:
        InputError: A criterion has no levels, fewer than two, or one twice.

    >>> rubric = rubric_of_levels(["Is it safe?"], ["NO", "YES"])
    >>> rubric.criteria[0].id, rubric.criteria[0].question
    ('is_it_safe', 'Is it safe?')
    """
    made = tuple(
        _criterion_of(name, id, _scale_of(name, levels))
        for name, id in zip(criteria, _ids(criteria), strict=True)
    )
    return Rubric(
        id="labels", version="1", track="other", title="Labels that were given elsewhere",
        source="given with the labels", instructions="The judge was not asked by this package.",
        scale=made[0].scale or (), total_weight=Fraction(len(made)), criteria=made,
    )  # fmt: skip


def _scale_of(name: str, levels: Sequence[str] | Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    given = levels.get(name, levels.get("", ())) if isinstance(levels, Mapping) else levels
    if len(given) < 2 or len(set(given)) < len(given):
        raise InputError(
            f"levels {', '.join(given)!r} of {name!r} are not a scale",
            remedy="Give two or more different ones, worst first: --levels NO,YES, or for one "
            f"criterion --levels '{name}=NO,YES'",
        )
    return tuple(given)


def _criterion_of(name: str, id: str, scale: tuple[str, ...]) -> Criterion:
    levels = {
        label: Level(points=Fraction(rank), meaning=label) for rank, label in enumerate(scale)
    }
    return Criterion(id=id, question=name, weight=Fraction(1), levels=levels, scale=scale)


def _ids(names: Sequence[str]) -> list[str]:
    ids = [criterion_id(name) or f"criterion_{place}" for place, name in enumerate(names, 1)]
    twice = {id for id, times in Counter(ids).items() if times > 1}
    return [f"criterion_{n}" if id in twice else id for n, id in enumerate(ids, 1)]


@dataclass(frozen=True)
class JudgeLabels:
    """A judge's labels, ready to be studied.

    Attributes:
        rubric: What they were given by: the rubric that was named, or one made of their levels.
        grades: The labels as grades.
        notes: What was read otherwise than it stood, in sentences.
    """

    rubric: Rubric
    grades: tuple[Grade, ...]
    notes: tuple[str, ...]


JUDGE_COLUMNS = GoldColumns(rater="judge")
"""The long layout of a judge's labels: as that of gold, with the column ``judge`` for the rater."""


def read_judge_labels(
    path: str | Path,
    *,
    rubric: Rubric | None = None,
    levels: Sequence[str] | Mapping[str, Sequence[str]] = (),
    judge: str | None = None,
    columns: GoldColumns = JUDGE_COLUMNS,
    recode: Mapping[str, str | None] | None = None,
    missing: Collection[str] = (),
) -> JudgeLabels:
    """Read labels that a judge gave elsewhere, to be studied like grades.

    The table is read as `read_gold` reads one. Without a column of judges all labels are one
    judge's; without a column of criteria they are about the rubric's only one.

    Args:
        path: The table.
        rubric: The rubric whose criteria and levels they are.
        levels: Without a rubric, the levels of every criterion, worst first; or those of each, by
            its name.
        judge: The judge, where no column says it; the file's name if left out.
        columns: Which column holds what.
        recode: The level that a label of the file stands for.
        missing: Labels that stand for a missing one.

    Raises:
        InputError: The table cannot be read, or there is neither rubric nor levels.
    """
    path = Path(path)
    rows = list(gold_rows(path, columns, [])[0])
    present = set(rows[0].values) if rows else set()
    more: dict[str, object] = {}
    if columns.shape in ("long", "wide by criterion") and columns.rater not in present:
        more["only_rater"] = columns.only_rater or judge or path.stem
    if columns.shape in ("long", "wide by rater") and columns.criterion not in present:
        more["only_criterion"] = columns.only_criterion or _only(rubric)
    columns = columns.model_copy(update=more)
    if rubric is None:
        rubric = rubric_of_levels(_criteria(rows, columns), levels)
    names = {**names_of(rubric), **columns.criterion_names}
    labels = read_gold(
        path, scales_of(rubric), recode=recode, missing=missing,
        columns=columns.model_copy(update={"criterion_names": names}),
    )  # fmt: skip
    return JudgeLabels(rubric, tuple(judge_grades(labels, rubric)), labels.notes)


def names_of(rubric: Rubric) -> dict[str, str]:
    """What the criteria of a rubric are called, by which tables may name them."""
    return {criterion.question: criterion.id for criterion in rubric.criteria}


def _only(rubric: Rubric | None) -> str | None:
    if rubric is None:
        return "label"
    return rubric.criteria[0].id if len(rubric.criteria) == 1 else None


def _criteria(rows: Sequence[Row], columns: GoldColumns) -> list[str]:
    """What the table names as criteria, in order."""
    if columns.shape == "wide by both":
        raise InputError(
            "columns of judge and criterion need a rubric that says which criteria there are",
            remedy="Give --rubric, or name the columns that are criteria: criteria=A,B",
        )
    if columns.only_criterion is not None:
        return [columns.only_criterion]
    found = columns.criteria or (str(row.values[columns.criterion]).strip() for row in rows)
    return list(dict.fromkeys(columns.criterion_names.get(name, name) for name in found))


def judge_grades(labels: Gold, rubric: Rubric) -> list[Grade]:
    """Labels of a judge, or of several, as grades; a criterion without a label is abstained from.

    Args:
        labels: The labels, on the rubric's scales; every rater is a judge.
        rubric: The rubric.
    """
    verdicts: dict[tuple[str, str, str], dict[str, Verdict]] = {}
    for label in labels.labels:
        key = (label.item, label.system, label.rater)
        if isinstance(label.label, str):
            criterion = rubric.criterion(label.criterion)
            points = float(criterion.levels[label.label].points)
            verdicts.setdefault(key, {})[label.criterion] = Verdict(
                criterion=criterion.id, status="judged", level=label.label, points=points
            )
        else:
            verdicts.setdefault(key, {})
    signatures = {rater: _made_elsewhere(rater, labels, rubric) for rater in labels.raters}
    return [_elsewhere(key, given, rubric, signatures[key[2]]) for key, given in verdicts.items()]


def _made_elsewhere(rater: str, labels: Gold, rubric: Rubric) -> Signature:
    return Signature(
        judge=rater, rubric=rubric.id, rubric_version=rubric.version, rubric_hash=rubric.hash,
        policy={"labels": labels.hash}, package=__version__,
    )  # fmt: skip


def _elsewhere(
    key: tuple[str, str, str], given: Mapping[str, Verdict], rubric: Rubric, signature: Signature
) -> Grade:
    item, system, _ = key
    blank = [Verdict(criterion=one.id, status="abstained") for one in rubric.criteria]
    verdicts = tuple(given.get(verdict.criterion, verdict) for verdict in blank)
    scored = score_verdicts(rubric, verdicts)
    return Grade(
        item_id=item, system=system, track=rubric.track, verdicts=verdicts, level2=Level2(),
        score=None if scored.score is None else float(scored.score),
        partial_score=None if scored.partial_score is None else float(scored.partial_score),
        coverage=float(scored.coverage),
        bounds=Bounds(worst=float(scored.worst), best=float(scored.best)),
        key=content_hash([*key, [verdict.level for verdict in verdicts]]), signature=signature,
    )  # fmt: skip


# --- which gold belongs to which prediction

_TRIED = "as written, without regard to case and blanks, as whole numbers (007, 7.0 and 7 are one)"


def joined(gold: Gold, graded: Collection[tuple[str, str]]) -> Gold:
    """The gold with the ids of the graded predictions, where exactly one reading joins.

    An id that stands as it is among the grades stays. Another is read without regard to case and
    blanks, and as a whole number; it joins where one graded id reads alike, and a note says so.
    Gold that names no system belongs to the one that was graded.

    Args:
        gold: The labels.
        graded: Item and system of every graded prediction.

    Raises:
        InputError: No label belongs to a graded prediction, labels of two ids fall on one, or gold
            names no system and several were graded.

    >>> from mmrare_judge.calibration.gold.labels import gold_from
    >>> yes_no = Scale(level="nominal", categories=("NO", "YES"))
    >>> label = GoldLabel("7.0", "", "safe", "Dr A", "YES", "7.0")
    >>> joined(gold_from([label], {"safe": yes_no}), [("007", "m")]).units
    (('007', 'm', 'safe'),)
    """
    systems, notes = _system_names(gold, {system for _, system in graded})
    items = _same(gold.labels.columns["item"].used, {item for item, _ in graded})
    if items:
        old, new = next(iter(items.items()))
        notes = [*notes, f"{len(items)} items of the gold join under another spelling: {old!r} is "
                         f"{new!r}{', and so on' if len(items) > 1 else ''}."]  # fmt: skip
    labels = gold.labels.renamed(items, systems)
    found = replace(gold, labels=labels, notes=(*gold.notes, *notes))
    if items or systems:
        _check_collisions(gold, found)
    known = set(graded)
    if not any(key in known for key in labels.predictions):
        raise _unjoined(found, graded)
    return found


def _same(wanted: Collection[str], known: Collection[str]) -> dict[str, str]:
    """For names that are not known, the one known name that reads alike."""
    readings: dict[str, list[str]] = {}
    for name in known:
        readings.setdefault(_reading(name), []).append(name)
    alike = {name: readings.get(_reading(name), []) for name in wanted if name not in known}
    return {name: one[0] for name, one in sorted(alike.items()) if len(one) == 1}


def _reading(name: str) -> str:
    return whole_number(folded(name))


def _system_names(gold: Gold, graded: set[str]) -> tuple[dict[str, str], list[str]]:
    named = set(gold.systems)
    if named <= graded:
        return {}, []
    if named == {""} or (graded == {""} and len(named) == 1):
        if len(graded) > 1:
            raise InputError(
                f"the gold labels name no system, and {len(graded)} were graded: "
                f"{', '.join(sorted(graded))}",
                remedy="Say which column names the system that answered (--column system=NAME), "
                "or study the grades of one system",
            )
        (old,), (new,) = named, graded
        missing = "the gold labels name no system" if not old else "the grades name no system"
        return {old: new}, [f"{missing}: they are taken for those of {old or new!r}."]
    names = _same(named, graded)
    told = ", ".join(f"{old!r} is {new!r}" for old, new in names.items())
    return names, [f"Systems of the gold join under another spelling: {told}."] if names else []


def _check_collisions(before: Gold, after: Gold) -> None:
    seen: dict[tuple[Unit, str], GoldLabel] = {}
    problems = []
    for old, new in zip(before.labels, after.labels, strict=True):
        first = seen.setdefault((new.unit, new.rater), old)
        if first is not old:
            what = f"items {first.item!r} and {old.item!r} are both read as {new.item!r}, and "
            what += f"{old.rater} labelled both"
            problems.append(Problem(what, "Write the ids as in the grades", old.row, "item"))
    if problems:
        raise refusal(problems, None)


def _unjoined(gold: Gold, graded: Collection[tuple[str, str]]) -> InputError:
    units = {unit[:2] for unit in gold.units}
    shared = {item for item, _ in units} & {item for item, _ in graded}
    where = f"The items join, the systems do not; tried {_TRIED}" if shared else f"Tried {_TRIED}"
    return InputError(
        "no gold label belongs to a graded prediction; gold has items such as "
        f"{_named(units)}, grades have {_named(graded)}",
        remedy=f"{where}. Compare the ids of items and the names of systems",
    )


def _named(keys: Iterable[tuple[str, str]]) -> str:
    return ", ".join(repr(" / ".join(filter(None, key))) for key in sorted(keys)[:2])


# --- level 2 studied like a judge: its results, which every grade carries, read as verdicts

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
        unread = grade.unscored is not None and grade.unscored.kind in ("too_long", "no_answer")
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
