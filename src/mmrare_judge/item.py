"""What is graded and against which evidence: `Item` and its `Reference`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field, JsonValue

from mmrare_judge.records import Record, Text

Track = Literal["treatment", "examination", "diagnosis", "cross_image"]
Relation = Literal["confirm", "complement", "contrast"]

TRACKS: tuple[Track, ...] = get_args(Track)
RELATIONS: tuple[Relation, ...] = get_args(Relation)

LIST_FIELDS = ("aliases", "must_include", "must_not", "key_tests", "red_flags", "key_findings")
"""The fields of `Reference` that are lists, and that level 2 and per-element criteria can read."""


class Reference(Record):
    """The evidence-grounded reference of one item; which fields are filled depends on the track.

    Attributes:
        answer: The reference answer in full.
        aliases: Accepted other names of the answer (diagnosis).
        must_include: Elements a right treatment plan states.
        must_not: Elements that must not be recommended: treatments, or tests for a work-up.
        key_tests: Names of the tests a right work-up orders.
        red_flags: Conditions a work-up has to rule out.
        key_findings: Findings a cross-image answer has to name.
        relation: How the images relate: confirm, complement or contrast.
    """

    answer: Text = ""
    aliases: tuple[Text, ...] = ()
    must_include: tuple[Text, ...] = ()
    must_not: tuple[Text, ...] = ()
    key_tests: tuple[Text, ...] = ()
    red_flags: tuple[Text, ...] = ()
    key_findings: tuple[Text, ...] = ()
    relation: Relation | None = None


class Item(Record):
    """One question of a benchmark with its reference.

    Attributes:
        id: The item's id, always a string.
        track: ``treatment``, ``examination``, ``diagnosis`` or ``cross_image``.
        question: What the model was asked.
        context: The case as the model was given it; empty where the question holds it.
        reference: What a right answer is measured against.
        images: Images as base64 strings; empty unless asked for on loading.
        metadata: Everything else that is known of the item, for subgroups and reports.
    """

    id: Text = Field(min_length=1)
    track: Track
    question: Text
    context: Text = ""
    reference: Reference
    images: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = {}
