"""Words, numbers, tokens and sentences."""

import pytest

from mmrare_judge.level2.tokens import Tokens, plain_unit, sentence_starts, words_of
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


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("10 mg and 10mg", ("#10mg", "and", "#10mg")),
        ("1 g/day", ("#1000mg",)),
        ("1,000 mg", ("#1000mg",)),
        ("2–4 mg/kg", ("#2mg/kg", "#4mg/kg")),
        ("two weeks", ("#2week",)),
        ("0.50 %", ("#0.5%",)),
        ("500 µg", ("#500mcg",)),
        ("18F", ("18f",)),
        ("HbA1c", ("hba1c",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_number_keeps_its_value_and_unit(text: str, keys: tuple[str, ...]) -> None:
    assert words_of(text) == keys


def test_a_unit_has_one_spelling() -> None:
    assert plain_unit("Milligrams") == plain_unit("mg") == "mg"


def test_tokens_slice_the_text_they_come_from() -> None:
    text = "Give **IVIG** 2 g/kg."
    places = zip(Tokens(text).starts, Tokens(text).ends, strict=True)
    assert [text[start:end] for start, end in places] == ["Give", "IVIG", "2 g/kg"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("See Dr. Fox. Then rest.", 2),
        ("Give e.g. IVIG. Wait.", 2),
        ("1. Rest\n2. Sleep", 2),
        ("0.5 mg is low.", 1),
        ("It is safe.Ask first.", 2),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: int) -> None:
    assert len(sentence_starts(text)) + 1 == sentences


@pytest.mark.parametrize("drug", ["prednisolone", "rituximab", "imatinib", "omeprazole"])
def test_drugs_are_known_by_the_endings_of_their_names(drug: str) -> None:
    assert looks_like_drug(drug)
    assert not looks_like_drug("procedure")
