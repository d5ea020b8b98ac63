"""Finished grades, kept beside the replies they were made of: `KeptGrades`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from mmrare_judge.backends.base import Reply
from mmrare_judge.cache import ReplyCache, open_store, write_all
from mmrare_judge.cache_entry import deflated, inflated
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.errors import OutputError
from mmrare_judge.grade import Grade, Usage
from mmrare_judge.grading import Grading, calibrated_now
from mmrare_judge.llm_judge import LanguageModelJudge
from mmrare_judge.own_source import own_source
from mmrare_judge.signature import canonical_json, content_hash
from mmrare_judge.spec import JudgeSpec
from mmrare_judge.task import Assessment, Assessor

log = logging.getLogger("mmrare_judge")

FOLDER = "grades"
"""The folder within the cache's; to delete it costs computing time and nothing else."""

_AT_ONCE = 64
_UNREADABLE = (ValueError, TypeError, OSError, OutputError, sqlite3.Error)


class _Kept(BaseModel):
    """A grade, and what it was made by and of.

    Attributes:
        source: Hash of the code that made it.
        replies: For each request the hash of its reply.
        grade: The grade, as from the cache and without a certificate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    replies: dict[str, str]
    grade: Grade


class KeptGrades:
    """Finds the grade of a prediction that was graded before, instead of working it out again.

    A grade is found only if everything it depends on is the same: item, prediction, rubric, judge
    and parameters by its key; every reply, which must still lie in the cache; and the code of this
    package, by its files. It is the grade that would be worked out, to the byte.

    Grades are written some tens at a time, into a folder within the cache's. Where that fails,
    they are worked out anew, and nothing is lost.

    Args:
        spec: The judge.
        replies: The cache whose replies are graded.
    """

    def __init__(self, spec: JudgeSpec, replies: ReplyCache) -> None:
        self._replies = replies
        self._folder = replies.directory / FOLDER
        self._way = content_hash(spec.model_dump(mode="json", exclude={"api_key"}))
        self._waiting: dict[str, bytes] = {}
        self._opened: Any = None
        self._refused = False

    def find(self, grading: Grading) -> Grade | None:
        """The grade, if it was kept and nothing has changed since."""
        try:
            stored = None if self._store is None else self._store.get(self._place(grading))
            if stored is None:
                return None
            kept = _Kept.model_validate_json(inflated(stored))
        except _UNREADABLE:
            return None  # it is worked out again, and kept in the place of this one
        if kept.source != own_source() or kept.grade.notes != grading.notes:
            return None
        for request, digest in kept.replies.items():
            reply = self._replies.get(request)
            if reply is None or _digest(reply) != digest:
                return None
        return calibrated_now(grading, kept.grade)

    async def keep(self, grading: Grading, looks: Sequence[Assessment], grade: Grade) -> None:
        """Keep a grade, if every request of it was answered."""
        failed = any(look.failure is not None for look in looks)
        if failed or grade.unscored is not None or self._refused:
            return
        replies = (reply for look in looks for reply in look.replies)
        digests = dict(zip(grade.requests, map(_digest, replies), strict=True))
        kept = _Kept(source=own_source(), replies=digests, grade=_from_cache(looks, grade))
        text = kept.model_dump_json()
        self._waiting[self._place(grading)] = deflated(text.encode())
        if len(self._waiting) >= _AT_ONCE:
            await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write what is waiting to be written."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            self._opened = self._opened or open_store(self._folder)
            write_all(self._opened, waiting)
        except OutputError as error:
            self._refused = True
            log.warning("finished grades are not kept: %s", error)

    @property
    def _store(self) -> Any:
        """The store, if there is one: looking for a grade makes none."""
        if self._opened is None and self._folder.is_dir():
            self._opened = open_store(self._folder)
        return self._opened

    def _place(self, grading: Grading) -> str:
        return f"{self._way} {grading.key}"


def _digest(reply: Reply) -> str:
    said = [reply.finish, reply.model, reply.mode, dict(reply.sampling), reply.logprobs]
    rest = canonical_json(said) + reply.usage.model_dump_json()
    digest = hashlib.blake2b(rest.encode("utf-8", "surrogatepass"), digest_size=16)
    digest.update(reply.text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _from_cache(looks: Sequence[Assessment], grade: Grade) -> Grade:
    """A grade as it is when all its replies come from the cache, and without a certificate."""
    saved = grade.saved if grade.cached else _bought(looks)
    update = {"usage": Usage(), "saved": saved, "cached": True, "calibration": UNCALIBRATED}
    return grade.model_copy(update=update)


def _bought(looks: Sequence[Assessment]) -> Usage:
    first, *again = [sum((reply.usage for reply in look.replies), Usage()) for look in looks]
    return sum(again, first)


def kept_grades(spec: JudgeSpec, assessor: Assessor) -> KeptGrades | None:
    """Where a judge's grades are kept; ``None`` for one without replies that are cached."""
    if not isinstance(assessor, LanguageModelJudge):
        return None
    replies = assessor.cache
    if not isinstance(replies, ReplyCache) or not replies.keep_grades:
        return None
    return KeptGrades(spec, replies)
