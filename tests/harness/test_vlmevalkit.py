"""VLMEvalKit's result tables, graded where they lie."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import ConfigError, FakeBackend, InputError, read_grades
from mmrare_judge.backends.base import Request
from mmrare_judge.cache.bundle import export_bundle
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.errors import TransportError
from mmrare_judge.harness.vlmevalkit import RecordedJudge, evaluate
from support.harnesses import reply_to
from support.server import ScriptedServer, judging

ROWS = [
    {
        "index": n,
        "question": "Plan?",
        "answer": "Prednisone 40 mg daily.",
        "rubric_must_include": "prednisone 40 mg daily",
        "rubric_must_not": "",
        "prediction": text,
    }
    for n, text in enumerate(
        ("Start prednisone 40 mg daily.", "Rest and wait for a week.", "Slow.")
    )
]


def write(path: Path) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(ROWS))
    elif path.suffix == ".xlsx":
        pytest.importorskip("pandas").DataFrame(ROWS).to_excel(path, index=False)
    else:
        with path.open("w", newline="") as stream:
            table = csv.DictWriter(stream, list(ROWS[0]), delimiter="\t")
            table.writeheader()
            table.writerows(ROWS)
    return path


def judge(request: Request) -> object:
    if "Slow." in request.messages[1]["content"]:
        return TransportError("slow", kind="timeout")
    return reply_to(request)


@pytest.mark.parametrize("suffix", [".tsv", ".json", ".xlsx"])
def test_a_table_is_graded_and_its_failures_are_out_of_the_mean(
    tmp_path: Path, suffix: str
) -> None:
    path = write(tmp_path / f"model_MMRareBench{suffix}")
    backend = FakeBackend(judge)  # type: ignore[arg-type]
    options: dict[str, Any] = {"backend": backend, "cache": "off", "verbose": True}
    metrics = evaluate(path, model="gpt-x", nproc=4, track="treatment", **options)
    grades = read_grades(tmp_path / "model_MMRareBench_mmrare_grades.jsonl")
    first, second, failed = grades
    assert (metrics["scored"], metrics["n"]) == (2, 3)
    assert metrics["coverage"] == pytest.approx(2 / 3)
    assert metrics["score"] == (first.require_score() + second.require_score()) / 2
    assert failed.score is None
    with (tmp_path / "model_MMRareBench_mmrare.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert (rows[2]["score"], rows[2]["no_score"]) == ("", "timeout: slow")
    assert rows[0]["item_id"] == "0"


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model_MMRareBench.pkl").write_bytes(b"")
    with pytest.raises(InputError, match=r"\.pkl"):
        evaluate(tmp_path / "model_MMRareBench.pkl", model="embedded", track="treatment")


def test_address_and_key_are_taken_as_vlmevalkit_gives_them(
    tmp_path: Path, server: ScriptedServer
) -> None:
    server.otherwise = judging("YES", "prednisone 40 mg daily")
    path = write(tmp_path / "model_MMRareBench.tsv")
    given: dict[str, Any] = {
        "nproc": 4,
        "verbose": False,
        "retry": 0,
        "timeout": 60,
        "api_base": f"{server.url}/chat/completions",
        "key": "sk-of-vlmevalkit",
        "backend": "direct",
        "cache": "off",
    }
    evaluate(str(path), model="gpt-4o-mini", track="treatment", **given)
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-vlmevalkit"
    assert server.requests[0].path.endswith("/v1/chat/completions")


@pytest.mark.parametrize("model", [None, "exact_matching"])
def test_no_judge_is_not_a_judge(tmp_path: Path, model: str | None) -> None:
    with pytest.raises(ConfigError, match="no judge was named"):
        evaluate(write(tmp_path / "t.tsv"), model=model, track="treatment")


def test_the_embedded_judge_passes_over_what_is_meant_for_models(tmp_path: Path) -> None:
    path = write(tmp_path / "model_MMRareBench.tsv")
    given: dict[str, Any] = {"nproc": 4, "verbose": True, "retry": 3, "timeout": 600}
    metrics = evaluate(path, model="embedded", track="treatment", **given)
    assert (metrics["score"], metrics["n"]) == (None, 3)
    assert metrics["treatment/specific_treatments"] == pytest.approx(1 / 3)


class CountingJudge:
    """A judge as VLMEvalKit has them, whose replies are numbered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def generate(self, message: str, **_: object) -> str:
        self.asked.append(message)
        failed = "Failed to obtain answer via API."
        return failed if message == "down" else f"reply {len(self.asked)}"

    def working(self) -> bool:
        return True


def test_the_official_protocols_replies_are_recorded_and_are_not_paid_for_twice(
    tmp_path: Path,
) -> None:
    first = RecordedJudge(CountingJudge(), "gpt-x", cache=tmp_path)
    prompts = ["a", "a", "b"]
    assert [first.generate(one, temperature=0) for one in prompts] == [
        "reply 1",
        "reply 2",
        "reply 3",
    ]
    unused = CountingJudge()
    again = RecordedJudge(unused, "gpt-x", cache=tmp_path)
    assert [again.generate(one, temperature=0) for one in prompts] == [
        "reply 1",
        "reply 2",
        "reply 3",
    ]
    assert unused.asked == []
    assert again.working()
    bundle = tmp_path / "replies.jsonl"
    export_bundle(Replay(tmp_path), bundle)
    assert '"content":"b"' in bundle.read_text().replace(": ", ":")


def test_what_the_official_judge_says_when_it_failed_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        judge = CountingJudge()
        recorded = RecordedJudge(judge, "gpt-x", cache=tmp_path)
        assert recorded.generate("down") == "Failed to obtain answer via API."
        assert judge.asked == ["down"]
