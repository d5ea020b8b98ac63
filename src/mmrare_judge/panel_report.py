"""Many panels in few numbers: how far their members disagree, and how many they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from mmrare_judge.errors import InputError
from mmrare_judge.independence import Columns, Independence, Seat, independence
from mmrare_judge.panel import Member, Panel
from mmrare_judge.records import Record


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
    members = _voters(judged)
    columns = [_columns(judged, number) for number, _ in enumerate(panels[0].criteria)]
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


def _seat(member: Member) -> Seat:
    return Seat(member.judge, member.sample, member.key)


def _voters(panels: Sequence[Panel]) -> tuple[Seat, ...]:
    voters = {
        _seat(member)
        for panel in panels
        for number, member in enumerate(panel.members)
        if any(verdict.ballots[number].status == "judged" for verdict in panel.criteria)
    }
    return tuple(sorted(voters))


def _columns(panels: Sequence[Panel], criterion: int) -> Columns:
    columns: dict[Seat, dict[int, float]] = {}
    for number, panel in enumerate(panels):
        ballots = panel.criteria[criterion].ballots
        for member, ballot in zip(panel.members, ballots, strict=True):
            if ballot.points is not None:
                columns.setdefault(_seat(member), {})[number] = ballot.points
    return dict(columns)


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


def _mean(values: list[float]) -> float | None:
    return fsum(values) / len(values) if values else None
