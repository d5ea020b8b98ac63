"""Level 2: what can be verified of a prediction without a model, list by list."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from mmrare_judge.data.items import Item, Relation, Track
from mmrare_judge.level2.document import Document, read_document
from mmrare_judge.level2.elements import (
    Element,
    ElementMatch,
    compile_element,
    compile_prohibited,
    match_element,
)
from mmrare_judge.level2.terms import Terms
from mmrare_judge.records import Record

# --- Token F1 of a short answer

_ARTICLES = frozenset(("a", "an", "the"))
_ASCII = str.maketrans("", "", string.punctuation)


def token_f1(prediction: str, answers: Iterable[str]) -> float:
    """The best token F1 of a prediction over several answers.

    F1 = 2 · common / (tokens of the prediction + tokens of the answer), where both are bags of
    lower-case tokens without punctuation and articles, and common is the size of their
    intersection. Two texts without any token score 1, one of them 0; no answers score 0.

    >>> token_f1("The primary hyperparathyroidism.", ["Hyperparathyroidism", "Graves disease"])
    0.6666666666666666
    """
    bag = Counter(_tokens(prediction))
    return max((_f1(bag, Counter(_tokens(answer))) for answer in answers), default=0.0)


def _f1(left: Counter[str], right: Counter[str]) -> float:
    total = left.total() + right.total()
    if total == 0:
        return 1.0
    common = (left & right).total()
    return 2 * common / total


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    bare = text.lower().translate(_ASCII)
    if not bare.isascii():
        bare = "".join(c for c in bare if not unicodedata.category(c).startswith("P"))
    return tuple(token for token in bare.split() if token not in _ARTICLES)


# --- The relation between images that a text states

_FAMILIES: dict[Relation, re.Pattern[str]] = {
    "confirm": re.compile(
        r"confirm|corroborat|concordan|verif(?:y|ie)|validat|agreement$|agrees?$"
    ),
    "complement": re.compile(r"complement|supplement"),
    "contrast": re.compile(
        r"contrast|contradict|conflict|discordan|discrepan|inconsisten|disagree"
    ),
}
_DYE_BEFORE = frozenset(
    "with without iv intravenous oral non no gadolinium iodinated pre post of after and or "
    "injected intravenously bright positive negative low high".split()
)
_DYE_AFTER = frozenset(
    "enhanced enhancing enhancement agent agents medium media material dye uptake ct mri scan "
    "resolution injection administration series study studies ultrasound tomography imaging".split()
)
_NAMED = re.compile(r"relation|relationships?|relate")


def stated_relations(document: Document) -> dict[Relation, tuple[int, int]]:
    """Each relation the text states un-negated, with the offsets of its first word.

    "Contrast" as in "contrast-enhanced" is a dye and no relation. Where some sentence speaks of a
    relation by that word, only such sentences are read.

    >>> from mmrare_judge.level2.document import read_document
    >>> from mmrare_judge.level2.terms import Terms
    >>> text = "The contrast-enhanced CT complements the smear and does not contradict it."
    >>> list(stated_relations(read_document(text, Terms.default())))
    ['complement']
    """
    named: dict[Relation, tuple[int, int]] = {}
    found: dict[Relation, tuple[int, int]] = {}
    for first, behind in document.bounds:
        speaks = any(map(_NAMED.fullmatch, document.tokens.words[first:behind]))
        for position in range(first, behind):
            relation = _relation(document, position)
            if relation is not None:
                found.setdefault(relation, document.slice(position, position))
                if speaks:
                    named.setdefault(relation, document.slice(position, position))
    return named or found


def _relation(document: Document, position: int) -> Relation | None:
    word = document.tokens.words[position]
    for relation, family in _FAMILIES.items():
        if family.match(word):
            if word == "contrast" and _is_dye(document, position):
                return None
            return None if document.negated(position) else relation
    return None


def _is_dye(document: Document, position: int) -> bool:
    two_before, before, _, after = ["", "", *document.tokens.words, ""][position : position + 4]
    one_of = (two_before, before) in {("one", "of"), ("that", "of"), ("relation", "of")}
    return after in _DYE_AFTER or (before in _DYE_BEFORE and not one_of)


# --- All lists of an item


class ListCoverage(Record):
    """How much of one reference list the prediction states.

    Attributes:
        field: The field of `Reference`.
        elements: One entry an element, in the reference's order.
        coverage: Share of the elements found, 0 to 1; ``None`` for an empty list.
    """

    field: str
    elements: tuple[ElementMatch, ...]
    coverage: float | None


class Level2(Record):
    """Deterministic verification of a prediction; no model takes part.

    Attributes:
        lists: Coverage of every list the track has.
        violations: Elements of ``must_not`` that the prediction recommends.
        relation_expected: The reference's relation (cross-image).
        relation_found: The one relation the prediction states; ``None`` if none or several.
        token_f1: 0 to 1, best over the answer and its aliases (diagnosis).
    """

    lists: tuple[ListCoverage, ...] = ()
    violations: tuple[ElementMatch, ...] = ()
    relation_expected: Relation | None = None
    relation_found: Relation | None = None
    token_f1: float | None = None


LISTS: dict[Track, tuple[str, ...]] = {
    "treatment": ("must_include", "must_not"),
    "examination": ("key_tests", "red_flags", "must_not"),
    "diagnosis": (),
    "cross_image": ("key_findings",),
    "other": ("must_include", "key_tests", "red_flags", "key_findings", "must_not"),
}
"""The lists of each track that level 2 verifies; of a task of your own, those that it has."""


def verify(prediction: str, item: Item, *, terms: Terms | None = None) -> Level2:
    """Verify a prediction against the lists of its item.

    An element that is only mentioned to be avoided, denied or called unnecessary is not found. An
    element of ``must_not`` that is found is a violation; every content word of it has to stand in
    one sentence for that.

    Args:
        prediction: The answer.
        item: What was asked, with the reference.
        terms: Names that mean the same; those of the package by default.

    >>> from mmrare_judge.data.items import Reference
    >>> reference = Reference(must_include=("IVIG",), must_not=("Avoid live vaccines",))
    >>> item = Item(id="1", track="treatment", question="Treatment?", reference=reference)
    >>> verify("Intravenous immunoglobulin; no live vaccines.", item).lists[0].coverage
    1.0
    """
    table = terms if terms is not None else Terms.default()
    document = read_document(prediction, table)
    lists = tuple(
        _coverage(document, field, _compiled(field, listed, item.question, table))
        for field in LISTS[item.track]
        for listed in (getattr(item.reference, field),)
        if listed or item.track != "other"
    )
    violations = [match for held in lists if held.field == "must_not" for match in held.elements]
    relation: Relation | None = None
    relation_found: Relation | None = None
    f1: float | None = None
    if item.track == "cross_image" or (item.track == "other" and item.reference.relation):
        stated = list(stated_relations(document))
        relation = item.reference.relation
        relation_found = stated[0] if len(stated) == 1 else None
    if item.track == "diagnosis":
        f1 = token_f1(prediction, (item.reference.answer, *item.reference.aliases))
    return Level2(
        lists=lists,
        violations=tuple(match for match in violations if match.found),
        relation_expected=relation,
        relation_found=relation_found,
        token_f1=f1,
    )


def _coverage(document: Document, field: str, elements: tuple[Element, ...]) -> ListCoverage:
    matches = tuple(match_element(document, element) for element in elements)
    found = sum(match.found for match in matches)
    coverage = found / len(matches) if matches else None
    return ListCoverage(field=field, elements=matches, coverage=coverage)


@lru_cache(maxsize=1024)
def _compiled(
    field: str, listed: tuple[str, ...], question: str, terms: Terms
) -> tuple[Element, ...]:
    """A list compiled, once for all predictions of its item."""
    if field == "must_not":
        return tuple(compile_prohibited(element, terms) for element in listed)
    return tuple(compile_element(element, terms, question=question) for element in listed)
