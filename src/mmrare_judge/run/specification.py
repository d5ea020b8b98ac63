"""What a run is: ``run.json`` (`RunRecord`), and how two runs differ."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, JsonValue, ValidationError

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import EMBEDDED, JudgeSpec
from mmrare_judge.data.items import TRACKS
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.records import Record, shortened
from mmrare_judge.rubric.model import load_rubric

if TYPE_CHECKING:
    from mmrare_judge.judging.judge import Judge

RUN = "run.json"


class InputFile(Record):
    """A file a run reads: its path as given, its size in bytes, and the SHA-256 of its content."""

    path: str
    bytes: int
    sha256: str


class RunRecord(Record):
    """The full specification of a run.

    Attributes:
        format: Version of this record.
        judges: For each judge the settings that can move a score, and for a model the ``backend``
            that reaches it, which is part of the signature; folders of version 0.1 lack it.
        rubrics: Hash of the rubric used for each track.
        prompt: Hash of the prompt's fixed wording.
        terms: Hash of the terms table.
        repeats: Independent samples a judge.
        inputs: The files that were read last; their change is no change of the specification,
            since lines are matched by content.
        package: The package version that started the run.
        started: When, in UTC.
        rubric_contents: Those rubrics, whole, so that the folder can be read by itself.
    """

    format: int = 1
    judges: tuple[Mapping[str, JsonValue], ...]
    rubrics: Mapping[str, str]
    prompt: str
    terms: str
    repeats: int = 1
    inputs: Mapping[str, InputFile] = {}
    package: str = __version__
    started: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    rubric_contents: Mapping[str, JsonValue] = {}

    def prediction_files(self) -> set[str]:
        """The paths of the predictions that were read last."""
        return {
            os.path.normpath(file.path)
            for name, file in self.inputs.items()
            if name.startswith("predictions")
        }


def record_of(judges: Sequence[Judge], repeats: int, inputs: Mapping[str, InputFile]) -> RunRecord:
    """The record of a run that is starting now.

    Args:
        judges: At least one; rubric and terms are the same for all of them.
        repeats: Independent samples a judge.
        inputs: The files that are read.
    """
    first = judges[0]
    rubrics = [first.rubric] if first.rubric else [load_rubric(track) for track in TRACKS]
    return RunRecord(
        judges=tuple(_settings(judge.spec) for judge in judges),
        rubrics={rubric.track: rubric.hash for rubric in rubrics},
        rubric_contents={r.track: r.model_dump(mode="json") for r in rubrics},
        prompt=PROMPT_HASH,
        terms=first.terms.hash,
        repeats=repeats,
        inputs=inputs,
    )


def _settings(spec: JudgeSpec) -> dict[str, JsonValue]:
    way = {} if spec.model == EMBEDDED else {"backend": spec.backend}
    return {**spec.decisive(), **way}


def input_files(**paths: Sequence[Path]) -> dict[str, InputFile]:
    """Names, sizes and hashes of files: ``items``, ``items 2``, and so on.

    Raises:
        InputError: One cannot be read.
    """
    return {
        what if number == 1 else f"{what} {number}": _input_file(path)
        for what, files in paths.items()
        for number, path in enumerate(files, start=1)
    }


def _input_file(path: Path) -> InputFile:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            size = stream.tell()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from error
    return InputFile(path=str(path), bytes=size, sha256=digest.hexdigest())


def read_record(folder: Path) -> RunRecord | None:
    """The record of a folder; ``None`` where no run was started.

    Raises:
        OutputError: There is one, and it cannot be read.
    """
    path = folder / RUN
    if not path.exists():
        return None
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise OutputError(f"{path} cannot be read: {error}; name another folder") from error


# --- how two specifications differ

_NOT_SPECIFICATION = {"inputs", "package", "started", "rubric_contents"}
_MOST_LINES = 12  # of one rubric; a wholly different one would fill the screen


def differences(old: RunRecord, new: RunRecord) -> tuple[str, ...]:
    """Where two specifications differ, one line each: ``judges.0.temperature: 0.0 -> 1.0``.

    Under a rubric of another hash stands what differs in it, where both are kept. ``inputs``,
    the package's version and the time are not part of the specification.
    """
    before, after = (
        dict(_leaves(record.model_dump(mode="json", exclude=_NOT_SPECIFICATION)))
        for record in (old, new)
    )
    lines = []
    for name, line in _changes(before, after):
        lines.append(line)
        if name.startswith("rubrics."):
            lines += _rubric_lines(old, new, name.removeprefix("rubrics."))
    if lines and old.package != new.package:
        lines.append(f"(written by mmrare-judge {old.package}; this is {new.package})")
    return tuple(lines)


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], show: Callable[[Any], str] = str
) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | after.keys()):
        old, new = (show(side[name]) if name in side else "absent" for side in (before, after))
        if old != new and not _goes_without_saying(name, before, after):
            yield name, f"{name}: {old} -> {new}"


def _goes_without_saying(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    part, *which = name.split(".")
    if part != "judges" or which[1:] == ["model"]:
        return False
    model = f"judges.{which[0]}.model"
    if (model in before) != (model in after):
        return True  # of a judge that stands on one side only, its model says enough
    return which[1:] == ["backend"] and name not in before  # version 0.1 did not write it


def _rubric_lines(old: RunRecord, new: RunRecord, track: str) -> Iterator[str]:
    if track not in old.rubric_contents or track not in new.rubric_contents:
        return
    before, after = (dict(_leaves(r.rubric_contents[track])) for r in (old, new))
    lines = [line for _, line in _changes(before, after, shortened)]
    yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
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
