"""The verdict of a study in plain sentences, the most important one first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mmrare_judge.calibration.analyses.alt_test import AltTest
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.report.blocks import Findings, Tone
from mmrare_judge.calibration.report.text import number, percent, signed, with_ends
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.table import statistic
from mmrare_judge.calibration.study.harm import MISSED
from mmrare_judge.calibration.study.terms import Terms, lacking, proven_harm


@dataclass(frozen=True)
class Decision:
    """Whether the judge may stand in for clinicians, and the sentences that say so."""

    tone: Tone
    sentences: tuple[str, ...]


def decision(findings: Findings, terms: Terms) -> Decision:
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


def _inferior(by: Mapping[str, Sequence[str]], name: str, terms: Terms) -> Iterator[str]:
    if "inferior" in by:
        yield f"with {_margin(name, terms)} it is {_listed(by)}"


def _answer(
    tone: Tone, reasons: Sequence[str], by: Mapping[str, Sequence[str]], name: str, terms: Terms
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


def _margin(name: str, terms: Terms) -> str:
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
