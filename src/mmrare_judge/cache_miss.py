"""Why a replay does not find a reply: the missing request beside the nearest one that is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from mmrare_judge.backends.base import Request
from mmrare_judge.cache_entry import request_content
from mmrare_judge.errors import CacheMissError
from mmrare_judge.records import canonical_json, shortened
from mmrare_judge.replay import Replay

_LOOKED_AT = 5_000  # requests compared at most; more would take longer than the answer is worth

_WEIGHTS = {"user": 100, "system": 10}
"""How far apart a difference sets two requests; 1 for everything not named."""

REASONS = """\
A replay never asks. Possible reasons: another model, sampling, mode or endpoint; another rubric \
wording; another package version; another item or prediction text; or the call failed then, or \
its reply was refused or cut, which only `store: all` keeps."""


def cache_miss(
    request: Request, item_id: str, replay: Replay, reason: str = "no reply to"
) -> CacheMissError:
    """The error for a request without a usable reply.

    Args:
        request: The request.
        item_id: The item that was to be graded.
        replay: Where it was looked for.
        reason: What is missing, in words that go before "request".
    """
    problem = (
        f"item {item_id!r}: {reason} request {request.hash} of {request.model} "
        f"in cache {replay.directory}. {_hint(request, replay)} {REASONS} "
        f"See what the cache holds: mmrare-judge cache stats --cache-dir {replay.directory}"
    )
    return CacheMissError(problem, request_hash=request.hash, model=request.model, item_id=item_id)


def _hint(request: Request, replay: Replay) -> str:
    wanted = request_content(request)
    found = [_differences(wanted, kept) for kept in _kept(replay) if kept != wanted]
    if not found:
        return "The cache keeps no other request to compare with."
    nearest = min(found, key=_distance)
    if "user" in nearest:
        return "No request with this item and prediction is kept."
    listed = "; ".join(nearest.values())
    return f"The nearest request that is kept differs in {listed}."


def _kept(replay: Replay) -> Iterator[Mapping[str, Any]]:
    for request_hash in islice(replay.request_hashes(), _LOOKED_AT):
        try:
            kept = replay.request(request_hash)
        except ValueError:  # corrupt: `cache verify` says so, this only compares
            continue
        if kept is not None:
            yield kept


def _distance(differences: Mapping[str, str]) -> int:
    return sum(_WEIGHTS.get(name, 1) for name in differences)


def _differences(wanted: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, str]:
    """What differs, by name, in words that quote neither item nor prediction."""
    ours, theirs = _parts(wanted), _parts(kept)
    return {
        name: _sentence(name, ours.get(name), theirs.get(name))
        for name in ours | theirs
        if ours.get(name) != theirs.get(name)
    }


def _parts(content: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: value for name, value in content.items() if name != "messages"}
    return parts | {m["role"]: m["content"] for m in content.get("messages", ())}


def _sentence(name: str, ours: Any, theirs: Any) -> str:
    if name == "system":
        return f"the rubric or the prompt's fixed wording ({_first_line(str(ours), str(theirs))})"
    if name in ("user", "schema"):
        return {"user": "item or prediction", "schema": "the questions or their labels"}[name]
    return f"{name} ({canonical_json(ours)} here, {canonical_json(theirs)} there)"


def _first_line(ours: str, theirs: str) -> str:
    """The first line in which two instructions differ."""
    pairs = zip(ours.splitlines(), theirs.splitlines(), strict=False)
    for here, there in pairs:
        if here != there:
            return f"{shortened(here)} here, {shortened(there)} there"
    return "one of them is longer"
