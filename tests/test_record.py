"""The base of all records."""

from __future__ import annotations

import copy
from functools import cached_property

import pytest
from pydantic import ValidationError

from mmrare_judge.records import Record


class Named(Record):
    """A record with something that follows from its content."""

    name: str

    @cached_property
    def length(self) -> int:
        """How long the name is."""
        return len(self.name)


def test_a_record_cannot_be_changed_and_refuses_what_it_does_not_know() -> None:
    record = Named(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        record.name = "b"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Named.model_validate({"name": "a", "nmae": "b"})


def test_what_follows_from_the_content_follows_from_that_of_the_copy() -> None:
    record = Named(name="ab")
    assert record.length == 2
    longer = record.model_copy(update={"name": "abcd"})
    assert (longer.length, copy.copy(record).length, record.length) == (4, 2, 2)
    assert record == copy.copy(record)
