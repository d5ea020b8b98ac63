"""What is decided about a study: its options, and the plan that declares them beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

from mmrare_judge.calibration.analyses.alt_test import Scoring
from mmrare_judge.calibration.gold.consensus import ConsensusRule
from mmrare_judge.calibration.statistics.bootstrap import RESAMPLING, Resampling
from mmrare_judge.calibration.statistics.table import STATISTICS
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record, canonical_json, content_hash, problem_in, today
from mmrare_judge.rubric.model import Rubric

LARGE_MARGIN = 0.2
"""A margin above it needs a reason."""


class GoldSource(Record):
    """What is known of the gold labels beside the labels themselves.

    Attributes:
        name: What they are called.
        source: Where they come from.
        licence: On which terms.
        population: What was rated: which cases, from where, when. This and what follows goes into
            the checklist for reviewers (GRRAS).
        raters: Who rated: how many, of which specialty, how chosen.
        training: How raters were trained, and their experience.
        blinding: What raters did not see.
        sampling: How units and raters were chosen, and how many were planned.
        independence: Whether raters worked alone, and when they talked.
        registration: Where the study was registered, and when.
    """

    name: str = "gold labels"
    source: str = "not stated"
    licence: str = "not stated"
    population: str = ""
    raters: str = ""
    training: str = ""
    blinding: str = ""
    sampling: str = ""
    independence: str = ""
    registration: str = ""


class Split(Record):
    """Which cases were used to make or to choose the judge; a verdict rests on the others.

    Attributes:
        tuning: The share of the cases that was drawn for it, 0 to 1; 1 for all.
        seed: Of the draw.
        strata: A metadata field of the items within whose values the draw was made.
        cases: Cases that were used, by name, beside those drawn.
        used: What was chosen by them: wording, thresholds, few-shot examples, the judge.
        note: What else a reader should know, such as what was found on cases elsewhere.
    """

    tuning: float = Field(default=0.0, ge=0, le=1)
    seed: int = 0
    strata: str | None = None
    cases: tuple[str, ...] = ()
    used: str = ""
    note: str = ""


class StudyOptions(Record):
    """The choices of a calibration study; the margin belongs here, before the labels are seen.

    Attributes:
        title: The report's title; made from judge and rubric if left out.
        judge: Which judge is studied, where the grades are those of several.
        statistic: The main statistic, by which judge and clinicians are compared.
        score_statistic: The same for whole rubric scores, which are numbers.
        margin: By how much the judge may agree worse with clinicians than they do with each other,
            in units of ``statistic``; without it nothing is tested, and the verdict stays open.
        margin_reason: Why that much is acceptable; needed above 0.2.
        max_missed_harm: The greatest share of confirmed violations that may pass, 0 to 1. Without
            it a rubric with safety criteria gets no good verdict.
        min_coverage: The least share of units with a verdict that a good verdict needs, on every
            criterion.
        max_unasked: The greatest share of predictions with gold that the judge could not be asked
            about; above it there is no verdict.
        consensus: How clinicians' labels are taken together.
        adjudicator: A rater who settles ties and counts in nothing else.
        scoring: How the alternative annotator test measures nearness.
        min_units: The least number of units a clinician needs in that test.
        max_risk: The share of wrong verdicts that a confidence threshold must guarantee.
        split: Which cases were used to make or to choose the judge.
        family: Systems of the judge's own family, for the same-family preference.
        subgroups: Metadata fields of the items by which bias is looked at.
        resampling: How intervals are made.
        cases: How many disagreements the report tells in full.
        gold: Name, source and licence of the gold labels.
        dated: The date of the study.
    """

    title: str = ""
    judge: str | None = None
    statistic: str = "cohen_kappa"
    score_statistic: Literal["icc_2_1", "icc_3_1", "spearman", "kendall_tau_b", "mae"] = "icc_2_1"
    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    margin_reason: str = ""
    max_missed_harm: float | None = Field(default=None, gt=0, lt=1)
    min_coverage: float = Field(default=0.9, ge=0, le=1)
    max_unasked: float = Field(default=0.1, ge=0, le=1)
    consensus: ConsensusRule = "majority"
    adjudicator: str | None = None
    scoring: Scoring = "accuracy"
    min_units: int = Field(default=30, ge=2)
    max_risk: float = Field(default=0.1, gt=0, lt=1)
    split: Split | None = None
    family: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    resampling: Resampling = RESAMPLING
    cases: int = Field(default=10, ge=0)
    gold: GoldSource = GoldSource()
    dated: date = Field(default_factory=today)

    @field_validator("statistic")
    @classmethod
    def _comparable(cls, name: str) -> str:
        known = [row.name for row in STATISTICS.values() if row.higher_is_better is not None]
        if name not in known:
            raise ValueError(f"{name!r} cannot compare judge and clinicians; {', '.join(known)} do")
        return name

    @model_validator(mode="after")
    def _margin_is_small(self) -> StudyOptions:
        row, margin = STATISTICS[self.statistic], self.margin or 0.0
        most = row.high - max(row.low, -1.0)
        if margin > most:
            raise ValueError(
                f"a margin of {margin:g} is above the largest possible difference of "
                f"{row.title}, {most:g}; {margin:g} per cent is {margin / 100:g}"
            )
        if isfinite(most) and margin > LARGE_MARGIN and not self.margin_reason.strip():
            likely = f"; {margin:g} per cent is {margin / 100:g}" if margin >= 1 else ""
            raise ValueError(
                f"a margin of {margin:g} is above {LARGE_MARGIN:g}, which needs a reason in "
                f"writing: give margin_reason (--margin-reason){likely}"
            )
        return self


class StudyPlan(Record):
    """What is decided before anyone compares a label with a verdict, with its date.

    Attributes:
        format: Version of this record.
        dated: The day it was written.
        options: What is decided; the report's title and the like are not.
        rubric: The rubric's id.
        rubric_hash: Hash of its whole content.
        gold: What the gold labels are called.
    """

    format: int = 1
    dated: date
    options: Mapping[str, JsonValue]
    rubric: str
    rubric_hash: str
    gold: str = "gold labels"

    @cached_property
    def hash(self) -> str:
        """Tagged hash of the whole content: what to register or commit."""
        return content_hash(self.model_dump(mode="json"))

    def check(self, options: StudyOptions, rubric: Rubric) -> None:
        """Check that a study does what was planned.

        Raises:
            InputError: It does not, or the plan is younger than the study.
        """
        if self.dated > options.dated:
            raise InputError(f"the plan is of {self.dated}, after the study of {options.dated}")
        if self.rubric_hash != rubric.hash:
            raise InputError(
                f"the plan is for {self.rubric} ({self.rubric_hash}), and this is {rubric.id} "
                f"{rubric.version} ({rubric.hash})"
            )
        now = declared(options)
        for name in sorted({*self.options, *now}):
            if self.options.get(name) != now.get(name):
                raise InputError(
                    f"the plan declares {name} {canonical_json(self.options.get(name))}, and this "
                    f"study has {canonical_json(now.get(name))}",
                    remedy="Study by the plan, or without one: then all is given with the analysis",
                )


NOT_DECLARED = {"title", "judge", "cases", "gold", "dated"}
"""Options that move no number."""


def declared(options: StudyOptions) -> dict[str, JsonValue]:
    """The options that a plan declares."""
    return options.model_dump(mode="json", exclude=NOT_DECLARED)


def plan_of(options: StudyOptions, rubric: Rubric, *, dated: date | None = None) -> StudyPlan:
    """The plan of a study with these options; of today, unless it is dated.

    Raises:
        InputError: They name no margin.
    """
    if options.margin is None:
        raise InputError("a plan without a margin decides nothing", remedy="Give options.margin")
    return StudyPlan(
        dated=dated or today(),
        options=declared(options),
        rubric=rubric.id,
        rubric_hash=rubric.hash,
        gold=options.gold.name,
    )


def read_plan(path: str | Path) -> StudyPlan:
    """Read a plan that `mmrare-judge plan study` wrote.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return StudyPlan.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error
    except ValidationError as error:
        problem = problem_in(error)
        raise InputError(problem.what, file=str(path), field=problem.field or None) from error
