"""YAML read so that every value knows its line; the one door to PyYAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # noqa: TID251  this is the door

KeyPath = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it."""


class YamlError(ValueError):
    """Text that is not the YAML we read; ``line`` counts from 1, ``None`` where unknown."""

    def __init__(self, problem: str, line: int | None) -> None:
        self.line = line
        super().__init__(problem)


@dataclass(frozen=True)
class YamlSource:
    """Plain values, and the line each was written on."""

    data: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """The line of the value at ``path``, or of its nearest parent that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def parse_yaml(text: str) -> YamlSource:
    r"""Read one YAML document of plain values.

    Raises:
        YamlError: The text is not YAML, has a doubled key, or a key that is not text.

    >>> source = parse_yaml("id: a\nlevels:\n  'NO': {points: 0}")
    >>> source.data, source.line(("levels", "NO", "points"))
    ({'id': 'a', 'levels': {'NO': {'points': 0}}}, 3)
    """
    try:
        data, lines = _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlError(str(error.problem), mark.line + 1 if mark else None) from error
    except yaml.reader.ReaderError as error:
        place = text.count("\n", 0, error.position) + 1
        raise YamlError(f"character U+{error.character:04X} is not allowed", place) from error
    except RecursionError as error:
        raise YamlError("it is nested too deeply, or an alias contains itself", None) from error
    except YamlError:
        raise
    except ValueError as error:  # what looks like a date, and is none
        raise YamlError(f"a value cannot be read: {error}", None) from error
    return YamlSource(data, lines)


def read_settings(source: str | Path) -> YamlSource:
    """Settings written ``key: value``, from YAML text or from a file given by its `Path`.

    Raises:
        YamlError: The file cannot be read, or it is not a mapping of keys.

    >>> read_settings("model: embedded").data
    {'model': 'embedded'}
    """
    try:
        text = source if isinstance(source, str) else source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(f"cannot be read: {error}", None) from error
    parsed = parse_yaml(text)
    if not isinstance(parsed.data, dict):
        raise YamlError("is not a mapping; write `key: value`, one a line", 1)
    return parsed


def _parsed(text: str) -> tuple[Any, dict[KeyPath, int]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[KeyPath, int] = {}
        if node is not None:
            _walk(node, (), lines)
        return (None if node is None else loader.construct_document(node)), lines
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*path, index), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            name = _key(key)
            if (*path, name) in lines:
                raise YamlError(f"key {name!r} is given twice", key.start_mark.line + 1)
            _walk(child, (*path, name), lines)
            lines[(*path, name)] = key.start_mark.line + 1


def _key(node: yaml.Node) -> str:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise YamlError("a key must be a single word", line)
    if node.tag != "tag:yaml.org,2002:str":
        raise YamlError(
            f"key {node.value} is read as {node.tag.rpartition(':')[2]}, not as text; "
            f'write it in quotes: "{node.value}"',
            line,
        )
    return str(node.value)
