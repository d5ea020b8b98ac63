import gzip
import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner  # noqa: TID251  to run the command line in this process

from mmrare_judge import Judge
from mmrare_judge.backends.base import Reply, Request, Usage
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cache.bundle import cache_faults, cache_stats, export_bundle, import_bundle
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.cli.main import cache_app
from mmrare_judge.errors import InputError, OutputError
from support.makers import keys_of, make_item


def request(number: int, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "model": "gpt",
        "messages": ({"role": "user", "content": f"Case {number}: fever, µ"},),
        "sampling": {"temperature": 0.0},
        "schema": {"type": "object"},
    }
    return Request(**fields | changes)


def reply(number: int, **changes: Any) -> Reply:
    usage = Usage(calls=1, prompt_tokens=100, completion_tokens=10, cost=0.25)
    fields = {"text": f'{{"n": {number}}}', "model": "gpt-1", "usage": usage}
    return Reply.model_validate(fields | changes)


def filled(folder: Path, numbers: list[int]) -> Path:
    cache = ReplyCache(folder)
    for number in numbers:
        cache.put(request(number), reply(number))
    cache.close()
    return folder


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cache_app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return filled(tmp_path / "replies", [1, 2, 3])


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_equal_caches_give_equal_bundles_byte_by_byte(tmp_path: Path, suffix: str) -> None:
    """The second cache is filled in another order, and by way of an import in part."""
    one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
    export_bundle(Replay(filled(tmp_path / "a", [1, 2, 3, 4])), one)
    export_bundle(Replay(filled(tmp_path / "b", [4, 2])), tmp_path / "half.jsonl")
    assert import_bundle(tmp_path / "half.jsonl", filled(tmp_path / "c", [3, 1])).added == 2
    export_bundle(Replay(tmp_path / "c"), two)
    assert one.read_bytes() == two.read_bytes()


def test_a_bundle_begins_with_a_header_and_is_in_the_order_of_the_hashes(
    folder: Path, tmp_path: Path
) -> None:
    export_bundle(Replay(folder), tmp_path / "b.jsonl", created_from="study 7")
    header, *lines = map(json.loads, (tmp_path / "b.jsonl").read_text("utf-8").splitlines())
    assert header["format"] == "mmrare-judge-replies"
    assert (header["format_version"], header["count"]) == (1, 3)
    assert header["created_from"] == "study 7"
    assert [line["hash"] for line in lines] == sorted(request(n).hash for n in (1, 2, 3))
    assert all(line["request"]["messages"][0]["content"].endswith("fever, µ") for line in lines)


def test_a_bundle_is_readable_by_its_owner_alone(folder: Path, tmp_path: Path) -> None:
    export_bundle(Replay(folder), tmp_path / "b.jsonl")
    assert stat.S_IMODE((tmp_path / "b.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_a_bundle_carries_a_cache_over(folder: Path, tmp_path: Path, suffix: str) -> None:
    bundle = tmp_path / f"b.{suffix}"
    assert export_bundle(Replay(folder), bundle).with_request == 3
    done = import_bundle(bundle, tmp_path / "new")
    assert (done.added, done.known, done.faults) == (3, 0, [])
    there = Replay(tmp_path / "new")
    assert [there.entry(h) for h in there.hashes()] == [
        Replay(folder).entry(h) for h in Replay(folder).hashes()
    ]


def test_importing_twice_changes_nothing(folder: Path, tmp_path: Path) -> None:
    export_bundle(Replay(folder), tmp_path / "b.jsonl")
    done = import_bundle(tmp_path / "b.jsonl", folder)
    assert (done.added, done.known, done.requests_added, done.faults) == (0, 3, 0, [])


def test_a_bundle_of_hashes_only_holds_no_case_and_is_filled_up_later(
    folder: Path, tmp_path: Path
) -> None:
    done = export_bundle(Replay(folder), tmp_path / "bare.jsonl", requests="none")
    assert (done.count, done.with_request) == (3, 0)
    assert "fever" not in (tmp_path / "bare.jsonl").read_text("utf-8")
    import_bundle(tmp_path / "bare.jsonl", tmp_path / "new")
    assert cache_stats(Replay(tmp_path / "new")).with_request == 0
    export_bundle(Replay(folder), tmp_path / "full.jsonl")
    assert import_bundle(tmp_path / "full.jsonl", tmp_path / "new").requests_added == 3
    assert cache_stats(Replay(tmp_path / "new")).with_request == 3


def test_a_bundle_of_hashes_only_can_be_replayed(tmp_path: Path) -> None:
    def answer(request: Request) -> dict[str, Any]:
        verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
        keys = keys_of(request)
        return dict.fromkeys(keys, verdict)

    judge = Judge("fake/model", backend=FakeBackend(answer), cache=tmp_path / "a")
    first = judge.grade("Rest.", make_item())
    export_bundle(Replay(tmp_path / "a"), tmp_path / "bare.jsonl.gz", requests="none")
    import_bundle(tmp_path / "bare.jsonl.gz", tmp_path / "b")
    again = Judge("fake/model", cache=Replay(tmp_path / "b")).grade("Rest.", make_item())
    assert again.verdicts == first.verdicts
    assert again.cached


def bundle_lines(folder: Path, tmp_path: Path) -> list[str]:
    export_bundle(Replay(folder), tmp_path / "b.jsonl")
    return (tmp_path / "b.jsonl").read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param("fever", "cough", "does not hash", id="request changed"),
        pytest.param('"hash":"sha256-c1:', '"hash":"sha256-c1:zz', "hash", id="no hash"),
        pytest.param('"finish":"complete"', '"finish":"done"', "reply.finish", id="odd reply"),
        pytest.param('"reply":', '"answer":', "unknown field|required", id="unknown field"),
        pytest.param("{", "", "Invalid JSON", id="no JSON"),
    ],
)
def test_a_tampered_line_is_reported_with_its_number_and_the_others_are_imported(
    folder: Path, tmp_path: Path, old: str, new: str, problem: str
) -> None:
    lines = bundle_lines(folder, tmp_path)
    assert old in lines[2]
    lines[2] = lines[2].replace(old, new, 1)
    bad = tmp_path / "bad.jsonl"
    bad.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = import_bundle(bad, tmp_path / "new")
    assert done.added == 2
    (fault,) = done.faults
    assert fault.place == f"{bad}, line 3"
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(fault.problem)
    assert "fever" not in fault.problem  # the fault's own words quote no case


def test_what_is_kept_already_stays_and_another_reply_is_reported(
    folder: Path, tmp_path: Path
) -> None:
    export_bundle(Replay(folder), tmp_path / "b.jsonl")
    cache = ReplyCache(filled(tmp_path / "new", [1]))
    cache.put(request(2), reply(99))
    done = import_bundle(tmp_path / "b.jsonl", cache)
    assert (done.added, done.known) == (1, 1)
    assert [fault.problem for fault in done.faults] == [
        f"another reply is kept already under {request(2).hash}, and stays"
    ]
    assert cache.get(request(2).hash) == reply(99)


def test_a_bundle_that_was_cut_short_gives_what_it_has_and_says_so(
    folder: Path, tmp_path: Path
) -> None:
    lines = bundle_lines(folder, tmp_path)
    (tmp_path / "cut.jsonl").write_text("\n".join(lines[:3]) + "\n", encoding="utf-8")
    done = import_bundle(tmp_path / "cut.jsonl", tmp_path / "new")
    assert done.added == 2
    assert "promises 3 entries, and 2 lines follow" in done.faults[0].problem


def test_a_torn_gzip_file_gives_what_can_be_read_and_says_so(tmp_path: Path) -> None:
    folder, bundle = filled(tmp_path / "replies", list(range(300))), tmp_path / "b.jsonl.gz"
    export_bundle(Replay(folder), bundle)
    bundle.write_bytes(bundle.read_bytes()[:-2000])
    done = import_bundle(bundle, tmp_path / "new")
    assert 0 < done.added < 300
    assert any("end-of-stream" in fault.problem for fault in done.faults)


@pytest.mark.parametrize(
    "first", ["", "{}", '{"format": "other", "format_version": 1, "package": "1", "count": 0}']
)
def test_a_file_that_is_no_bundle_is_refused_and_makes_no_cache(tmp_path: Path, first: str) -> None:
    (tmp_path / "b.jsonl").write_text(first, encoding="utf-8")
    with pytest.raises(InputError, match=r"b\.jsonl.*no bundle"):
        import_bundle(tmp_path / "b.jsonl", tmp_path / "new")
    with pytest.raises(InputError, match="No such file"):
        import_bundle(tmp_path / "absent.jsonl.gz", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_existing_file_and_an_odd_suffix_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        export_bundle(Replay(folder), tmp_path / "b.jsonl")
    with pytest.raises(InputError, match="suffix"):
        export_bundle(Replay(folder), tmp_path / "b.zip")
    assert (tmp_path / "b.jsonl").read_text(encoding="utf-8") == "precious"


def test_a_disk_that_is_full_is_an_output_error_and_leaves_no_half_bundle(folder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    full = folder.parent / "full"
    full.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmrare_judge.files.owner_only", _opens_full_disk)
        with pytest.raises(OutputError, match="No space left"):
            export_bundle(Replay(folder), full / "b.jsonl")
    assert list(full.iterdir()) == []


def _opens_full_disk(path: str, flags: int) -> int:
    import os

    return os.open("/dev/full", os.O_WRONLY)


def test_an_entry_whose_parameters_may_hold_a_key_is_not_exported(tmp_path: Path) -> None:
    cache = ReplyCache(filled(tmp_path / "replies", [1]))
    headers = {"extra_headers": {"Authorization": "Bearer abcdef123456"}}
    cache.put(request(2, sampling=headers), reply(2, sampling=headers))
    cache.close()
    done = export_bundle(Replay(tmp_path / "replies"), tmp_path / "b.jsonl")
    assert done.count == 1
    assert "may hold a key" in done.faults[0].problem
    assert "abcdef123456" not in (tmp_path / "b.jsonl").read_text("utf-8")


def test_figures_are_counted_over_all_entries(tmp_path: Path) -> None:
    """By hand: 2 x gpt and 1 x o3 of unknown price; 3 x 100 tokens sent; 2 x 0.25 USD."""
    cache = ReplyCache(filled(tmp_path / "replies", [1, 2]))
    unpriced = Usage(calls=1, prompt_tokens=100, completion_tokens=0, cost=None)
    cache.put(request(3, model="o3"), reply(3, usage=unpriced, finish="refusal"))
    cache.put(request(4).hash, reply(4, model=None, usage=Usage()))
    stats = cache_stats(Replay(tmp_path / "replies"))
    assert (stats.entries, stats.with_request, stats.unreadable) == (4, 3, 0)
    assert stats.by_model == {"gpt": 2, "o3": 1, "unknown": 1}
    assert stats.by_finish == {"complete": 3, "refusal": 1}
    assert (stats.prompt_tokens, stats.completion_tokens) == (300, 20)
    assert (stats.cost, stats.cost_unknown) == (0.5, 1)
    assert stats.bytes >= (tmp_path / "replies" / "cache.db").stat().st_size > 0


def spoil(folder: Path, statement: str, *values: object) -> None:
    store = sqlite3.connect(folder / "cache.db")
    with store:
        store.execute(statement, values)
    store.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        pytest.param("UPDATE Cache SET value = x'00' WHERE key = ?", "decompressed", id="reply"),
        pytest.param(
            "UPDATE Cache SET value = x'00' WHERE key = 'request:' || ?",
            "decompressed",
            id="request",
        ),
        pytest.param(
            "UPDATE Cache SET value = (SELECT value FROM Cache WHERE key > 'request:' || ?1"
            " LIMIT 1) WHERE key = 'request:' || ?1",
            "does not hash",
            id="another entry's request",
        ),
        pytest.param("UPDATE Cache SET mode = 4 WHERE key = ?", "not bytes", id="pickle"),
        pytest.param(
            "UPDATE Cache SET mode = 2, filename = '../../etc/passwd' WHERE key = ?",
            "outside",
            id="a path that leads out",
        ),
        pytest.param("DELETE FROM Cache WHERE key = ?", "without a reply", id="reply gone"),
        pytest.param("UPDATE Cache SET raw = 0 WHERE key = ?", "not of this package", id="key"),
    ],
)
def test_verifying_names_every_bad_entry(folder: Path, statement: str, problem: str) -> None:
    assert list(cache_faults(Replay(folder))) == []
    assert "3 entries, 0 faults" in run("verify", "--cache-dir", folder)
    spoil(folder, statement, min(request(n).hash for n in (1, 2, 3)))
    faults = list(cache_faults(Replay(folder)))
    assert any(problem in fault.problem for fault in faults)
    assert problem in run("verify", "--cache-dir", folder, code=3)


def test_a_bad_entry_is_left_out_of_a_bundle_and_the_export_fails_loudly(
    folder: Path, tmp_path: Path
) -> None:
    spoil(folder, "UPDATE Cache SET value = x'00' WHERE key = ?", request(1).hash)
    output = run("export", tmp_path / "b.jsonl", "--cache-dir", folder, code=3)
    assert "2 entries written" in output
    assert request(1).hash in output
    assert import_bundle(tmp_path / "b.jsonl", tmp_path / "new").faults == []


def test_the_commands_carry_a_cache_over(folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "b.jsonl.gz"
    assert "3 entries written" in run("export", bundle, "--cache-dir", folder, "--hashes-only")
    assert "fever" not in gzip.decompress(bundle.read_bytes()).decode()
    assert "3 entries added" in run("import", bundle, "--cache-dir", tmp_path / "new")
    output = run("stats", "--cache-dir", tmp_path / "new")
    assert "model gpt-1: 3" in output  # the request is not kept, so as the endpoint named it
    assert "0.7500 USD" in output
