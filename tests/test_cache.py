import pickle
import sqlite3
import stat
from pathlib import Path

import diskcache  # noqa: TID251  to put into the store what ours refuses
import pytest

from mmrare_judge.backends.base import Reply
from mmrare_judge.cache import ReplyCache
from mmrare_judge.errors import OutputError
from mmrare_judge.grade import Usage

REPLY = Reply(text='{"a": "µ"}', model="m", mode="json", usage=Usage(calls=2, cost=0.5))


@pytest.fixture
def cache(tmp_path: Path) -> ReplyCache:
    return ReplyCache(tmp_path / "replies")


def test_a_reply_comes_back_as_it_went_in(cache: ReplyCache) -> None:
    cache.put("key", REPLY)
    assert cache.get("key") == REPLY
    assert cache.get("other") is None
    assert len(cache) == 1


def test_a_reply_outlives_the_process_that_stored_it(tmp_path: Path) -> None:
    first = ReplyCache(tmp_path)
    first.put("key", REPLY)
    first.close()
    assert ReplyCache(tmp_path).get("key") == REPLY


def test_the_directory_is_readable_by_its_owner_alone(cache: ReplyCache) -> None:
    assert stat.S_IMODE(cache.directory.stat().st_mode) == 0o700


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))  # type: ignore[return-value]  # what pickle runs


def test_a_pickle_in_the_store_is_a_miss_and_never_runs(
    cache: ReplyCache,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    cache.put("key", REPLY)
    cache.close()
    with sqlite3.connect(cache.directory / "cache.db") as store:
        store.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(Bomb()),))
    store.close()
    assert ReplyCache(cache.directory).get("key") is None
    assert "taken as absent" in caplog.text
    assert not Path("exploded").exists()


@pytest.mark.parametrize("junk", [b"junk", b"", b"\x78\x01junk"])
def test_a_corrupt_entry_is_a_miss_with_a_warning(
    cache: ReplyCache, junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with diskcache.Cache(str(cache.directory)) as store:
        store.set("key", junk)
    assert cache.get("key") is None
    assert "key" in caplog.text


def test_nothing_is_evicted(cache: ReplyCache) -> None:
    with diskcache.Cache(str(cache.directory)) as store:
        assert store.eviction_policy == "none"


def test_a_directory_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OutputError, match="file"):
        ReplyCache(blocked)
