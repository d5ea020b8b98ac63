"""The verdict of a study in plain sentences, the most important one first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmrare_judge.calibration.correct import CorrectedScore
from mmrare_judge.calibration.estimate import Estimate
from mmrare_judge.calibration.report_blocks import Key, Tone
from mmrare_judge.calibration.report_findings import CriterionFindings, Findings
from mmrare_judge.calibration.report_text import ends, number, percent, signed, with_ends
from mmrare_judge.calibration.statistics_table import statistic


@dataclass(frozen=True)
class Decision:
    """Whether the judge may stand in for clinicians, and the sentences that say so."""

    tone: Tone
    sentences: tuple[str, ...]


def decision(findings: Findings, margin: float | None, clinicians: int) -> Decision:
    """Decide from everything that was found.

    ``good``: on every criterion the judge is non-inferior by the margin declared beforehand, and
    nothing is degenerate. ``bad``: on some criterion it is inferior, or it is degenerate. ``open``:
    everything else; the sentences say what is lacking.
    """
    tested = [one for one in findings.criteria if one.kind != "overall"]
    tone = _tone(tested, findings.remarks, margin)
    sentences = [_answer(tested, tone, findings.statistic, margin, clinicians)]
    if findings.remarks:
        sentences.append(f"It is degenerate: {findings.remarks[0]}{_more(findings.remarks)}")
    sentences += [*_lenient(findings), *_harmed(findings), *_alternative(findings)]
    sentences += _scored(findings)
    return Decision(tone, tuple(sentences))


def keys(findings: Findings) -> tuple[Key, ...]:
    """A few numbers at a glance."""
    title = statistic(findings.statistic).title
    found = [_key(title, one) for one in findings.criteria if _main(one, findings.statistic)]
    for (name, what), harm in findings.harm:
        if what == "missed harm" and harm.value is not None:
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


def _tone(tested: Sequence[CriterionFindings], remarks: Sequence[str], margin: object) -> Tone:
    verdicts = [one.non_inferiority.verdict if one.non_inferiority else "" for one in tested]
    if remarks or "inferior" in verdicts:
        return "bad"
    proven = margin is not None and verdicts and set(verdicts) == {"non-inferior"}
    return "good" if proven else "open"


def _answer(
    tested: Sequence[CriterionFindings], tone: Tone, name: str, margin: float | None, raters: int
) -> str:
    title = statistic(name).title
    if margin is None:
        return (
            "Whether this judge may stand in for clinicians is not decided here: no margin was "
            f"declared beforehand, so its agreement ({title}) is shown beside theirs, untested."
        )
    if raters < 2:
        return (
            "Whether this judge may stand in for clinicians cannot be told: one clinician alone "
            "shows no human ceiling to measure it by."
        )
    by = {
        verdict: [
            o.name for o in tested if o.non_inferiority and o.non_inferiority.verdict == verdict
        ]
        for verdict in _WORDS
    }
    if tone == "good":
        return (
            "This judge may stand in for a clinician: on every criterion it agrees with clinicians "
            f"as well as they do with each other, up to the declared margin of {margin:g} "
            f"({title})."
        )
    parts = [
        f"{words} {', '.join(by[verdict])}" for verdict, words in _WORDS.items() if by[verdict]
    ]
    found = "; ".join(parts) or "untested"
    return f"{_HEADS[tone]} with a margin of {margin:g} ({title}) it is {found}."


_WORDS = {
    "inferior": "inferior to a clinician on",
    "inconclusive": "not decided by these labels on",
    "undefined": "not measurable on",
    "non-inferior": "non-inferior on",
}
_HEADS = {
    "bad": "This judge may not stand in for clinicians:",
    "open": "Whether this judge may stand in for clinicians is not proven:",
}


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
        if what != "missed harm":
            continue
        if harm.value is None:
            yield f"Missed harm on {name} is not known: {harm.reason}."
        else:
            yield (
                f"Of {harm.n} violations of {name} that clinicians confirmed it let "
                f"{percent(harm.value)} pass (95 % interval {_percents(harm)})."
            )


def _percents(estimate: Estimate) -> str:
    interval = estimate.interval
    return "unknown" if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"


def _alternative(findings: Findings) -> Iterator[str]:
    tests = [one for one in findings.criteria if one.alternative is not None]
    if not tests:
        return
    chosen = next((one for one in tests if one.kind == "overall"), tests[0])
    test = chosen.alternative
    passed = [row.epsilon for row in test.grid if row.passed] if test else []
    kappa = "unknown" if test is None or test.kappa is None else with_ends(test.kappa, 2)
    least = f"passes from epsilon {min(passed):g} on" if passed else "passes at no epsilon"
    yield f"The alternative annotator test on {chosen.name} {least}; kappa beside it is {kappa}."


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
