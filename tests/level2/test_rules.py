"""Which dose and route a text gives which drug."""

import pytest

from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.rules import dosings
from mmrare_judge.level2.terms import Terms

TERMS = Terms.default()


def test_each_drug_has_its_own_dose_and_route() -> None:
    text = "IV acyclovir 350 mg with oral prednisolone (60 mg daily); avoid warfarin 5 mg."
    found = dosings(read_document(text, TERMS))
    assert set(found) == {"=aciclovir", "prednisolon"}
    assert found["=aciclovir"].doses == {"#350mg"}
    assert found["=aciclovir"].routes == {"intravenous"}
    assert found["prednisolon"].doses == {"#60mg"}
    assert found["prednisolon"].routes == {"by mouth"}


@pytest.mark.parametrize(
    ("given", "agrees"),
    [
        ("oral prednisone 40 mg", True),
        ("prednisone 40 mg", True),
        ("oral prednisone", True),
        ("oral prednisone 400 mg", False),
        ("prednisone", False),
    ],
)
def test_a_dose_that_differs_outweighs_a_route_that_agrees(given: str, agrees: bool) -> None:
    expected = dosings(read_document("prednisone 40 mg by mouth", TERMS))["prednison"]
    assert dosings(read_document(given, TERMS))["prednison"].agrees(expected) is agrees
