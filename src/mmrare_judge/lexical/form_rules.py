"""Rules of the embedded judge that read the form of a prediction: times, branches, thresholds.

They would credit an answer to another case, which may be in perfect form: the judge withholds
their credit where the prediction states less than half of the reference. That form is absent can
be said of any answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmrare_judge.lexical.document import Document
from mmrare_judge.lexical.finding import MOST_QUOTES, Case, Finding
from mmrare_judge.lexical.vocabulary import (
    BRANCH,
    FOLLOW_UP,
    MONITORED,
    ORDER,
    PARAMETERS,
    THRESHOLD,
)
from mmrare_judge.rubric.model import Criterion

_TIME = re.compile(r"#[\d.]+(?:day|week|month|year|hour)")
_TIMES = frozenset(("every week", "every month", "every year", "once daily"))
_NUMBERED = re.compile(r"^(?:step\s+)?\d{1,2}[.):] .*$", re.IGNORECASE | re.MULTILINE)
_AROUND = 4


def follow_up(case: Case, criterion: Criterion) -> Finding:
    """Whether follow-up has a time and a named parameter, in one sentence or the next."""
    document = case.document
    complete: list[str] = []
    incomplete: list[str] = []
    for number in _sentences_with(document, FOLLOW_UP, "=follow up"):
        near = range(number, min(number + 2, len(document.bounds)))
        time = [sentence for sentence in near if _has_time(document, sentence)]
        named = [sentence for sentence in near if _names_parameter(document, sentence)]
        end = document.sentence(max(time[0], named[0]) if time and named else number)[1]
        quote = case.quote((document.sentence(number)[0], end))
        (complete if time and named else incomplete).append(quote)
    if complete:
        finding = Finding("full", "Follow-up with a time and a parameter.", _few(complete))
    elif incomplete:
        finding = Finding("partial", "Follow-up lacks a time or a parameter.", _few(incomplete))
    else:
        finding = Finding("none", "No sentence speaks of follow-up.")
    return finding


def specific_tests(case: Case, criterion: Criterion) -> Finding:
    """Which of the key tests that the prediction states it gives with a parameter."""
    stated = [match for match in case.main[1] if match.found and match.span]
    if not stated:
        return Finding(None, "No test of the reference is named, so none can be looked at.")
    exact = [
        m for m in stated if m.span and _has_parameter(case.document, m.span.start, m.span.end)
    ]
    reasoning = f"{len(exact)} of {len(stated)} key tests that are named carry a parameter."
    quotes = _few(match.span.text for match in exact if match.span)
    if len(exact) == len(stated):
        return Finding("full", reasoning, quotes)
    some = 2 * len(exact) >= len(stated)
    return Finding("partial" if some else "none", reasoning, quotes)


def conditional_logic(case: Case, criterion: Criterion) -> Finding:
    """Whether the work-up has an order and branches."""
    branches = _matches(case.document, BRANCH)
    steps = [match[0] for match in _NUMBERED.finditer(case.document.text)]
    orders = _matches(case.document, ORDER) or (steps if len(steps) > 1 else [])
    if branches and orders:
        finding = Finding("full", "Has an order and branches.", _few([*branches, *orders]))
    elif branches or orders:
        lacks = "an order" if branches else "a branch"
        finding = Finding("partial", f"Lacks {lacks}.", _few([*branches, *orders]))
    else:
        finding = Finding("none", "A flat list: neither order nor branch.")
    return finding


def quantitative_criteria(case: Case, criterion: Criterion) -> Finding:
    """Whether the sentences that name tests have thresholds."""
    document = case.document
    thresholds = _matches(document, THRESHOLD)
    named = {mention.sentence for kind, _, mention in document.kinds if kind == "test"}
    reasoning = f"{len(thresholds)} sentences have a threshold; {len(named)} name a test."
    if not thresholds:
        return Finding("none", reasoning)
    most = 2 * len(thresholds) >= len(named)
    return Finding("full" if most else "partial", reasoning, _few(thresholds))


def _sentences_with(document: Document, stems: frozenset[str], *keys: str) -> list[int]:
    return sorted(
        {
            mention.sentence
            for key in (*stems, *keys)
            for mention in document.mentions(key)
            if not mention.negated
        }
    )


def _has_time(document: Document, sentence: int) -> bool:
    first, behind = document.bounds[sentence]
    if any(key[0] == "#" and _TIME.fullmatch(key) for key in document.cut.keys[first:behind]):
        return True
    return any(name in _TIMES and m.sentence == sentence for _, name, m in document.kinds)


def _names_parameter(document: Document, sentence: int) -> bool:
    first, behind = document.bounds[sentence]
    if not MONITORED.isdisjoint(document.cut.keys[first:behind]):
        return True
    return any(kind == "test" and m.sentence == sentence for kind, _, m in document.kinds)


def _has_parameter(document: Document, start: int, end: int) -> bool:
    """Whether a parameter stands in a stretch, or within a few words of it in its sentence."""
    for first, behind in document.bounds:
        inside = [p for p in range(first, behind) if start <= document.cut.starts[p] < end]
        if inside:
            near = range(max(first, inside[0] - _AROUND), min(behind, inside[-1] + 1 + _AROUND))
            if any(document.cut.keys[position] in PARAMETERS for position in near):
                return True
    return False


def _matches(document: Document, pattern: re.Pattern[str]) -> list[str]:
    """The sentences in which a pattern is found."""
    texts = (
        document.text[slice(*document.sentence(number))] for number in range(len(document.bounds))
    )
    return [text for text in texts if pattern.search(text)]


def _few(quotes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(quotes))[:MOST_QUOTES]
