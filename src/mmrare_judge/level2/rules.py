"""The rules of the embedded judge, one per kind of criterion.

Each rule is given a `RuleInput` and the criterion, and returns a `Finding`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from typing import Literal, NamedTuple

from mmrare_judge.data.items import Item, Track
from mmrare_judge.level2.document import Document, read_document
from mmrare_judge.level2.elements import (
    ElementMatch,
    clauses_of,
    compile_element,
    compile_prohibited,
    list_labels,
    match_element,
)
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.verify import stated_relations
from mmrare_judge.level2.words import looks_like_drug, stem
from mmrare_judge.rubric.model import Criterion

Degree = Literal["full", "partial", "none"]

FULL_ABOVE = Fraction(95, 100)
PARTIAL_FROM = Fraction(60, 100)
"""The benchmark's lines for covering a list: above 95 %, and from 60 %."""

MOST_QUOTES = 5

POSITIVE_LISTS = ("must_include", "key_tests", "key_findings", "red_flags")
_MAIN_LIST: dict[Track, str] = {
    "treatment": "must_include",
    "examination": "key_tests",
    "cross_image": "key_findings",
}


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        degree: How far the criterion is met; ``None`` where the rule cannot tell.
        reasoning: Why.
        quotes: Stretches of the prediction, word for word.
    """

    degree: Degree | None
    reasoning: str
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleInput:
    """One prediction before the rules.

    Attributes:
        document: The prediction, read.
        item: What was asked, with the reference.
        terms: Names that mean the same.
    """

    document: Document
    item: Item
    terms: Terms

    @cached_property
    def main(self) -> tuple[str, tuple[ElementMatch, ...]]:
        """The track's main list looked up, with its name; clauses of the answer if it is empty."""
        return self.looked_up(_MAIN_LIST.get(self.item.track, "answer"))

    def looked_up(self, field: str) -> tuple[str, tuple[ElementMatch, ...]]:
        """A list of the reference looked up, or the clauses of its answer if it is empty."""
        elements: tuple[str, ...] = () if field == "answer" else getattr(self.item.reference, field)
        if not elements:
            answer = self.item.reference.answer
            elements = list_labels(answer) if field == "key_tests" else clauses_of(answer)
            field = "answer"
        return field, tuple(self.match(element) for element in elements)

    def listed(self, criterion: Criterion) -> tuple[str, tuple[ElementMatch, ...]]:
        """The list a criterion is about: the first it needs, or the track's main list."""
        wanted = [criterion.for_each, *criterion.needs]
        named = next((field for field in wanted if field in POSITIVE_LISTS), None)
        return self.main if named in (None, self.main[0]) else self.looked_up(str(named))

    def match(self, element: str) -> ElementMatch:
        """Look one element up."""
        compiled = compile_element(element, self.terms, question=self.item.question)
        return match_element(self.document, compiled)

    def match_prohibited(self, element: str) -> ElementMatch:
        """Look up one thing that must not be recommended."""
        return match_element(self.document, compile_prohibited(element, self.terms))

    @cached_property
    def on_topic(self) -> bool:
        """Whether the prediction states at least half of what the reference has."""
        matches = self.main[1]
        return bool(matches) and 2 * sum(match.found for match in matches) >= len(matches)

    def quote(self, span: tuple[int, int]) -> str:
        """The stretch between two offsets."""
        return self.document.text[span[0] : span[1]]


def quotes_of(matches: Iterable[ElementMatch]) -> tuple[str, ...]:
    """What was matched, each stretch once, at most `MOST_QUOTES`."""
    return _few(match.span.text for match in matches if match.span)


def _few(quotes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(quotes))[:MOST_QUOTES]


# --- Which dose and route a text gives which drug

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

    >>> from mmrare_judge.level2.document import read_document
    >>> from mmrare_judge.level2.terms import Terms
    >>> text = "IV acyclovir 350 mg, oral prednisolone (60 mg daily)"
    >>> plan = read_document(text, Terms.default())
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
        doses = [p for p in range(agent.behind, reach) if _DOSE.fullmatch(document.tokens.keys[p])]
        ways = [
            p for p in (*range(begin, agent.first), *range(agent.behind, claimed)) if p in routes
        ]
        places = (agent.first, agent.behind - 1, *doses, *ways)
        yield (
            agent.key,
            Dosing(
                frozenset(document.tokens.keys[p] for p in doses),
                frozenset(routes[p] for p in ways),
                document.slice(min(places), max(places)),
            ),
        )


def _agents(document: Document) -> list[_Agent]:
    agents = [
        _Agent(mention.first, mention.last + 1, mention.sentence, f"={name}")
        for kind, name, mention in document.kinds
        if kind in _AGENT_KINDS
    ]
    covered = {position for agent in agents for position in range(agent.first, agent.behind)}
    agents += [
        _Agent(position, position + 1, document.sentence_of(position), key)
        for key, positions in document.words.items()
        if looks_like_drug(document.tokens.words[positions[0]])
        for position in positions
        if position not in covered
    ]
    return sorted(agents)


def _merged(one: Dosing, other: Dosing) -> Dosing:
    says_more = bool(other.doses or other.routes) and not (one.doses or one.routes)
    return Dosing(
        one.doses | other.doses, one.routes | other.routes, other.span if says_more else one.span
    )


# --- Rules that compare the prediction with a list or name of the reference

BRIEF_ANSWER = 60
"""An answer of at most so many words can be one diagnosis; a longer one discusses several."""


def coverage(case: RuleInput, criterion: Criterion) -> Finding:
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


def violations(case: RuleInput, criterion: Criterion) -> Finding:
    """Whether something is recommended that must not be; that nothing is cannot be told."""
    elements = case.item.reference.must_not
    if not elements:
        return Finding(None, "The reference lists nothing that must not be recommended.")
    found = [match for match in map(case.match_prohibited, elements) if match.found]
    if not found:
        return Finding(
            None,
            f"None of {len(elements)} elements of must_not is recommended in so many words. "
            "Whether the plan is free of other violations cannot be told from words.",
        )
    named = "; ".join(repr(match.element) for match in found)
    return Finding("none", f"Recommended, and must not be: {named}.", quotes_of(found))


def doses_and_routes(case: RuleInput, criterion: Criterion) -> Finding:
    """Whether each drug that the reference gives a dose or a route has that in the prediction."""
    reference = "\n".join((*case.item.reference.must_include, case.item.reference.answer))
    expected = {
        agent: dosing
        for agent, dosing in dosings(read_document(reference, case.terms)).items()
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
        tuple(case.quote(given[agent].span) for agent in right)[:MOST_QUOTES],
    )


def exact_diagnosis(case: RuleInput, criterion: Criterion) -> Finding:
    """Whether a brief answer names the reference diagnosis or an alias in all its words."""
    names = (case.item.reference.answer, *case.item.reference.aliases)
    matches = [
        match_element(case.document, compile_element(name, case.terms, strict=True))
        for name in names
        if name
    ]
    found = [match for match in matches if match.found]
    if found and len(case.document.tokens.keys) <= BRIEF_ANSWER:
        return Finding("full", f"Names {found[0].element!r}.", quotes_of(found[:1]))
    if found:
        return Finding(None, f"Names {found[0].element!r} among much else: which is meant?")
    return Finding(None, "Not named in the words of the reference; it may go by another name.")


def relation(case: RuleInput, criterion: Criterion) -> Finding:
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


# --- Words by which the form rules know what they look for


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


FOLLOW_UP = _stems("monitor monitoring surveillance recheck repeat reassess reassessment review")
"""Words of follow-up; "follow-up" itself is a term of the table."""

MONITORED = _stems(
    """
    acuity albumin antibody bilirubin biopsy calcium cholesterol cortisol count creatinine culture
    echocardiogram electrocardiogram electrolyte endoscopy enzyme ferritin glucose growth hearing
    hematocrit hemoglobin hepatic hormone imaging inr kidney lactate leukocyte level lipid liver
    lymphocyte magnesium marker neurological neutrophil oxygen panel phosphate platelet potassium
    pressure profile protein proteinuria radiograph renal saturation scan sodium spirometry sugar
    temperature thyroid titer transaminase troponin trough urinalysis urine viral visual weight
    x-ray
    """
)
"""Things that are measured in follow-up, beside the tests of the table."""

PARAMETERS = _stems(
    """
    24 3d 4d abdomen abdominal angiography ankle anteroposterior antibody antigen aorta aortic ap
    arm arterial axial axilla axillary bilateral bone brain breast capillary cardiac carotid
    cerebral cervical chest congo contrast core coronal coronary cranial csf culture dental
    diffusion direct dna doppler dotatate duplex dwi dynamic elbow enhanced excisional facial
    fasting fdg femoral femur fine flair foot free frozen gadolinium gram guided hand head hepatic
    hip humerus iga igg igm incisional indirect jaw kidney knee lateral leg liver lower lumbar
    lumbosacral lung lymph mandible maxillary mediastinal morning multiphase mutation neck needle
    nerve node noncontrast oblique orbit orbital ovarian pancreas pancreatic panel pelvic pelvis
    phase pituitary plasma portal prostate psma pulmonary punch random rectal renal resolution rna
    sacral sagittal scrotal sensitivity serum shoulder sinus skin skull spectral spinal spine
    spleen sputum stain staining standing stir stool supine t1 t2 temporal testicular thigh
    thoracic thorax thyroid tibia total transabdominal transesophageal transthoracic transvaginal
    triphasic unenhanced upper urinary urine uterine uterus vaginal venous vertebra view weighted
    wrist
    """
)
"""Body regions, contrast, sequences, views, specimens and techniques that make a test specific."""

BRANCH = re.compile(
    r"\b(?:if|unless|otherwise|depending\s+on|in\s+(?:the\s+)?(?:case|event)\s+of|should\s+\w+\s+"
    r"(?:be|show|reveal|remain|prove)|(?:when|once)\s+(?:\w+\s+){0,4}(?:positive|negative|abnormal|"
    r"normal|inconclusive|elevated|confirmed|excluded)|based\s+on\s+(?:the\s+)?(?:results?|findings))\b",
    re.IGNORECASE,
)
"""Words that make one step depend on what another one shows."""

ORDER = re.compile(
    r"\b(?:first|second|third)[\s-]line\b|\b(?:first(?:ly)?|second(?:ly)?|initially|initial\s+"
    r"(?:tests?|work-?up|evaluation|step|imaging)|then|next|followed\s+by|subsequent(?:ly)?|finally|"
    r"thereafter|confirmatory|step\s+\d+|prior\s+to|before\s+proceeding)\b",
    re.IGNORECASE,
)
"""Words that put steps in an order."""

THRESHOLD = re.compile(
    r"(?:[<>≤≥]|\b(?:above|below|over|under|exceed(?:s|ing)?|greater\s+than|less\s+than|more\s+than|"
    r"lower\s+than|higher\s+than|at\s+least|cut-?offs?(?:\s+of)?|thresholds?(?:\s+of)?|scores?(?:\s+of)?))"
    r"\s*=?\s*\d",
    re.IGNORECASE,
)
"""A comparison with a number."""


# --- Rules that read the form of a prediction: times, branches, thresholds

# They would credit an answer to another case, which may be in perfect form: the judge withholds
# their credit where the prediction states less than half of the reference. That form is absent can
# be said of any answer.

_TIME = re.compile(r"#[\d.]+(?:day|week|month|year|hour)")
_TIMES = frozenset(("every week", "every month", "every year", "once daily"))
_NUMBERED = re.compile(r"^(?:step\s+)?\d{1,2}[.):] .*$", re.IGNORECASE | re.MULTILINE)
_AROUND = 4


def follow_up(case: RuleInput, criterion: Criterion) -> Finding:
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
        return Finding("full", "Follow-up with a time and a parameter.", _few(complete))
    if incomplete:
        return Finding("partial", "Follow-up lacks a time or a parameter.", _few(incomplete))
    return Finding("none", "No sentence speaks of follow-up.")


def specific_tests(case: RuleInput, criterion: Criterion) -> Finding:
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


def conditional_logic(case: RuleInput, criterion: Criterion) -> Finding:
    """Whether the work-up has an order and branches."""
    branches = _matches(case.document, BRANCH)
    steps = [match[0] for match in _NUMBERED.finditer(case.document.text)]
    orders = _matches(case.document, ORDER) or (steps if len(steps) > 1 else [])
    quotes = _few([*branches, *orders])
    if branches and orders:
        return Finding("full", "Has an order and branches.", quotes)
    if quotes:
        lacks = "an order" if branches else "a branch"
        return Finding("partial", f"Lacks {lacks}.", quotes)
    return Finding("none", "A flat list: neither order nor branch.")


def quantitative_criteria(case: RuleInput, criterion: Criterion) -> Finding:
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
    if any(map(_TIME.fullmatch, document.tokens.keys[first:behind])):
        return True
    return any(name in _TIMES and m.sentence == sentence for _, name, m in document.kinds)


def _names_parameter(document: Document, sentence: int) -> bool:
    first, behind = document.bounds[sentence]
    if not MONITORED.isdisjoint(document.tokens.keys[first:behind]):
        return True
    return any(kind == "test" and m.sentence == sentence for kind, _, m in document.kinds)


def _has_parameter(document: Document, start: int, end: int) -> bool:
    """Whether a parameter stands in a stretch, or within a few words of it in its sentence."""
    for first, behind in document.bounds:
        inside = [p for p in range(first, behind) if start <= document.tokens.starts[p] < end]
        if inside:
            near = range(max(first, inside[0] - _AROUND), min(behind, inside[-1] + 1 + _AROUND))
            if any(document.tokens.keys[position] in PARAMETERS for position in near):
                return True
    return False


def _matches(document: Document, pattern: re.Pattern[str]) -> list[str]:
    """The sentences in which a pattern is found."""
    texts = (
        document.text[slice(*document.sentence(number))] for number in range(len(document.bounds))
    )
    return [text for text in texts if pattern.search(text)]
