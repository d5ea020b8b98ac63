"""What several judges, or one judge several times, made of one prediction: `Panel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from mmrare_judge.backends.base import Usage
from mmrare_judge.data.items import Track
from mmrare_judge.judging.grade import Bounds, Status, UnscoredKind
from mmrare_judge.records import Record, Text

Rule = Literal["majority", "mean", "median"]
PanelStatus = Literal["judged", "undecided", "no_quorum"]


class Member(Record):
    """One seat of a panel.

    Attributes:
        judge: The judge's name, as in its signature.
        key: Tagged hash of the signature, without what only a reply can tell (reported model,
            mode) or what can only cut a reply short (``max_tokens``): the same for every item.
            A grade that got no reply may lack its sampling, and then has another key.
        sample: Index among independent repeats by the same judge.
        unscored: Why it gave no grading, if it gave none.
    """

    judge: str
    key: str
    sample: int = Field(ge=0)
    unscored: UnscoredKind | None = None


class Ballot(Record):
    """What one member said on one criterion: a vote if ``judged``, otherwise why there is none."""

    status: Status
    level: str | None = None
    points: float | None = None


class Spread(Record):
    """How far the votes lie apart, in points.

    Attributes:
        sd: Sample standard deviation (n - 1 in the denominator).
        range: Highest less lowest.
    """

    sd: float = Field(ge=0)
    range: float = Field(ge=0)


class PanelVerdict(Record):
    """The panel's decision on one criterion.

    Attributes:
        criterion: The criterion's id.
        status: ``judged``; ``no_quorum`` (half of the panel or less voted); ``undecided`` (more
            did, and no level has a majority).
        level: The level that all deciding votes name: the majority's, the median's, or the one of
            a unanimous mean. ``None`` where they differ; never a level that nobody voted for.
        points: Points of the majority's level, or mean or median of the votes' points; ``None``
            unless judged.
        ballots: One a member, in the order of `Panel.members`.
        votes: How many votes each level of the criterion has.
        missing: Why the other members did not vote: a `Ballot` status, or ``absent`` where no
            grade was handed in.
        spread: Of the votes; ``None`` with fewer than two.
        agreement: Share of the pairs of votes that name the same level; ``None`` with fewer than
            two votes.
        confidence: Votes for ``level`` as a share of the whole panel; ``None`` without a level.
    """

    criterion: str
    status: PanelStatus
    level: str | None = None
    points: float | None = None
    ballots: tuple[Ballot, ...]
    votes: Mapping[str, int]
    missing: Mapping[str, int]
    spread: Spread | None = None
    agreement: float | None = Field(default=None, ge=0, le=1)
    confidence: float | None = Field(default=None, ge=0, le=1)


class Panel(Record):
    """One prediction, graded by a panel.

    Attributes:
        item_id: The item.
        system: The model that answered; empty if not known.
        track: The item's track.
        rubric: The rubric's id.
        rubric_hash: Hash of its whole content.
        rule: How votes became a decision.
        confidence_by: What a verdict's ``confidence`` is: here always its share of the votes.
        size: How many gradings were asked for.
        members: Those that came, sorted by judge and sample; fewer than ``size`` if some did not.
        score: 0 to 1 when every criterion was judged, else ``None``.
        partial_score: The score over the criteria judged; ``None`` without any, or without the
            gate of a cascade.
        coverage: Share of the rubric's weight that was judged, each criterion's weight times the
            share of the panel that voted on it. 1 only if every member voted on everything.
        bounds: Worst and best case for votes that are missing and criteria that are not judged.
        criteria: One verdict a criterion, in the rubric's order.
        empty: The prediction was blank: all votes are by rule, none by a judge.
        usage: What all its gradings cost.
    """

    item_id: Text
    system: Text = ""
    track: Track
    rubric: str
    rubric_hash: str
    rule: Rule
    confidence_by: Literal["votes"] = "votes"
    size: int = Field(ge=1)
    members: tuple[Member, ...]
    score: float | None = Field(default=None, ge=0, le=1)
    partial_score: float | None = Field(default=None, ge=0, le=1)
    coverage: float = Field(ge=0, le=1)
    bounds: Bounds
    criteria: tuple[PanelVerdict, ...]
    empty: bool = False
    usage: Usage = Usage()

    def verdict(self, criterion: str) -> PanelVerdict:
        """The verdict on one criterion.

        Raises:
            KeyError: The rubric has no such criterion.
        """
        for verdict in self.criteria:
            if verdict.criterion == criterion:
                return verdict
        known = ", ".join(verdict.criterion for verdict in self.criteria)
        raise KeyError(f"no criterion {criterion!r}; this panel has {known}")
