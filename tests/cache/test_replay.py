import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mmrare_judge import Grade, Judge
from mmrare_judge.backends.base import Meter, Reply, Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import ReplyCache, default_cache_dir
from mmrare_judge.errors import CacheMissError, InputError, OutputError, RefusalError
from support.makers import RUBRIC, keys_of, make_item, small_rubric
from support.paths import TESTS

NOBODY = 65534
PLAN = "Start prednisone 40 mg daily.\nSee the patient in two weeks."


class NoBackend:
    """A backend that must never be asked."""

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Fail."""
        raise AssertionError("a replay asked the backend")


def verdicts(request: Request, level: str, quote: str) -> dict[str, Any]:
    keys = keys_of(request)
    return {key: {"reasoning": "r", "quotes": [quote], "level": level} for key in keys}


def bought(folder: Path, **options: Any) -> Grade:
    """A grade bought into a cache: a first look whose quote is not found, and a second one."""
    quotes = iter(["never said", "prednisone 40 mg"])
    backend = FakeBackend(lambda request: verdicts(request, "YES", next(quotes)))
    cache = ReplyCache(folder)
    judge = Judge("fake/model", backend=backend, cache=cache, **given(options))
    grade = judge.grade(PLAN, make_item())
    cache.close()
    assert len(grade.requests) == 2
    return grade


def replayed(cache: Any, text: str = PLAN, **options: Any) -> Grade:
    judge = options.pop("judge", "fake/model")
    return Judge(judge, backend=NoBackend(), cache=cache, **given(options)).grade(text, make_item())


def given(options: dict[str, Any]) -> dict[str, Any]:
    return {"rubric": small_rubric()} | options


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bought(tmp_path / "replies")
    return tmp_path / "replies"


def test_a_replay_gives_the_same_grade_without_asking(tmp_path: Path) -> None:
    first = bought(tmp_path / "replies")
    again = replayed(Replay(tmp_path / "replies"))
    assert again.cached
    assert again.usage.calls == 0
    same = {"usage", "saved", "cached"}
    assert again.model_dump(exclude=same) == first.model_dump(exclude=same)


def test_the_users_own_cache_is_replayed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    first = bought(default_cache_dir())
    assert default_cache_dir().is_relative_to(tmp_path)
    assert replayed("replay").verdicts == first.verdicts


LOOKED_FOR = """
import sys
from support.makers import make_item, small_rubric
from mmrare_judge import Judge
from mmrare_judge.cache.read_only import Replay
judge = Judge("fake/model", cache=Replay(sys.argv[1]), rubric=small_rubric())
print(judge.grade(sys.argv[2], make_item()).score)
print(sorted({"litellm", "openai", "instructor", "diskcache", "aiohttp"} & set(sys.modules)))
"""


def test_a_replay_loads_no_client_and_needs_no_key(folder: Path) -> None:
    path = os.pathsep.join([str(TESTS), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOKED_FOR, str(folder), PLAN],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": path},
    )
    assert done.stdout == "1.0\n[]\n"


def test_a_miss_is_an_error_that_names_item_model_and_request(folder: Path) -> None:
    with pytest.raises(CacheMissError) as caught:
        replayed(Replay(folder), "Another plan.")
    error = caught.value
    assert (error.item_id, error.model) == ("1", "fake/model")
    assert error.request_hash.startswith("sha256-c1:")
    assert error.request_hash in str(error)
    assert f"cache stats --cache-dir {folder}" in str(error)
    assert "No request with this item and prediction is kept" in str(error)


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        pytest.param(
            {"judge": "fake/other"}, 'model ("fake/other" here, "fake/model" there)', id="model"
        ),
        pytest.param({"temperature": 0.7}, '"temperature":0.7', id="sampling"),
        pytest.param({"mode": "json"}, 'mode ("json" here, "auto" there)', id="mode"),
        pytest.param(
            {"rubric": small_rubric(RUBRIC.replace("Is it good?", "Is it fine?"))},
            "'Key quality: Is it fine?' here, 'Key quality: Is it good?' there",
            id="rubric wording",
        ),
    ],
)
def test_a_miss_tells_what_differs_from_the_nearest_request(
    folder: Path, options: dict[str, Any], difference: str
) -> None:
    with pytest.raises(CacheMissError) as caught:
        replayed(Replay(folder), **options)
    assert difference in str(caught.value)
    assert "prednisone" not in str(caught.value)  # item and prediction are not quoted


def test_a_miss_on_the_second_look_is_an_error_too(folder: Path) -> None:
    second = bought(folder.parent / "other").requests[1]
    spoil(folder, "DELETE FROM Cache WHERE key = ?", second)
    with pytest.raises(CacheMissError) as caught:
        replayed(Replay(folder))
    assert caught.value.request_hash == second


@pytest.mark.parametrize("text", ["{}", '{"quality": 1}'])
def test_a_stored_reply_that_is_no_grading_is_an_error(folder: Path, text: str) -> None:
    cache = ReplyCache(folder)
    cache.put(next(iter(Replay(folder).hashes())), Reply(text=text))
    cache.put(list(Replay(folder).hashes())[1], Reply(text=text))
    with pytest.raises(CacheMissError, match="no grading in the reply"):
        replayed(Replay(folder))


def test_a_corrupt_entry_is_a_miss(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    spoil(folder, "UPDATE Cache SET value = x'00'")
    with pytest.raises(CacheMissError, match="no other request to compare with"):
        replayed(Replay(folder))
    assert "taken as absent" in caplog.text


def test_a_refusal_that_was_kept_is_replayed_as_a_refusal(tmp_path: Path) -> None:
    backend = FakeBackend([RefusalError("declined", raw="no")])
    judge = Judge("fake/model", backend=backend, cache=tmp_path, store="all", rubric=small_rubric())
    assert judge.grade(PLAN, make_item()).unscored is not None
    again = replayed(Replay(tmp_path))
    assert again.unscored is not None
    assert again.unscored.kind == "refusal"
    assert again.score is None


def test_a_folder_without_a_cache_is_refused_and_not_made(tmp_path: Path) -> None:
    for absent in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="no reply cache"):
            Replay(absent)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_text("not SQLite at all, and longer than its header is " * 9)
    with pytest.raises(OutputError, match="not a database"):
        Replay(tmp_path)


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


@pytest.fixture
def closed(folder: Path, tmp_path: Path) -> Path:
    """The cache as the end of the process that filled it leaves it: one file, and no log."""
    store = sqlite3.connect(folder / "cache.db")
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    (tmp_path / "closed").mkdir()
    shutil.copy(folder / "cache.db", tmp_path / "closed")
    return tmp_path / "closed"


def test_replaying_leaves_every_byte_of_the_folder_as_it_is(closed: Path) -> None:
    """No file is added either, so nothing has to be writable."""
    folder = closed
    before = state(folder)
    replay = Replay(folder)
    replayed(replay)
    assert state(folder) == before
    replay.close()
    assert state(folder) == before


@pytest.fixture
def read_only(closed: Path) -> Iterator[Path]:
    """The cache in a read-only folder, and no right to write there, a superuser's included."""
    with TemporaryDirectory() as top:
        folder = Path(top, "replies")
        shutil.copytree(closed, folder)
        (folder / "cache.db").chmod(0o444)
        folder.chmod(0o555)
        Path(top).chmod(0o755)
        superuser = os.geteuid() == 0
        if superuser:
            os.seteuid(NOBODY)
        yield folder
        if superuser:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_read_only_folder_is_replayed_and_refused_by_an_ordinary_cache(read_only: Path) -> None:
    assert replayed(Replay(read_only)).score == 1.0
    with pytest.raises(OutputError, match="replay it"):
        ReplyCache(read_only)


def test_what_another_process_has_not_yet_moved_into_the_file_is_found(folder: Path) -> None:
    """An open cache keeps its newest entries in a log beside the file."""
    cache = ReplyCache(folder)
    cache.put("key", Reply(text="{}"))
    assert (folder / "cache.db-wal").stat().st_size > 0
    assert Replay(folder).get("key") == Reply(text="{}")
    cache.close()


def test_what_a_killed_process_left_in_the_log_is_found(folder: Path, tmp_path: Path) -> None:
    """A killed process leaves its log as it is: copied here while the cache is open."""
    cache = ReplyCache(folder)
    cache.put("key", Reply(text="{}"))
    shutil.copytree(folder, tmp_path / "left")
    cache.close()
    assert Replay(tmp_path / "left").get("key") == Reply(text="{}")


def test_replies_too_long_for_the_table_are_found_in_their_files(tmp_path: Path) -> None:
    """From 32 KiB on diskcache gives a value a file; random letters do not compress below."""
    long = Reply(text=json.dumps(os.urandom(60_000).hex()))
    cache = ReplyCache(tmp_path)
    cache.put("key", long)
    cache.close()
    assert list(tmp_path.rglob("*.val"))
    assert Replay(tmp_path).get("key") == long


def test_hashes_come_in_order_and_page_by_page(tmp_path: Path) -> None:
    ReplyCache(tmp_path).put("a", Reply(text=""))
    with sqlite3.connect(tmp_path / "cache.db") as store:
        columns = "raw, store_time, access_time, mode, value"
        copied = f"INSERT INTO Cache (key, {columns}) SELECT ?, {columns} FROM Cache LIMIT 1"
        keys = [f"{tag}{n:04}" for n in range(1200) for tag in ("a", "request:", "z")]
        store.executemany(copied, [(key,) for key in keys])
    store.close()
    replay = Replay(tmp_path)
    replies = ["a", *(key for key in keys if not key.startswith("request:"))]
    assert list(replay.hashes()) == sorted(replies)
    assert list(replay.request_hashes()) == [f"{n:04}" for n in range(1200)]
    assert len(replay) == len(ReplyCache(tmp_path)) == 2401


def spoil(folder: Path, statement: str, *values: str) -> None:
    store = sqlite3.connect(folder / "cache.db")
    with store:
        store.execute(statement, values)
    store.close()
