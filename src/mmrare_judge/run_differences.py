"""How the specification of one run differs from another's, in lines a reader can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmrare_judge.records import shortened
from mmrare_judge.run_record import RunRecord

_NOT_SPECIFICATION = {"inputs", "package", "started", "rubric_contents"}
_MOST_LINES = 12  # of one rubric; a wholly different one would fill the screen


def differences(old: RunRecord, new: RunRecord) -> tuple[str, ...]:
    """Where two specifications differ, one line each: ``judges.0.temperature: 0.0 -> 1.0``.

    Under a rubric of another hash stands what differs in it, where both are kept. ``inputs``,
    the package's version and the time are no part of the specification.
    """
    before, after = (dict(_leaves(_specification(record), "")) for record in (old, new))
    lines = []
    for name, line in _changes(before, after):
        lines.append(line)
        if name.startswith("rubrics."):
            lines += _rubric_lines(old, new, name.removeprefix("rubrics."))
    if lines and old.package != new.package:
        lines.append(f"(written by mmrare-judge {old.package}; this is {new.package})")
    return tuple(lines)


def _specification(record: RunRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude=_NOT_SPECIFICATION)


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], show: Any = str
) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | after.keys()):
        old, new = (show(side[name]) if name in side else "absent" for side in (before, after))
        if old != new and not _tells_less(name, before, after):
            yield name, f"{name}: {old} -> {new}"


def _tells_less(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a setting belongs to a judge that stands on one side only: its model says enough."""
    parts = name.split(".")
    model = ".".join([*parts[:2], "model"])
    if parts[0] != "judges" or name == model:
        return False
    return (model in before) != (model in after)


def _rubric_lines(old: RunRecord, new: RunRecord, track: str) -> Iterator[str]:
    if track not in old.rubric_contents or track not in new.rubric_contents:
        return
    before, after = (dict(_leaves(r.rubric_contents[track], "")) for r in (old, new))
    lines = [line for _, line in _changes(before, after, shortened)]
    yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every single value under its path; members of a list by their id, else by their number."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            name = child.get("id", index) if isinstance(child, Mapping) else index
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, value
