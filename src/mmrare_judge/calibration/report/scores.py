"""What a report says of the judge beside its agreement: confidence, bias, corrected scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mmrare_judge.calibration.analyses.confidence import (
    BrierScore,
    ReliabilityBin,
    RiskCoverage,
    Threshold,
)
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.analyses.recalibration import ConfidenceScores, Recalibration
from mmrare_judge.calibration.report.blocks import (
    NONE,
    BiasFindings,
    Block,
    ConfidenceFindings,
    Figure,
    Findings,
    Fold,
    Paragraph,
    Section,
    Table,
    number,
    p_value,
    percent,
)
from mmrare_judge.calibration.report.plots import (
    WAYS,
    bias_plot,
    corrected_plot,
    reliability_plot,
    risk_coverage_plot,
)
from mmrare_judge.calibration.report.tables import Columns, estimates_table, table_of
from mmrare_judge.calibration.statistics.estimate import Estimate

# --- confidence

SHOWN_ROWS = 12
"""Rows of the risk-coverage table; the whole curve is in study.json."""


def confidence(findings: Findings) -> Section:
    """How far a stated confidence can be believed, and what abstaining would buy."""
    found = findings.confidence
    blocks: list[Block] = [_reliability(found.bins, found.missing)]
    if tables := tuple(_goodness(found)):
        blocks.append(Fold("How good the confidence is", tables))
    blocks.append(_risk_coverage(found.curve, found.threshold, found.missing))
    if found.threshold is not None:
        blocks.append(Paragraph(_guarantee(found.threshold)))
    return Section("confidence", "The judge's confidence", tuple(blocks))


def _goodness(found: ConfidenceFindings) -> Iterator[Block]:
    """Proper scores of the confidence, as stated and recalibrated."""
    scores = [] if found.brier is None else [("Brier score (0 is best)", found.brier.score)]
    if rows := [((name,), estimate) for name, estimate in (*scores, *found.scores)]:
        yield estimates_table("How good the confidence is", ("score",), rows)
    if found.brier is not None and found.brier.reliability is not None:
        yield _brier_table(found.brier)
    if found.recalibration is not None:
        yield from _recalibration(found.recalibration)


def _reliability(bins: Sequence[ReliabilityBin], missing: str) -> Figure:
    columns: Columns[ReliabilityBin] = {
        "confidence from": lambda one: number(one.low, 2),
        "to": lambda one: number(one.high, 2),
        "verdicts": lambda one: str(one.n),
        "mean confidence": lambda one: number(one.confidence),
        "share right": lambda one: number(one.share),
        "interval": lambda one: f"{number(one.interval.low)} to {number(one.interval.high)}",
    }
    caption = "Confidence stated, and share of verdicts that clinicians shared"
    return Figure(
        name="reliability",
        title="Is a stated confidence to be believed?",
        caption="On the dotted diagonal, verdicts stated with 0.8 are right eight times in ten. "
        "Below it the judge is surer than it should be.",
        svg=reliability_plot(bins),
        missing=missing,
        table=table_of(caption, columns, bins, words=0) if bins else None,
    )


def _brier_table(brier: BrierScore) -> Table:
    parts = {
        "reliability (0 is best)": brier.reliability,
        "resolution (more is better)": brier.resolution,
        "uncertainty (no merit of the judge)": brier.uncertainty,
        "within bins": brier.within,
    }
    return Table(
        caption="The Brier score: reliability - resolution + uncertainty + within",
        head=("part", "value"),
        rows=tuple((name, number(value)) for name, value in parts.items()),
    )


def _recalibration(found: Recalibration) -> tuple[Block, ...]:
    """A sentence on the map, and how good the confidence is with and without it."""
    if found.recalibrator is None or found.before is None or found.after is None:
        return (Paragraph(f"The confidence was not recalibrated: {found.reason}."),)
    votes = Counter(found.chosen)
    chosen = ", ".join(f"{name} {count}" for name, count in votes.most_common())
    sentence = (
        f"A map from stated to observed confidence ({found.recalibrator.curve.method}) is in "
        f"study.json; the folds by which it was tested chose {chosen}."
    )
    rows = [*_scores("as stated", found.before), *_scores("recalibrated", found.after)]
    if found.gain:
        rows.append((("Brier score", "gain"), found.gain))
    caption = "The confidence as stated, and recalibrated on cases the map has not seen"
    return Paragraph(sentence), estimates_table(caption, ("score", "confidence"), rows)


def _scores(which: str, scores: ConfidenceScores) -> list[tuple[tuple[str, str], Estimate]]:
    named = {"Brier score": scores.brier, "log loss": scores.log_loss, "ECE": scores.ece}
    return [((name, which), estimate) for name, estimate in named.items()]


def _risk_coverage(curve: RiskCoverage, threshold: Threshold | None, missing: str) -> Figure:
    chosen = None
    if threshold is not None and threshold.coverage is not None and threshold.risk is not None:
        chosen = threshold.coverage, threshold.risk
    return Figure(
        name="risk-coverage",
        title="What abstaining would buy",
        caption="The judge decides its surest verdicts and leaves the others to a clinician. "
        "A confidence that tells right from wrong makes the curve rise to the right.",
        svg=risk_coverage_plot(curve.coverage, curve.risk, chosen=chosen),
        missing=curve.reason or missing,
        table=_curve_table(curve) if curve.coverage else None,
    )


def _curve_table(curve: RiskCoverage) -> Table:
    points = list(zip(curve.thresholds, curve.coverage, curve.risk, strict=True))
    shown = [points[step] for step in thinned(len(points), SHOWN_ROWS)]
    some = " (some rows; study.json has all)" if len(shown) < len(points) else ""
    return Table(
        caption=f"Risk and coverage{some}",
        head=("threshold", "coverage", "risk"),
        rows=tuple((number(at), percent(kept), percent(risk)) for at, kept, risk in shown),
        words=0,
    )


def thinned(length: int, most: int) -> list[int]:
    """At most so many places of a sequence, evenly spread, its last among them.

    >>> thinned(10, 4), thinned(3, 4)
    ([0, 3, 6, 9], [0, 1, 2])
    """
    if length <= most:
        return list(range(length))
    return [round(step * (length - 1) / (most - 1)) for step in range(most)]


def _guarantee(threshold: Threshold) -> str:
    most = percent(threshold.max_risk)
    if threshold.value is None:
        return f"No threshold can promise a risk of at most {most}: {threshold.reason}."
    return (
        f"At a confidence of {number(threshold.value)} or more, at most {most} of the verdicts are "
        f"wrong, with {percent(threshold.level, 0)} confidence. On {threshold.held_out} held-out "
        f"verdicts it kept {threshold.kept} ({percent(threshold.coverage)}), "
        f"{percent(threshold.risk)} of them wrong; the upper limit is {percent(threshold.bound)}."
    )


# --- bias


def bias(findings: Findings) -> Section:
    """Where the judge is lenient and where severe, and what else was found of it."""
    blocks: list[Block] = [
        _family(f"bias-{place}", _with_titles(family, findings))
        for place, family in enumerate(findings.bias, 1)
    ]
    if findings.others:
        rows = [((name,), estimate) for name, estimate in findings.others]
        blocks.append(estimates_table("More about the judge", ("what",), rows))
    return Section("biases", "Bias: lenient where, severe where", tuple(blocks))


def _with_titles(family: BiasFindings, findings: Findings) -> BiasFindings:
    groups = (one.model_copy(update={"group": findings.titled(one.group)}) for one in family.groups)
    return replace(family, groups=tuple(groups))


def _family(name: str, found: BiasFindings) -> Figure:
    """One family of comparisons, with p-values plain and adjusted."""
    groups = found.groups
    reasons = "; ".join(f"{g.group}: {g.estimate.reason}" for g in groups if g.estimate.reason)
    rows = [((group.group,), group.estimate) for group in groups]
    tests = {
        "p": [p_value(group.p_value) for group in groups],
        "p (Holm)": [p_value(group.p_holm) for group in groups],
        "p (BH)": [p_value(group.p_bh) for group in groups],
    }
    return Figure(
        name=name,
        title=found.title,
        caption=found.caption,
        svg=bias_plot([(group.group, group.estimate) for group in groups], name=name),
        missing=reasons or found.missing,
        table=estimates_table(found.title, ("group",), rows, more=tests) if groups else None,
    )


# --- corrected scores


def correction(findings: Findings) -> Section:
    """Scores as the judge gave them, and as they are once its errors are corrected."""
    scores = {findings.titled(of): score for of, score in findings.corrected.items()}
    names = {field: title for field, (title, _) in WAYS.items()} | {"raw": "raw"}
    rows = [
        ((of, name), estimate)
        for of, score in scores.items()
        for field, name in names.items()
        if (estimate := getattr(score, field)) is not None
    ]
    caption = "Scores by every way of estimating them"
    figure = Figure(
        name="corrected",
        title="Scores as the judge gave them, and corrected",
        caption="The filled circle is the score to print. The raw score's interval knows nothing "
        "of the judge's errors.",
        svg=corrected_plot(scores),
        missing=findings.not_corrected,
        table=estimates_table(caption, ("score", "estimate"), rows) if scores else None,
    )
    blocks: tuple[Block, ...] = (figure,)
    if scores:
        blocks = (figure, Fold("What each correction rests on", (_samples_table(scores),)))
    return Section("correction", "The benchmark's score, corrected", blocks)


def _samples_table(scores: Mapping[str, CorrectedScore]) -> Table:
    columns: Columns[tuple[str, CorrectedScore]] = {
        "score": lambda row: row[0],
        "graded": lambda row: str(row[1].graded),
        "with gold": lambda row: str(row[1].with_gold),
        "judge abstained": lambda row: str(row[1].abstained),
        "λ": lambda row: _weights(row[1].lam),
    }
    caption = "What each correction rests on; λ is the weight on the judge, 0 ignores it"
    # The weights count as a remark: with many criteria they are a list.
    return table_of(caption, columns, scores.items(), remarks=1)


def _weights(lam: Mapping[str, float]) -> str:
    if len(lam) == 1:
        return number(next(iter(lam.values())), 2)
    return ", ".join(f"{name} {number(value, 2)}" for name, value in lam.items()) or NONE
