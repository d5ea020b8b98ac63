"""Which relation between images a text states: confirm, complement or contrast."""

from __future__ import annotations

import re

from mmrare_judge.data.items import Relation
from mmrare_judge.lexical.document import Document

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

Span = tuple[int, int]


def stated_relations(document: Document) -> dict[Relation, Span]:
    """Each relation the text states un-negated, with the offsets of its first word.

    "Contrast" as in "contrast-enhanced" is a dye and no relation. Where some sentence speaks of a
    relation by that word, only such sentences are read.

    >>> from mmrare_judge.lexical.document import read
    >>> from mmrare_judge.lexical.terms import Terms
    >>> text = "The contrast-enhanced CT complements the smear and does not contradict it."
    >>> list(stated_relations(read(text, Terms.default())))
    ['complement']
    """
    named: dict[Relation, Span] = {}
    found: dict[Relation, Span] = {}
    for first, behind in document.bounds:
        tokens = document.tokens[first:behind]
        speaks = any(_NAMED.fullmatch(token.word) for token in tokens)
        for position in range(first, behind):
            relation = _relation(document, position)
            if relation is not None:
                found.setdefault(relation, document.slice(position, position))
                if speaks:
                    named.setdefault(relation, document.slice(position, position))
    return named or found


def _relation(document: Document, position: int) -> Relation | None:
    word = document.tokens[position].word
    for relation, family in _FAMILIES.items():
        if family.match(word):
            if word == "contrast" and _is_dye(document, position):
                return None
            return None if document.negated(position) else relation
    return None


def _is_dye(document: Document, position: int) -> bool:
    before = document.tokens[position - 1].word if position else ""
    two_before = document.tokens[position - 2].word if position > 1 else ""
    after = document.tokens[position + 1].word if position + 1 < len(document.tokens) else ""
    one_of = (two_before, before) in {("one", "of"), ("that", "of"), ("relation", "of")}
    return after in _DYE_AFTER or (before in _DYE_BEFORE and not one_of)
