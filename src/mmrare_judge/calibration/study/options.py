"""What is decided before a calibration study looks at a label: `StudyOptions`."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator

from mmrare_judge.calibration.analyses.alt_test import Scoring
from mmrare_judge.calibration.gold.consensus import Rule
from mmrare_judge.calibration.statistics.bootstrap import RESAMPLING, Resampling
from mmrare_judge.calibration.statistics.table import STATISTICS
from mmrare_judge.records import Record, today


class GoldSource(Record):
    """What is known of the gold labels beside the labels themselves.

    Attributes:
        name: What they are called.
        source: Where they come from.
        licence: On which terms.
    """

    name: str = "gold labels"
    source: str = "not stated"
    licence: str = "not stated"


class StudyOptions(Record):
    """The choices of a calibration study; the margin belongs here, before the labels are seen.

    Attributes:
        title: The report's title; made from judge and rubric if left out.
        judge: Which judge is studied, where the grades are those of several.
        statistic: The main statistic, by which judge and clinicians are compared.
        score_statistic: The same for whole rubric scores, which are numbers.
        margin: By how much the judge may agree worse with clinicians than they do with each other,
            in units of ``statistic``; without it nothing is tested, and the verdict stays open.
        max_missed_harm: The greatest share of confirmed violations that may pass, 0 to 1. Without
            it a rubric with safety criteria gets no good verdict.
        min_coverage: The least share of units with a verdict that a good verdict needs, on every
            criterion.
        consensus: How clinicians' labels are taken together.
        adjudicator: A rater who settles ties and counts in nothing else.
        scoring: How the alternative annotator test measures nearness.
        min_units: The least number of units a clinician needs in that test.
        max_risk: The share of wrong verdicts that a confidence threshold must guarantee.
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
    max_missed_harm: float | None = Field(default=None, gt=0, lt=1)
    min_coverage: float = Field(default=0.9, ge=0, le=1)
    consensus: Rule = "majority"
    adjudicator: str | None = None
    scoring: Scoring = "accuracy"
    min_units: int = Field(default=30, ge=2)
    max_risk: float = Field(default=0.1, gt=0, lt=1)
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
