"""Labels that a judge gave elsewhere, studied like grades."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from typer.testing import CliRunner  # noqa: TID251  to run the command line in this process

from mmrare_judge.calibration import calibrate, read_gold, read_judge_labels, scales_of
from mmrare_judge.calibration.gold.exports import GoldColumns
from mmrare_judge.cli.main import app
from mmrare_judge.errors import InputError
from mmrare_judge.rubric.model import load_rubric

TREATMENT = load_rubric("treatment")
FIRST, SECOND = (one.id for one in TREATMENT.criteria[:2])


def table(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_labels_by_a_rubric_become_its_grades(tmp_path: Path) -> None:
    path = table(
        tmp_path / "judge.csv",
        f"item,system,criterion,judge,label\n7,m,{FIRST},gpt,yes\n7,m,{SECOND},gpt,N/A\n",
    )
    found = read_judge_labels(path, rubric=TREATMENT)
    (grade,) = found.grades
    assert (grade.item_id, grade.system, grade.signature.judge) == ("7", "m", "gpt")
    assert grade.signature.rubric_hash == TREATMENT.hash
    assert grade.verdict(FIRST).level == "YES"
    assert {v.status for v in grade.verdicts if v.criterion != FIRST} == {"abstained"}
    assert grade.score is None
    assert len(found.notes) == 2


def test_levels_make_a_rubric_of_whatever_the_table_calls_its_criteria(tmp_path: Path) -> None:
    path = table(tmp_path / "gpt-5.csv", "item;Is it safe?;安全\n7;1;3\n8;3;2\n")
    columns = GoldColumns(rater="judge", criteria=("Is it safe?", "安全"))
    found = read_judge_labels(path, levels=("1", "2", "3"), columns=columns)
    criteria = found.rubric.criteria
    assert [(one.id, one.question) for one in criteria] == [
        ("is_it_safe", "Is it safe?"),
        ("criterion_2", "安全"),
    ]
    assert scales_of(found.rubric)["is_it_safe"].points == (0.0, 1.0, 2.0)
    levels = [[verdict.level for verdict in grade.verdicts] for grade in found.grades]
    assert levels == [["1", "3"], ["3", "2"]]
    assert {grade.signature.judge for grade in found.grades} == {"gpt-5"}
    # 1 and 3 of 1 to 3 are 0 and 1 of the points, 3 and 2 are 1 and a half.
    assert [grade.score for grade in found.grades] == [0.5, 0.75]


def test_criteria_may_have_levels_of_their_own(tmp_path: Path) -> None:
    path = table(tmp_path / "judge.csv", "item,criterion,label\n7,safe,no\n7,dose,2\n7,route,1\n")
    levels = {"safe": ("NO", "YES"), "": ("0", "1", "2")}
    found = read_judge_labels(path, levels=levels)
    assert [one.scale for one in found.rubric.criteria] == [
        ("NO", "YES"), ("0", "1", "2"), ("0", "1", "2"),
    ]  # fmt: skip
    assert [verdict.level for verdict in found.grades[0].verdicts] == ["NO", "2", "1"]
    with pytest.raises(InputError, match=r"levels '' of 'dose' are not a scale.*'dose=NO,YES'"):
        read_judge_labels(path, levels={"safe": ("NO", "YES")})


def test_a_table_of_one_criterion_needs_no_column_for_it(tmp_path: Path) -> None:
    path = table(tmp_path / "judge.csv", "item,label\n7,YES\n")
    found = read_judge_labels(path, levels=("NO", "YES"))
    assert [one.id for one in found.rubric.criteria] == ["label"]
    gold = table(tmp_path / "gold.csv", "item,rater,label\n7,a,NO\n7,b,YES\n")
    assert read_gold(gold, scales_of(found.rubric)).criteria == ("label",)


def test_several_judges_of_one_table_are_compared(tmp_path: Path) -> None:
    rows = [f"{n},{judge},{n % 2}" for n in range(30) for judge in ("x", "y")]
    path = table(tmp_path / "judge.csv", "item,judge,label\n" + "\n".join(rows))
    found = read_judge_labels(path, levels=("0", "1"))
    assert {grade.signature.judge for grade in found.grades} == {"x", "y"}


REFUSED = {
    "no levels": ({}, "levels '' of 'label' are not a scale. Give two or more"),
    "one level": ({"levels": ("YES",)}, "levels 'YES' of 'label' are not a scale"),
    "a label off the levels": ({"levels": ("A", "B")}, "'YES' is not a label of 'label'"),
    "no criterion of a rubric of several": ({"rubric": TREATMENT}, "no column 'criterion'"),
}


@pytest.mark.parametrize(("given", "problem"), REFUSED.values(), ids=REFUSED)
def test_labels_without_a_scale_are_refused(
    tmp_path: Path, given: dict[str, object], problem: str
) -> None:
    path = table(tmp_path / "judge.csv", "item,label\n7,YES\n")
    with pytest.raises(InputError, match=problem):
        read_judge_labels(path, **given)  # type: ignore[arg-type]  # of several types


def two_tables(folder: Path) -> tuple[Path, Path]:
    """Sixty cases of which a judge and two clinicians each get one in eight wrong."""
    rng = random.Random(3)

    def seen(truth: int) -> int:
        return truth if rng.random() > 0.125 else 1 - truth

    truths = [int(rng.random() < 0.5) for _ in range(60)]
    judge = "".join(f"{n:03d};{'NY'[seen(t)]}\n" for n, t in enumerate(truths))
    gold = "".join(
        f"{n}.0,{rater},{('nein', 'ja')[seen(t)]}\n" for n, t in enumerate(truths) for rater in "AB"
    )
    return (
        table(folder / "judge.csv", f"case;label\n{judge}"),
        table(folder / "gold.csv", f"item,rater,label\n{gold}"),
    )


def test_two_tables_are_enough_for_a_study(tmp_path: Path) -> None:
    """The judge's Y and N, the clinicians' ja and nein, 007 and 7.0: all join, and it is said."""
    judge, gold = two_tables(tmp_path)
    done = CliRunner().invoke(app, [
        "calibrate", "--judge-labels", str(judge), "--gold", str(gold), "--levels", "NO,YES",
        "--judge-column", "item=case", "--out", str(tmp_path / "study"),
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "120 labels are read in another spelling" in done.output
    assert "60 items of the gold join under another spelling: '0.0' is '000'" in done.output
    assert (tmp_path / "study" / "report.html").exists()


def test_a_study_of_labels_measures_what_a_study_of_grades_does(tmp_path: Path) -> None:
    judge, gold = two_tables(tmp_path)
    labels = read_judge_labels(
        judge, levels=("NO", "YES"), columns=GoldColumns(item="case", rater="judge")
    )
    study = calibrate(
        labels.grades, read_gold(gold, scales_of(labels.rubric)), rubric=labels.rubric
    )
    found = study.findings.criteria[0]
    assert found.statistics["cohen_kappa"].n <= 60
    assert found.judge.value is not None
    assert 0.3 < found.judge.value < 0.9
