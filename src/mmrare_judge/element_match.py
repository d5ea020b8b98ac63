"""Elements found in a prediction: `ElementMatch` and `Span`."""

from __future__ import annotations

from mmrare_judge.records import Record, Text


class Span(Record):
    """A stretch of the prediction: ``prediction[start:end] == text``."""

    start: int
    end: int
    text: Text


class ElementMatch(Record):
    """Whether one element of a reference list is stated in the prediction.

    Attributes:
        element: The element, as the reference has it.
        found: Stated and not negated.
        negated: Mentioned, but only to be avoided, denied or ruled unnecessary.
        span: The stretch that was matched, negated or not.
    """

    element: Text
    found: bool
    negated: bool = False
    span: Span | None = None
