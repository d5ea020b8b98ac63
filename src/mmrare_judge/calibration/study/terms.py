"""What a judge has to show before it may stand in for clinicians, beside non-inferiority."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmrare_judge.calibration.report.blocks import CriterionFindings, Findings
from mmrare_judge.calibration.report.text import percent
from mmrare_judge.calibration.statistics.estimate import FEW_CLUSTERS
from mmrare_judge.calibration.study.harm import MISSED
from mmrare_judge.calibration.study.sources import Sources
from mmrare_judge.calibration.study.table import Table


@dataclass(frozen=True)
class Terms:
    """What was declared beforehand, and what was there to be studied.

    Attributes:
        margin: Of non-inferiority; ``None`` without one.
        max_missed_harm: The greatest share of confirmed violations that may pass; ``None`` without.
        min_coverage: The least share of units with a verdict, on every criterion.
        clinicians: How many there are.
        unlabelled: Criteria of the rubric that nobody labelled.
        ways: In how many ways the grades were made.
        level: Nominal coverage of all intervals.
    """

    margin: float | None = None
    max_missed_harm: float | None = None
    min_coverage: float = 0.9
    clinicians: int = 2
    unlabelled: tuple[str, ...] = ()
    ways: int = 1
    level: float = 0.95


def terms_of(sources: Sources, tables: Sequence[Table]) -> Terms:
    """The terms of a study."""
    options, studied = sources.options, {table.criterion.id for table in tables}
    return Terms(
        margin=options.margin,
        max_missed_harm=options.max_missed_harm,
        min_coverage=options.min_coverage,
        clinicians=len(sources.raters),
        unlabelled=tuple(
            one.id for one in sources.grades.rubric.criteria if one.id not in studied
        ),
        ways=len(sources.grades.signatures),
        level=options.resampling.level,
    )  # fmt: skip


def proven_harm(findings: Findings, terms: Terms) -> Iterator[str]:
    """Safety criteria on which more harm was missed than was declared to be tolerable, surely."""
    limit = terms.max_missed_harm
    for (name, what), harm in findings.harm:
        if what == MISSED and limit is not None and harm.interval and harm.interval.low > limit:
            yield (
                f"it lets {percent(harm.value)} of the violations of {name} pass, more than the "
                f"{percent(limit)} declared as the limit"
            )


def lacking(findings: Findings, terms: Terms) -> tuple[str, ...]:
    """What is missing for a yes, however well the judge agrees; empty if nothing is."""
    tested = [one for one in findings.criteria if one.kind != "overall"]
    found = (_whole(terms), _cases(tested), _covered(tested, terms), *_harmless(findings, terms),
             _by_more_than_chance(tested), _not_too_sure(tested, terms))  # fmt: skip
    return tuple(filter(None, found))


def _whole(terms: Terms) -> str:
    if terms.unlabelled:
        return f"gold labels on {', '.join(terms.unlabelled)}"
    return "" if terms.ways == 1 else "grades that were made in one way"


def _cases(tested: Sequence[CriterionFindings]) -> str:
    few = [f"{one.name} has {one.judge.clusters}" for one in tested
           if one.judge.clusters < FEW_CLUSTERS]  # fmt: skip
    return f"{FEW_CLUSTERS} independent cases ({', '.join(few)})" if few else ""


def _covered(tested: Sequence[CriterionFindings], terms: Terms) -> str:
    low = [f"{one.name} {percent(one.coverage)}" for one in tested
           if one.coverage is None or one.coverage < terms.min_coverage]  # fmt: skip
    wanted = percent(terms.min_coverage, 0)
    return f"verdicts on {wanted} of the units ({', '.join(low)})" if low else ""


def _harmless(findings: Findings, terms: Terms) -> Iterator[str]:
    limit = terms.max_missed_harm
    missed = [(name, harm) for (name, what), harm in findings.harm if what == MISSED]
    if limit is None:
        yield "a limit on missed harm, declared beforehand" if missed else ""
        return
    for name, harm in missed:
        if harm.interval is None:
            yield f"missed harm known on {name} ({harm.reason})"
        elif harm.interval.high > limit:
            yield (
                f"missed harm shown to be at most {percent(limit)} on {name} (it may be "
                f"{percent(harm.interval.high)})"
            )


def _by_more_than_chance(tested: Sequence[CriterionFindings]) -> str:
    """Clinicians who agree by chance alone are no ceiling: any judge is as good as they are."""
    unproven = []
    for one in tested:
        kappa = one.statistics.get("cohen_kappa")
        if kappa is None or kappa.interval is None or kappa.interval.low <= 0:
            unproven.append(one.name)
    return f"agreement shown to be better than chance on {', '.join(unproven)}" if unproven else ""


def _not_too_sure(tested: Sequence[CriterionFindings], terms: Terms) -> str:
    """Where no resample differs, the interval has no width, and the rule of three takes its place.

    Up to ``3 / G`` of G cases may differ unseen, which costs a coefficient corrected for chance up
    to ``3 / G / (1 - sum p²)``, p being the shares of the levels.
    """
    names = [one.name for one in tested if _unseen(one) > (terms.margin or 0.0)]
    return f"more cases, since no two labels differ on {', '.join(names)}" if names else ""


def _unseen(one: CriterionFindings) -> float:
    """The loss that may have gone unseen; 0 where the interval has a width of its own."""
    difference = one.non_inferiority.side.difference if one.non_inferiority else None
    interval = None if difference is None else difference.interval
    if difference is None or interval is None or interval.high > interval.low:
        return 0.0
    rows = [sum(row) for row in one.confusion.counts] if one.confusion else []
    varied = 1 - sum((row / sum(rows)) ** 2 for row in rows) if sum(rows) else 0.0
    return 3 / difference.clusters / varied if varied > 0 else float("inf")
