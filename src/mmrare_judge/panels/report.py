"""Many panels in few numbers: what they decided, how far they disagree, how many they amount to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import fsum, sqrt
from statistics import fmean
from typing import Literal, NamedTuple

from pydantic import Field

from mmrare_judge.data.items import Track
from mmrare_judge.errors import InputError
from mmrare_judge.panels.panel import Member, Panel, PanelVerdict, Rule
from mmrare_judge.records import Record

# --- how many independent judges a panel amounts to: correlation and effective number; pure

FEWEST_VOTES = 3
"""Votes two members must share for a correlation: through two points it is always 1 or -1."""

Pair = tuple[list[float], list[float]]  # what two members gave, in step


class Seat(NamedTuple):
    """A member of a panel, the same on every item: see `mmrare_judge.panels.panel.Member`."""

    judge: str
    sample: int
    key: str

    def __str__(self) -> str:
        return f"{self.judge} (sample {self.sample})"


Columns = Mapping[Seat, Mapping[int, float]]
"""Each member's points on one criterion, by the number of the panel."""


class Independence(Record):
    """How many independent judges a panel amounts to.

    Attributes:
        members: Members that voted at least once, on a prediction that was not blank.
        rho: Mean correlation of points over all pairs of members.
        n_eff: ``members / (1 + (members - 1) * rho)``.
        votes: The fewest votes that a pair of members shares; ``None`` without a pair.
        reason: Why ``rho`` or ``n_eff`` is ``None``.
    """

    members: int
    rho: float | None = Field(default=None, ge=-1, le=1)
    n_eff: float | None = None
    votes: int | None = None
    reason: str = ""


def independence(members: Sequence[Seat], criteria: Sequence[Columns]) -> Independence:
    """Mean pairwise correlation of the members, over one criterion or several, and its n_eff.

    Nothing is filled in: with one pair undefined, the mean over pairs is ``None``, with the reason.
    """
    if len(members) < 2:
        return Independence(members=len(members), reason="fewer than two members voted")
    pairs = {both: _shared(*both, criteria) for both in combinations(members, 2)}
    known = Independence(members=len(members), votes=min(map(_votes, pairs.values())))
    rhos = []
    for (first, second), groups in pairs.items():
        rho = correlation(groups) if _votes(groups) >= FEWEST_VOTES else None
        if rho is None:
            return known.model_copy(update={"reason": _why_undefined(first, second, groups)})
        rhos.append(rho)
    rho = fmean(rhos)
    n_eff = effective_number(len(members), rho)
    reason = "" if n_eff is not None else "the votes cancel out: 1 + (n - 1) * rho is not positive"
    return known.model_copy(update={"rho": rho, "n_eff": n_eff, "reason": reason})


def effective_number(n: int, rho: float) -> float | None:
    """Independent judges that ``n`` judges with mean correlation ``rho`` are worth.

    ``n_eff = n / (1 + (n - 1) * rho)``: n over Kish's design effect (Survey Sampling, 1965), used
    for LLM panels by Kohli (arXiv:2605.29800); on correlated votes see Ladha (American Journal of
    Political Science 36, 1992). Equal judges are one judge. With a negative ``rho`` it exceeds
    ``n``; ``None`` where the votes cancel out and the denominator is not positive.

    >>> effective_number(9, 0.4375)
    2.0
    >>> effective_number(3, 1.0)
    1.0
    >>> effective_number(2, -1.0) is None
    True
    """
    design_effect = 1 + (n - 1) * rho
    return n / design_effect if design_effect > 1e-9 else None


def correlation(groups: Sequence[Pair]) -> float | None:
    """Pearson's correlation within groups; with one group, the plain one.

    ``sum of (x - mean) (y - mean)`` over the root of the product of the two sums of squares; each
    group has means of its own, and all sums run over all groups. ``None`` if one side does not
    vary in any group.

    >>> round(correlation([([0, 0, 1, 1], [0, 1, 1, 1])]), 4)  # 1 / sqrt(3)
    0.5774
    """
    if _constant(groups, 0) or _constant(groups, 1):
        return None
    centred = [
        (x - mean_x, y - mean_y)
        for xs, ys in groups
        for mean_x, mean_y in [(fmean(xs), fmean(ys))]
        for x, y in zip(xs, ys, strict=True)
    ]
    first, second = fsum(x * x for x, _ in centred), fsum(y * y for _, y in centred)
    return max(-1.0, min(1.0, fsum(x * y for x, y in centred) / sqrt(first * second)))


def _constant(groups: Sequence[Pair], side: int) -> bool:
    return all(len(set(group[side])) <= 1 for group in groups)


def _shared(first: Seat, second: Seat, criteria: Sequence[Columns]) -> list[Pair]:
    both = [(votes.get(first, {}), votes.get(second, {})) for votes in criteria]
    common = [(xs, ys, [number for number in xs if number in ys]) for xs, ys in both]
    return [([xs[n] for n in ns], [ys[n] for n in ns]) for xs, ys, ns in common if ns]


def _votes(groups: Sequence[Pair]) -> int:
    return sum(len(xs) for xs, _ in groups)


def _why_undefined(first: Seat, second: Seat, groups: Sequence[Pair]) -> str:
    if _votes(groups) < FEWEST_VOTES:
        shared = f"{first} and {second} share {_votes(groups)} votes"
        return f"{shared}; a correlation needs {FEWEST_VOTES}"
    one, other = (first, second) if _constant(groups, 0) else (second, first)
    return f"{one} gave the same points wherever {other} voted too; that correlates with nothing"


# --- disagreement and spread over many panels by one rubric


class CriterionSpread(Record):
    """One criterion over many panels.

    Attributes:
        criterion: The criterion's id.
        judged: Panels that decided it.
        panels: Panels with two votes on it at least, over which the means below are taken.
        disagreement: Mean share of pairs of votes that name different levels.
        sd: Mean standard deviation of the votes' points.
        range: Mean of highest less lowest points.
        independence: How many independent judges the panel amounts to on this criterion.
    """

    criterion: str
    judged: int
    panels: int
    disagreement: float | None
    sd: float | None
    range: float | None
    independence: Independence


class PanelReport(Record):
    """Many panels by the same rubric.

    Attributes:
        rubric: The rubric's id.
        rubric_hash: Hash of its whole content.
        panels: How many there are.
        empty: Of those, blank predictions: decided by rule, and left out of what follows.
        members: Those that voted at least once.
        criteria: One entry a criterion, in the rubric's order.
        independence: Over all criteria together.
    """

    rubric: str
    rubric_hash: str
    panels: int
    empty: int
    members: tuple[Member, ...]
    criteria: tuple[CriterionSpread, ...]
    independence: Independence


def panel_report(panels: Sequence[Panel]) -> PanelReport:
    """Disagreement, spread and effective number of judges over many predictions.

    The correlation of two members is Pearson's, of the points they gave on the predictions both
    voted on; over all criteria together, deviations are from each criterion's own means, so that
    a hard criterion does not pass for agreement.

    Without gold labels, agreeing because both are right cannot be told from agreeing because both
    are wrong: ``n_eff`` counts different opinions, not independent errors.

    Raises:
        InputError: There is no panel, one prediction stands twice, or the rubrics differ.
    """
    _check(panels)
    judged = [panel for panel in panels if not panel.empty]
    columns = [_columns(judged, number) for number, _ in enumerate(panels[0].criteria)]
    members = sorted({seat for votes in columns for seat in votes})
    return PanelReport(
        rubric=panels[0].rubric,
        rubric_hash=panels[0].rubric_hash,
        panels=len(panels),
        empty=len(panels) - len(judged),
        members=tuple(Member(**seat._asdict()) for seat in members),
        criteria=tuple(
            _spread(verdict.criterion, judged, number, independence(members, [columns[number]]))
            for number, verdict in enumerate(panels[0].criteria)
        ),
        independence=independence(members, columns),
    )


def _check(panels: Sequence[Panel]) -> None:
    if not panels:
        raise InputError("a report needs one panel at least; there is none")
    seen: set[tuple[str, str]] = set()
    for panel in panels:
        if panel.rubric_hash != panels[0].rubric_hash:
            raise InputError(
                f"one report cannot hold panels by rubrics {panels[0].rubric!r} and "
                f"{panel.rubric!r}, or by two versions of one",
                remedy="Report them apart",
            )
        if (panel.item_id, panel.system) in seen:
            raise InputError(f"item {panel.item_id!r}, system {panel.system!r} has two panels")
        seen.add((panel.item_id, panel.system))


def _columns(panels: Sequence[Panel], criterion: int) -> Columns:
    columns: defaultdict[Seat, dict[int, float]] = defaultdict(dict)
    for number, panel in enumerate(panels):
        ballots = panel.criteria[criterion].ballots
        for member, ballot in zip(panel.members, ballots, strict=True):
            if ballot.points is not None:
                columns[Seat(member.judge, member.sample, member.key)][number] = ballot.points
    return columns


def _spread(
    id: str, panels: Sequence[Panel], criterion: int, independence: Independence
) -> CriterionSpread:
    verdicts = [panel.criteria[criterion] for panel in panels]
    spreads = [verdict.spread for verdict in verdicts if verdict.spread is not None]
    agreements = [verdict.agreement for verdict in verdicts if verdict.agreement is not None]
    return CriterionSpread(
        criterion=id,
        judged=sum(verdict.status == "judged" for verdict in verdicts),
        panels=len(spreads),
        disagreement=_mean([1 - agreement for agreement in agreements]),
        sd=_mean([spread.sd for spread in spreads]),
        range=_mean([spread.range for spread in spreads]),
        independence=independence,
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


# --- what the panels decided, by system and track


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
        mean_score: Mean of the scores, blank predictions as 0; it speaks for the ``scored`` ones
            only. ``None`` where the judges gave none of them: blanks alone make no mean.
        mean_partial_score: Mean over the predictions on which something was decided, likewise.
        coverage: Mean share of the weight that was decided, times the share of the panel that
            voted.
        worst: Mean of the worst cases: missing votes and undecided criteria at their worst.
        best: Mean of the best cases.
        criteria: Each criterion.
        gradings: How many gradings came, by judge.
        failed: How many of those are without any grading, by judge.
        missing: Items of this track that the system has no prediction for; see `Summary`.
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
    missing: int = 0


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


def _summary(panels: Sequence[Panel]) -> PanelSummary:
    scores = [panel.score for panel in panels if panel.score is not None]
    partial = [panel.partial_score for panel in panels if panel.partial_score is not None]
    empty = sum(panel.empty for panel in panels)
    members = [member for panel in panels for member in panel.members]
    criteria = {verdict.criterion: None for panel in panels for verdict in panel.criteria}
    return PanelSummary(
        system=panels[0].system,
        track=panels[0].track,
        panels=len(panels),
        scored=len(scores),
        empty=empty,
        mean_score=_mean(scores) if len(scores) > empty else None,
        mean_partial_score=_mean(partial) if len(partial) > empty else None,
        coverage=fmean(panel.coverage for panel in panels),
        worst=fmean(panel.bounds.worst for panel in panels),
        best=fmean(panel.bounds.best for panel in panels),
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
