import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Grade, __version__, read_grades

ITEM = {
    "index": "1",
    "question": "Plan?",
    "answer": "Start prednisone 40 mg daily.",
    "rubric_must_include": ["prednisone 40 mg daily"],
    "rubric_must_not": [],
}


def run(*arguments: str, cwd: Path, code: int = 0, **environment: str) -> Any:
    """Run the command line in a process of its own, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "mmrare_judge", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": "", "HOME": str(cwd), "PYTHONIOENCODING": "utf-8"} | environment,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def write(path: Path, *rows: Any) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path.name


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path / "items.jsonl", ITEM, ITEM | {"index": "2"})
    write(
        tmp_path / "answers.jsonl",
        {"index": "1", "model": "o3", "prediction": "Start prednisone 40 mg daily."},
        {"index": "2", "model": "o3", "prediction": " "},
    )
    return tmp_path


GRADE = ("grade", "--items", "items.jsonl", "--predictions", "answers.jsonl")
EMBEDDED = (*GRADE, "--track", "treatment", "--judge", "embedded")


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"mmrare-judge {__version__}\n"


def test_the_demo_grades_real_examples_offline_and_twice(tmp_path: Path) -> None:
    for _ in range(2):
        done = run("demo", "--out", "out", cwd=tmp_path)
    grades = read_grades(tmp_path / "out" / "grades.jsonl")
    assert {grade.track for grade in grades} == {"treatment", "examination", "diagnosis"}
    assert all(grade.item_id in done.stdout.replace("\n", "") for grade in grades)
    assert "summaries" in json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))


def test_grades_are_written_printed_and_summed_up(files: Path) -> None:
    done = run(*EMBEDDED, "--out", "results", cwd=files)
    first, second = read_grades(files / "results" / "grades.jsonl")
    assert (first.item_id, first.system, second.empty) == ("1", "o3", True)
    assert "o3, treatment: 2 graded" in done.stdout
    assert done.stderr == ""


def test_json_lines_can_be_piped(files: Path) -> None:
    done = run(*EMBEDDED, "--format", "jsonl", "--limit", "1", cwd=files)
    assert Grade.model_validate_json(done.stdout).item_id == "1"


def test_names_of_ones_own_count_for_level_2(files: Path) -> None:
    write(files / "items.jsonl", ITEM | {"rubric_must_include": ["nusinersen"]})
    write(files / "answers.jsonl", {"index": ITEM["index"], "prediction": "Give Spinraza."})
    (files / "own.tsv").write_text("nusinersen\tdrug\tSpinraza\n", encoding="utf-8")
    options = ("--terms", "own.tsv", "--format", "jsonl")
    (line,) = run(*EMBEDDED, *options, cwd=files).stdout.splitlines()
    assert Grade.model_validate_json(line).level2.lists[0].coverage == 1


def test_predictions_and_items_without_partner_are_listed(files: Path) -> None:
    write(
        files / "answers.jsonl",
        {"index": "1", "model": "o3", "prediction": "Rest."},
        {"index": "9", "model": "o3", "prediction": "Rest."},
    )
    done = run(*EMBEDDED, "--out", "results", cwd=files, code=3)
    assert "9" in done.stderr
    summary = json.loads((files / "results" / "summary.json").read_text("utf-8"))
    assert summary["predictions_without_item"] == {"o3": ["9"]}
    assert summary["items_without_prediction"] == {"o3": ["2"]}
    assert len(read_grades(files / "results" / "grades.jsonl")) == 1


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        pytest.param("items.jsonl", [ITEM, ITEM], "row 2", id="duplicate item"),
        pytest.param("items.jsonl", [ITEM, "{oops"], "row 2", id="not JSON"),
        pytest.param("items.jsonl", [ITEM | {"rubric_must_include": "[1,"}], "[1,", id="bad list"),
        pytest.param("items.jsonl", [{"index": 1, "question": "?"}], "answer", id="no answer"),
        pytest.param(
            "answers.jsonl",
            [{"index": "8", "prediction": "x"}],
            "no prediction of answers.jsonl belongs",
            id="no pair at all",
        ),
        pytest.param("answers.jsonl", [{"index": "1", "reply": "x"}], "reply", id="no text"),
    ],
)
def test_wrong_input_is_one_readable_paragraph(
    files: Path, name: str, rows: list[Any], words: str
) -> None:
    write(files / name, *rows)
    done = run(*EMBEDDED, "--out", "results", cwd=files, code=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (files / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param((*GRADE, "--track", "surgery"), 2, "cross_image", id="unknown track"),
        pytest.param((*EMBEDDED, "--rubric", "diagnosis"), 2, "made for track", id="rubric track"),
        pytest.param((*EMBEDDED, "--rubric", "no.yaml"), 2, "there is no rubric", id="no rubric"),
        pytest.param((*EMBEDDED, "--out", "items.jsonl/x"), 5, "cannot be written", id="folder"),
        pytest.param((*EMBEDDED, "--format", "xml"), 2, "xml", id="unknown format"),
        pytest.param(("grade", "--items", "items.jsonl"), 2, "--predictions", id="missing option"),
        pytest.param(
            (*GRADE, "--track", "treatment", "--judge", "no-such-model"), 4, "openai/", id="model"
        ),
        pytest.param(
            (*GRADE, "--track", "treatment", "--judge", "openai/gpt-5-mini"),
            4,
            "OPENAI_API_KEY",
            id="missing key",
        ),
    ],
)
def test_what_cannot_work_says_so_and_how_to_mend_it(
    files: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*arguments, cwd=files, code=code)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(files: Path) -> None:
    done = run("--debug", *GRADE, "--track", "surgery", cwd=files, code=1)
    assert "Traceback" in done.stderr


def test_no_env_file_is_read(files: Path) -> None:
    (files / ".env").write_text("OPENAI_API_KEY=sk-from-a-file\nMMRARE_JUDGE=openai/x\n")
    done = run(*GRADE, "--track", "treatment", "--judge", "openai/gpt-5-mini", cwd=files, code=4)
    assert "OPENAI_API_KEY" in done.stderr


def test_rubrics_are_listed_shown_and_checked(tmp_path: Path) -> None:
    assert "treatment_elements" in run("rubrics", "list", cwd=tmp_path).stdout
    assert "quote needed" in run("rubrics", "show", "treatment", cwd=tmp_path).stdout
    assert "valid  treatment" in run("rubrics", "validate", "treatment", cwd=tmp_path).stdout
    (tmp_path / "mine.yaml").write_text("id: x\nidd: y\n", encoding="utf-8")
    done = run("rubrics", "validate", "mine.yaml", "treatment", cwd=tmp_path, code=2)
    assert "mine.yaml, line 2: idd: unknown field" in done.stderr
    assert "valid  treatment" in done.stdout


@pytest.mark.parametrize("record", ["grade", "item", "prediction", "rubric", "judge"])
def test_the_schema_of_a_record_is_json(tmp_path: Path, record: str) -> None:
    assert json.loads(run("schema", record, cwd=tmp_path).stdout)["type"] == "object"


def test_the_field_names_of_a_grade_are_stable(tmp_path: Path) -> None:
    schema = json.loads(run("schema", "grade", cwd=tmp_path).stdout)
    assert set(schema["properties"]) == {
        *("item_id", "system", "track", "score", "partial_score", "coverage", "bounds"),
        *("verdicts", "empty", "unscored", "level2", "disagreements", "usage", "saved", "cached"),
        *("notes", "key", "sample", "requests", "signature", "calibration"),
        *("prediction", "question", "reference"),
    }
