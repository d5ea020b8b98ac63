"""Several gradings of one prediction joined into one decision: `aggregate` makes a `Panel`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from statistics import mean, stdev
from typing import Literal, get_args

from pydantic import Field

from mmrare_judge.backends.base import Usage
from mmrare_judge.data.items import Track
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.judging.grade import Bounds, Grade, Status, UnscoredKind
from mmrare_judge.judging.grading import score_shares
from mmrare_judge.records import Record, Signature, Text, content_hash
from mmrare_judge.rubric.model import Criterion, Rubric

Rule = Literal["majority", "mean", "median"]
PanelStatus = Literal["judged", "undecided", "no_quorum"]
Labels = tuple[str, ...]


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
            deciding criterion of a cascade.
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


# --- votes on one criterion: majority, mean or median; pure and exact


@dataclass(frozen=True)
class Count:
    """The ballots of a whole panel, absent members counted in ``size``, on one criterion."""

    criterion: Criterion = field(hash=False)
    ballots: tuple[Ballot, ...]
    size: int
    rule: Rule

    @cached_property
    def votes(self) -> Labels:
        """The levels voted for, worst first."""
        return self._sorted(b.level for b in self.ballots if b.status == "judged" and b.level)

    @cached_property
    def deciding(self) -> Labels:
        """The votes whose mean is the decision; none without one.

        The winner stands for its majority; one or two middle votes make a median; all votes make a
        mean. A quorum is more than half of the panel.
        """
        return self._decide(self.votes) if self._has_quorum else ()

    @property
    def _has_quorum(self) -> bool:
        return 2 * len(self.votes) > self.size

    def filled(self, end: Literal["worst", "best"]) -> Labels:
        """Votes with every missing one, or an undecided criterion, at the worst or best level."""
        levels = self._sorted(self.criterion.levels)
        label = levels[0] if end == "worst" else levels[-1]
        if not self.deciding:
            return (label,)  # as in a grade: what is not judged is open in full
        missing = (label,) * (self.size - len(self.votes))
        return self._decide(self._sorted(self.votes + missing))

    @cached_property
    def verdict(self) -> PanelVerdict:
        """The decision, how sure it is, and how far the votes agree."""
        votes, deciding = Counter(self.votes), self.deciding
        level = deciding[0] if len(set(deciding)) == 1 else None
        points = [self.criterion.levels[label].points for label in deciding]
        return PanelVerdict(
            criterion=self.criterion.id,
            status="judged" if deciding else "undecided" if self._has_quorum else "no_quorum",
            level=level,
            points=float(mean(points)) if points else None,
            ballots=self.ballots,
            votes={label: votes[label] for label in self.criterion.levels},
            missing=_missing(self),
            spread=_spread(self),
            agreement=_agreement(votes),
            confidence=None if level is None else votes[level] / self.size,
        )

    def _sorted(self, labels: Iterable[str]) -> Labels:
        levels = self.criterion.levels
        order = {label: number for number, label in enumerate(levels)}
        return tuple(sorted(labels, key=lambda label: (levels[label].points, order[label])))

    def _decide(self, votes: Labels) -> Labels:
        if self.rule == "majority":
            return tuple(label for label, n in Counter(votes).items() if 2 * n > self.size)
        if self.rule == "median":
            return votes[(len(votes) - 1) // 2 : len(votes) // 2 + 1]
        return votes


@lru_cache(maxsize=4096)
def _same_count(count: Count) -> Count:
    # Thousands of panels vote in a few hundred ways: equal counts, and their verdicts, are one.
    return count


def check_rule(rule: str) -> None:
    """Check that there is such a rule.

    Raises:
        ConfigError: There is not.
    """
    if rule not in get_args(Rule):
        raise ConfigError(f"unknown rule {rule!r}; rules are {', '.join(get_args(Rule))}")


def _missing(count: Count) -> dict[str, int]:
    reasons: list[str] = [b.status for b in count.ballots if b.status != "judged"]
    reasons += ["absent"] * (count.size - len(count.ballots))
    return dict(sorted(Counter(reasons).items()))


def _spread(count: Count) -> Spread | None:
    points = [float(count.criterion.levels[label].points) for label in count.votes]
    if len(points) < 2:
        return None
    return Spread(sd=stdev(points), range=points[-1] - points[0])


def _agreement(votes: Counter[str]) -> float | None:
    """Pairs alike over pairs: sum of c (c - 1) over n (n - 1), c votes a level, n in all."""
    total = votes.total()
    if total < 2:
        return None
    return sum(count * (count - 1) for count in votes.values()) / (total * (total - 1))


# --- from gradings to a panel; pure


def aggregate(grades: Sequence[Grade], rubric: Rubric, *, size: int, rule: Rule) -> Panel:
    """Join the gradings of one prediction by several judges, repeats, or both.

    A vote is a ``judged`` verdict; everything else is a missing vote. Per criterion, over a panel
    of ``size``:

    - ``majority``: the level with more than ``size / 2`` votes. A missing vote counts for nobody,
      so it never makes a majority, and a tie gives no level.
    - ``mean`` and ``median``: of the points of the votes that came, if more than ``size / 2`` did.

    The score is the rubric's, over these points; the deciding criterion of a cascade is entered
    with each of its deciding votes in turn, and the scores are averaged.

    Args:
        grades: In any order; none for a member that failed, or an unscored one.
        rubric: The rubric they were made with.
        size: How many gradings were asked for.
        rule: How votes become a decision.

    Raises:
        ConfigError: The size is below 1, or the rule is unknown.
        InputError: There is no grade, there are more than ``size``, one is of another item,
            system or rubric, or the same judge's same sample stands twice.
    """
    check_rule(rule)
    _check(grades, rubric, size)
    members = [(_member(grade), grade) for grade in grades]
    _check_seats(members)
    members.sort(key=_seat)
    counts = {
        c.id: _same_count(Count(c, _ballots(members, c.id), size, rule)) for c in rubric.criteria
    }
    partial = _score(rubric, {id: count.deciding for id, count in counts.items()})
    complete = all(count.deciding for count in counts.values())
    return Panel(
        item_id=grades[0].item_id,
        system=grades[0].system,
        track=grades[0].track,
        rubric=rubric.id,
        rubric_hash=rubric.hash,
        rule=rule,
        size=size,
        members=tuple(member for member, _ in members),
        score=partial if complete else None,
        partial_score=partial,
        coverage=_coverage(rubric, counts.values()),
        bounds=_bounds(rubric, counts),
        criteria=tuple(count.verdict for count in counts.values()),
        empty=all(grade.empty for grade in grades),
        usage=sum((grade.usage for _, grade in members), Usage()),
    )


def judge_key(signature: Signature) -> str:
    """Tagged hash of a judge as it was asked for: equal for all items it grades in one way."""
    asked = signature.model_dump(mode="json", exclude={"reported_model", "mode"})
    asked["sampling"].pop("max_tokens", None)  # it can cut a reply short, and then no vote comes
    return content_hash(asked)


def _check(grades: Sequence[Grade], rubric: Rubric, size: int) -> None:
    if size < 1:
        raise ConfigError(f"a panel of {size} has no members; size is at least 1")
    if not grades:
        raise InputError("a panel needs one grade at least, to know its item; there is none")
    if len(grades) > size:
        who = f"item {grades[0].item_id!r}, system {grades[0].system!r}"
        raise InputError(f"{who}: {len(grades)} grades for a panel of {size}")
    answers = sorted({(grade.item_id, grade.system) for grade in grades})
    if len(answers) > 1:
        first, second = answers[:2]
        raise InputError(f"a panel grades one prediction, and these are of {first} and {second}")
    for grade in grades:
        if grade.signature.rubric_hash != rubric.hash:
            made_with = f"{grade.signature.rubric!r} {grade.signature.rubric_version}"
            raise InputError(
                f"item {grade.item_id!r} was graded with rubric {made_with}, which is not, or no "
                f"longer, the rubric {rubric.id!r} {rubric.version} given",
                remedy="Pass the rubric the grades were made with, or grade anew",
            )


def _check_seats(members: Iterable[tuple[Member, Grade]]) -> None:
    seats: set[tuple[str, int]] = set()
    for member, grade in members:
        if grade.empty or not any(verdict.status == "judged" for verdict in grade.verdicts):
            continue  # by rule, or no vote: nothing can be counted twice
        if (member.key, member.sample) in seats:
            raise InputError(
                f"item {grade.item_id!r}: judge {member.judge!r} votes twice with sample "
                f"{member.sample}",
                remedy="Give repeats an index of their own; judges that differ in mode or "
                "max_tokens only are one judge",
            )
        seats.add((member.key, member.sample))


def _member(grade: Grade) -> Member:
    unscored = None if grade.unscored is None else grade.unscored.kind
    judge, key = grade.signature.judge, judge_key(grade.signature)
    return Member(judge=judge, key=key, sample=grade.sample, unscored=unscored)


def _seat(one: tuple[Member, Grade]) -> tuple[str, int, str, str]:
    # Only seats without a vote can be equal; their statuses then make the order certain.
    member, grade = one
    statuses = " ".join(verdict.status for verdict in grade.verdicts)
    return member.judge, member.sample, member.key, statuses + (member.unscored or "")


def _ballots(members: Iterable[tuple[Member, Grade]], criterion: str) -> tuple[Ballot, ...]:
    verdicts = (grade.verdict(criterion) for _, grade in members)
    return tuple(Ballot(status=v.status, level=v.level, points=v.points) for v in verdicts)


def _coverage(rubric: Rubric, counts: Iterable[Count]) -> float:
    heard = (c.criterion.weight * len(c.votes) / c.size for c in counts if c.deciding)
    return float(sum(heard, Fraction(0)) / rubric.total_weight)


def _bounds(rubric: Rubric, counts: Mapping[str, Count]) -> Bounds:
    worst = _score(rubric, {id: count.filled("worst") for id, count in counts.items()})
    best = _score(rubric, {id: count.filled("best") for id, count in counts.items()})
    return Bounds.model_validate({"worst": worst, "best": best})


def _score(rubric: Rubric, deciding: Mapping[str, Labels]) -> float | None:
    shares = {
        asked.id: [asked.levels[label].points / asked.max_points for label in deciding[asked.id]]
        for asked in rubric.criteria
        if deciding[asked.id]
    }
    means = {id: mean(each) for id, each in shares.items()}
    first = rubric.scoring.gate or ""
    entered = [{first: share} for share in shares.get(first, ())] or [{}]
    scores = [score_shares(rubric, means | one) for one in entered]
    known = [score for score in scores if score is not None]
    return float(mean(known)) if known else None
