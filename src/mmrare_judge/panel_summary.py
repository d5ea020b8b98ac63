"""Many panels in few numbers, by system and track: what they decided, and who took part; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import fsum
from typing import Literal

from mmrare_judge.data.items import Track
from mmrare_judge.panel import Panel, PanelVerdict, Rule
from mmrare_judge.panel_report import PanelReport, panel_report
from mmrare_judge.records import Record


class CriterionDecisions(Record):
    """One criterion over the panels of a system.

    Attributes:
        statuses: How often it was ``judged``, ``undecided`` or without quorum.
        mean: Mean points over the panels that decided it; ``None`` if none did.
        confidence: Mean share of the full panel behind the level that was decided.
        missing: Votes that are missing, by reason.
    """

    statuses: Mapping[str, int]
    mean: float | None
    confidence: float | None
    missing: Mapping[str, int]


class PanelSummary(Record):
    """One system on one track, as the panel sees it.

    Attributes:
        system: The model that answered.
        track: The track.
        panels: Predictions.
        scored: Those on which every criterion was decided.
        empty: Blank predictions, which score 0 by rule.
        mean_score: Mean of the scores; it speaks for the ``scored`` ones only.
        mean_partial_score: Mean over the predictions on which something was decided.
        coverage: Mean share of the weight that was decided, times the share of the panel that
            voted.
        worst: Mean of the worst cases: missing votes and undecided criteria at their worst.
        best: Mean of the best cases.
        criteria: Each criterion.
        gradings: How many gradings came, by judge.
        failed: How many of those are without any grading, by judge.
    """

    system: str
    track: Track
    panels: int
    scored: int
    empty: int
    mean_score: float | None
    mean_partial_score: float | None
    coverage: float
    worst: float
    best: float
    criteria: Mapping[str, CriterionDecisions]
    gradings: Mapping[str, int]
    failed: Mapping[str, int]


class PanelFigures(Record):
    """All panels of a run.

    Attributes:
        rule: How votes became decisions.
        size: Gradings a prediction is to have: judges times repeats.
        confidence_by: What a verdict's confidence is: its share of the full panel's votes.
        summaries: By system and track.
        reports: By rubric, over all its systems: disagreement, spread, and how many independent
            judges the panel amounts to.
    """

    rule: Rule
    size: int
    confidence_by: Literal["votes"] = "votes"
    summaries: tuple[PanelSummary, ...]
    reports: tuple[PanelReport, ...]


def panel_figures(panels: Iterable[Panel], *, rule: Rule, size: int) -> PanelFigures:
    """Sum panels up.

    Raises:
        InputError: One prediction stands twice.
    """
    by_system: dict[tuple[str, Track], list[Panel]] = {}
    by_rubric: dict[str, list[Panel]] = {}
    for panel in panels:
        by_system.setdefault((panel.system, panel.track), []).append(panel)
        by_rubric.setdefault(panel.rubric_hash, []).append(panel)
    return PanelFigures(
        rule=rule,
        size=size,
        summaries=tuple(_summary(group) for group in by_system.values()),
        reports=tuple(panel_report(group) for group in by_rubric.values()),
    )


def figure_lines(figures: PanelFigures) -> Iterator[str]:
    """The figures in a few sentences."""
    for summary in figures.summaries:
        yield (
            f"{summary.system or '(no system named)'}, {summary.track}, {figures.rule} of "
            f"{figures.size}: {summary.panels} predictions, {summary.scored} decided in full, "
            f"{summary.coverage:.0%} of the weight. {_mean_text(summary)}"
        )
        for judge, failed in summary.failed.items():
            yield f"  {judge}: {failed} of {summary.gradings[judge]} gradings failed"
    for report in figures.reports:
        yield f"{report.rubric}: {_independence_text(report)}"
        for criterion in report.criteria:
            yield f"  {criterion.criterion}: {_disagreement_text(criterion.disagreement)}"


def _summary(panels: Sequence[Panel]) -> PanelSummary:
    scores = [panel.score for panel in panels if panel.score is not None]
    partial = [panel.partial_score for panel in panels if panel.partial_score is not None]
    members = [member for panel in panels for member in panel.members]
    criteria = {verdict.criterion: None for panel in panels for verdict in panel.criteria}
    return PanelSummary(
        system=panels[0].system,
        track=panels[0].track,
        panels=len(panels),
        scored=len(scores),
        empty=sum(panel.empty for panel in panels),
        mean_score=_mean(scores),
        mean_partial_score=_mean(partial),
        coverage=fsum(panel.coverage for panel in panels) / len(panels),
        worst=fsum(panel.bounds.worst for panel in panels) / len(panels),
        best=fsum(panel.bounds.best for panel in panels) / len(panels),
        criteria={id: _decisions([panel.verdict(id) for panel in panels]) for id in criteria},
        gradings=_counted(member.judge for member in members),
        failed=_counted(member.judge for member in members if member.unscored is not None),
    )


def _decisions(verdicts: Sequence[PanelVerdict]) -> CriterionDecisions:
    missing = sum((Counter(verdict.missing) for verdict in verdicts), Counter[str]())
    return CriterionDecisions(
        statuses=_counted(verdict.status for verdict in verdicts),
        mean=_mean([v.points for v in verdicts if v.points is not None]),
        confidence=_mean([v.confidence for v in verdicts if v.confidence is not None]),
        missing=dict(sorted(missing.items())),
    )


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None


def _mean_text(summary: PanelSummary) -> str:
    span = f"between {summary.worst:.3f} and {summary.best:.3f}"
    if summary.mean_score is not None and summary.worst == summary.best:
        return f"Mean score {summary.mean_score:.3f}."
    if summary.mean_partial_score is None:
        return f"Nothing was decided; the mean score lies {span}."
    decided = f"Mean over what was decided {summary.mean_partial_score:.3f}"
    return f"{decided}; the mean score lies {span}."


def _independence_text(report: PanelReport) -> str:
    known = report.independence
    if known.n_eff is None:
        return f"effective number of judges not known: {known.reason}"
    return f"{known.members} members amount to {known.n_eff:.1f} independent ones"


def _disagreement_text(disagreement: float | None) -> str:
    if disagreement is None:
        return "disagreement not known: no prediction has two votes"
    return f"{disagreement:.0%} of the pairs of votes differ"
