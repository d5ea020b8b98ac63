"""What several judges, or one judge several times, made of one prediction: `Panel`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import chain
from statistics import stdev
from typing import Literal

from pydantic import Field

from mmrare_judge.backends.base import Usage
from mmrare_judge.data.items import Track
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.judging.grade import Bounds, Grade, Status, UnscoredKind, Verdict
from mmrare_judge.judging.verdicts import score_shares
from mmrare_judge.records import Record, Signature, Text, content_hash
from mmrare_judge.rubric.model import Criterion, Rubric

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


# FOLDED panel_votes: Votes on one criterion made into a decision: majority, mean or median; pure and exact.

Labels = tuple[str, ...]

ABSENT = "absent"
"""Why a member has no ballot: no grade of it was handed in."""


@dataclass(frozen=True)
class Count:
    """The ballots of a whole panel on one criterion.

    Attributes:
        criterion: The criterion.
        ballots: What was handed in.
        size: Members of the panel, absent ones too.
        rule: How they decide.
    """

    criterion: Criterion = field(hash=False)
    ballots: tuple[Ballot, ...]
    size: int
    rule: Rule

    @cached_property
    def votes(self) -> Labels:
        """The levels voted for, worst first."""
        given = (ballot.level for ballot in self.ballots if ballot.status == "judged")
        return _ordered(self.criterion, tuple(label for label in given if label is not None))

    @cached_property
    def deciding(self) -> Labels:
        """The votes whose mean is the decision; none without one.

        The winner stands for its majority; one or two middle votes make a median; all votes make a
        mean. A quorum is more than half of the panel.
        """
        has_quorum = 2 * len(self.votes) > self.size
        return self._decide(self.votes) if has_quorum else ()

    @cached_property
    def worst(self) -> Labels:
        """The worst case: every missing vote, or an undecided criterion, at the worst level."""
        return self._filled_with(_ordered(self.criterion, tuple(self.criterion.levels))[0])

    @cached_property
    def best(self) -> Labels:
        """The best case: every missing vote, or an undecided criterion, at the best level."""
        return self._filled_with(_ordered(self.criterion, tuple(self.criterion.levels))[-1])

    def _filled_with(self, label: str) -> Labels:
        if not self.deciding:
            return (label,)  # as in a grade: what is not judged is open in full
        missing = (label,) * (self.size - len(self.votes))
        return self._decide(_ordered(self.criterion, self.votes + missing))

    def _decide(self, votes: Labels) -> Labels:
        return _RULES[self.rule](votes, self.size)


def check_rule(rule: str) -> None:
    """Check that there is such a rule.

    Raises:
        ConfigError: There is not.
    """
    if rule not in _RULES:
        raise ConfigError(f"unknown rule {rule!r}; rules are {', '.join(_RULES)}")


@lru_cache(maxsize=4096)
def same_count(count: Count) -> Count:
    """An equal count that was made before: thousands of panels vote in a few hundred ways."""
    return count


@lru_cache(maxsize=4096)
def panel_verdict(count: Count) -> PanelVerdict:
    """The verdict, with how sure and how much at one the panel is."""
    votes, deciding = count.votes, count.deciding
    tally = Counter(votes)
    level = deciding[0] if len(set(deciding)) == 1 else None
    points = [count.criterion.levels[label].points for label in deciding]
    return PanelVerdict(
        criterion=count.criterion.id,
        status=_status(count),
        level=level,
        points=float(sum(points) / len(points)) if points else None,
        ballots=count.ballots,
        votes={label: tally[label] for label in count.criterion.levels},
        missing=_missing(count),
        spread=_spread(count),
        agreement=_agreement(tally),
        confidence=None if level is None else tally[level] / count.size,
    )


def _majority(votes: Labels, size: int) -> Labels:
    return tuple(label for label, count in Counter(votes).items() if 2 * count > size)


def _mean(votes: Labels, size: int) -> Labels:
    return votes


def _median(votes: Labels, size: int) -> Labels:
    return votes[(len(votes) - 1) // 2 : len(votes) // 2 + 1]


_RULES: Mapping[str, Callable[[Labels, int], Labels]] = {
    "majority": _majority,
    "mean": _mean,
    "median": _median,
}
"""From votes, worst first, and the panel's size to the deciding votes."""


def _ordered(criterion: Criterion, labels: Labels) -> Labels:
    place = {label: number for number, label in enumerate(criterion.levels)}
    return tuple(sorted(labels, key=lambda label: (criterion.levels[label].points, place[label])))


def _status(count: Count) -> PanelStatus:
    if count.deciding:
        return "judged"
    return "undecided" if 2 * len(count.votes) > count.size else "no_quorum"


def _missing(count: Count) -> dict[str, int]:
    reasons = (ballot.status for ballot in count.ballots if ballot.status != "judged")
    absent = [ABSENT] * (count.size - len(count.ballots))
    return dict(sorted(Counter[str](chain(reasons, absent)).items()))


def _spread(count: Count) -> Spread | None:
    points = [float(count.criterion.levels[label].points) for label in count.votes]
    if len(points) < 2:
        return None
    return Spread(sd=stdev(points), range=points[-1] - points[0])


def _agreement(tally: Counter[str]) -> float | None:
    """Pairs alike over pairs: sum of c (c - 1) over n (n - 1), c votes a level, n in all."""
    total = tally.total()
    if total < 2:
        return None
    return sum(count * (count - 1) for count in tally.values()) / (total * (total - 1))


# FOLDED panel_grading: Several gradings of one prediction made into a `Panel`; pure.

_NOT_THE_JUDGES = {"reported_model", "mode", "sampling"}
_NO_OPINION = {"max_tokens"}  # it can cut a reply short, and then there is no vote


def aggregate(grades: Sequence[Grade], rubric: Rubric, *, size: int, rule: Rule) -> Panel:
    """Join the gradings of one prediction by several judges, repeats, or both.

    A vote is a ``judged`` verdict; everything else is a missing vote. Per criterion, over a panel
    of ``size``:

    - ``majority``: the level with more than ``size / 2`` votes. A missing vote counts for nobody,
      so it never makes a majority, and a tie gives no level.
    - ``mean`` and ``median``: of the points of the votes that came, if more than ``size / 2`` did.

    The score is the rubric's, over these points; the gate of a cascade is entered with each of its
    deciding votes in turn, and the scores are averaged.

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
    seated = sorted(grades, key=_seat)
    counts = {
        c.id: same_count(Count(c, _ballots(seated, c.id), size, rule)) for c in rubric.criteria
    }
    partial = _score(rubric, {id: count.deciding for id, count in counts.items()})
    complete = all(count.deciding for count in counts.values())
    return Panel(
        item_id=seated[0].item_id,
        system=seated[0].system,
        track=seated[0].track,
        rubric=rubric.id,
        rubric_hash=rubric.hash,
        rule=rule,
        size=size,
        members=tuple(_member(grade) for grade in seated),
        score=partial if complete else None,
        partial_score=partial,
        coverage=_coverage(rubric, counts.values()),
        bounds=_bounds(rubric, counts),
        criteria=tuple(panel_verdict(count) for count in counts.values()),
        empty=all(grade.empty for grade in grades),
        usage=sum((grade.usage for grade in seated), Usage()),
    )


def judge_key(signature: Signature) -> str:
    """Tagged hash of a judge as it was asked for: equal for all items it grades in one way."""
    fields = signature.model_dump(mode="json")
    asked = {name: value for name, value in fields.items() if name not in _NOT_THE_JUDGES}
    sampling = {k: v for k, v in fields["sampling"].items() if k not in _NO_OPINION}
    return content_hash(asked | {"sampling": sampling})


def _check(grades: Sequence[Grade], rubric: Rubric, size: int) -> None:
    if size < 1:
        raise ConfigError(f"a panel of {size} has no members; size is at least 1")
    if not grades:
        raise InputError("a panel needs one grade at least, to know its item; there is none")
    if len(grades) > size:
        item, system = grades[0].item_id, grades[0].system
        raise InputError(
            f"item {item!r}, system {system!r}: {len(grades)} grades for a panel of {size}"
        )
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
    _check_seats(grades)


def _check_seats(grades: Sequence[Grade]) -> None:
    seats: set[tuple[str, int]] = set()
    for grade in grades:
        if grade.empty or not any(verdict.status == "judged" for verdict in grade.verdicts):
            continue  # by rule, or no vote: nothing can be counted twice
        seat = (judge_key(grade.signature), grade.sample)
        if seat in seats:
            raise InputError(
                f"item {grade.item_id!r}: judge {grade.signature.judge!r} votes twice with sample "
                f"{grade.sample}",
                remedy="Give repeats an index of their own; judges that differ in mode or "
                "max_tokens only are one judge",
            )
        seats.add(seat)


def _member(grade: Grade) -> Member:
    unscored = None if grade.unscored is None else grade.unscored.kind
    return _equal_member(grade.signature.judge, judge_key(grade.signature), grade.sample, unscored)


@lru_cache(maxsize=256)
def _equal_member(judge: str, key: str, sample: int, unscored: UnscoredKind | None) -> Member:
    # As with ballots: thousands of panels have the same few members.
    return Member(judge=judge, key=key, sample=sample, unscored=unscored)


def _seat(grade: Grade) -> tuple[str, int, str, str]:
    # Only seats without a vote can be equal; their statuses then make the order certain.
    statuses = " ".join(verdict.status for verdict in grade.verdicts)
    unscored = grade.unscored.kind if grade.unscored else ""
    return grade.signature.judge, grade.sample, judge_key(grade.signature), statuses + unscored


def _ballots(grades: Iterable[Grade], criterion: str) -> tuple[Ballot, ...]:
    return tuple(_ballot(grade.verdict(criterion)) for grade in grades)


def _ballot(verdict: Verdict) -> Ballot:
    return _equal_ballot(verdict.status, verdict.level, verdict.points)


@lru_cache(maxsize=256)
def _equal_ballot(status: Status, level: str | None, points: float | None) -> Ballot:
    # Equal ballots are one object: thousands of panels hold the same few.
    return Ballot(status=status, level=level, points=points)


def _coverage(rubric: Rubric, counts: Iterable[Count]) -> float:
    heard = (c.criterion.weight * len(c.votes) / c.size for c in counts if c.deciding)
    return float(sum(heard, Fraction(0)) / rubric.total_weight)


def _bounds(rubric: Rubric, counts: Mapping[str, Count]) -> Bounds:
    worst = _score(rubric, {id: count.worst for id, count in counts.items()})
    best = _score(rubric, {id: count.best for id, count in counts.items()})
    return Bounds.model_validate({"worst": worst, "best": best})


def _score(rubric: Rubric, deciding: Mapping[str, Labels]) -> float | None:
    shares = {id: _shares(rubric, id, labels) for id, labels in deciding.items() if labels}
    means = {id: _panel_grading_mean(each) for id, each in shares.items()}
    gate = rubric.scoring.gate
    if gate is None or gate not in shares:
        scores = [score_shares(rubric, means)]
    else:
        scores = [score_shares(rubric, means | {gate: share}) for share in shares[gate]]
    known = [score for score in scores if score is not None]
    return float(_panel_grading_mean(known)) if known else None


def _panel_grading_mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _shares(rubric: Rubric, criterion: str, labels: Labels) -> tuple[Fraction, ...]:
    asked = rubric.criterion(criterion)
    return tuple(asked.levels[label].points / asked.max_points for label in labels)
