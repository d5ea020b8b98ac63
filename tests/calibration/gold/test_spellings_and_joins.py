"""Labels and ids that mean the same in another spelling, and what is refused all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openpyxl import Workbook  # noqa: TID251  a file to read is written with it

from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.judge import joined
from mmrare_judge.calibration.gold.labels import Gold, gold_from
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.errors import InputError

SCALES = {
    "safe": Scale(level="nominal", categories=("NO", "YES")),
    "coverage": Scale(level="ordinal", categories=("0", "1", "2")),
    "score": Scale(level="continuous"),
}


def label(value: object, criterion: str = "safe", item: str = "1", **more: object) -> GoldLabel:
    fields = {"system": "", "rater": "a", "cluster": item, **more}
    return GoldLabel(item=item, criterion=criterion, label=value, **fields)  # type: ignore[arg-type]  # a maker


SPELLINGS = {
    "as declared": ("YES", "safe", "YES"),
    "in blanks": (" YES ", "safe", "YES"),
    "in small letters": ("yes", "safe", "YES"),
    "in wide letters": ("ＹＥＳ", "safe", "YES"),
    "German": ("ja", "safe", "YES"),
    "French": ("Oui", "safe", "YES"),
    "Spanish": ("sí", "safe", "YES"),
    "Portuguese": ("Não", "safe", "NO"),
    "a truth value": (True, "safe", "YES"),
    "a truth value in words": ("FALSE", "safe", "NO"),
    "a number": (2.0, "coverage", "2"),
    "with a decimal": ("1.0", "coverage", "1"),
    "with a decimal comma": ("1,0", "coverage", "1"),
    "with a leading zero": ("02", "coverage", "2"),
    "a decimal comma on a continuous scale": ("0,5", "score", 0.5),
    "not applicable": ("N/A", "safe", None),
    "a missing number": ("nan", "coverage", None),
    "a dash": ("-", "score", None),
}


@pytest.mark.parametrize(("given", "criterion", "level"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_label_is_read_as_the_one_level_it_can_mean(
    given: object, criterion: str, level: object
) -> None:
    assert gold_from([label(given, criterion)], SCALES).labels[0].label == level


REFUSED = {
    "another word": ("maybe", SCALES["safe"]),
    "yes on a scale of numbers": ("yes", SCALES["coverage"]),
    "a number on a scale of words": ("1", SCALES["safe"]),
    "a half": ("1.5", SCALES["coverage"]),
    "a thousand, or one": ("1.000", SCALES["coverage"]),
    "none, which may be a level": ("None", SCALES["safe"]),
    "two levels": ("B", Scale(level="nominal", categories=("b", " b "))),
}


@pytest.mark.parametrize(("given", "scale"), REFUSED.values(), ids=REFUSED)
def test_a_label_that_means_no_level_or_two_is_refused(given: str, scale: Scale) -> None:
    with pytest.raises(InputError, match="is not a label of 'x'"):
        gold_from([label(given, "x")], {"x": scale})


def test_a_missing_word_that_is_a_level_is_a_level() -> None:
    scale = Scale(level="nominal", categories=("N/A", "A"))
    assert gold_from([label("n/a", "x")], {"x": scale}).labels[0].label == "N/A"


def test_what_else_is_missing_is_said_and_goes_before_the_scale() -> None:
    labels = [label(99.0, "coverage"), label("0", "coverage", item="2")]
    gold = gold_from(labels, SCALES, missing=("99", "0"))
    assert [one.label for one in gold.labels] == [None, None]
    assert gold.notes == ("2 labels count as missing by their word: '99.0' (1), '0' (1).",)


def test_notes_say_what_was_read_in_another_spelling() -> None:
    labels = [label("yes"), label("yes", item="2"), label("YES", item="3"), label("-", item="4")]
    assert gold_from(labels, SCALES).notes == (
        "2 labels are read in another spelling: 'yes' as 'YES' (2).",
        "1 labels count as missing by their word: '-' (1).",
    )


ROWS = [("item", "criterion", "rater", "label"), ("7", "coverage", "a", "1.0")]
ROWS += [("8", "coverage", "a", " 2 "), ("9", "safe", "a", "ja"), ("9", "coverage", "a", "N/A")]


def _write(path: Path) -> Path:
    if path.suffix == ".xlsx":
        book = Workbook()
        for row in ROWS:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(ROWS[0], row, strict=True))) for row in ROWS[1:]]
        path.write_text("\n".join(lines), "utf-8")
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        path.write_text("\n".join(mark.join(row) for row in ROWS), "utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".xlsx"])
def test_labels_are_read_alike_from_every_format(tmp_path: Path, suffix: str) -> None:
    gold = read_gold(_write(tmp_path / f"gold{suffix}"), SCALES)
    assert [one.label for one in gold.labels] == ["1", "2", "YES", None]


def test_one_message_lists_all_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text(
        "item,criterion,rater,label,inclusion\n1,safe,a,YES,often\n,safe,a,NO,1\n2,safe,a,maybe,1\n"
        "3,sfae,a,NO,1\n4,safe,a,NO,1\n4,safe,a,YES,1\n"
    )
    with pytest.raises(InputError) as caught:
        read_gold(path, SCALES)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 6 problems:"
    assert lines[1:7] == [
        "- row 2, field 'inclusion': 'often' is not a probability",
        "- row 3, field 'item': is empty",
        "- row 5, field 'criterion': criterion 'sfae' has no scale",
        "- row 4, field 'label': 'maybe' is not a label of 'safe'",
        "- row 7, field 'rater': a labelled 4 /  / safe twice, first in row 6",
        "- row 2, field 'inclusion': 1 /  / safe has no inclusion probability, and other labels "
        "have one",
    ]


# --- which gold belongs to which prediction


def gold(*units: tuple[str, str], raters: str = "a") -> Gold:
    labels = [
        label("YES", item=item, system=system, rater=rater)
        for item, system in units
        for rater in raters
    ]
    return gold_from(labels, SCALES)


JOINS = {
    "as written": ([("7", "m")], [("7", "m")], [("7", "m")]),
    "with a decimal": ([("7.0", "m")], [("7", "m")], [("7", "m")]),
    "with leading zeros": ([("7", "m")], [("007", "m")], [("007", "m")]),
    "in other letters": ([("case 7 ", "GPT-4")], [("Case 7", "gpt-4")], [("Case 7", "gpt-4")]),
    "no system, one graded": ([("7", "")], [("7", "m")], [("7", "m")]),
    "one system, graded without a name": ([("7", "m")], [("7", "")], [("7", "")]),
    "half of them": (
        [("1.0", "m"), ("2", "m")],
        [("1", "m"), ("2", "m")],
        [("1", "m"), ("2", "m")],
    ),
    "two readings": (
        [("7.0", "m"), ("8", "m")],
        [("7", "m"), ("07", "m"), ("8", "m")],
        [("7.0", "m"), ("8", "m")],
    ),
}


@pytest.mark.parametrize(("units", "graded", "expected"), JOINS.values(), ids=JOINS)
def test_gold_joins_where_exactly_one_reading_joins(
    units: list[tuple[str, str]], graded: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    found = joined(gold(*units), graded)
    assert [unit[:2] for unit in found.units] == expected
    assert bool(found.notes) == (units != expected)
    assert {one.cluster for one in found.labels} == {item for item, _ in expected}


def test_a_note_says_which_ids_joined_under_another_spelling() -> None:
    found = joined(gold(("7.0", ""), ("8.0", "")), [("7", "m"), ("8", "m")])
    assert found.notes == (
        "the gold labels name no system: they are taken for those of 'm'.",
        "2 items of the gold join under another spelling: '7.0' is '7', and so on.",
    )


def test_a_join_that_fails_says_what_was_tried() -> None:
    with pytest.raises(InputError, match=r"no gold label belongs .*'x / m'.*Tried as written.*007"):
        joined(gold(("x", "m")), [("7", "m")])
    with pytest.raises(InputError, match=r"The items join, the systems do not"):
        joined(gold(("7", "n"), ("7", "o")), [("7", "m")])


def test_gold_without_a_system_is_refused_where_several_were_graded() -> None:
    with pytest.raises(InputError, match=r"name no system, and 2 were graded: m, n. Say which"):
        joined(gold(("7", "")), [("7", "m"), ("7", "n")])


def test_two_spellings_of_one_item_by_one_rater_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"'7' and '7.0' are both read as '7', and a labelled both"
    ):
        joined(gold(("7", "m"), ("7.0", "m")), [("7", "m")])
