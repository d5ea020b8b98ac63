"""Which columns of a table of predictions hold the id, the text and the system."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mmrare_judge.cells import identifier, text
from mmrare_judge.columns import IMAGE_COLUMNS
from mmrare_judge.errors import InputError
from mmrare_judge.metadata import metadata_of
from mmrare_judge.notices import Notices

ID_COLUMNS = ("index", "item_id", "id")
TEXT_COLUMNS = ("prediction", "response", "text")
SYSTEM_COLUMNS = ("system", "model")


@dataclass(frozen=True)
class PredictionColumns:
    """What was said of a table's columns; the rest is looked for among the usual names.

    Attributes:
        system: The system that made all predictions; the columns are not asked then.
        text_column: The column of the answers.
        system_column: The column that tells systems apart.
        id_column: The column of the items' ids.
    """

    system: str | None = None
    text_column: str | None = None
    system_column: str | None = None
    id_column: str | None = None

    def fields(self, values: Mapping[str, Any], notices: Notices) -> dict[str, Any]:
        """The fields of a `Prediction` in one row.

        Raises:
            InputError: A column is missing or cannot be read, or two could be meant.

        >>> PredictionColumns().fields({"index": 7, "prediction": None}, Notices())
        {'item_id': '7', 'text': '', 'system': '', 'metadata': {}}
        """
        item_id = _column(values, self.id_column, ID_COLUMNS, "id")
        answer = _column(values, self.text_column, TEXT_COLUMNS, "text")
        system = self._system_column(values)
        known = [item_id, answer, *([system] if system else []), *IMAGE_COLUMNS]
        return {
            "item_id": identifier(values[item_id], item_id),
            "text": text(values[answer], answer),
            "system": text(values[system], system) if system else self.system or "",
            "metadata": metadata_of(values, known=known, notices=notices),
        }

    def _system_column(self, values: Mapping[str, Any]) -> str | None:
        usual = any(name in values for name in SYSTEM_COLUMNS)
        if self.system is not None or not (self.system_column or usual):
            return None
        return _column(values, self.system_column, SYSTEM_COLUMNS, "system")


def _column(values: Collection[str], asked: str | None, usual: tuple[str, ...], what: str) -> str:
    names = usual if asked is None else (asked,)
    found = [name for name in names if name in values]
    if len(found) == 1:
        return found[0]
    problem = f"no column for the {what}: {' or '.join(names)}; columns are {', '.join(values)}"
    if found:
        problem = f"{' and '.join(found)} could each hold the {what}"
    remedy = f"Say which column it is: {what}_column=..., or --{what}-column on the command line"
    raise InputError(problem, remedy=remedy)
