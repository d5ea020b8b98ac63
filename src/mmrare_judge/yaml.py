"""YAML read so that every value knows its line; the one door to PyYAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # noqa: TID251  this is the door

KeyPath = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it."""

# Far above what people write, and low enough that a hostile file is refused within seconds.
MOST_TEXT = 500_000
"""Characters a file may have, those that its aliases repeat included."""
MOST_VALUES = 20_000
"""Values a file may have, those that its aliases repeat included."""
DEEPEST = 50
"""Brackets that may be open at once."""
LONGEST_NUMBER = 100
"""Characters a number may have."""


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
        YamlError: The text is not YAML, has a doubled key, a key that is not text, or is larger
            than a file that was written by people.

    >>> source = parse_yaml("id: a\nlevels:\n  'NO': {points: 0}")
    >>> source.data, source.line(("levels", "NO", "points"))
    ({'id': 'a', 'levels': {'NO': {'points': 0}}}, 3)
    """
    _check_size(text)
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
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # What looks like a date and is none; what PyYAML does not expect of a tag.
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
        text = source if isinstance(source, str) else _read(source)
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(f"cannot be read: {error}", None) from error
    parsed = parse_yaml(text)
    if not isinstance(parsed.data, dict):
        raise YamlError("is not a mapping; write `key: value`, one a line", 1)
    return parsed


def _read(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as stream:
        return stream.read(MOST_TEXT + 1)


def _check_size(text: str) -> None:
    if len(text) > MOST_TEXT:
        raise YamlError(f"more than {MOST_TEXT} characters are not read as settings", None)
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > DEEPEST:
            line = text.count("\n", 0, bracket.start()) + 1
            raise YamlError(f"it is nested too deeply: more than {DEEPEST} brackets are open", line)


_BRACKET = re.compile(r"[\[\]{}]")


def _parsed(text: str) -> tuple[Any, dict[KeyPath, int]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines = _Lines().of(node)  # first: nothing is made of a document that is too large
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


class _Lines:
    """The line of each value; refuses a document that its aliases make too large."""

    def __init__(self) -> None:
        self._lines: dict[KeyPath, int] = {}
        self._characters = 0

    def of(self, node: yaml.Node) -> dict[KeyPath, int]:
        """The lines of all values of a document."""
        self._walk(node, ())
        return self._lines

    def _walk(self, node: yaml.Node, path: KeyPath) -> None:
        line = self._lines[path] = node.start_mark.line + 1
        if len(self._lines) > MOST_VALUES or self._characters > MOST_TEXT:
            raise YamlError("it is too large with all that its aliases repeat", line)
        if isinstance(node, yaml.ScalarNode):
            self._characters += len(node.value)
            _check_number(node)
        elif isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self._walk(child, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                name = _key(key)
                if (*path, name) in self._lines:
                    raise YamlError(f"key {name!r} is given twice", key.start_mark.line + 1)
                self._walk(child, (*path, name))
                self._lines[(*path, name)] = key.start_mark.line + 1


def _check_number(node: yaml.ScalarNode) -> None:
    # PyYAML reads 1:1:1 as a number to the base of 60, which takes long for a long one.
    if node.tag.rpartition(":")[2] in ("int", "float") and len(node.value) > LONGEST_NUMBER:
        problem = f"a number of {len(node.value)} characters; write it in quotes if it is text"
        raise YamlError(problem, node.start_mark.line + 1)


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
