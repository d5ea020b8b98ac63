import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Limits, Run, read_grades
from mmrare_judge.backends.base import Meter, Reply, Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import BudgetError, ConfigError, OutputError, TransportError
from support.makers import keys_of, make_item, small_rubric

Pair = tuple[Prediction, Item]


def pairs(count: int, text: str = "Plan") -> list[Pair]:
    return [
        (Prediction(item_id=str(n), text=f"{text} {n}.", system="o3"), make_item(id=str(n)))
        for n in range(count)
    ]


def all_no(request: Request) -> dict[str, Any]:
    verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
    return dict.fromkeys(keys_of(request), verdict)


def run_in(folder: Path, backend: Any = None, **options: Any) -> Run:
    settings: dict[str, Any] = {
        "judge": "fake/model",
        "backend": backend or FakeBackend(all_no),
        "cache": "off",
        "rubric": small_rubric(),
        "verify_reask": 0,
    }
    return Run(folder, **(settings | options))


def ids(folder: Path) -> list[str]:
    return sorted(grade.item_id for grade in read_grades(folder))


def test_a_run_writes_its_specification_grades_and_summary(tmp_path: Path) -> None:
    report = run_in(tmp_path).grade(pairs(5))
    record = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert record["judges"][0]["model"] == "fake/model"
    assert record["rubrics"]["treatment"] == small_rubric().hash
    assert ids(tmp_path) == ["0", "1", "2", "3", "4"]
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["this_start"]["graded"] == report.progress.graded == 5
    assert summary["summaries"][0]["graded"] == 5


def test_a_folder_and_its_files_are_their_owners_alone(tmp_path: Path) -> None:
    run_in(tmp_path / "run").grade(pairs(2))
    run_in(tmp_path / "run").grade(pairs(2, "Other"), canonical=True)
    run_in(tmp_path / "run", fork=tmp_path / "new", repeats=2).grade(pairs(2))
    for folder in (tmp_path / "run", tmp_path / "new"):
        assert folder.stat().st_mode & 0o777 == 0o700
        names = {path.name for path in folder.iterdir()}
        assert {"grades.jsonl", "run.json", "summary.json"} <= names
        modes = {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()}
        assert modes == dict.fromkeys(names, 0)


def test_what_is_done_is_never_asked_again(tmp_path: Path) -> None:
    run_in(tmp_path).grade(pairs(3))
    backend = FakeBackend(all_no)
    report = run_in(tmp_path, backend).grade(pairs(5))
    assert len(backend.requests) == 2
    assert (report.progress.graded, report.progress.resumed) == (2, 3)
    assert report.summaries[0].graded == 5
    assert ids(tmp_path) == ["0", "1", "2", "3", "4"]


def test_a_changed_prediction_is_graded_anew(tmp_path: Path) -> None:
    run_in(tmp_path).grade(pairs(2))
    backend = FakeBackend(all_no)
    changed = [pairs(2)[0], pairs(2, "Other")[1]]
    run_in(tmp_path, backend).grade(changed)
    assert len(backend.requests) == 1


def test_a_changed_reference_is_graded_anew_and_metadata_is_not(tmp_path: Path) -> None:
    run_in(tmp_path).grade(pairs(1))
    prediction, _ = pairs(1)[0]
    backend = FakeBackend(all_no)
    run_in(tmp_path, backend).grade([(prediction, make_item(id="0", metadata={"a": 1}))])
    assert backend.requests == []
    changed = make_item(id="0", reference={"must_not": ["rest"]})
    run_in(tmp_path, backend).grade([(prediction, changed)])
    assert len(backend.requests) == 1


def test_failed_predictions_are_tried_again_and_stand_there_once(tmp_path: Path) -> None:
    def sometimes(request: Request) -> Any:
        broken = "Plan 1." in request.messages[1]["content"]
        return TransportError("down", kind="server_error") if broken else all_no(request)

    first = run_in(tmp_path, FakeBackend(sometimes)).grade(pairs(3))
    assert first.progress.faults == {"server_error": 1}
    assert len(read_grades(tmp_path)) == 3
    backend = FakeBackend(all_no)
    second = run_in(tmp_path, backend).grade(pairs(3))
    assert len(backend.requests) == 1
    assert second.summaries[0].unscored == {}
    assert ids(tmp_path) == ["0", "1", "2"]


def test_a_failure_whose_prediction_is_not_given_again_still_stands(tmp_path: Path) -> None:
    def never(request: Request) -> Any:
        return TransportError("down", kind="server_error")

    def books() -> Any:
        return json.loads((tmp_path / "summary.json").read_text("utf-8"))["all_starts"]

    run_in(tmp_path, FakeBackend(never)).grade(pairs(3))
    spent = books()["incurred"]["calls"]
    report = run_in(tmp_path).grade(pairs(1))
    assert sorted((g.item_id, g.unscored is None) for g in read_grades(tmp_path)) == [
        *[("0", True), ("1", False), ("2", False)]
    ]
    assert (report.summaries[0].graded, report.summaries[0].unscored) == (3, {"server_error": 2})
    assert report.superseded[0].startswith("1 earlier gradings had failed")
    assert books()["incurred"]["calls"] == spent + 1
    aside = (tmp_path / "superseded.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["item_id"] for line in aside] == ["0"]
    assert run_in(tmp_path).grade(pairs(3)).summaries[0].unscored == {}
    assert ids(tmp_path) == ["0", "1", "2"]


def test_another_specification_in_the_same_folder_is_refused_with_the_difference(
    tmp_path: Path,
) -> None:
    run_in(tmp_path).grade(pairs(1))
    with pytest.raises(OutputError, match=r"judges\.0\.temperature: None -> 0\.7"):
        run_in(tmp_path, temperature=0.7).grade(pairs(1))
    with pytest.raises(OutputError, match=r"rubrics\.treatment: sha256"):
        run_in(tmp_path, rubric="treatment").grade(pairs(1))
    run_in(tmp_path, timeout=5.0, retries=1).grade(pairs(1))


def test_another_way_to_the_model_is_another_specification_and_a_fork_grades_anew(
    tmp_path: Path,
) -> None:
    """The way is part of a signature, so a run that mixed two would have no certificate."""

    def over(way: Any, folder: Path = tmp_path / "old", **options: Any) -> Run:
        judge = {"model": "fake/model", "backend": way, "api_base": "http://127.0.0.1:9/v1"}
        return run_in(folder, judge=judge, **options)

    over("litellm").grade(pairs(2))
    with pytest.raises(OutputError, match=r"judges\.0\.backend: litellm -> direct"):
        over("direct").grade(pairs(2))
    report = over("direct", fork=tmp_path / "new").grade(pairs(2))
    assert report.progress.graded == 2
    assert report.summaries[0].signatures == 1
    assert len(read_grades(tmp_path / "new")) == 2


def test_a_folder_from_before_the_way_was_kept_goes_on(tmp_path: Path) -> None:
    run_in(tmp_path).grade(pairs(2))
    record = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert record["judges"][0].pop("backend") == "litellm"
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert run_in(tmp_path).grade(pairs(2)).progress.resumed == 2
    record = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert record["judges"][0]["backend"] == "litellm"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"repeats": 0}, "repeats=0 grades nothing", id="no repeat"),
        pytest.param({"repeats": -1}, "repeats=-1 grades nothing", id="fewer than none"),
        pytest.param({"keep": "all"}, "keep is texts or hashes, not 'all'", id="unknown word"),
        pytest.param({"judge": []}, "a run without a judge", id="no judge"),
        pytest.param(
            {"repeat": 3}, "Run has no option repeat; its options are folder, judge", id="misspelt"
        ),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run_in(tmp_path, **options)


def test_a_fork_takes_over_what_still_counts(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    run_in(old).grade(pairs(2))
    backend = FakeBackend(all_no)
    run_in(old, backend, fork=new, repeats=2).grade(pairs(2))
    assert len(backend.requests) == 2
    assert sorted((g.item_id, g.sample) for g in read_grades(new)) == [
        *[("0", 0), ("0", 1)],
        *[("1", 0), ("1", 1)],
    ]
    assert len(read_grades(old)) == 2


def test_a_fork_keeps_no_grade_that_it_did_not_ask_for(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    run_in(old).grade(pairs(3))
    report = run_in(old, fork=new, temperature=0.7).grade(pairs(1))
    assert [grade.item_id for grade in read_grades(new)] == ["0"]
    assert [summary.graded for summary in report.summaries] == [1]
    assert len(read_grades(old)) == 3


def test_repeats_are_independent_and_each_is_cached_under_its_own_index(tmp_path: Path) -> None:
    backend = FakeBackend(all_no)
    for name in ("a", "b"):
        run_in(tmp_path / name, backend, repeats=3, cache=tmp_path / "cache").grade(pairs(1))
    assert len(backend.requests) == 3
    assert len({request.hash for request in backend.requests}) == 3
    grades = read_grades(tmp_path / "b")
    assert sorted(grade.sample for grade in grades) == [0, 1, 2]
    assert all(grade.cached for grade in grades)


def test_several_judges_each_grade_everything(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        ["fake/a", "fake/b"],
        backend=FakeBackend(all_no),
        cache="off",
        rubric=small_rubric(),
    )
    run.grade(pairs(2))
    assert sorted((g.item_id, g.signature.judge) for g in read_grades(tmp_path)) == [
        *[("0", "fake/a"), ("0", "fake/b")],
        *[("1", "fake/a"), ("1", "fake/b")],
    ]


def test_a_judge_that_can_never_answer_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    def later(request: Request) -> Any:
        late = "Plan 7." in request.messages[1]["content"]
        return ConfigError("the key was withdrawn") if late else all_no(request)

    with pytest.raises(ConfigError, match="withdrawn"):
        run_in(tmp_path, FakeBackend(later), limits=Limits(concurrency=1)).grade(pairs(20))
    assert ids(tmp_path) == [str(n) for n in range(7)]
    assert json.loads((tmp_path / "summary.json").read_text("utf-8"))["summaries"][0]["graded"] == 7


def test_a_used_up_budget_ends_the_run_cleanly_and_it_can_go_on(tmp_path: Path) -> None:
    def dear(request: Request) -> Any:
        done = len(backend.requests)
        return BudgetError("used up") if done > 3 else all_no(request)

    backend = FakeBackend(dear)
    report = run_in(tmp_path, backend, limits=Limits(concurrency=1)).grade(pairs(10))
    assert report.progress.stopped == "budget"
    assert len(read_grades(tmp_path)) == 3
    run_in(tmp_path).grade(pairs(10))
    assert len(read_grades(tmp_path)) == 10


class Slow:
    """Answers after a moment, and counts how many wait at once."""

    def __init__(self) -> None:
        self.waiting = self.most = self.calls = 0

    async def complete(self, request: Request, meter: Meter) -> Reply:
        self.calls += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0.02)
        self.waiting -= 1
        return Reply(text=json.dumps(all_no(request)))


def test_no_more_than_the_ceiling_are_in_flight(tmp_path: Path) -> None:
    slow = Slow()
    run_in(tmp_path, slow, limits=Limits(concurrency=7)).grade(pairs(40))
    assert slow.most == 7


def test_stopping_finishes_what_is_in_flight(tmp_path: Path) -> None:
    run = run_in(tmp_path, Slow(), limits=Limits(concurrency=4))
    run.watch = lambda progress: run.stop() if progress.graded == 8 else None
    report = run.grade(pairs(100))
    assert report.progress.stopped == "interrupted"
    assert 8 <= len(read_grades(tmp_path)) <= 12
    assert len(read_grades(tmp_path)) == report.progress.graded


def test_pairs_are_read_only_as_fast_as_they_are_graded(tmp_path: Path) -> None:
    read = 0

    def stream() -> Iterator[Pair]:
        nonlocal read
        for pair in pairs(50):
            read += 1
            yield pair

    run = run_in(tmp_path, Slow(), limits=Limits(concurrency=3))
    run.watch = lambda progress: run.stop()
    run.grade(stream())
    assert read <= 6


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="name another folder"):
        run_in(tmp_path / "file").grade(pairs(1))
    assert os.listdir(tmp_path) == ["file"]
