"""What a reference answer says, one element a clause, for items without a list."""

from __future__ import annotations

import re
from functools import lru_cache

from mmrare_judge.lexical.tokens import sentence_starts, tokens_of
from mmrare_judge.lexical.words import Weight, is_directive, weight

_BULLET = re.compile(r"^[\s\-*•#]*(?:\d{1,2}[.)]\s+)?")
_LABEL = re.compile(r"^([^:.]{2,80}):(?=\s|$)")
_JOINT = re.compile(
    r";\s*|,\s*(?=followed by\b)|,?\s+and\s+(?=(\w+)\b)|,\s*(?:then\s+)?(?=(\w+)\b)"
)


@lru_cache(maxsize=4096)
def clauses_of(answer: str) -> tuple[str, ...]:
    """The clauses of a reference answer.

    The answer is cut at line and sentence ends, at semicolons, before "followed by", and at a
    comma or "and" before a verb that opens an order ("..., start", "and monitor"). A clause
    without a word of content is dropped.

    >>> clauses_of("Start diazoxide and monitor glucose. Refer to genetics; train the parents.")
    ('Start diazoxide', 'monitor glucose', 'Refer to genetics', 'train the parents')
    """
    cut = (clause.strip(" .,*") for line in _lines(answer) for clause in _orders(line))
    return tuple(clause for clause in cut if _says_something(clause))


@lru_cache(maxsize=4096)
def labels_of(answer: str) -> tuple[str, ...]:
    r"""The tests of a reference work-up: the label of each line that has one, else its clauses.

    >>> labels_of("- **Chest X-ray:** clear. No effusion.\n- Blood smear showed schistocytes")
    ('Chest X-ray', 'Blood smear showed schistocytes')
    """
    found: list[str] = []
    for line in answer.splitlines():
        plain = _BULLET.sub("", line).replace("*", "")
        label = _LABEL.match(plain)
        found.extend([label[1].strip()] if label else clauses_of(plain))
    return tuple(element for element in found if _says_something(element))


def _lines(text: str) -> list[str]:
    starts = [0, *sentence_starts(text)]
    ends = [*starts[1:], len(text)]
    return [
        _BULLET.sub("", text[start:end].strip()).replace("*", "")
        for start, end in zip(starts, ends, strict=True)
    ]


def _orders(line: str) -> list[str]:
    pieces: list[str] = []
    begin = 0
    for joint in _JOINT.finditer(line):
        verb = joint[1] or joint[2]
        if verb is None or is_directive(verb.lower()):
            pieces.append(line[begin : joint.start()])
            begin = joint.end()
    return [*pieces, line[begin:]]


def _says_something(clause: str) -> bool:
    return any(weight(token.word) is Weight.CONTENT for token in tokens_of(clause))
