"""Corrected scores in a report, beside the raw ones."""

from __future__ import annotations

from collections.abc import Mapping

from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.plots.corrected import CorrectedRow, corrected_plot
from mmrare_judge.calibration.report.blocks import Figure, Table
from mmrare_judge.calibration.report.estimates import estimates_table, mark
from mmrare_judge.calibration.report.text import number
from mmrare_judge.calibration.statistics.estimate import Estimate

Scores = Mapping[str, CorrectedScore]
"""Corrected scores by what they are scores of."""


def corrected_figure(scores: Scores, *, missing: str, name: str = "corrected") -> Figure:
    """The scores, raw and corrected, with their numbers."""
    rows = [
        CorrectedRow(
            name=of, raw=mark(s.raw), corrected=mark(s.ppi), labelled=mark(s.labelled),
            rogan_gladen=mark(s.rogan_gladen),
        )
        for of, s in scores.items()
    ]  # fmt: skip
    return Figure(
        name=name,
        title="Scores as the judge gave them, and corrected",
        caption="The filled circle is the score to print. The raw score's interval knows nothing "
        "of the judge's errors.",
        svg=corrected_plot(rows, name=name),
        missing=missing,
        table=_table(scores) if scores else None,
    )


def _table(scores: Scores) -> Table:
    rows = [((of, how), e) for of, s in scores.items() for how, e in _ways(s).items()]
    return estimates_table("Scores by every way of estimating them", ("score", "estimate"), rows)


def _ways(score: CorrectedScore) -> dict[str, Estimate]:
    ways = {"raw": score.raw, "corrected (PPI++)": score.ppi, "gold labels alone": score.labelled}
    if score.rogan_gladen is not None:
        ways["corrected (Rogan-Gladen)"] = score.rogan_gladen
    return ways


def sample_table(scores: Scores) -> Table:
    """How much gold each correction rests on, and how much it leans on the judge."""
    return Table(
        caption="What each correction rests on; λ is the weight on the judge, 0 ignores it",
        head=("score", "graded", "with gold", "judge abstained", "λ"),
        rows=tuple(
            (of, str(s.graded), str(s.with_gold), str(s.abstained), _weights(s.lam))
            for of, s in scores.items()
        ),
        remarks=1,  # with many criteria the weights are a list
    )


def _weights(lam: Mapping[str, float]) -> str:
    if len(lam) == 1:
        return number(next(iter(lam.values())), 2)
    return ", ".join(f"{name} {number(value, 2)}" for name, value in lam.items()) or "–"
