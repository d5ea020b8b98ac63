"""The table of names, and tables of one's own."""

from pathlib import Path

import pytest

from mmrare_judge.errors import InputError
from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.terms import KINDS, Term, Terms


def _names(text: str, terms: Terms | None = None) -> list[str]:
    return [name for _, name, _ in read_document(text, terms or Terms.default()).kinds]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Lexapro", "escitalopram"),
        ("EKG", "electrocardiogram"),
        ("full blood counts", "complete blood count"),
        ("CT scans", "computed tomography"),
        ("X-rays", "x ray"),
        ("CXR", "chest x ray"),
        ("acetaminophen", "paracetamol"),
        ("radiation therapy", "radiotherapy"),
    ],
)
def test_the_table_knows_a_name(text: str, name: str) -> None:
    assert _names(text) == [name]


@pytest.mark.parametrize(
    "pair",
    [
        ("prednisone", "prednisolone"),
        ("hydroxyzine", "hydralazine"),
        ("amoxicillin", "amoxicillin clavulanate"),
        ("heparin", "low molecular weight heparin"),
        ("levothyroxine", "free thyroxine"),
    ],
    ids=" and ".join,
)
def test_different_substances_stay_different(pair: tuple[str, str]) -> None:
    one, other = (_names(name) or [name] for name in pair)
    assert one != other


def test_an_abbreviation_inside_a_word_is_not_found() -> None:
    assert _names("ACTH") == ["adrenocorticotropic hormone"]
    assert _names("spectroscopy") == []


def test_every_row_of_the_table_has_a_kind_and_a_source() -> None:
    rows = Terms.default().rows
    assert {row.kind for row in rows} <= set(KINDS)
    assert {row.source for row in rows} <= {"INN", "label", "lab", "med", "lay"}


def test_a_file_adds_names_and_replaces_rows_of_the_same_name(tmp_path: Path) -> None:
    file = tmp_path / "own.tsv"
    file.write_text("# ours\nnusinersen\tdrug\tSpinraza\n", encoding="utf-8")
    terms = Terms.default().with_file(file)
    assert _names("Spinraza", terms) == ["nusinersen"]
    assert terms.hash != Terms.default().hash
    assert len(Terms.load(file).rows) == 1


def test_the_names_of_the_columns_may_stand_in_the_first_row(tmp_path: Path) -> None:
    file = tmp_path / "own.tsv"
    file.write_text("name\tkind\tvariants\nnusinersen\tdrug\tSpinraza\n", encoding="utf-8")
    assert [term.name for term in Terms.load(file).rows] == ["nusinersen"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nusinersen", "is no row of terms"),
        ("nusinersen\tpill\tSpinraza", "kind 'pill' is unknown"),
    ],
    ids=["one column", "unknown kind"],
)
def test_a_wrong_row_is_refused_with_its_place(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "own.tsv"
    file.write_text(f"# ours\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=problem) as caught:
        Terms.load(file)
    assert caught.value.row == 2


def test_a_name_of_two_things_is_refused() -> None:
    with pytest.raises(InputError, match=r"'PE' is a name of 'pulmonary embolism' and of"):
        Terms([Term("pulmonary embolism", "condition", ("PE",)), Term("PE", "word")])
