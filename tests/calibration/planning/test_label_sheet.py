"""Labelling sheets: blind, read back as gold with their probabilities, joined and gone on with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner  # noqa: TID251  to run the command line in this process

from mmrare_judge.calibration.gold.judge import scales_of
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.planning.sample import (
    LabelSample,
    candidates_of,
    join_labels,
    label_next,
    labelled_units,
    write_sheet,
)
from mmrare_judge.calibration.statistics.proportions import missed_harm
from mmrare_judge.cli.plan import plan_app
from mmrare_judge.errors import InputError, OutputError, RubricError
from mmrare_judge.judging.grade import Bounds, Disagreement, Grade, Verdict
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Signature
from mmrare_judge.rubric.model import load_rubric

TREATMENT = load_rubric("treatment")
CRITERIA = [criterion.id for criterion in TREATMENT.criteria]
SIGNATURE = Signature(
    judge="j", rubric="treatment", rubric_version="1", rubric_hash=TREATMENT.hash, package="0"
)
SCALES = scales_of(TREATMENT)


def grade(item: int, system: str = "m", sample: int = 0, signature: Signature = SIGNATURE) -> Grade:
    """Every fifth answer is unsafe to the judge, and in every seventh it could not decide."""
    verdicts = []
    for number, criterion in enumerate(CRITERIA):
        level = "NO" if criterion == "safety" and item % 5 == 0 else "YES"
        decided = not (number == 0 and item % 7 == 0)
        verdict = Verdict(criterion=criterion, status="abstained", reasoning="the judge's thoughts")
        if decided:
            changes = {"status": "judged", "level": level, "points": 1.0, "confidence": 0.9}
            verdict = verdict.model_copy(update=changes)
        verdicts.append(verdict)
    return Grade(
        item_id=str(item),
        system=system,
        track="treatment",
        coverage=1,
        bounds=Bounds(worst=0, best=1),
        verdicts=tuple(verdicts),
        level2=Level2(),
        key=f"{item}{system}{sample}",
        sample=sample,
        signature=signature,
    )


GRADES = [grade(item, system) for item in range(20) for system in ("m", "n")]


def sample(budget: int = 60, seed: int = 0) -> LabelSample:
    return label_next(candidates_of(GRADES), budget, seed=seed)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def filled(path: Path, out: Path, *, rater: str = "Dr A", leave: int = 0) -> Path:
    """The sheet as it comes back: answered but for the last rows."""
    rows = rows_of(path)
    for row in rows[: len(rows) - leave]:
        row |= {"rater": rater, "label": "NO" if row["criterion"] == "safety" else "YES"}
    with out.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return out


def test_grades_become_candidates_with_what_the_judge_doubts() -> None:
    contradicted = grade(1).model_copy(
        update={"disagreements": (Disagreement(criterion="safety", level="YES", level2="found"),)}
    )
    found = candidates_of([contradicted, grade(7)], clusters={"1": "case"}, strata={"7": "rare"})
    by_unit = {one.unit: one for one in found}
    assert by_unit["1", "m", "safety"].confidence == 0.5
    assert by_unit["1", "m", CRITERIA[1]].confidence == 0.9
    assert by_unit["7", "m", CRITERIA[0]].level is None
    assert {(one.cluster, one.stratum) for one in found} == {("case", ""), ("7", "rare")}


def test_of_several_samples_the_first_is_looked_at() -> None:
    assert len(candidates_of([grade(1, sample=1), grade(1)])) == len(CRITERIA)


def test_grades_by_another_version_of_the_rubric_are_refused() -> None:
    old = SIGNATURE.model_copy(update={"rubric_hash": "sha256-c1:0"})
    with pytest.raises(RubricError, match="grade anew"):
        candidates_of([grade(1, signature=old)])


def test_a_sheet_shows_nothing_that_the_judge_said(tmp_path: Path) -> None:
    assert write_sheet(sample(), tmp_path / "sheet.csv", key=tmp_path / "key.csv") == 60
    rows = rows_of(tmp_path / "sheet.csv")
    assert list(rows[0]) == ["item", "system", "criterion", "cluster", "rater", "label"]
    assert {row["label"] for row in rows} == {""}
    assert "thoughts" not in (tmp_path / "sheet.csv").read_text()
    # Nor does the order of the cases: those of the judge's rare verdicts do not stand first.
    cases = list(dict.fromkeys(row["item"] for row in rows))
    assert cases != sorted(cases, key=lambda item: int(item) % 5)


def test_a_sheet_comes_back_as_gold_with_its_probabilities(tmp_path: Path) -> None:
    drawn = sample()
    write_sheet(drawn, tmp_path / "sheet.csv")
    gold = read_gold(filled(tmp_path / "sheet.csv", tmp_path / "back.csv", leave=6), SCALES)
    expected = {one.unit: one.inclusion for one in drawn.units[:-6]}
    assert dict(gold.inclusion) == expected
    assert set(gold.units) == expected.keys()
    assert gold.raters == ("Dr A",)
    # The weights reach a statistic: missed harm, by hand the weighted share of what was passed.
    units = gold.about(criterion="safety").units
    passed = np.array([int(item) % 5 > 0 for item, *_ in units])
    weights = np.array([1 / gold.inclusion[unit] for unit in units])
    result = missed_harm(~passed, np.ones(len(units)), inclusion=1 / weights)
    assert result.value == pytest.approx(weights[passed].sum() / weights.sum())


def test_joined_with_its_key_a_sheet_is_the_same_gold(tmp_path: Path) -> None:
    write_sheet(sample(), tmp_path / "open.csv")
    write_sheet(sample(), tmp_path / "blind.csv", key=tmp_path / "key.csv")
    blind = filled(tmp_path / "blind.csv", tmp_path / "a.csv", leave=12)
    assert join_labels([blind], tmp_path / "key.csv", tmp_path / "gold.csv") == 48
    joined = read_gold(tmp_path / "gold.csv", SCALES)
    plain = read_gold(filled(tmp_path / "open.csv", tmp_path / "b.csv", leave=12), SCALES)
    assert joined.hash == plain.hash


def test_a_sheet_that_excel_saved_with_semicolons_joins_too(tmp_path: Path) -> None:
    write_sheet(sample(), tmp_path / "blind.csv", key=tmp_path / "key.csv")
    back = filled(tmp_path / "blind.csv", tmp_path / "back.csv", rater="Dr Müller")
    excel = tmp_path / "excel.csv"
    excel.write_text(back.read_text("utf-8").replace(",", ";"), "cp1252")
    assert join_labels([excel], tmp_path / "key.csv", tmp_path / "gold.csv") == 60
    assert read_gold(tmp_path / "gold.csv", SCALES).raters == ("Dr Müller",)


def test_labelling_goes_on_with_a_larger_sample(tmp_path: Path) -> None:
    write_sheet(sample(48), tmp_path / "first.csv", key=tmp_path / "first key.csv")
    first = filled(tmp_path / "first.csv", tmp_path / "a.csv")
    done = labelled_units([first])
    assert len(done) == 48
    more = sample(96)
    rows = write_sheet(more, tmp_path / "more.csv", key=tmp_path / "key.csv", labelled=done)
    assert rows == 48
    second = filled(tmp_path / "more.csv", tmp_path / "b.csv")
    join_labels([first, second], tmp_path / "key.csv", tmp_path / "gold.csv")
    gold = read_gold(tmp_path / "gold.csv", SCALES)
    assert dict(gold.inclusion) == {one.unit: one.inclusion for one in more.units}


def test_labels_that_were_picked_otherwise_have_no_probability(tmp_path: Path) -> None:
    write_sheet(sample(48, seed=1), tmp_path / "other.csv")
    other = filled(tmp_path / "other.csv", tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"was labelled and is not in this sample.*same grades"):
        write_sheet(sample(48), tmp_path / "sheet.csv", labelled=labelled_units([other]))
    write_sheet(sample(48), tmp_path / "sheet.csv", key=tmp_path / "key.csv")
    with pytest.raises(InputError, match=r"row \d+: .* was labelled and is not in .*key.csv"):
        join_labels([other], tmp_path / "key.csv", tmp_path / "gold.csv")


def test_a_sheet_is_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    write_sheet(sample(), path)
    with pytest.raises(OutputError, match="exists already and may hold labels"):
        write_sheet(sample(), path)
    with pytest.raises(OutputError, match="exists already"):
        join_labels([path], path, path)


def test_a_prediction_in_a_sheet_is_no_formula(tmp_path: Path) -> None:
    texts = {(g.item_id, g.system): '=HYPERLINK("x"), "y"\nz' for g in GRADES}
    write_sheet(sample(), tmp_path / "sheet.csv", texts=texts)
    assert {row["prediction"] for row in rows_of(tmp_path / "sheet.csv")} == {
        '\'=HYPERLINK("x"), "y"\nz'
    }
    with pytest.raises(InputError, match="there is no prediction of system"):
        write_sheet(sample(), tmp_path / "other.csv", texts={})


def test_a_file_without_the_columns_of_a_sheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("item,label\n1,YES\n")
    with pytest.raises(InputError, match=r"field 'system': no column 'system'; there are item"):
        labelled_units([tmp_path / "x.csv"])


def run(*arguments: object) -> str:
    done = CliRunner().invoke(plan_app, [str(one) for one in arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_command_line_tells_how_many() -> None:
    # The numbers of test_planning: .64 (2 * 1.96 / .2)² = 245.9, with a design effect of 1.3 319.7.
    assert "Label 246 units" in run("kappa", "--kappa", 0.6, "--prevalence", 0.5, "--width", 0.2)
    cases = ("--cluster-size", 4, "--icc", 0.1, "--json")
    plan = run("kappa", "--kappa", 0.6, "--prevalence", 0.5, "--width", 0.2, *cases)
    assert json.loads(plan)["labels"] == 320
    score = ("--gold-sd", 0.3, "--correlation", 0, "--graded", 2000, "--width", 0.06)
    assert "the judge spares 0" in run("score", *score)
    assert "none of 59 violations" in run("harm", "--max-share", 0.05)
    kappas = ("--kappa", 0.6, "--clinicians-kappa", 0.6, "--prevalence", 0.5)
    assert "Label 423 units" in run("non-inferiority", *kappas, "--margin", 0.1)
    assert "at an epsilon of 0.1" in run("alternative", *kappas, "--epsilon", 0.1)


def test_the_command_line_draws_and_joins(tmp_path: Path) -> None:
    (tmp_path / "grades.jsonl").write_text("".join(g.model_dump_json() + "\n" for g in GRADES))
    items = [
        {"id": g.item_id, "question": "q", "track": "treatment", "reference": {"answer": "a"},
         "metadata": {"case": f"c{int(g.item_id) // 2}", "rare": g.item_id == "3"}}
        for g in GRADES[::2]
    ]  # fmt: skip
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    sheet, key = tmp_path / "sheet.csv", tmp_path / "key.csv"
    told = run(
        "next", "--grades", tmp_path, "--budget", 60, "--out", sheet, "--key", key, "--rubric",
        "treatment", "--items", tmp_path / "items.jsonl", "--case-field", "case",
        "--stratum-field", "rare", "--rater", "Dr B",
    )  # fmt: skip
    assert "60 of 240 units to label" in told
    assert "True, worth 1: 1 of 2" in told
    rows = rows_of(sheet)
    assert {row["rater"] for row in rows} == {"Dr B"}
    assert all(row["cluster"] == f"c{int(row['item']) // 2}" for row in rows)
    back = filled(sheet, tmp_path / "back.csv", rater="Dr B")
    assert "60 labels" in run("join", back, "--key", key, "--out", tmp_path / "gold.csv")
    assert len(read_gold(tmp_path / "gold.csv", SCALES).inclusion) == 60


def test_a_field_without_items_or_without_that_field_is_refused(tmp_path: Path) -> None:
    (tmp_path / "grades.jsonl").write_text(GRADES[0].model_dump_json() + "\n")
    given = ("next", "--grades", tmp_path, "--budget", 9, "--out", tmp_path / "s.csv")
    with pytest.raises(InputError, match=r"--case-field needs the items. Give --items"):
        run(*given, "--case-field", "case")
    item = {"id": "0", "question": "q", "track": "treatment", "reference": {"answer": "a"}}
    (tmp_path / "items.jsonl").write_text(json.dumps(item) + "\n")
    with pytest.raises(InputError, match=r"item '0' has no metadata field 'case'. It has: none"):
        run(*given, "--items", tmp_path / "items.jsonl", "--case-field", "case")
