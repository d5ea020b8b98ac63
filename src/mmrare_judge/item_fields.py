"""What a rubric may read of an item: the fields by name, and their values."""

from __future__ import annotations

from pydantic import BaseModel

from mmrare_judge.item import Item, Reference

ITEM_FIELDS: tuple[str, ...] = ("question", "context", *Reference.model_fields)
"""What a criterion may need: fields of `Item` that are text, and all fields of `Reference`."""

REQUIRED_FIELDS = ("question", "answer", "relation")
"""Needed fields that must hold something. A list may be empty, and a context may be absent."""


def field_value(item: Item, name: str) -> str | tuple[str, ...] | None:
    """The value of one of `ITEM_FIELDS`."""
    holder: BaseModel = item if name in ("question", "context") else item.reference
    value: str | tuple[str, ...] | None = getattr(holder, name)
    return value
