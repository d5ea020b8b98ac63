"""Finished grades, kept beside the replies they were made of: `KeptGrades`."""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Sequence

from mmrare_judge.asking import requests_for
from mmrare_judge.backends.base import JudgeSpec, Reply, Usage
from mmrare_judge.cache.store import GRADES, ReplyCache, deflated, inflated
from mmrare_judge.certificate import UNCALIBRATED
from mmrare_judge.grade import Grade
from mmrare_judge.grading import Grading, calibrated_now, signature_of
from mmrare_judge.llm_judge import LanguageModelJudge
from mmrare_judge.own_source import OWN_SOURCE
from mmrare_judge.records import Record, canonical_json, content_hash
from mmrare_judge.shelf import Shelf
from mmrare_judge.task import Assessment, Assessor


class _Kept(Record):
    """A grade, and what it was made by and of.

    Attributes:
        source: Hash of the code that made it.
        replies: For each request the hash of its reply.
        grade: The grade, as from the cache and without a certificate.
    """

    source: str
    replies: dict[str, str]
    grade: Grade


class KeptGrades:
    """Finds the grade of a prediction that was graded before, instead of working it out again.

    A grade is found only if everything it depends on is the same: item, prediction, rubric, judge
    and parameters by its key and its signature; the requests that would be sent; every reply,
    which must still lie in the cache; and the code of this package, by its files. It is the grade
    that would be worked out, to the byte.

    Grades are written into a folder within the cache's. Where that fails they are worked out anew,
    and nothing is lost.

    Args:
        spec: The judge.
        replies: The cache whose replies are graded.
    """

    def __init__(self, spec: JudgeSpec, replies: ReplyCache) -> None:
        self._spec = spec
        self._replies = replies
        self._way = content_hash(spec.model_dump(mode="json", exclude={"api_key"}))
        self._shelf = Shelf(replies.directory / GRADES)
        weakref.finalize(self, self._shelf.write)  # at the end of the process, if not before

    def find(self, grading: Grading) -> Grade | None:
        """The grade, if it was kept and nothing has changed since."""
        stored = self._shelf.get(self._place(grading))
        if stored is None:
            return None
        try:
            kept = _Kept.model_validate_json(inflated(stored))
        except ValueError:
            return None  # it is worked out again, and kept in the place of this one
        if not (_is_of(kept, grading) and self._asks(grading, kept) and self._holds(kept)):
            return None
        return calibrated_now(grading, kept.grade)

    async def keep(self, grading: Grading, looks: Sequence[Assessment], grade: Grade) -> None:
        """Keep a grade, if every request of it was answered."""
        failed = any(look.failure is not None for look in looks)
        if failed or grade.unscored is not None or OWN_SOURCE is None:
            return
        replies = (reply for look in looks for reply in look.replies)
        digests = dict(zip(grade.requests, map(_digest, replies), strict=True))
        kept = _Kept(source=OWN_SOURCE, replies=digests, grade=_from_cache(looks, grade))
        try:
            text = kept.model_dump_json()
        except ValueError:  # a lone surrogate, which UTF-8 cannot hold
            return
        if self._shelf.put(self._place(grading), deflated(text.encode())):
            await asyncio.to_thread(self._shelf.write)

    def write(self) -> None:
        """Write what is waiting to be written."""
        self._shelf.write()

    def _place(self, grading: Grading) -> str:
        return f"{self._way} {grading.key}"

    def _asks(self, grading: Grading, kept: _Kept) -> bool:
        """Whether the requests would be the same."""
        asked = tuple(request.hash for request in requests_for(self._spec, grading.task))
        return kept.grade.requests[: len(asked)] == asked

    def _holds(self, kept: _Kept) -> bool:
        """Whether the replies are still in the cache."""
        for request, digest in kept.replies.items():
            reply = self._replies.get(request)
            if reply is None or _digest(reply) != digest:
                return False
        return set(kept.replies) == set(kept.grade.requests)


def _is_of(kept: _Kept, grading: Grading) -> bool:
    """Whether a grade is of this very grading, made in this very way."""
    grade, made = kept.grade, kept.grade.signature
    told = {name: getattr(made, name) for name in ("reported_model", "mode", "sampling")}
    return (
        kept.source == OWN_SOURCE
        and grade.key == grading.key
        and grade.notes == grading.notes
        and made == signature_of(grading, told)
    )


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
