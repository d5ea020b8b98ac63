"""The verdict of a study in plain sentences, the most important one first.

`decided` decides, and says why; `lacking` is what a yes needs beside non-inferiority.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mmrare_judge.calibration.analyses.alt_test import AltTest
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.report.blocks import (
    CriterionFindings,
    Findings,
    Tone,
    number,
    percent,
    signed,
    with_ends,
)
from mmrare_judge.calibration.statistics.estimate import FEW_CLUSTERS, Estimate
from mmrare_judge.calibration.statistics.table import statistic
from mmrare_judge.calibration.study.findings import MISSED
from mmrare_judge.calibration.study.inputs import StudyInputs, UnitTable
from mmrare_judge.calibration.study.options import StudyOptions, StudyPlan
from mmrare_judge.calibration.study.remarks import corrected_for_chance


@dataclass(frozen=True)
class Conditions:
    """What was decided, whether beforehand, and what was there to be studied.

    Attributes:
        options: What was decided.
        plan: Where it was declared beforehand; ``None`` where it was given with the analysis.
        clinicians: How many there are.
        unlabelled: Criteria of the rubric that nobody labelled.
        ways: In how many ways the grades were made.
        no_verdict: Why there can be no verdict at all; empty where there can be one.
    """

    options: StudyOptions
    plan: StudyPlan | None = None
    clinicians: int = 2
    unlabelled: tuple[str, ...] = ()
    ways: int = 1
    no_verdict: str = ""

    @property
    def declared(self) -> str:
        """Whether margin and limits were declared beforehand, in words."""
        return "given with the analysis" if self.plan is None else "declared beforehand"


UNJUDGED = "every case with gold was used to make or choose the judge"


def conditions_of(
    inputs: StudyInputs, tables: Sequence[UnitTable], *, judged: bool = True
) -> Conditions:
    """The conditions of a study; not ``judged`` where no case was left to test the judge on."""
    studied = {table.criterion.id for table in tables}
    unlabelled = tuple(o.id for o in inputs.grades.rubric.criteria if o.id not in studied)
    return Conditions(
        inputs.options, inputs.plan, len(inputs.raters), unlabelled, len(inputs.grades.signatures),
        no_verdict=_unasked(inputs) if judged else UNJUDGED,
    )  # fmt: skip


def _unasked(inputs: StudyInputs) -> str:
    """Whether the judge could be asked too seldom for anything to be said of it."""
    lost, total, most = inputs.unasked, len(inputs.with_gold), inputs.options.max_unasked
    if lost.total() <= most * total:
        return ""
    kinds = ", ".join(f"{kind} {count}" for kind, count in lost.items())
    return (
        f"the judge could not be asked about {lost.total()} of {total} predictions with gold "
        f"({kinds}), and at most {percent(most, 0)} may be missing"
    )


def decided(findings: Findings, conditions: Conditions) -> Findings:
    """The same findings with a verdict: its tone, and the sentences that say why.

    ``bad``: on some criterion the judge is inferior, or misses surely more harm than was declared
    to be tolerable. ``good``: on every criterion of the rubric it is non-inferior by the margin,
    and nothing is `lacking`. ``open``: everything else; the sentences say what is lacking. Remarks
    decide nothing.
    """
    if conditions.no_verdict:
        sentences = [f"There is no verdict: {conditions.no_verdict}."]
        if conditions.no_verdict == UNJUDGED:  # what was measured stands, as an upper bound
            sentences += [*_reached(findings), *_details(findings)]
            change = "Gold on cases that had no part in making or choosing the judge."
        else:
            change = "Answers on the predictions that the judge could not be asked about."
        return replace(findings, tone="open", verdict=tuple(sentences), would_change=(change,))
    by, lacks = _by_verdict(findings), lacking(findings, conditions)
    margin = _margin(findings.statistic, conditions)
    reasons = [f"with {margin} it is {_listed(by)}"] if "inferior" in by else []
    reasons += [*_proven_harm(findings, conditions)]
    proven = conditions.options.margin is not None and set(by) == {"non-inferior"} and not lacks
    tone: Tone = "bad" if reasons else "good" if proven else "open"
    if tone == "bad":
        answer = f"This judge may not stand in for clinicians: {'; and '.join(reasons)}."
    elif tone == "good":
        answer = (
            "This judge may stand in for a clinician: on every criterion it agrees with clinicians "
            f"as well as they do with each other, up to {margin}, {conditions.declared}."
        )
    else:
        answer = _undecided(by, findings.statistic, conditions)
    sentences = [answer]
    if tone == "open" and lacks:
        sentences.append(f"Lacking for a yes: {'; '.join(lacks)}.")
    sentences += _needed(findings) if tone == "open" else ()
    if findings.remarks:
        more = f" And {count} more below." if (count := len(findings.remarks) - 1) else ""
        sentences.append(f"A remark on this judge: {findings.remarks[0]}{more}")
    return replace(findings, tone=tone, verdict=(*sentences, *_details(findings)))


def _details(findings: Findings) -> Iterator[str]:
    yield from _lenient(findings)
    yield from _harmed(findings)
    yield from _alternative(findings)
    yield from _scored(findings)


def _reached(findings: Findings) -> Iterator[str]:
    """What judge and clinicians reach by the study's statistic, criterion by criterion."""
    for one in findings.criteria:
        if one.kind != "overall" and one.judge.value is not None:
            theirs = f", and theirs {with_ends(one.clinicians, 2)}" if one.clinicians else ""
            yield (
                f"There its {statistic(one.judge.name).title} with clinicians on {one.name} is "
                f"{with_ends(one.judge, 2)}{theirs}."
            )


def _by_verdict(findings: Findings) -> dict[str, list[str]]:
    """The criteria by how they came off in the test, the gravest first."""
    by: dict[str, list[str]] = {verdict: [] for verdict in _WORDS}
    for one in findings.criteria:
        if one.kind != "overall":
            by[one.non_inferiority.verdict if one.non_inferiority else "untested"].append(one.name)
    return {verdict: names for verdict, names in by.items() if names}


_WORDS = {
    "inferior": "inferior to a clinician on",
    "inconclusive": "not decided by these labels on",
    "undefined": "not measurable on",
    "untested": "not tested on",
    "non-inferior": "non-inferior on",
}


def _listed(by: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{_WORDS[verdict]} {', '.join(names)}" for verdict, names in by.items())


def _margin(name: str, conditions: Conditions) -> str:
    by = statistic(name).title
    if conditions.options.resampling.level != 0.95:
        by += f", {percent(conditions.options.resampling.level, 0)} intervals"
    return f"a margin of {conditions.options.margin or 0:g} ({by})"


def _undecided(by: Mapping[str, Sequence[str]], name: str, conditions: Conditions) -> str:
    subject = "Whether this judge may stand in for clinicians"
    if conditions.options.margin is None:
        return (
            f"{subject} is not decided here: no margin was given, so its agreement "
            f"({statistic(name).title}) is shown beside theirs, untested."
        )
    if conditions.clinicians < 2:
        return (
            f"{subject} cannot be told: one clinician alone shows no human ceiling to measure it "
            "by."
        )
    return f"{subject} is not proven: with {_margin(name, conditions)} it is {_listed(by)}."


def _missed(findings: Findings) -> Iterator[tuple[str, Estimate]]:
    """Missed harm by safety criterion."""
    return ((name, harm) for (name, what), harm in findings.harm if what == MISSED)


def _proven_harm(findings: Findings, conditions: Conditions) -> Iterator[str]:
    """Safety criteria on which more harm was missed than was declared to be tolerable, surely."""
    limit = conditions.options.max_missed_harm
    for name, harm in _missed(findings):
        if limit is not None and harm.interval and harm.interval.low > limit:
            yield (
                f"it lets {percent(harm.value)} of the violations of {name} pass, more than the "
                f"limit of {percent(limit)}"
            )


def lacking(findings: Findings, conditions: Conditions) -> tuple[str, ...]:
    """What is missing for a yes, however well the judge agrees; empty if nothing is."""
    tested = [one for one in findings.criteria if one.kind != "overall"]
    found = (_whole(conditions), _enough_cases(tested), _covered(tested, conditions),
             *_harmless(findings, conditions), _by_more_than_chance(tested),
             _below_the_ceiling(tested, conditions))  # fmt: skip
    return tuple(filter(None, found))


def _whole(conditions: Conditions) -> str:
    if conditions.unlabelled:
        return f"gold labels on {', '.join(conditions.unlabelled)}"
    return "" if conditions.ways == 1 else "grades that were made in one way"


def _enough_cases(tested: Sequence[CriterionFindings]) -> str:
    few = [f"{one.name} has {one.judge.clusters}" for one in tested
           if one.judge.clusters < FEW_CLUSTERS]  # fmt: skip
    return f"{FEW_CLUSTERS} independent cases ({', '.join(few)})" if few else ""


def _covered(tested: Sequence[CriterionFindings], conditions: Conditions) -> str:
    low = [f"{one.name} {percent(one.coverage)}" for one in tested
           if one.coverage is None or one.coverage < conditions.options.min_coverage]  # fmt: skip
    wanted = percent(conditions.options.min_coverage, 0)
    return f"verdicts on {wanted} of the units ({', '.join(low)})" if low else ""


def _harmless(findings: Findings, conditions: Conditions) -> Iterator[str]:
    limit, missed = conditions.options.max_missed_harm, dict(_missed(findings))
    if limit is None:
        yield "a limit on missed harm" if missed else ""
        return
    for name, harm in missed.items():
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
        own = corrected_for_chance(statistic(one.judge.name))
        found = one.judge if own else one.statistics.get("cohen_kappa")
        if found is None or found.interval is None or found.interval.low <= 0:
            unproven.append(one.name)
    return f"agreement shown to be better than chance on {', '.join(unproven)}" if unproven else ""


def _below_the_ceiling(tested: Sequence[CriterionFindings], conditions: Conditions) -> str:
    low = ", ".join(above_the_ceiling(tested, conditions.options))
    return f"a margin below the clinicians' own agreement ({low})" if low else ""


def above_the_ceiling(
    tested: Sequence[CriterionFindings], options: StudyOptions
) -> tuple[str, ...]:
    """The criteria on which a judge at chance would be within the margin.

    Only a statistic that is 0 at chance tells, by what clinicians reach among themselves.
    """
    if options.margin is None or not corrected_for_chance(statistic(options.statistic)):
        return ()
    known = [(o.name, o.clinicians.value) for o in tested if o.clinicians and o.kind != "overall"]
    return tuple(
        f"{name} {number(theirs, 2)}" for name, theirs in known
        if theirs is not None and theirs <= options.margin
    )  # fmt: skip


def _needed(findings: Findings) -> Iterator[str]:
    """How many more cases would decide where the test is open."""
    open_ones = [
        f"on {one.name}, {one.non_inferiority.needed}" for one in findings.criteria
        if one.kind != "overall" and one.non_inferiority and one.non_inferiority.needed
    ]  # fmt: skip
    if open_ones:
        yield f"To decide it would take: {'; '.join(open_ones)}."


def _lenient(findings: Findings) -> Iterator[str]:
    groups = [group for family in findings.bias[:1] for group in family.groups]
    told = [
        f"{group.group} ({signed(group.estimate.value, 2)})"
        for group in groups
        if group.p_holm is not None and group.p_holm < 0.05
    ]
    if told:
        yield (
            "It is biased, in points of 0 to 1 against clinicians (lenient +, severe -): "
            f"{', '.join(told)}."
        )


def _harmed(findings: Findings) -> Iterator[str]:
    for name, harm in _missed(findings):
        if harm.value is None:
            yield f"Missed harm on {name} is not known: {harm.reason}."
        else:
            more = f"; on {harm.missing} more it gave no verdict" if harm.missing else ""
            yield (
                f"Of {harm.n} violation{'s' if harm.n > 1 else ''} of {name} that clinicians "
                f"confirmed it let {percent(harm.value)} pass ({_percents(harm)}){more}."
            )


def _percents(estimate: Estimate) -> str:
    interval = estimate.interval
    if interval is None:
        return "no interval"
    ends = f"{percent(interval.low)} to {percent(interval.high)}"
    return f"{percent(interval.level, 0)} interval {ends}"


def _alternative(findings: Findings) -> Iterator[str]:
    tests = [(one, one.alternative) for one in findings.criteria if one.alternative is not None]
    if tests:
        one, test = next((pair for pair in tests if pair[0].kind == "overall"), tests[0])
        yield (
            f"The alternative annotator test on {one.name} {_passed(test)}; "
            f"{statistic(one.judge.name).title} beside it is {with_ends(one.judge, 2)}."
        )


def _passed(test: AltTest) -> str:
    if all(row.passed is None for row in test.grid):
        return f"cannot be made ({test.reason})"
    passed = [row.epsilon for row in test.grid if row.passed]
    return f"passes from epsilon {min(passed):g} on" if passed else "passes at no epsilon"


def _scored(findings: Findings) -> Iterator[str]:
    scores = list(findings.corrected.items())
    for name, score in scores[:1]:
        if score.ppi.value is not None:
            yield (
                f"The score to print for {name} is {with_ends(score.ppi)}, {_mended(score)}; as "
                f"the judge gave it, it is {number(score.raw.value)}."
            )
        elif score.with_gold:
            yield f"There is no score to print for {name}: {score.ppi.reason}."
            given = [f"{one} {with_ends(other.ppi)}" for one, other in scores[1:]
                     if other.ppi.value is not None]  # fmt: skip
            more = f", and {len(given) - MOST} more below" if len(given) > MOST else ""
            if given:
                yield f"There is one for {', '.join(given[:MOST])}{more}."


MOST = 5
"""Scores that a sentence lists."""


def _mended(score: CorrectedScore) -> str:
    if score.with_gold == score.graded:
        return "which is the clinicians' own mean, since every prediction has gold"
    gold = f"gold on {score.with_gold:,} of {score.graded:,} predictions"
    if not any(score.lam.values()):
        return f"which is that of {gold} alone: the judge does not help"
    return f"corrected by {gold}"
