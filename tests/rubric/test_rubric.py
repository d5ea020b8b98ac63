import time
import tracemalloc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from mmrare_judge.errors import RubricError
from mmrare_judge.rubric.model import list_rubrics, load_rubric, parse_rubric
from support.makers import RUBRIC, make_item, small_rubric


@pytest.mark.parametrize(
    ("name", "criteria", "labels", "most_points"),
    [
        ("treatment", 6, ("NO", "YES"), 6),
        ("examination", 8, ("0", "1", "2"), 16),
        ("diagnosis", 3, ("NO", "YES"), 3),
        ("cross_image", 5, ("NO", "YES"), 5),
    ],
)
def test_the_built_in_rubrics_have_the_benchmarks_criteria_and_levels(
    name: str, criteria: int, labels: tuple[str, ...], most_points: int
) -> None:
    rubric = load_rubric(name)
    assert len(rubric.criteria) == criteria
    assert all(tuple(c.levels) == labels for c in rubric.criteria)
    assert sum(c.max_points for c in rubric.criteria) == most_points


def test_every_built_in_rubric_loads_and_is_named_after_its_file() -> None:
    assert [load_rubric(name).id for name in list_rubrics()] == list(list_rubrics())


def test_freedom_from_safety_violations_quotes_the_violation() -> None:
    safety = load_rubric("treatment").criterion("safety")
    assert safety.kind == "safety"
    assert {label: level.quote for label, level in safety.levels.items()} == {
        "NO": True,
        "YES": False,
    }


def test_a_rubric_of_ones_own_loads_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(RUBRIC, encoding="utf-8")
    assert load_rubric(path) == load_rubric(str(path)) == small_rubric()


def test_weights_are_exact() -> None:
    text = RUBRIC.replace("weight: 3", "weight: 1/3").replace("weight: 1\n", "weight: 0.1\n")
    rubric = small_rubric(text.replace("total_weight: 4", "total_weight: 13/30"))
    assert [c.weight for c in rubric.criteria] == [Fraction(1, 3), Fraction(1, 10)]


def _edit(old: str, new: str) -> str:
    assert old in RUBRIC
    return RUBRIC.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(_edit("  - id: safe", "  - id: quality"), 18, "used twice", id="doubled id"),
        pytest.param(_edit("weight: 3", "wieght: 3"), 13, "wieght", id="unknown key"),
        pytest.param(
            _edit('      "NO": {points: 0, meaning: It is not.}\n', ""),
            15,
            "criterion 'quality': level 'NO' has no meaning",
            id="missing level",
        ),
        pytest.param(
            _edit('"YES": {points: 1, meaning: It is.}', '"MAYBE": {points: 1, meaning: m}'),
            23,
            "level 'YES' has no meaning",
            id="another label",
        ),
        pytest.param(_edit("weight: 3", "weight: 2"), 9, "add up to 3", id="weights"),
        pytest.param(_edit("[answer]", "[answr]"), 14, "needs 'answr'", id="unknown field"),
        pytest.param(_edit("question: Is it good?", "question: ''"), 12, "question", id="no text"),
        pytest.param(_edit("kind: safety", "kind: harm"), 20, "quality", id="unknown kind"),
        pytest.param(
            _edit('      "NO": {points: 0', "      NO: {points: 0"), 16, "quotes", id="NO"
        ),
        pytest.param(_edit("points: 0", "points: -1"), 16, "points", id="negative points"),
        pytest.param(_edit("points: 0", "points: 1"), 15, "worth 0", id="no level worth 0"),
        pytest.param(
            _edit("source: made for the tests\n", ""), 2, "source: Field required", id="no source"
        ),
        pytest.param(
            _edit("total_weight: 4", "total_weight: 4\nscoring: {rule: cascade, gate: qualty}"),
            10,
            "gate 'qualty', is not a criterion",
            id="unknown gate",
        ),
        pytest.param(
            _edit("    weight: 3", "    for_each: must_include\n    weight: 3"),
            13,
            "go together",
            id="for_each without element",
        ),
        pytest.param(
            _edit("    weight: 3", '    violation_at_or_below: "NO"\n    weight: 3'),
            13,
            "only a safety criterion has violations",
            id="a violation of quality",
        ),
        pytest.param(
            _edit("kind: safety", 'kind: safety\n    violation_at_or_below: "YES"'),
            21,
            "'YES' is the best level",
            id="the best level a violation",
        ),
        pytest.param("- a\n- b\n", 1, "mapping", id="a list"),
    ],
)
def test_a_wrong_rubric_is_refused_with_file_and_line(text: str, line: int, words: str) -> None:
    with pytest.raises(RubricError, match=words) as caught:
        parse_rubric(text, file="mine.yaml")
    assert caught.value.file == "mine.yaml"
    assert caught.value.line == line


@pytest.mark.parametrize(
    "weight",
    ["1/0", "0/0", "1e999999999", "1.0e+999999999", ".inf", ".nan", "true", "9" * 5000, "1/3/3",
     '"1/00"', "[1]", "abc", "1e-999999999", "1" * 16, "1/" + "3" * 16],
)  # fmt: skip
def test_an_absurd_weight_is_refused_at_once_with_its_line(weight: str) -> None:
    began = time.perf_counter()
    with pytest.raises(RubricError, match="number") as caught:
        parse_rubric(_edit("weight: 3", f"weight: {weight}"), file="mine.yaml")
    assert caught.value.line == 13
    assert len(str(caught.value)) < 400
    assert time.perf_counter() - began < 1


def test_an_alias_bomb_is_refused_in_under_50_megabytes() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{one}: &{one} [{','.join(['*' + before] * 9)}]" for before, one in pairwise("abcdefg")
    ]
    bomb = "\n".join(lines)
    assert len(bomb) < 254  # of nine to the power of seven values
    began = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(RubricError, match="too large with all that its aliases repeat"):
            parse_rubric(bomb)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - began < 5


def test_a_rubric_may_repeat_its_levels_by_an_alias() -> None:
    text = RUBRIC.replace("levels:", "levels: &levels", 1)
    cut = text.rindex("    levels:")
    assert [*small_rubric(text[:cut] + "    levels: *levels\n").criterion("safe").levels] == [
        "NO",
        "YES",
    ]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RubricError, match="treatment_elements"):
        load_rubric("treatmnt")


def test_the_hash_changes_with_a_word_and_not_with_the_layout() -> None:
    assert small_rubric(RUBRIC.replace("    kind: safety\n", "\n    kind:  safety\n")).hash == (
        small_rubric().hash
    )
    assert small_rubric(_edit("It is not.", "It isn't.")).hash != small_rubric().hash


def test_another_track_is_refused_before_any_call() -> None:
    with pytest.raises(RubricError, match="made for track 'treatment'"):
        load_rubric("treatment").check_item(make_item("examination"))


def test_a_needed_field_that_is_empty_is_refused() -> None:
    with pytest.raises(RubricError, match="needs 'answer', which is empty in item '1'"):
        load_rubric("treatment").check_item(make_item(reference={"answer": ""}))


def test_an_empty_list_is_no_fault() -> None:
    load_rubric("treatment").check_item(make_item(reference={"must_not": []}))
