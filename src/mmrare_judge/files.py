"""Files that are written whole or not at all, and the folders they lie in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mmrare_judge.errors import OutputError


@contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write, which takes its place when all of it is written and on the disk.

    Args:
        path: Where it will be; what is there stays until then.
        private: Let its owner alone read it.

    Raises:
        OutputError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "wb", opener=owner_only if private else None) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text file, which ends with a line break: see `whole_file`.

    Raises:
        OutputError: It cannot be written.
    """
    with whole_file(path, private=private) as stream:
        stream.write(text.removesuffix("\n").encode() + b"\n")


def owner_only(path: str, flags: int) -> int:
    """An ``opener`` for `open`: a file that is made can be read by its owner alone."""
    return os.open(path, flags, mode=0o600)


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make a folder, unless it exists.

    Args:
        folder: The folder.
        private: Let its owner alone enter it, if it is made here.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror or error
        raise OutputError(f"{folder} cannot be written: {problem}; name another folder") from error
