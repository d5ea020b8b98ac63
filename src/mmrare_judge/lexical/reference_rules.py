"""Rules of the embedded judge that compare the prediction with a list or name of the reference."""

from __future__ import annotations

from fractions import Fraction

from mmrare_judge.element_match import ElementMatch
from mmrare_judge.lexical.demands import compile_element
from mmrare_judge.lexical.document import read
from mmrare_judge.lexical.dosing import dosings
from mmrare_judge.lexical.elements import match_element
from mmrare_judge.lexical.finding import FULL_ABOVE, PARTIAL_FROM, Case, Degree, Finding, quotes_of
from mmrare_judge.lexical.relations import stated_relations
from mmrare_judge.rubric.model import Criterion

BRIEF_ANSWER = 60
"""An answer of at most so many words can be one diagnosis; a longer one discusses several."""


def coverage(case: Case, criterion: Criterion) -> Finding:
    """Which elements of the criterion's list the prediction states."""
    field, matches = case.listed(criterion)
    if not matches:
        return Finding(None, "The reference has neither a list nor an answer to compare with.")
    found = [match for match in matches if match.found]
    source = "clauses of the reference answer" if field == "answer" else f"elements of {field}"
    return Finding(
        degree(Fraction(len(found), len(matches))),
        f"{len(found)} of {len(matches)} {source} are stated.{_missing(matches)}",
        quotes_of(found),
    )


def degree(share: Fraction) -> Degree:
    """The benchmark's lines: above 95 % is full, from 60 % partial.

    >>> degree(Fraction(3, 5))
    'partial'
    """
    if share > FULL_ABOVE:
        return "full"
    return "partial" if share >= PARTIAL_FROM else "none"


def _missing(matches: tuple[ElementMatch, ...]) -> str:
    missing = [
        f"{match.element!r}{' (mentioned, but negated)' if match.negated else ''}"
        for match in matches
        if not match.found
    ]
    return f" Not found: {'; '.join(missing)}." if missing else ""


def violations(case: Case, criterion: Criterion) -> Finding:
    """Whether something is recommended that must not be; that nothing is cannot be told."""
    elements = case.item.reference.must_not
    if not elements:
        return Finding(None, "The reference lists nothing that must not be recommended.")
    found = [match for match in case.prohibited if match.found]
    if not found:
        return Finding(
            None,
            f"None of {len(elements)} elements of must_not is recommended in so many words. "
            "Whether the plan is free of other violations cannot be told from words.",
        )
    named = "; ".join(repr(match.element) for match in found)
    return Finding("none", f"Recommended, and must not be: {named}.", quotes_of(found))


def doses_and_routes(case: Case, criterion: Criterion) -> Finding:
    """Whether each drug that the reference gives a dose or a route has that in the prediction."""
    reference = "\n".join((*case.item.reference.must_include, case.item.reference.answer))
    expected = {
        agent: dosing
        for agent, dosing in dosings(read(reference, case.terms)).items()
        if dosing.doses or dosing.routes
    }
    if not expected:
        return Finding(None, "The reference gives no drug with a dose or a route.")
    given = dosings(case.document)
    right = [agent for agent in expected if agent in given and given[agent].agrees(expected[agent])]
    missing = [agent.lstrip("=") for agent in expected if agent not in right]
    lacks = f" Not so: {', '.join(missing)}." if missing else ""
    return Finding(
        degree(Fraction(len(right), len(expected))),
        f"{len(right)} of {len(expected)} drugs have a dose or route of the reference.{lacks}",
        tuple(case.quote(given[agent].span) for agent in right)[:5],
    )


def exact_diagnosis(case: Case, criterion: Criterion) -> Finding:
    """Whether a brief answer names the reference diagnosis or an alias in all its words."""
    names = (case.item.reference.answer, *case.item.reference.aliases)
    matches = [
        match_element(case.document, compile_element(name, case.terms, strict=True))
        for name in names
        if name
    ]
    found = [match for match in matches if match.found]
    if found and len(case.document.cut.keys) <= BRIEF_ANSWER:
        return Finding("full", f"Names {found[0].element!r}.", quotes_of(found[:1]))
    if found:
        return Finding(None, f"Names {found[0].element!r} among much else: which is meant?")
    return Finding(None, "Not named in the words of the reference; it may go by another name.")


def relation(case: Case, criterion: Criterion) -> Finding:
    """Whether the one relation that the prediction states is the expected one."""
    expected = case.item.reference.relation
    stated = stated_relations(case.document)
    if expected is None:
        return Finding(None, "The reference has no relation to compare with.")
    if len(stated) != 1:
        count = f"states {' and '.join(stated)}" if stated else "names no relation"
        return Finding(None, f"The prediction {count}, so which one it means cannot be told.")
    [(one, span)] = stated.items()
    return Finding(
        "full" if one == expected else "none",
        f"States {one!r}; expected is {expected!r}.",
        (case.quote(span),),
    )
