"""The base of all records: frozen, and strict about their fields."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Cannot be changed, and refuses a field it does not know.

    A copy works out anew what follows from its content, such as a hash: ``model_copy`` may change
    the content.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __copy__(self) -> Self:
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied
