"""Rubrics from YAML: the built-in ones by name, your own by path."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mmrare_judge.errors import RubricError
from mmrare_judge.rubric.model import Rubric


@cache
def list_rubrics() -> tuple[str, ...]:
    """Names of the rubrics that come with the package.

    >>> "treatment" in list_rubrics()
    True
    """
    files = resources.files("mmrare_judge.rubrics").iterdir()
    return tuple(sorted(file.name[:-5] for file in files if file.name.endswith(".yaml")))


def load_rubric(name: str | Path) -> Rubric:
    """A built-in rubric by name, or one of your own by path.

    Raises:
        RubricError: There is no such rubric, or it is wrong: with file, line and remedy.

    >>> len(load_rubric("treatment").criteria)
    6
    """
    if str(name) in list_rubrics():
        return _load_built_in(str(name))
    path = Path(name)
    if not path.is_file():
        known = ", ".join(list_rubrics())
        raise RubricError(
            f"there is no rubric {str(name)!r}",
            remedy=f"Give the path of a YAML file, or one of: {known}",
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RubricError(f"cannot be read: {error}", file=str(path)) from error
    return parse_rubric(text, file=str(path))


@cache
def _load_built_in(name: str) -> Rubric:
    text = (resources.files("mmrare_judge.rubrics") / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_rubric(text, file=f"{name}.yaml")


def parse_rubric(text: str, *, file: str = "rubric") -> Rubric:
    """Read a rubric from YAML text.

    Args:
        text: The YAML.
        file: What errors call it.

    Raises:
        RubricError: The rubric is wrong: with file, line and remedy.
    """
    from mmrare_judge.yaml import YamlError, parse_yaml

    try:
        source = parse_yaml(text)
    except YamlError as error:
        raise RubricError(str(error), file=file, line=error.line) from error
    if not isinstance(source.data, dict):
        raise RubricError("a rubric is a mapping of keys", file=file, line=1)
    try:
        return Rubric.model_validate(source.data)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what helps.
        first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
        context: dict[str, Any] = first.get("ctx", {})
        path = tuple(context.get("path", first["loc"]))
        problem, remedy = _explain(first, context, path)
        raise RubricError(problem, remedy=remedy, file=file, line=source.line(path)) from error


def _explain(error: Any, context: dict[str, Any], path: tuple[str | int, ...]) -> tuple[str, str]:
    if "problem" in context:
        return context["problem"], context["remedy"]
    place = ".".join(str(part) for part in path)
    if error["type"] == "extra_forbidden":
        return f"unknown key {place!r}", "Correct its spelling or leave it out"
    if error["type"] == "missing":
        return f"key {place!r} is missing", "Add it"
    return f"{place}: {error['msg']}, not {error['input']!r}", ""


# FOLDED rubric_display: A rubric as readable text.


def describe_rubric(name: str) -> str:
    """A rubric as readable text.

    >>> describe_rubric("diagnosis").splitlines()[0]
    'diagnosis 1.0: Diagnosis, three yes-or-no criteria with a cascade'
    """
    rubric = load_rubric(name)
    lines = [f"{rubric.id} {rubric.version}: {rubric.title}", f"track {rubric.track}", rubric.hash]
    lines += ["", rubric.source, "", rubric.instructions]
    for criterion in rubric.criteria:
        share = criterion.weight / rubric.total_weight
        lines.append(f"{criterion.id} ({criterion.kind}, weight {share} of the score)")
        lines.append(f"  {criterion.question}")
        lines.append(f"  reads: {', '.join(criterion.needs)}")
        for label, level in criterion.levels.items():
            quote = ", quote needed" if level.quote else ""
            lines.append(f"  {label} ({level.points} points{quote}): {level.meaning}")
        if criterion.for_each:
            lines.append(f"  one verdict for each entry of {criterion.for_each}")
        lines.append("")
    return "\n".join(lines)
