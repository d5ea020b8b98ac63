import pickle
import sqlite3
import stat
from pathlib import Path

import diskcache  # noqa: TID251  to put into the store what ours refuses
import pytest

from mmrare_judge.backends.base import Reply, Request, Usage
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import Entry, ReplyCache, request_content
from mmrare_judge.errors import OutputError
from mmrare_judge.records import content_hash

REQUEST = Request(
    model="m",
    messages=({"role": "user", "content": "Start prednisone 5 µg."},),
    sampling={"temperature": 0.0},
    schema={"type": "object"},
)
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
    """What unpickles runs: this would leave a file behind."""

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
    with pytest.raises(OutputError, match=r"file.*--cache-dir.*cache=\"off\""):
        ReplyCache(blocked)


def test_the_request_is_kept_beside_its_reply_and_counts_as_no_entry(cache: ReplyCache) -> None:
    cache.put(REQUEST, REPLY)
    assert cache.get(REQUEST.hash) == REPLY
    assert len(cache) == 1
    assert cache.has_request(REQUEST.hash)
    assert Replay(cache.directory).request(REQUEST.hash) == request_content(REQUEST)


def test_what_is_kept_of_a_request_hashes_to_its_hash() -> None:
    """Guards `request_content` against a field that is hashed and not kept, or the reverse."""
    assert content_hash(request_content(REQUEST)) == REQUEST.hash


def test_a_request_with_a_lone_surrogate_is_kept_under_its_hash(cache: ReplyCache) -> None:
    odd = Request(model="m\ud800", messages=(), sampling={}, schema={})
    cache.put(odd, REPLY)
    assert content_hash(Replay(cache.directory).request(odd.hash)) == odd.hash


def test_look_ups_never_read_the_request(cache: ReplyCache) -> None:
    cache.put(REQUEST, REPLY)
    cache.close()
    with sqlite3.connect(cache.directory / "cache.db") as store:
        store.execute("UPDATE Cache SET value = x'00' WHERE key LIKE 'request:%'")
    store.close()
    assert ReplyCache(cache.directory).get(REQUEST.hash) == REPLY


def test_reply_and_request_are_written_together_or_not_at_all(
    cache: ReplyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = diskcache.Cache.set

    def fail_on_request(store: diskcache.Cache, key: str, value: bytes) -> None:
        if key.startswith("request:"):
            raise sqlite3.OperationalError("database or disk is full")
        keep(store, key, value)

    monkeypatch.setattr(diskcache.Cache, "set", fail_on_request)
    with pytest.raises(OutputError, match="disk is full"):
        cache.put(REQUEST, REPLY)
    assert cache.get(REQUEST.hash) is None
    assert len(cache) == 0


def test_a_locked_store_is_an_output_error(
    cache: ReplyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise diskcache.Timeout

    monkeypatch.setattr(diskcache.Cache, "set", locked)
    with pytest.raises(OutputError, match="locked"):
        cache.put(REQUEST, REPLY)


@pytest.mark.parametrize(
    ("endpoint", "sampling"),
    [
        pytest.param("http://me:secret@gpu1:8000/v1", {}, id="password in the address"),
        pytest.param("http://gpu1:8000/v1?code=1", {}, id="query of the address"),
        pytest.param(None, {"extra_headers": {"X": "Bearer abcdef123"}}, id="bearer token"),
    ],
)
def test_a_request_that_may_hold_a_key_is_not_kept(
    cache: ReplyCache, endpoint: str | None, sampling: dict[str, object]
) -> None:
    secret = Request(
        model="m",
        messages=(),
        sampling=sampling,  # type: ignore[arg-type]  # nested JSON is not inferred as such
        schema={},
        endpoint=endpoint,
    )
    cache.put(secret, REPLY)
    assert cache.get(secret.hash) == REPLY
    assert not cache.has_request(secret.hash)


def test_an_entry_of_another_cache_is_kept_as_it_is(cache: ReplyCache) -> None:
    entry = Entry(hash=REQUEST.hash, request=request_content(REQUEST), reply=REPLY)
    cache.put_entry(entry)
    assert Replay(cache.directory).entry(REQUEST.hash) == entry


def test_a_request_does_not_pass_under_another_hash() -> None:
    with pytest.raises(ValueError, match="does not hash"):
        Entry(hash="sha256-c1:" + "0" * 64, request=request_content(REQUEST), reply=REPLY)


def test_a_large_cache_takes_little_memory_also_one_that_was_made_with_more(tmp_path: Path) -> None:
    diskcache.Cache(str(tmp_path)).close()  # with its own setting, 8192 pages of 4 KiB: 32 MiB
    ReplyCache(tmp_path).close()
    with sqlite3.connect(tmp_path / "cache.db") as store:
        (pages,) = store.execute(
            "SELECT value FROM Settings WHERE key = 'sqlite_cache_size'"
        ).fetchone()
    store.close()
    assert pages <= 1024
