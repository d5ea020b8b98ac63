"""Which dose and route a text gives which drug: `dosings`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from mmrare_judge.lexical.document import Document
from mmrare_judge.lexical.words import looks_like_drug

_DOSE = re.compile(r"#[\d.]+(?:mg|mcg|ng|unit|meq|mmol|ml|gy|cgy|mgy)(?:/(?:kg|m2|ml|l|dl))?")
_AGENT_KINDS = frozenset(("drug", "class", "procedure"))
_ROUTE_REACH = 3


@dataclass(frozen=True)
class Dosing:
    """What a text says of how one drug is given.

    Attributes:
        doses: Amounts, as number keys.
        routes: Routes, as names of terms.
        span: Offsets from the first mention of the drug to what was found with it.
    """

    doses: frozenset[str]
    routes: frozenset[str]
    span: tuple[int, int]

    def agrees(self, expected: Dosing) -> bool:
        """Whether this has an expected dose; or an expected route, and no dose that differs."""
        if self.doses & expected.doses:
            return True
        differs = bool(self.doses and expected.doses)
        return not differs and bool(self.routes & expected.routes)


class _Agent(NamedTuple):
    first: int
    behind: int
    sentence: int
    key: str


def dosings(document: Document) -> dict[str, Dosing]:
    """The dosing of every drug that a text recommends, by the drug's key.

    A dose belongs to the last drug before it in its sentence, a route to the drug within three
    words behind it, else to the last drug before it.

    >>> from mmrare_judge.lexical.document import read
    >>> from mmrare_judge.lexical.terms import Terms
    >>> plan = read("IV acyclovir 350 mg, oral prednisolone (60 mg daily)", Terms.default())
    >>> [(agent, *d.doses, *d.routes) for agent, d in dosings(plan).items()]
    [('=aciclovir', '#350mg', 'intravenous'), ('prednisolon', '#60mg', 'by mouth')]
    """
    found: dict[str, Dosing] = {}
    agents = _agents(document)
    routes = {mention.last: name for kind, name, mention in document.kinds if kind == "route"}
    for sentence, places in groupby(agents, key=lambda agent: agent.sentence):
        for agent, dosing in _in_sentence(document, sentence, list(places), routes):
            known = found.get(agent)
            found[agent] = dosing if known is None else _merged(known, dosing)
    return found


def _in_sentence(
    document: Document, sentence: int, agents: list[_Agent], routes: dict[int, str]
) -> Iterator[tuple[str, Dosing]]:
    first, behind = document.bounds[sentence]
    for index, agent in enumerate(agents):
        if document.negated(agent.behind - 1):
            continue
        following = index + 1 < len(agents)
        reach = agents[index + 1].first if following else behind
        begin = max(first, agent.first - _ROUTE_REACH, agents[index - 1].behind if index else 0)
        claimed = max(agent.behind, reach - _ROUTE_REACH) if following else reach
        doses = [p for p in range(agent.behind, reach) if _is_dose(document.cut.keys[p])]
        ways = [
            p for p in (*range(begin, agent.first), *range(agent.behind, claimed)) if p in routes
        ]
        places = (agent.first, agent.behind - 1, *doses, *ways)
        yield (
            agent.key,
            Dosing(
                frozenset(document.cut.keys[p] for p in doses),
                frozenset(routes[p] for p in ways),
                document.slice(min(places), max(places)),
            ),
        )


def _is_dose(key: str) -> bool:
    return key[0] == "#" and _DOSE.fullmatch(key) is not None


def _agents(document: Document) -> list[_Agent]:
    """The drugs of a text in order."""
    agents = [
        _Agent(mention.first, mention.last + 1, mention.sentence, f"={name}")
        for kind, name, mention in document.kinds
        if kind in _AGENT_KINDS
    ]
    covered = {position for agent in agents for position in range(agent.first, agent.behind)}
    agents += [
        _Agent(position, position + 1, document.sentence_of(position), key)
        for key, positions in document.words.items()
        if looks_like_drug(document.cut.words[positions[0]])
        for position in positions
        if position not in covered
    ]
    return sorted(agents)


def _merged(one: Dosing, other: Dosing) -> Dosing:
    says_more = bool(other.doses or other.routes) and not (one.doses or one.routes)
    return Dosing(
        one.doses | other.doses, one.routes | other.routes, other.span if says_more else one.span
    )
