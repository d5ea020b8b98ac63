"""Votes on one criterion made into a decision: majority, mean or median; pure and exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from statistics import stdev

from mmrare_judge.errors import ConfigError
from mmrare_judge.panel import Ballot, PanelStatus, PanelVerdict, Rule, Spread
from mmrare_judge.rubric.model import Criterion

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
