"""The verdict of a study in plain sentences, the most important one first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmrare_judge._version import __version__
from mmrare_judge.calibration.analyses.alt_test import AltTest
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.report.blocks import (
    CaseBlock,
    CriterionFindings,
    Findings,
    Key,
    Quote,
    Tone,
)
from mmrare_judge.calibration.report.text import ends, number, percent, signed, with_ends
from mmrare_judge.calibration.statistics.estimate import FEW_CLUSTERS, Estimate
from mmrare_judge.calibration.statistics.table import statistic
from mmrare_judge.calibration.study.findings import MISSED
from mmrare_judge.calibration.study.inputs import StudyInputs, UnitTable
from mmrare_judge.judging.grade import Verdict
from mmrare_judge.rubric.model import Criterion

# FOLDED calibration.study.terms: What a judge has to show before it may stand in for clinicians, beside non-inferiority.


@dataclass(frozen=True)
class Conditions:
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


def terms_of(sources: StudyInputs, tables: Sequence[UnitTable]) -> Conditions:
    """The terms of a study."""
    options, studied = sources.options, {table.criterion.id for table in tables}
    return Conditions(
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


def proven_harm(findings: Findings, terms: Conditions) -> Iterator[str]:
    """Safety criteria on which more harm was missed than was declared to be tolerable, surely."""
    limit = terms.max_missed_harm
    for (name, what), harm in findings.harm:
        if what == MISSED and limit is not None and harm.interval and harm.interval.low > limit:
            yield (
                f"it lets {percent(harm.value)} of the violations of {name} pass, more than the "
                f"{percent(limit)} declared as the limit"
            )


def lacking(findings: Findings, terms: Conditions) -> tuple[str, ...]:
    """What is missing for a yes, however well the judge agrees; empty if nothing is."""
    tested = [one for one in findings.criteria if one.kind != "overall"]
    found = (_whole(terms), _cases(tested), _covered(tested, terms), *_harmless(findings, terms),
             _by_more_than_chance(tested), _not_too_sure(tested, terms))  # fmt: skip
    return tuple(filter(None, found))


def _whole(terms: Conditions) -> str:
    if terms.unlabelled:
        return f"gold labels on {', '.join(terms.unlabelled)}"
    return "" if terms.ways == 1 else "grades that were made in one way"


def _cases(tested: Sequence[CriterionFindings]) -> str:
    few = [f"{one.name} has {one.judge.clusters}" for one in tested
           if one.judge.clusters < FEW_CLUSTERS]  # fmt: skip
    return f"{FEW_CLUSTERS} independent cases ({', '.join(few)})" if few else ""


def _covered(tested: Sequence[CriterionFindings], terms: Conditions) -> str:
    low = [f"{one.name} {percent(one.coverage)}" for one in tested
           if one.coverage is None or one.coverage < terms.min_coverage]  # fmt: skip
    wanted = percent(terms.min_coverage, 0)
    return f"verdicts on {wanted} of the units ({', '.join(low)})" if low else ""


def _harmless(findings: Findings, terms: Conditions) -> Iterator[str]:
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


def _not_too_sure(tested: Sequence[CriterionFindings], terms: Conditions) -> str:
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


@dataclass(frozen=True)
class Decision:
    """Whether the judge may stand in for clinicians, and the sentences that say so."""

    tone: Tone
    sentences: tuple[str, ...]


def decision(findings: Findings, terms: Conditions) -> Decision:
    """Decide from everything that was found.

    ``bad``: on some criterion the judge is inferior, misses surely more harm than was declared to
    be tolerable, or it is degenerate. ``good``: on every criterion of the rubric it is non-inferior
    by the margin declared beforehand, and nothing is `lacking`. ``open``: everything else; the
    sentences say what is lacking.
    """
    by, lacks = _by_verdict(findings), lacking(findings, terms)
    reasons = [*_inferior(by, findings.statistic, terms), *proven_harm(findings, terms)]
    reasons += ["it is degenerate"] if findings.remarks else []
    proven = terms.margin is not None and set(by) == {"non-inferior"} and not lacks
    tone: Tone = "bad" if reasons else "good" if proven else "open"
    sentences = [_answer(tone, reasons, by, findings.statistic, terms)]
    if tone == "open" and lacks:
        sentences.append(f"Lacking for a yes: {'; '.join(lacks)}.")
    if findings.remarks:
        sentences.append(f"It is degenerate: {findings.remarks[0]}{_more(findings.remarks)}")
    sentences += [*_lenient(findings), *_harmed(findings), *_alternative(findings)]
    return Decision(tone, (*sentences, *_scored(findings)))


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


def _inferior(by: Mapping[str, Sequence[str]], name: str, terms: Conditions) -> Iterator[str]:
    if "inferior" in by:
        yield f"with {_margin(name, terms)} it is {_listed(by)}"


def _answer(
    tone: Tone,
    reasons: Sequence[str],
    by: Mapping[str, Sequence[str]],
    name: str,
    terms: Conditions,
) -> str:
    if tone == "bad":
        return f"This judge may not stand in for clinicians: {'; and '.join(reasons)}."
    if tone == "good":
        return (
            "This judge may stand in for a clinician: on every criterion it agrees with clinicians "
            f"as well as they do with each other, up to the declared {_margin(name, terms)[2:]}."
        )
    if terms.margin is None:
        return (
            "Whether this judge may stand in for clinicians is not decided here: no margin was "
            f"declared beforehand, so its agreement ({statistic(name).title}) is shown beside "
            "theirs, untested."
        )
    if terms.clinicians < 2:
        return (
            "Whether this judge may stand in for clinicians cannot be told: one clinician alone "
            "shows no human ceiling to measure it by."
        )
    return (
        "Whether this judge may stand in for clinicians is not proven: with "
        f"{_margin(name, terms)} it is {_listed(by)}."
    )


def _margin(name: str, terms: Conditions) -> str:
    by = statistic(name).title
    if terms.level != 0.95:
        by += f", {percent(terms.level, 0)} intervals"
    return f"a margin of {terms.margin:g} ({by})"


def _listed(by: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{_WORDS[verdict]} {', '.join(names)}" for verdict, names in by.items())


def _more(remarks: Sequence[str]) -> str:
    return f" And {len(remarks) - 1} more below." if len(remarks) > 1 else ""


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
    for (name, what), harm in findings.harm:
        if what != MISSED:
            continue
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
    if not tests:
        return
    chosen, test = next((pair for pair in tests if pair[0].kind == "overall"), tests[0])
    kappa = "unknown" if test.kappa is None else with_ends(test.kappa, 2)
    beside = f"kappa beside it is {kappa}"
    yield f"The alternative annotator test on {chosen.name} {_passed(test)}; {beside}."


def _passed(test: AltTest) -> str:
    if all(row.passed is None for row in test.grid):
        return f"cannot be made ({test.reason})"
    passed = [row.epsilon for row in test.grid if row.passed]
    return f"passes from epsilon {min(passed):g} on" if passed else "passes at no epsilon"


def _scored(findings: Findings) -> Iterator[str]:
    scores: list[tuple[str, CorrectedScore]] = list(findings.corrected.items())[:1]
    for name, score in scores:
        if score.ppi.value is not None:
            yield (
                f"The score to print for {name} is {with_ends(score.ppi)}, {_mended(score)}; as "
                f"the judge gave it, it is {number(score.raw.value)}."
            )


def _mended(score: CorrectedScore) -> str:
    if score.with_gold == score.graded:
        return "which is the clinicians' own mean, since every prediction has gold"
    if not any(score.lam.values()):
        return f"which is that of {_gold(score)} alone: the judge does not help"
    return f"corrected by {_gold(score)}"


def _gold(score: CorrectedScore) -> str:
    return f"gold on {score.with_gold:,} of {score.graded:,} predictions"


# FOLDED calibration.study.design: How a study was made, and what to beware of: the last pages of its report.

Facts = tuple[tuple[str, str], ...]


def facts(sources: StudyInputs) -> Facts:
    """What the study is about, for the head of its report."""
    grades, options, count = sources.grades, sources.options, len(sources.raters)
    return (
        ("Judge", "; ".join(one.short() for one in grades.signatures) or grades.judge),
        ("Gold", f"{options.gold.name}: {count} clinician{'s' if count > 1 else ''}, "
                 f"{len(sources.gold.units):,} units"),
        ("Date", options.dated.isoformat()),
    )  # fmt: skip


def design(sources: StudyInputs, tables: Sequence[UnitTable]) -> Facts:
    """How the study was made."""
    gold, grades, options = sources.gold, sources.grades, sources.options
    resampling = options.resampling
    return (
        ("gold labels", f"{options.gold.name}; source: {options.gold.source}; licence: "
                        f"{options.gold.licence}"),
        ("hash of the gold labels", gold.hash),
        ("clinicians", ", ".join(sources.raters)),
        ("ties", _ties(sources, tables)),
        ("cases", f"{len({label.cluster for label in gold.labels}):,}, of "
                  f"{len({label.item for label in gold.labels}):,} items"),
        ("graded predictions", f"{len(grades.first):,}, of {len(grades.systems)} systems"),
        ("units with gold", "; ".join(f"{t.criterion.id} {t.with_gold:,}" for t in tables)),
        ("main statistic", options.statistic),
        ("margin of non-inferiority", _design_margin(sources)),
        ("intervals", f"{resampling.method} bootstrap over cases, {resampling.resamples:,} "
                      f"resamples, seed {resampling.seed}, {resampling.level:.0%}; jackknife-t "
                      f"below {FEW_CLUSTERS} cases"),
        ("rubric", f"{grades.rubric.id} {grades.rubric.version}, {grades.rubric.hash}"),
        ("package", f"mmrare-judge {__version__}"),
    )  # fmt: skip


def caveats(sources: StudyInputs, tables: Sequence[UnitTable]) -> tuple[str, ...]:
    """What to beware of, as far as it can be read off the data."""
    return tuple(_caveats(sources, tables))


def _ties(sources: StudyInputs, tables: Sequence[UnitTable]) -> str:
    by_note: dict[str, list[str]] = {}
    for table in tables:
        by_note.setdefault(table.together.note, []).append(table.criterion.id)
    if len(by_note) == 1:
        return next(iter(by_note))
    return ". ".join(f"{', '.join(names)}: {note}" for note, names in by_note.items())


def _design_margin(sources: StudyInputs) -> str:
    margin = sources.options.margin
    return "none was declared" if margin is None else f"{margin:g}, declared beforehand"


def _caveats(sources: StudyInputs, tables: Sequence[UnitTable]) -> Iterator[str]:
    grades, gold = sources.grades, sources.gold
    ungraded = {unit[:2] for unit in gold.units} - grades.first.keys()
    if ungraded:
        yield f"{len(ungraded)} predictions with gold labels were not graded; they are left out."
    if grades.unscored:
        kinds = ", ".join(f"{kind} {count}" for kind, count in grades.unscored.items())
        lost = sum(grades.unscored.values())
        yield f"The judge could not be asked about {lost} predictions: {kinds}."
    if len(grades.signatures) > 1:
        yield (
            f"The grades were made in {len(grades.signatures)} ways; a certificate needs one. "
            "Grade anew with one judge, one rubric and one package version."
        )
    blank = sum(grade.empty for grade in grades.first.values())
    if blank:
        yield (
            f"{blank} predictions were blank: the judge was not asked. They score 0 by rule, which "
            "counts in scores, and in nothing that is said of the judge."
        )
    studied = {table.criterion.id for table in tables}
    unlabelled = [one.id for one in grades.rubric.criteria if one.id not in studied]
    if unlabelled:
        yield (
            f"No graded prediction has gold on {', '.join(unlabelled)}: nothing is known of the "
            "judge there."
        )
    yield from _split(tables)
    cases = len({case for table in tables for case in table.cases})
    if cases < FEW_CLUSTERS:
        yield f"There are only {cases} independent cases: intervals are rough."
    if len(sources.raters) == 1:
        yield "There is one clinician: their errors cannot be told from the judge's."
    if gold.inclusion:
        yield (
            "Gold units were not sampled alike: agreement, missed harm and corrected scores are "
            "weighted by inverse inclusion probabilities. Bias, confidence, comparisons with other "
            "judges and the alternative annotator test are not: they speak of the labelled units."
        )


def _split(tables: Sequence[UnitTable]) -> Iterator[str]:
    """Where clinicians have points but no level, what needs a level keeps the easy units."""
    found = []
    for table in tables:
        known = ~np.isnan(table.together.points)
        split = int((known & (table.together.codes < 0)).sum())
        if split:
            found.append(f"{table.criterion.id} ({split} of {int(known.sum())} units)")
    if found:
        yield (
            f"Clinicians are split, and nobody settled it, on {', '.join(found)}: missed harm and "
            "agreement with the clinicians taken together, kappa among it, leave these units out, "
            "and the others are easier. The comparison with every clinician in turn keeps them."
        )


# FOLDED calibration.study.keys: A study's numbers at a glance.


def keys(findings: Findings) -> tuple[Key, ...]:
    """A few numbers at a glance."""
    title = statistic(findings.statistic).title
    found = [_key(title, one) for one in findings.criteria if _main(one, findings.statistic)]
    for (name, what), harm in findings.harm:
        if what == MISSED and harm.value is not None:
            found.append(
                Key(f"Missed harm, {name}", percent(harm.value), f"{ends(harm)}, n {harm.n}")
            )
    found += [
        Key(f"Corrected score, {name}", number(score.ppi.value), f"{ends(score.ppi)}; raw "
            f"{number(score.raw.value)}")
        for name, score in list(findings.corrected.items())[:1]
        if score.ppi.value is not None
    ]  # fmt: skip
    return tuple(found[:6])


def _main(one: CriterionFindings, name: str) -> bool:
    return one.judge.name == name and one.judge.value is not None


def _key(title: str, one: CriterionFindings) -> Key:
    human = one.clinicians
    beside = f"; clinicians {number(human.value, 2)}" if human and human.value is not None else ""
    return Key(f"{title}, {one.name}", number(one.judge.value, 2), f"{ends(one.judge, 2)}{beside}")


# FOLDED calibration.study.cases: The predictions on which judge and clinicians disagree most, told in full.

LONGEST = 1500
"""Characters of one text that a report shows; what is cut is said."""


class _Gap(NamedTuple):
    size: float
    table: UnitTable
    row: int


def worst_cases(sources: StudyInputs, tables: Sequence[UnitTable]) -> tuple[CaseBlock, ...]:
    """The largest differences between judge and clinicians, in points as a share of the best."""
    gaps = sorted(_gaps(tables), key=lambda gap: (-gap.size, gap.table.places[gap.row]))
    return tuple(_case(sources, gap) for gap in gaps[: sources.options.cases])


def _gaps(tables: Sequence[UnitTable]) -> Iterator[_Gap]:
    for table in tables:
        apart = np.abs(table.judge - table.gold)
        for row in np.flatnonzero(np.nan_to_num(apart) > 0):
            yield _Gap(float(apart[row]), table, int(row))


def _case(sources: StudyInputs, gap: _Gap) -> CaseBlock:
    table, place = gap.table, gap.table.places[gap.row]
    item, system = place
    verdict = sources.grades.first[place].verdict(table.criterion.id)
    title = ", ".join(filter(None, (f"Item {item}", system, table.criterion.id)))
    labels = [
        f"{label.rater}: {label.label}"
        for label in sources.gold.labels
        if label.unit == (item, system, table.criterion.id) and label.label is not None
    ]
    facts = (("judge", verdict.level or "–"), ("clinicians", ", ".join(labels)))
    asked = Quote("What was judged", _asked(table.criterion, verdict))
    return CaseBlock(title, facts, (asked, *_quotes(sources, place, verdict)))


def _asked(criterion: Criterion, verdict: Verdict) -> str:
    """The criterion's question, and what it was asked of one by one."""
    elements = [f"- {one.element}: {one.level or one.status}" for one in verdict.elements]
    return _cut("\n".join([criterion.question, *elements]))


def _quotes(sources: StudyInputs, place: tuple[str, str], verdict: Verdict) -> Iterator[Quote]:
    item = sources.items.get(place[0])
    if item is not None and item.question:
        yield Quote("The question", _cut(item.question))
    if item is not None and item.reference.answer:
        yield Quote("The reference", _cut(item.reference.answer))
    if sources.texts.get(place):
        yield Quote("The prediction", _cut(sources.texts[place]))
    if verdict.reasoning:
        yield Quote("The judge's reasoning", _cut(verdict.reasoning))
    quoted = [evidence for one in (verdict, *verdict.elements) for evidence in one.evidence]
    for evidence in quoted:
        where = "found in the prediction" if evidence.found else "not found in the prediction"
        yield Quote(f"Quoted by the judge, {where}", _cut(evidence.quote))


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]} [... {len(text) - LONGEST:,} characters more]"
