"""Several gradings of one prediction made into a `Panel`; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from mmrare_judge.backends.base import Usage
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.judging.grade import Bounds, Grade, Status, UnscoredKind, Verdict
from mmrare_judge.judging.verdicts import score_shares
from mmrare_judge.panel import Ballot, Member, Panel, Rule
from mmrare_judge.panel_votes import Count, Labels, check_rule, panel_verdict, same_count
from mmrare_judge.records import Signature, content_hash
from mmrare_judge.rubric.model import Rubric

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
    means = {id: _mean(each) for id, each in shares.items()}
    gate = rubric.scoring.gate
    if gate is None or gate not in shares:
        scores = [score_shares(rubric, means)]
    else:
        scores = [score_shares(rubric, means | {gate: share}) for share in shares[gate]]
    known = [score for score in scores if score is not None]
    return float(_mean(known)) if known else None


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _shares(rubric: Rubric, criterion: str, labels: Labels) -> tuple[Fraction, ...]:
    asked = rubric.criterion(criterion)
    return tuple(asked.levels[label].points / asked.max_points for label in labels)
