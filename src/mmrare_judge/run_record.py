"""What a run is: ``run.json``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, JsonValue, ValidationError

from mmrare_judge._version import __version__
from mmrare_judge.data.items import TRACKS
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.records import Record
from mmrare_judge.rubric.load import load_rubric

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
        judges: For each judge the settings that can move a score.
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
        judges=tuple(judge.spec.decisive() for judge in judges),
        rubrics={rubric.track: rubric.hash for rubric in rubrics},
        rubric_contents={r.track: r.model_dump(mode="json") for r in rubrics},
        prompt=PROMPT_HASH,
        terms=first.terms.hash,
        repeats=repeats,
        inputs=inputs,
    )


def input_file(path: Path) -> InputFile:
    """Name, size and hash of a file.

    Raises:
        InputError: It cannot be read.
    """
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


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
