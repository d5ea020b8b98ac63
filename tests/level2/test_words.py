"""Single words: stems, folding, drug names."""

import pytest

from mmrare_judge.level2.words import fold_word, looks_like_drug, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("injections", "injected"),
        ("biopsies", "biopsy"),
        ("anaemia", "anemia"),
        ("oedema", "edema"),
        ("diarrhoea", "diarrhea"),
        ("progressive", "progression"),
        ("allergic", "allergy"),
        ("infused", "infusion"),
    ],
)
def test_forms_of_one_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("prednisone", "prednisolone"),
        ("hydroxyzine", "hydralazine"),
        ("chlorpromazine", "chlorpropamide"),
        ("vincristine", "vinblastine"),
        ("cyclosporine", "cycloserine"),
        ("dopamine", "dobutamine"),
        ("nitric", "nitrous"),
        ("hypertension", "hypertrophy"),
    ],
)
def test_different_things_have_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_accents_ligatures_and_invisible_characters_do_not_matter() -> None:
    assert fold_word("Sjögren") == fold_word("Sjo\u0308gren") == "sjogren"
    assert fold_word("ﬁbrin") == "fibrin"
    assert fold_word("pred\u00adnisone") == "prednisone"


@pytest.mark.parametrize("drug", ["prednisolone", "rituximab", "imatinib", "omeprazole"])
def test_drugs_are_known_by_the_endings_of_their_names(drug: str) -> None:
    assert looks_like_drug(drug)
    assert not looks_like_drug("procedure")
