"""Faults of rows, said as an `InputError` with the value and the place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mmrare_judge.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def built(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """A model from its fields.

    Raises:
        InputError: A field is missing, unknown or of the wrong kind.

    >>> from mmrare_judge.item import Reference
    >>> built(Reference, {"answer": "rest"}).answer
    'rest'
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        problem = first["msg"]
        if first["type"] == "extra_forbidden":
            problem = "unknown field"
        elif first["type"] != "missing":
            problem = f"{problem}, not {shortened(first['input'])}"
        remedy = f"Fields of {model.__name__} are {', '.join(model.model_fields)}"
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(problem, remedy=remedy, field=name or None) from error


def located(error: InputError, path: Path, row: int) -> InputError:
    """The same error, with the file and the row it was found in."""
    return InputError(
        error.problem, remedy=error.remedy, file=str(path), row=row, field=error.field
    )


def shortened(value: object) -> str:
    """A value as it is shown in an error, at most 80 characters of it.

    >>> len(shortened("long" * 1000))
    81
    """
    # Only the beginning is looked at: a cell may hold megabytes.
    shown = repr(value[:80] if isinstance(value, str) else value)
    cut = len(shown) > 80 or (isinstance(value, str) and len(value) > 80)
    return f"{shown[:80]}…" if cut else shown


def not_utf8(path: Path, offset: int, row: int | None = None) -> InputError:
    """The error for a byte that is not UTF-8, counted from the file's beginning."""
    problem = f"byte {offset} is not UTF-8"
    return InputError(problem, remedy="Save the file as UTF-8", file=str(path), row=row)
