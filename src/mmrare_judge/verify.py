"""Level 2: what can be verified of a prediction without a model, list by list."""

from __future__ import annotations

from functools import lru_cache

from mmrare_judge.data.items import Item, Relation, Track
from mmrare_judge.level2_result import Level2, ListCoverage
from mmrare_judge.lexical.demands import compile_element, compile_prohibited
from mmrare_judge.lexical.document import Document, read
from mmrare_judge.lexical.element import Element
from mmrare_judge.lexical.elements import match_element
from mmrare_judge.lexical.relations import stated_relations
from mmrare_judge.lexical.terms import Terms
from mmrare_judge.lexical.token_f1 import token_f1

LISTS: dict[Track, tuple[str, ...]] = {
    "treatment": ("must_include", "must_not"),
    "examination": ("key_tests", "red_flags", "must_not"),
    "diagnosis": (),
    "cross_image": ("key_findings",),
}
"""The lists of each track that level 2 verifies."""


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
    document = read(prediction, table)
    asked = [
        (field, *_compiled(field, getattr(item.reference, field), item.question, table))
        for field in LISTS[item.track]
    ]
    document.locate(frozenset().union(*(words for _, _, words in asked)))
    lists = tuple(_coverage(document, field, elements) for field, elements, _ in asked)
    return Level2(
        lists=lists,
        violations=tuple(
            match
            for coverage in lists
            if coverage.field == "must_not"
            for match in coverage.elements
            if match.found
        ),
        relation_expected=item.reference.relation if item.track == "cross_image" else None,
        relation_found=_one_relation(document) if item.track == "cross_image" else None,
        token_f1=_diagnosis_f1(prediction, item) if item.track == "diagnosis" else None,
    )


def _coverage(document: Document, field: str, elements: tuple[Element, ...]) -> ListCoverage:
    if not elements:
        return _EMPTY[field]
    matches = tuple([match_element(document, element) for element in elements])
    found = sum([match.found for match in matches])
    return ListCoverage(field=field, elements=matches, coverage=found / len(matches))


_EMPTY = {
    field: ListCoverage(field=field, elements=(), coverage=None)
    for fields in LISTS.values()
    for field in fields
}


@lru_cache(maxsize=1024)
def _compiled(
    field: str, listed: tuple[str, ...], question: str, terms: Terms
) -> tuple[tuple[Element, ...], frozenset[str]]:
    """A list compiled, with all its words, once for all predictions of its item."""
    if field == "must_not":
        elements = tuple(compile_prohibited(element, terms) for element in listed)
    else:
        elements = tuple(compile_element(element, terms, question=question) for element in listed)
    return elements, frozenset().union(*(element.words for element in elements))


def _one_relation(document: Document) -> Relation | None:
    relations = list(stated_relations(document))
    return relations[0] if len(relations) == 1 else None


def _diagnosis_f1(prediction: str, item: Item) -> float:
    return token_f1(prediction, (item.reference.answer, *item.reference.aliases))
