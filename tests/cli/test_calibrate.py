"""``mmrare-judge calibrate`` and ``gate``, from files to exit codes."""

import json
import sys
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import cohen_kappa_score

from mmrare_judge.calibration.report import render as report_html
from mmrare_judge.calibration.study.file import read_study_file
from mmrare_judge.cli.calibrate import study_plan
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.rubric.model import load_rubric
from mmrare_judge.run.run import Run
from mmrare_judge.run.summary import Progress
from support.command import Done
from support.command import command as run
from support.makers import RUBRIC
from support.paths import ROOT
from support.study_makers import World, graded, signature, unscored

KQA = ROOT / "calibration" / "kqa"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a run's grades, gold labels and the rubric."""
    made = World(graded=60, labelled=40)
    (tmp_path / "run").mkdir()
    write_grades(tmp_path / "run" / "grades.jsonl", made.grades())
    rows = [
        f"{one.item},{one.system},{one.criterion},{one.rater},{one.label}"
        for one in made.gold().labels
    ]
    (tmp_path / "gold.csv").write_text("\n".join(["item,system,criterion,rater,label", *rows]))
    (tmp_path / "small.yaml").write_text(RUBRIC)
    return tmp_path


def write_grades(path: Path, grades: Iterable[Grade]) -> None:
    path.write_text("".join(grade.model_dump_json() + "\n" for grade in grades))


def calibrated(world: Path, *more: str) -> Done:
    return run(
        "calibrate", "--grades", "run", "--gold", "gold.csv", "--rubric", "small.yaml", *more,
        cwd=world,
    )  # fmt: skip


def test_grades_and_gold_make_a_study_a_report_and_a_certificate(world: Path) -> None:
    done = calibrated(world, "--margin", "0.3", "--margin-reason", "an example")
    assert done.code == 0, done.err
    assert {path.name for path in (world / "study").iterdir()} == {
        "study.json", "report.html", "report.md", "calibration.json", "plots",
    }  # fmt: skip
    found = json.loads((world / "study" / "study.json").read_text())
    assert done.out.splitlines()[0] == found["findings"]["verdict"][0]
    assert found["options"]["margin"] == 0.3


def test_a_judge_that_could_not_be_asked_ends_with_3_and_no_certificate(world: Path) -> None:
    write_grades(world / "run" / "grades.jsonl", [unscored(f"i{n}") for n in range(60)])
    gold = (world / "gold.csv").read_text()
    (world / "gold.csv").write_text(gold.replace(",a,", ",m,").replace(",b,", ",m,"))
    done = calibrated(world, "--margin", "0.1")
    assert done.code == 3, done.err
    assert "There is no verdict: the judge could not be asked about 40 of 40" in done.out
    assert "No certificate: there is no verdict to certify" in done.out
    assert not (world / "study" / "calibration.json").exists()


def test_an_interrupted_calibrate_keeps_its_grades_and_writes_no_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C stops the run; the grades made by then stay."""
    grade = Run.grade

    def stopped(grading: Run, *given: Any, **options: Any) -> Any:
        def stop(progress: Progress) -> None:
            if progress.graded >= 5:
                grading.stop()

        grading.watch = stop
        return grade(grading, *given, **options)

    monkeypatch.setattr(Run, "grade", stopped)
    done = run("calibrate", KQA / "study.yaml", "--out", tmp_path / "study", cwd=tmp_path)
    assert done.code == 130
    assert "stopped: interrupted; the grades so far are in" in done.err
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["run"]
    assert len((tmp_path / "study" / "run" / "grades.jsonl").read_text("utf-8").splitlines()) >= 5


def test_a_study_is_not_written_over_without_being_told(world: Path) -> None:
    assert calibrated(world).code == 0
    again = calibrated(world)
    assert (again.code, "holds a study already" in again.err) == (5, True)
    assert calibrated(world, "--overwrite").code == 0


def test_a_plan_written_before_is_what_declared_beforehand_means(world: Path) -> None:
    (world / "study.yaml").write_text(
        "gold: {path: gold.csv}\ngrades: run\nrubric: small.yaml\n"
        "options: {margin: 0.1, resampling: {resamples: 100}}\n"
    )
    planned = run("plan", "study", "study.yaml", cwd=world)
    assert planned.code == 0, planned.err
    assert "sha256" in planned.out
    again = run("plan", "study", "study.yaml", cwd=world)
    assert (again.code, "is not written over" in again.err) == (5, True)
    kept = run("calibrate", "study.yaml", "--plan", "plan.json", "--out", "a", cwd=world)
    assert kept.code == 0, kept.err
    design = dict(json.loads((world / "a" / "study.json").read_text())["findings"]["design"])
    assert design["margin of non-inferiority"] == "0.1, declared beforehand"
    other = run(
        "calibrate", "study.yaml", "--plan", "plan.json", "--margin", "0.2", "--out", "b", cwd=world
    )
    assert (other.code, "the plan declares margin 0.1" in other.err) == (2, True)


def test_a_run_on_two_tracks_is_gated_track_by_track(world: Path) -> None:
    calibrated(world)
    diagnosis = load_rubric("diagnosis")
    more = [graded("d0", {one.id: "YES" for one in diagnosis.criteria}, rubric=diagnosis)]
    write_grades(world / "run" / "grades.jsonl", [*World(graded=60, labelled=40).grades(), *more])
    found = run("gate", "study", "--grades", "run", "--min-kappa", "0.1", cwd=world)
    assert found.code == 6
    assert found.err == "fails: diagnosis: no certificate was given for rubric diagnosis\n"


def test_the_gate_passes_what_was_studied_and_stops_what_was_not(world: Path) -> None:
    calibrated(world)
    passed = run("gate", "study", "--grades", "run", "--min-kappa", "0.1", cwd=world)
    assert (passed.code, passed.out) == (0, "passes\n"), passed.err
    weak = run("gate", "study", "--grades", "run", "--min-kappa", "0.99", cwd=world)
    assert weak.code == 6
    assert "kappa on quality is " in weak.err
    other = World(graded=60, labelled=40).grades(made=signature(reported_model="judge-2"))
    write_grades(world / "run" / "grades.jsonl", other)
    stale = run("gate", "study", "--grades", "run", "--min-kappa", "0.1", cwd=world)
    assert stale.code == 6
    assert "stale: reported_model was judge-1 in the study and is judge-2" in stale.err


def test_a_certificate_ends_on_the_day_that_is_said(world: Path) -> None:
    calibrated(world, "--expires", "2020-01-31")
    late = run("gate", "study", "--min-kappa", "0.1", cwd=world)
    assert late.code == 6
    assert "it expired on 2020-01-31" in late.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("calibrate",), "no gold labels. Name a study's YAML file, or give --gold"),
        (("calibrate", "--gold", "gold.csv"), "names no grades, and nothing to make them from"),
        (("calibrate", "--gold", "no.csv", "--grades", "run", "--rubric", "small.yaml"), "no.csv"),
        (("calibrate", "no.yaml"), "no.yaml: cannot be read"),
        (("calibrate", "--gold", "gold.csv", "--column", "item"), "'item' has no '='"),
        (("calibrate", "--gold", "gold.csv", "--column", "thing=x"), "gold.columns.thing"),
        (("calibrate", "--gold", "gold.csv", "--margin", "-1"), "greater than 0, not -1"),
        (("calibrate", "--gold", "gold.csv", "--margin", "inf"), "finite number, not inf"),
        (("calibrate", "--gold", "gold.csv", "--statistic", "leniency"), "'leniency' cannot"),
        (("gate", "."), "nothing is demanded"),
    ],
    ids=[
        "nothing",
        "no grades",
        "no gold",
        "no file",
        "no equals",
        "no such column",
        "negative margin",
        "no margin",
        "no direction",
        "gate",
    ],
)
def test_what_is_missing_is_said_in_one_paragraph(
    world: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(*arguments, cwd=world)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("package", ["sklearn", "matplotlib", "jinja2", "krippendorff"])
def test_without_the_extra_the_install_line_is_said(
    world: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(report_html, "_environment", report_html._environment.__wrapped__)
    done = calibrated(world)
    assert done.code == 2
    assert "install it with: pip install 'mmrare-judge[calibration]'" in done.err


def test_a_wide_table_is_read_by_the_raters_that_are_named(world: Path) -> None:
    rows = ["item,system,criterion,A,B"]
    rows += [
        f"i{n},{'a' if n % 2 else 'b'},{name},{n % 3 % 2},1"
        for n in range(40) for name in ("quality", "safe")
    ]  # fmt: skip
    (world / "gold.csv").write_text("\n".join(rows))
    more = ("--column", "raters=A, B", "--recode", "1=YES", "--recode", "0=NO")
    assert calibrated(world, *more).code == 0
    study = json.loads((world / "study" / "study.json").read_text())
    assert list(study["gold"]["raters"]) == ["A", "B"]


def test_a_folder_that_cannot_be_written_is_exit_code_5(world: Path) -> None:
    (world / "taken").write_text("a file")
    done = calibrated(world, "--out", "taken")
    assert (done.code, "name another folder" in done.err) == (5, True)


def test_an_option_goes_before_the_studys_file(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("gold: {path: gold.csv}\njudge: embedded\noptions: {margin: 0.1}\n")
    plan = study_plan(
        file, gold=None, columns={"raters": "A,B"}, recode={"y": "YES"}, options={"margin": 0.2},
        judge="level2",
    )  # fmt: skip
    assert plan.gold.path == str(tmp_path / "gold.csv")
    assert plan.gold.columns.raters == ("A", "B")
    assert plan.gold.recode == {"y": "YES"}
    assert (plan.judge, plan.options.margin) == ("level2", 0.2)


def test_a_judge_that_a_study_names_by_its_file_is_studied_under_its_models_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "judge.yaml").write_text("model: embedded\n")
    file = tmp_path / "study.yaml"
    file.write_text("gold: {path: gold.csv}\njudge: judge.yaml\n")
    plan = read_study_file(file)
    assert (plan.judge, plan.study_options().judge) == (str(tmp_path / "judge.yaml"), "embedded")


def test_the_rubric_of_a_study_decides_the_track_of_items_that_name_none(world: Path) -> None:
    """A table in the columns of the benchmark has no track of its own."""
    (world / "items.tsv").write_text(
        "index\tquestion\tanswer\trubric_must_include\trubric_must_not\n"
        "case-0\tWhich treatment?\tAspirin.\t[]\t[]\n"
    )
    for out, words in (("a", ()), ("b", ("--track", "treatment"))):
        done = calibrated(world, "--items", "items.tsv", "--out", out, *words)
        assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gold: {path: g.csv}\nmargin: 0.1\n", "field 'margin': unknown field"),
        ("judge: embedded\n", "field 'gold': Field required"),
        ("gold: {path: g.csv}\noptions: {margin: -1}\n", "field 'options.margin'"),
        ("gold: [", "row 1|row 2"),
    ],
    ids=["misplaced key", "no gold", "negative margin", "no YAML"],
)
def test_a_wrong_study_file_is_refused_with_its_field(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        read_study_file(file)


# The example in the repository


@pytest.fixture(scope="module")
def kqa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kqa")
    done = run("calibrate", KQA / "study.yaml", "--out", out, cwd=out)
    assert done.code == 0, done.err
    return out


def test_the_example_grades_and_studies_in_one_command(kqa: Path) -> None:
    """The clinicians' mean pairwise kappa where the judge decided, computed by scikit-learn."""
    lines = (kqa / "run" / "grades.jsonl").read_text("utf-8").splitlines()
    grades = [Grade.model_validate_json(line) for line in lines]
    decided = {one.item_id for one in grades if one.verdicts[0].level is not None}
    labels: dict[str, list[bool]] = {}
    for line in (KQA / "gold.csv").read_text().splitlines()[1:]:
        item, *_, rater, label = line.split(",")
        if item in decided:
            labels.setdefault(rater, []).append(label == "Entailment")
    pairs = [cohen_kappa_score(a, b) for a, b in combinations(labels.values(), 2)]
    study = json.loads((kqa / "study.json").read_text())
    stated = study["findings"]["criteria"][0]
    assert stated["clinicians"]["value"] == pytest.approx(sum(pairs) / 3)
    assert stated["clinicians"]["n"] == stated["judge"]["n"] == len(decided)
    assert stated["judge"]["value"] == pytest.approx(0.44, abs=0.005)


def test_the_example_is_tuned_on_throughout_and_says_what_unseen_questions_gave(kqa: Path) -> None:
    study = json.loads((kqa / "study.json").read_text())
    assert study["part"] == "tuning"
    assert study["findings"]["verdict"][0].startswith("There is no verdict: every case with gold")
    assert any("0.22 (0.07 to 0.37)" in caveat for caveat in study["findings"]["caveats"])
    assert not (kqa / "calibration.json").exists()


def test_the_report_in_the_repository_is_the_one_that_the_command_makes(kqa: Path) -> None:
    shown = (KQA / "report" / "report.md").read_text(encoding="utf-8")
    assert (kqa / "report.md").read_text(encoding="utf-8") == shown


def test_level_2_is_studied_like_a_judge(tmp_path: Path) -> None:
    """59 hits, 18 false, 43 missed, 128 rightly not: docs/embedded-judge.md."""
    done = run(
        "calibrate", KQA / "study.yaml", "--judge", "level2", "--out", tmp_path, cwd=tmp_path
    )
    assert done.code == 0, done.err
    study = json.loads((tmp_path / "study.json").read_text())
    assert study["judge"] == "level2"
    counts = study["findings"]["criteria"][0]["confusion"]["counts"]
    assert counts == [[128.0, 43.0], [18.0, 59.0]]


def test_the_gold_labels_are_those_of_the_shared_file() -> None:
    shared = ROOT.parent / "shared" / "data" / "kqa" / "claims.jsonl"
    if not shared.exists():
        pytest.skip("the shared data is not beside this repository")
    claims = [json.loads(line) for line in shared.read_text("utf-8").splitlines()]
    wanted = [
        f"{one['claim_id']},{one['item_id']},{one['model']},physician_{rater},{label}"
        for one in claims
        for rater, label in enumerate(one["labels"])
    ]
    assert (KQA / "gold.csv").read_text().splitlines()[1:] == wanted
