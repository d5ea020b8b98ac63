"""Labels and grades in columns: what comes out is what went in, and it takes little."""

import tracemalloc
from collections.abc import Iterator

import pytest

from mmrare_judge.calibration.gold.columns import GoldLabel, in_columns
from mmrare_judge.calibration.study.grades import grades_of_judge
from mmrare_judge.judging.grade import Grade
from support.study_makers import SMALL, World, graded

LABELS = [
    GoldLabel("i1", "a", "safe", "Dr A", "NO", "c1", 2),
    GoldLabel("i2", "a", "safe", "Dr B", None, "c1"),
    GoldLabel("i1", "b", "quality", "Dr A", "YES", "i1", 4, 0.25),
    GoldLabel("i1", "a", "safe", "Dr B", "YES", "c1", 5),
]


def test_labels_come_out_of_their_columns_as_they_went_in() -> None:
    found = in_columns(LABELS)
    assert list(found) == LABELS
    assert found == LABELS
    assert [found[place] for place in (0, -1)] == [LABELS[0], LABELS[-1]]
    assert list(found[1:3]) == LABELS[1:3]
    with pytest.raises(IndexError):
        found[4]


def test_groups_stand_in_the_order_in_which_they_first_come() -> None:
    units = in_columns(LABELS).units
    assert list(units) == [("i1", "a", "safe"), ("i2", "a", "safe"), ("i1", "b", "quality")]
    assert units.of.tolist() == [0, 1, 2, 0]


def test_an_item_that_is_renamed_takes_the_case_that_is_called_like_it_along() -> None:
    found = list(in_columns(LABELS).renamed({"i1": "x"}, {"b": "m"}))
    assert [(one.item, one.system, one.cluster) for one in found] == [
        ("x", "a", "c1"), ("i2", "a", "c1"), ("x", "m", "x"), ("x", "a", "c1"),
    ]  # fmt: skip


def test_a_verdict_comes_back_with_its_words() -> None:
    world = World(graded=20, labelled=20)
    grades = world.grades()
    first = grades_of_judge(grades, rubric=SMALL).first
    assert [first.verdict(place, "safe") for place in range(20)] == [
        one.verdict("safe") for one in grades
    ]


def test_of_several_samples_the_one_of_the_least_number_is_studied() -> None:
    grades = [
        graded("i0", {"quality": level, "safe": "YES"}, sample=sample)
        for sample, level in ((2, "NO"), (0, "YES"), (1, "NO"))
    ]
    found = grades_of_judge(grades, rubric=SMALL).first
    assert found.verdict(0, "quality").level == "YES"
    assert found.samples.shape == (1, 3)
    assert found.shares("quality", 1.0, found.samples).tolist() == [[0.0, 1.0, 0.0]]


def wordy(count: int) -> Iterator[Grade]:
    """Grades with a reason of a thousand characters a verdict, made one by one."""
    for number in range(count):
        grade = graded(f"i{number}", {"quality": "YES", "safe": "NO"})
        verdicts = tuple(
            one.model_copy(update={"reasoning": f"Reason {number} of the judge. " * 40})
            for one in grade.verdicts
        )
        yield grade.model_copy(update={"verdicts": verdicts})


def test_a_grade_takes_less_than_two_kilobytes() -> None:
    tracemalloc.start()
    try:
        grades = grades_of_judge(wordy(1000), rubric=SMALL)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(grades.first) == 1000
    assert kept / 1000 < 2000
