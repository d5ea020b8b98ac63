"""A rubric as data: its model, its checks, and reading it from YAML."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from mmrare_judge.data.items import (
    ITEM_FIELDS,
    LIST_FIELDS,
    REQUIRED_FIELDS,
    Item,
    Track,
    field_value,
)
from mmrare_judge.errors import RubricError
from mmrare_judge.records import Record, content_hash, problem_in

_log = logging.getLogger("mmrare_judge")

EmbeddedRule = Literal[
    "coverage",
    "doses_and_routes",
    "violations",
    "follow_up",
    "test_specificity",
    "conditional_logic",
    "quantitative_criteria",
    "exact_diagnosis",
    "relation",
]

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


_DIGITS = r"\d{1,15}"
_EXACT = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.\d{{0,15}})?|\.{_DIGITS})(?:e[+-]?\d\d?)?|{_DIGITS}/{_DIGITS}"
)


def _fraction(value: object) -> Fraction:
    if isinstance(value, Fraction):
        return value
    written = "" if isinstance(value, bool) else str(value).strip().lower()
    # Checked before it is worked out: 1e999999999 would take all memory.
    if not _EXACT.fullmatch(written) or re.search(r"/0+$", written):
        raise ValueError("a number has to be written like 3, 0.5 or 1/6, in at most 15 digits")
    return Fraction(written)


Exact = Annotated[Fraction, BeforeValidator(_fraction)]
"""A number kept exactly: an integer, a decimal, or a fraction such as ``1/6``."""


class Level(Record):
    """One level of a criterion.

    Attributes:
        points: What it is worth, at least 0.
        meaning: When it applies, in words the judge reads.
        quote: Whether a verdict of this level must quote the prediction.
    """

    points: Exact = Field(ge=0)
    meaning: str = Field(min_length=1)
    quote: bool = False


class CoverageThreshold(Record):
    """The least share of elements that gives a level; ``above`` excludes the share itself."""

    level: str
    at_least: Exact | None = Field(default=None, ge=0, le=1)
    above: Exact | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_bound(self) -> CoverageThreshold:
        if (self.at_least is None) == (self.above is None):
            raise ValueError("give either at_least or above")
        return self

    def met(self, share: Fraction) -> bool:
        """Whether a share of 0 to 1 reaches this level."""
        if self.above is not None:
            return share > self.above
        return self.at_least is not None and share >= self.at_least


class PerElement(Record):
    """How every element of a reference list becomes a criterion of its own.

    Attributes:
        question: What is asked of one element; ``{element}`` stands for it.
        levels: Two levels worth 0 and 1 point.
        derive: Shares of elements that give the criterion's level, highest first.
    """

    question: str = Field(min_length=1)
    levels: Mapping[str, Level]
    derive: tuple[CoverageThreshold, ...] = Field(min_length=1)


class Criterion(Record):
    """One criterion.

    Attributes:
        id: Its name in replies and grades.
        question: What the judge answers.
        kind: ``quality``, or ``safety`` where a failure can harm a patient.
        weight: Its share of the rubric's total weight.
        scale: Its labels, worst first, where they are not those of the rubric.
        needs: The fields of the item it reads.
        levels: Its levels by label, worst first.
        for_each: A list of the reference whose elements are judged one by one.
        element: How, if ``for_each`` is given.
        embedded: The rule by which the embedded judge decides it; it abstains where none is given.
        violation_at_or_below: For a safety criterion the best level that is still a violation; the
            best but one if left out.
    """

    id: Identifier
    question: str = Field(min_length=1)
    kind: Literal["quality", "safety"] = "quality"
    weight: Exact = Field(gt=0)
    scale: tuple[str, ...] | None = Field(default=None, min_length=2)
    needs: tuple[str, ...] = ()
    levels: Mapping[str, Level]
    for_each: str | None = None
    element: PerElement | None = None
    embedded: EmbeddedRule | None = None
    violation_at_or_below: str | None = None

    @model_serializer(mode="wrap")
    def _unless_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Hashes of rubrics from before these fields stay what they are.
        fields: dict[str, Any] = handler(self)
        for name in ("scale", "violation_at_or_below"):
            if fields.get(name) is None:
                fields.pop(name, None)
        return fields

    @property
    def violations(self) -> frozenset[str]:
        """The levels that are a violation: of a safety criterion only."""
        if self.kind != "safety":
            return frozenset()
        worst = self.violation_at_or_below
        most = None if worst is None else self.levels[worst].points
        return frozenset(
            label for label, level in self.levels.items()
            if (level.points < self.max_points if most is None else level.points <= most)
        )  # fmt: skip

    def ordered(self, scale: tuple[str, ...]) -> Criterion:
        """The same with its levels in the order of the scale, and an element's by their points."""
        labels = self.scale or scale
        levels = {label: self.levels[label] for label in labels if label in self.levels}
        levels |= self.levels
        update: dict[str, object] = {"levels": levels}
        if self.element is not None:
            by_points = sorted(self.element.levels.items(), key=lambda entry: entry[1].points)
            update["element"] = self.element.model_copy(update={"levels": dict(by_points)})
        return self.model_copy(update=update)

    @cached_property
    def max_points(self) -> Fraction:
        """Points of the best level."""
        return max(level.points for level in self.levels.values())

    def elements(self, item: Item) -> tuple[str, ...]:
        """The elements judged one by one for this item; none where the list is empty."""
        return () if self.for_each is None else getattr(item.reference, self.for_each)


class Scoring(Record):
    """How verdicts become a score.

    ``weighted_mean``: the mean of ``points / best points``, weighted.
    ``cascade``: that mean where the deciding criterion has its best level, else that mean times
    ``unmet_factor``.

    Attributes:
        rule: ``weighted_mean`` or ``cascade``.
        gate: The id of the deciding criterion of a cascade.
        unmet_factor: What the mean is multiplied by where the deciding criterion is not met.
    """

    rule: Literal["weighted_mean", "cascade"] = "weighted_mean"
    gate: str | None = None
    unmet_factor: Exact | None = Field(default=None, ge=0, le=1)


class Rubric(Record):
    """A rubric.

    Attributes:
        id: Its name.
        version: Changes whenever a word or a number does.
        track: The track it is made for; ``other`` for a task of your own.
        title: One line for lists.
        source: Where criteria and arithmetic come from.
        instructions: What the judge is told before the criteria.
        scale: The labels that every criterion without a scale of its own defines, worst first.
        total_weight: What the weights must add up to.
        scoring: How verdicts become a score.
        criteria: The criteria, in the order they are asked and reported.
    """

    id: Identifier
    version: str = Field(min_length=1)
    track: Track
    title: str
    source: str = Field(min_length=1)
    instructions: str = Field(min_length=1)
    scale: tuple[str, ...] = Field(min_length=2)
    total_weight: Exact = Field(gt=0)
    scoring: Scoring = Scoring()
    criteria: tuple[Criterion, ...] = Field(min_length=1)

    @field_validator("criteria")
    @classmethod
    def _worst_first(
        cls, criteria: tuple[Criterion, ...], info: ValidationInfo
    ) -> tuple[Criterion, ...]:
        # The order reaches the prompt, and what is hashed does not tell it.
        scale = info.data.get("scale", ())
        return tuple(criterion.ordered(scale) for criterion in criteria)

    @model_validator(mode="after")
    def _consistent(self) -> Rubric:
        for path, problem, remedy in _problems(self):
            context = {"problem": problem, "remedy": remedy, "path": path}
            raise PydanticCustomError("rubric", "{problem}. {remedy}", context)
        return self

    @cached_property
    def hash(self) -> str:
        """Tagged hash of the whole content."""
        return content_hash(self.model_dump(mode="json"))

    def __hash__(self) -> int:
        return hash(self.hash)

    def criterion(self, id: str) -> Criterion:
        """The criterion of that id.

        Raises:
            KeyError: There is none.
        """
        return self._by_id[id]

    @cached_property
    def _by_id(self) -> dict[str, Criterion]:
        return {criterion.id: criterion for criterion in self.criteria}

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Every field some criterion reads, in the order of `ITEM_FIELDS`."""
        wanted = {need for criterion in self.criteria for need in criterion.needs}
        wanted |= {criterion.for_each for criterion in self.criteria if criterion.for_each}
        return tuple(field for field in ITEM_FIELDS if field in wanted)

    def check_item(self, item: Item) -> None:
        """Check that the item can be graded by this rubric.

        Raises:
            RubricError: The track is another one, or a needed field is empty.
        """
        if item.track != self.track:
            raise RubricError(
                f"rubric {self.id!r} is made for track {self.track!r}, "
                f"and item {item.id!r} is of track {item.track!r}",
                remedy=f"Pass a rubric for {item.track!r}; see `mmrare-judge rubrics list`",
            )
        for name in self.needs:
            if name in REQUIRED_FIELDS and not field_value(item, name):
                raise RubricError(
                    f"rubric {self.id!r} needs {name!r}, which is empty in item {item.id!r}",
                    remedy="Fill it, or use a rubric that does not need it",
                )


# --- What may be wrong with a rubric, beside its types

_Problem = tuple[tuple[str | int, ...], str, str]
"""Where it is, what it is, and the remedy."""


def criterion_problems(criterion: Criterion, scale: tuple[str, ...]) -> Iterator[_Problem]:
    """What is wrong with a criterion of a rubric of that scale."""
    scale = criterion.scale or scale
    labels = ", ".join(scale)
    if len(set(scale)) < len(scale):
        yield ("scale",), f"the scale {labels} has a label twice", "Give each level its own label"
    for label in scale:
        if label not in criterion.levels:
            yield ("levels",), f"level {label!r} has no meaning", f"The levels are {labels}"
    for label in criterion.levels:
        if label not in scale:
            yield ("levels", label), f"level {label!r} is unknown", f"The levels are {labels}"
    if min((level.points for level in criterion.levels.values()), default=Fraction(0)) > 0:
        yield ("levels",), "no level is worth 0 points", "Give the worst level 0 points"
    if criterion.levels and criterion.max_points == 0:
        yield ("levels",), "no level is worth a point", "Give the best level points above 0"
    for need in criterion.needs:
        if need not in ITEM_FIELDS:
            fields = ", ".join(ITEM_FIELDS)
            yield ("needs",), f"needs {need!r}, which no item has", f"Fields are {fields}"
    if (criterion.for_each is None) != (criterion.element is None):
        yield ("for_each",), "for_each and element go together", "Give both or neither"
    if criterion.for_each is not None and criterion.for_each not in LIST_FIELDS:
        fields = ", ".join(LIST_FIELDS)
        yield ("for_each",), f"{criterion.for_each!r} is not a list of the item", f"Lists: {fields}"
    if criterion.violation_at_or_below is not None:
        yield from _violation_problems(criterion, criterion.violation_at_or_below)
    if criterion.element is not None:
        yield from _element_problems(criterion.element, scale)


def _violation_problems(criterion: Criterion, label: str) -> Iterator[_Problem]:
    path, level = ("violation_at_or_below",), criterion.levels.get(label)
    if criterion.kind != "safety":
        yield path, "only a safety criterion has violations", "Give kind: safety, or leave it out"
    elif level is None:
        yield path, f"level {label!r} is unknown", f"The levels are {', '.join(criterion.levels)}"
    elif level.points == criterion.max_points:
        yield path, f"{label!r} is the best level", "Name a level below it"


def _element_problems(element: PerElement, scale: tuple[str, ...]) -> Iterator[_Problem]:
    if sorted(level.points for level in element.levels.values()) != [0, 1]:
        problem = "an element needs two levels, worth 0 and 1"
        yield ("element", "levels"), problem, "Write one level for stated and one for not stated"
    if "{element}" not in element.question:
        problem = "the question does not name the element"
        yield ("element", "question"), problem, "Write {element} where it goes"
    for index, threshold in enumerate(element.derive):
        if threshold.level not in scale:
            labels = ", ".join(scale)
            yield (
                ("element", "derive", index),
                f"level {threshold.level!r} is unknown",
                f"The levels are {labels}",
            )
    if not element.derive[-1].met(Fraction(0)):
        problem = "a share of 0 reaches no level"
        yield ("element", "derive"), problem, "End with the worst level and at_least: 0"


def _problems(rubric: Rubric) -> Iterator[_Problem]:
    seen: set[str] = set()
    for index, criterion in enumerate(rubric.criteria):
        if criterion.id in seen:
            problem = f"criterion id {criterion.id!r} is used twice"
            yield ("criteria", index, "id"), problem, "Give each criterion an id of its own"
        seen.add(criterion.id)
        for path, problem, remedy in criterion_problems(criterion, rubric.scale):
            yield ("criteria", index, *path), f"criterion {criterion.id!r}: {problem}", remedy
    total = sum(criterion.weight for criterion in rubric.criteria)
    if total != rubric.total_weight:
        problem = f"the weights add up to {total}, and total_weight is {rubric.total_weight}"
        yield ("total_weight",), problem, "Change one or the other"
    yield from _scoring_problems(rubric)


def _scoring_problems(rubric: Rubric) -> Iterator[_Problem]:
    scoring = rubric.scoring
    if scoring.rule == "cascade":
        ids = [criterion.id for criterion in rubric.criteria]
        if scoring.gate not in ids:
            problem = f"the deciding criterion, gate {scoring.gate!r}, is not a criterion"
            yield ("scoring",), problem, f"Criteria are {', '.join(ids)}"
        if scoring.unmet_factor is None:
            yield ("scoring",), "a cascade needs unmet_factor", "Give a number from 0 to 1"
    elif scoring.gate is not None or scoring.unmet_factor is not None:
        problem = "gate and unmet_factor belong to the rule 'cascade'"
        yield ("scoring",), problem, "Write rule: cascade, or leave them out"


# --- Rubrics by name and by path


@cache
def list_rubrics() -> tuple[str, ...]:
    """Names of the rubrics that come with the package.

    >>> "treatment" in list_rubrics()
    True
    """
    files = resources.files("mmrare_judge.rubrics").iterdir()
    return tuple(sorted(file.name[:-5] for file in files if file.name.endswith(".yaml")))


def load_rubric(name: str | Path) -> Rubric:
    """A built-in rubric by name, or one of your own by path.

    Raises:
        RubricError: There is no such rubric, or it is wrong: with file, line and remedy.

    >>> len(load_rubric("treatment").criteria)
    6
    """
    if str(name) in list_rubrics():
        return _load_built_in(str(name))
    if str(name) == "other":
        raise RubricError(
            "items of track 'other', a task of your own, have no rubric in this package",
            remedy="Give the rubric of the task: rubric=..., or --rubric on the command line",
        )
    path = Path(name)
    if not path.is_file():
        known = ", ".join(list_rubrics())
        raise RubricError(
            f"there is no rubric {str(name)!r}",
            remedy=f"Give the path of a YAML file, or one of: {known}",
        )
    return parse_rubric(path, file=str(path))


def track_of(rubric: Rubric | str | Path | None) -> Track | None:
    """The track that a rubric decides for items that name none; ``None`` without a rubric."""
    if rubric is None:
        return None
    return (rubric if isinstance(rubric, Rubric) else load_rubric(rubric)).track


@cache
def _load_built_in(name: str) -> Rubric:
    text = (resources.files("mmrare_judge.rubrics") / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_rubric(text, file=f"{name}.yaml")


def parse_rubric(source: str | Path, *, file: str = "rubric") -> Rubric:
    """Read a rubric.

    Args:
        source: Its YAML text, or the `Path` of its file.
        file: What errors call it.

    Raises:
        RubricError: The rubric is wrong: with file, line and remedy.
    """
    from mmrare_judge.yaml import YamlError, read_settings  # PyYAML is slow to import

    try:
        settings = read_settings(source)
    except YamlError as error:
        raise RubricError(str(error), file=file, line=error.line) from error
    try:
        rubric = Rubric.model_validate(settings.data)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what helps.
        first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
        context: dict[str, Any] = first.get("ctx", {})
        path = tuple(context.get("path", first["loc"]))
        problem = context.get("problem") or str(problem_in(error))
        remedy = context.get("remedy", "")
        raise RubricError(problem, remedy=remedy, file=file, line=settings.line(path)) from error
    _warn_of_no_needs(rubric, file)
    return rubric


@cache
def _warn_of_no_needs(rubric: Rubric, file: str) -> None:
    """Say once what is legal and looks mistaken: the judge sees no field of the item for it."""
    lacking = [criterion.id for criterion in rubric.criteria if not criterion.needs]
    lacking = [id for id in lacking if rubric.criterion(id).for_each is None]
    if lacking:
        _log.warning(
            "%s: criterion %s names no needs: of the item the judge is shown only what other "
            "criteria need. Write needs: [question, answer], or whatever the judge has to see",
            file,
            ", ".join(map(repr, lacking)),
        )


def describe_rubric(name: str) -> str:
    """A rubric as readable text.

    >>> describe_rubric("diagnosis").splitlines()[0]
    'diagnosis 1.0: Diagnosis, three yes-or-no criteria with a cascade'
    """
    rubric = load_rubric(name)
    lines = [f"{rubric.id} {rubric.version}: {rubric.title}", f"track {rubric.track}", rubric.hash]
    lines += ["", rubric.source, "", rubric.instructions]
    for criterion in rubric.criteria:
        share = criterion.weight / rubric.total_weight
        lines.append(f"{criterion.id} ({criterion.kind}, weight {share} of the score)")
        lines.append(f"  {criterion.question}")
        lines.append(f"  reads: {', '.join(criterion.needs)}")
        for label, level in criterion.levels.items():
            quote = ", quote needed" if level.quote else ""
            lines.append(f"  {label} ({level.points} points{quote}): {level.meaning}")
        if criterion.for_each:
            lines.append(f"  one verdict for each entry of {criterion.for_each}")
        lines.append("")
    return "\n".join(lines)
