"""`Habits`: what is sent without having been asked for, until an endpoint does not take it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import JsonValue

from mmrare_judge.backends.base import Mode, Payload, WireMode

_STREAM_ONLY = re.compile(
    r"\bstream\w*[^.]{0,60}\b(?:only|required|must|true|mandatory|enabled?)\b"
    r"|\b(?:only|must|requires?|please)\b[^.]{0,60}\bstream"
    r"|non-?stream\w*[^.]{0,40}(?:not|un)",
    re.IGNORECASE,
)
_MAX_TOKENS = re.compile(
    r"max_?(?:completion_?|output_?|new_?)?tokens|(?:completion|output|response|generat\w+|new)\b"
    r"[^.]{0,20}\btokens?|(?:in|for|of) the completion",
    re.IGNORECASE,
)
_OTHER_NAME = re.compile(
    r"(?:use|instead|supported|unrecognized|unknown|deprecated)", re.IGNORECASE
)
_STATED_LIMIT = re.compile(
    r"(?:at most|maximum|max|up to|limit|less than(?: or equal to)?|<=|≤|between \d+ and|\[\d+,|no "
    r"more than|exceed\w*|supports?|lower than|under|>)\D{0,40}?"
    r"(?:\d+(?:,\s+|\s+(?:and|to)\s+|\s*-\s*))?(\d[\d,]*)",
    re.IGNORECASE,
)
_SCHEMA_LIMIT = re.compile(
    r"(?:min|max)(?:Length|Items)\b|exclusiveM\w+|multipleOf|uniqueItems|\bpattern\b",
)
_SCHEMA = re.compile(r"grammar|schema|guided|regex|repetition", re.IGNORECASE)
_STRUCTURE = re.compile(
    r"response.?format|json.?(?:schema|object|mode)|structured|guided|grammar|schema\b|\bstrict\b"
    r"|output.?format|xgrammar|outlines|repetition",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Habits:
    """What is sent without having been asked for.

    What the user set is not a habit, and never changed.

    Attributes:
        temperature: A temperature of 0.
        limits: Length limits in the schema, for endpoints of one's own.
        max_tokens: A limit of the reply, under the name it is sent as; ``None`` for none.
        most_tokens: The highest limit that the model takes, where it has said so.
        structure: How structure is asked for in mode ``auto``, where the model has a schema.
        stream: Whether the reply is asked for as a stream.
        stream_usage: Whether a stream is asked to tell its usage.
    """

    temperature: bool = True
    limits: bool = True
    max_tokens: Literal["max_tokens", "max_completion_tokens"] | None = "max_tokens"
    most_tokens: int | None = None
    structure: Literal["json_schema", "json_object", "json"] = "json_schema"
    stream: bool = False
    stream_usage: bool = True

    def mode(self, usual: WireMode, asked: Mode) -> WireMode:
        """How structure is asked for."""
        return self.structure if asked == "auto" and usual == "json_schema" else usual

    def sampling(
        self, asked: Mapping[str, JsonValue], set_by_user: Set[str]
    ) -> dict[str, JsonValue]:
        """The parameters that are sent."""
        sent: dict[str, Any] = {"temperature": 0.0} if self.temperature else {}
        sent |= asked
        if "max_tokens" in asked and "max_tokens" not in set_by_user:
            most = int(sent.pop("max_tokens"))
            most = most if self.most_tokens is None else min(most, self.most_tokens)
            if self.max_tokens == "max_tokens":
                sent["max_tokens"] = most
            elif self.max_tokens:
                # In the extra body, because litellm would give it the old name again.
                sent["extra_body"] = {**(sent.get("extra_body") or {}), self.max_tokens: most}
        if self.stream and "stream" not in asked:
            sent["stream"] = True
            if self.stream_usage:
                sent["stream_options"] = {"include_usage": True}
        return sent

    @staticmethod
    def said(payload: Payload) -> dict[str, JsonValue]:
        """The sampling parameters of a payload, as a reply reports them."""
        not_sampling = ("model", "messages", "stream", "stream_options")
        said = {k: v for k, v in payload.body.items() if k not in not_sampling}
        more = dict(said.pop("extra_body", None) or {})
        if "max_completion_tokens" in more and "max_tokens" not in said:
            said["max_tokens"] = more.pop("max_completion_tokens")
        return said | ({"extra_body": more} if more else {})

    def without_named(
        self, problem: str, payload: Payload, set_by_user: Set[str], asked: Mode
    ) -> Habits | None:
        """The habits without the one that a refusal names; ``None`` if it names none.

        Args:
            problem: What the endpoint said.
            payload: What was refused.
            set_by_user: Parameters that the user set.
            asked: How structure was asked for by the user.
        """
        body = payload.body
        if "stream" not in body and _STREAM_ONLY.search(problem):
            return replace(self, stream=True)
        if "stream_options" in body and "stream_options" in problem:
            return replace(self, stream_usage=False)
        by_habit = "temperature" in body and "temperature" not in set_by_user
        if by_habit and "temperature" in problem.lower():
            return replace(self, temperature=False)
        limit = self._limit_in(payload, set_by_user)
        if limit is not None and _MAX_TOKENS.search(problem):
            return self._without_limit(problem, limit)
        if payload.limits and _SCHEMA_LIMIT.search(problem):
            return replace(self, limits=False)
        by_habit = asked == "auto" and payload.mode in ("json_schema", "json_object")
        if by_habit and _STRUCTURE.search(problem):
            if payload.limits and _SCHEMA.search(problem):  # it may be what makes it too large
                return replace(self, limits=False)
            return self._with_less_structure(payload.mode)
        return None

    def steps(self) -> Iterator[Habits]:
        """The habits with one after another given up, for refusals that name none."""
        habits = replace(self, limits=False)
        yield habits
        for structure in ("json_object", "json"):
            habits = replace(habits, structure=structure)
            yield habits
        habits = replace(habits, max_tokens=None)
        yield habits
        yield replace(habits, temperature=False)

    def _limit_in(self, payload: Payload, set_by_user: Set[str]) -> int | None:
        """The limit of the reply that was sent by habit."""
        if "max_tokens" in set_by_user or self.max_tokens is None:
            return None
        sent = payload.body.get("max_tokens")
        sent = sent or (payload.body.get("extra_body") or {}).get("max_completion_tokens")
        return None if sent is None else int(sent)

    def _without_limit(self, problem: str, limit: int) -> Habits:
        stated = (int(found.replace(",", "")) for found in _STATED_LIMIT.findall(problem))
        lower = [most for most in stated if 16 <= most < limit]
        other = self.max_tokens == "max_tokens" and "max_completion_tokens" in problem
        if other and _OTHER_NAME.search(problem) and not lower:
            return replace(self, max_tokens="max_completion_tokens")
        if lower:
            return replace(self, most_tokens=max(lower))
        return replace(self, max_tokens=None)

    def _with_less_structure(self, mode: WireMode) -> Habits:
        return replace(self, structure="json_object" if mode == "json_schema" else "json")
