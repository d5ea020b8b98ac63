"""The judge's confidence in a report: reliability, and what abstaining would buy."""

from __future__ import annotations

from collections.abc import Sequence

from mmrare_judge.calibration.analyses.abstention import RiskCoverage, Threshold
from mmrare_judge.calibration.analyses.confidence import BrierScore, ReliabilityBin
from mmrare_judge.calibration.plots.reliability import ReliabilityPoint, reliability_plot
from mmrare_judge.calibration.plots.risk_coverage import Operating, risk_coverage_plot
from mmrare_judge.calibration.report.blocks import Figure, Table
from mmrare_judge.calibration.report.text import number, percent
from mmrare_judge.calibration.statistics.estimate import Estimate

SHOWN_ROWS = 12
"""Rows of the risk-coverage table; the whole curve is in study.json."""


def reliability_figure(
    bins: Sequence[ReliabilityBin], *, missing: str, name: str = "reliability", about: str = ""
) -> Figure:
    """The reliability diagram with its numbers.

    Args:
        bins: What is drawn.
        missing: Why there is nothing to draw, where there is not.
        name: Identifier on the page.
        about: What was judged, where it is not everything.
    """
    points = [
        ReliabilityPoint(
            low_edge=found.low, high_edge=found.high, n=found.n, confidence=found.confidence,
            share=found.share, low=found.interval.low, high=found.interval.high,
        )
        for found in bins
    ]  # fmt: skip
    return Figure(
        name=name,
        title=_about("Is a stated confidence to be believed?", about),
        caption="On the dotted diagonal, verdicts stated with 0.8 are right eight times in ten. "
        "Below it the judge is surer than it should be.",
        svg=reliability_plot(points, name=name),
        missing=missing,
        table=_bins_table(bins) if bins else None,
    )


def _bins_table(bins: Sequence[ReliabilityBin]) -> Table:
    return Table(
        caption="Confidence stated, and share of verdicts that clinicians shared",
        head=("confidence from", "to", "verdicts", "mean confidence", "share right", "interval"),
        rows=tuple(
            (
                number(found.low, 2),
                number(found.high, 2),
                str(found.n),
                number(found.confidence),
                number(found.share),
                f"{number(found.interval.low)} to {number(found.interval.high)}",
            )
            for found in bins
        ),
        words=0,
    )


def risk_coverage_figure(
    curve: RiskCoverage,
    threshold: Threshold | None,
    *,
    missing: str = "",
    name: str = "risk-coverage",
    about: str = "",
) -> Figure:
    """The risk-coverage curve with its numbers."""
    chosen = None
    if threshold is not None and threshold.coverage is not None and threshold.risk is not None:
        chosen = Operating(threshold.coverage, threshold.risk)
    return Figure(
        name=name,
        title=_about("What abstaining would buy", about),
        caption="The judge decides its surest verdicts and leaves the others to a clinician. "
        "A confidence that tells right from wrong makes the curve rise to the right.",
        svg=risk_coverage_plot(curve.coverage, curve.risk, chosen=chosen, name=name),
        missing=curve.reason or missing,
        table=_curve_table(curve) if curve.coverage else None,
    )


def _curve_table(curve: RiskCoverage) -> Table:
    steps = thinned(len(curve.coverage), SHOWN_ROWS)
    whole = len(steps) == len(curve.coverage)
    return Table(
        caption="Risk and coverage" + ("" if whole else " (some rows; study.json has all)"),
        head=("threshold", "coverage", "risk"),
        rows=tuple(
            (
                number(curve.thresholds[step]),
                percent(curve.coverage[step]),
                percent(curve.risk[step]),
            )
            for step in steps
        ),
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


def threshold_sentence(threshold: Threshold) -> str:
    """What the guarantee says, in words.

    >>> threshold_sentence(Threshold(value=None, max_risk=0.1, level=0.95, reason="too few cases"))
    'No threshold can promise a risk of at most 10.0 %: too few cases.'
    """
    if threshold.value is None:
        return (
            f"No threshold can promise a risk of at most {percent(threshold.max_risk)}: "
            f"{threshold.reason}."
        )
    return (
        f"At a confidence of {number(threshold.value)} or more, at most "
        f"{percent(threshold.max_risk)} of the verdicts are wrong, with "
        f"{percent(threshold.level, 0)} confidence. On {threshold.held_out} held-out verdicts it "
        f"kept {threshold.kept} "
        f"({percent(threshold.coverage)}), {percent(threshold.risk)} of them wrong; the upper "
        f"limit is {percent(threshold.bound)}."
    )


def brier_rows(brier: BrierScore) -> list[tuple[str, float | None]]:
    """The parts of the Brier score by name."""
    return [
        ("reliability (0 is best)", brier.reliability),
        ("resolution (more is better)", brier.resolution),
        ("uncertainty (no merit of the judge)", brier.uncertainty),
        ("within bins", brier.within),
    ]


def parts_table(brier: BrierScore) -> Table:
    """The Brier score taken apart."""
    return Table(
        caption="The Brier score: reliability - resolution + uncertainty + within",
        head=("part", "value"),
        rows=tuple((name, number(value)) for name, value in brier_rows(brier)),
    )


def confidence_rows(
    brier: BrierScore | None, others: Sequence[tuple[str, Estimate]]
) -> list[tuple[tuple[str], Estimate]]:
    """The scores of the confidence as rows of a table of estimates."""
    first = [("Brier score (0 is best)", brier.score)] if brier is not None else []
    return [((name,), estimate) for name, estimate in (*first, *others)]


def _about(title: str, about: str) -> str:
    return f"{title} ({about})" if about else title
