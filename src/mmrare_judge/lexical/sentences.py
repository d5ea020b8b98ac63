"""Where sentences and lines begin in a text."""

from __future__ import annotations

import re

# A mark or line end behind which a sentence may begin; not a list number at the start of a line.
# A full stop is group 1 unless it is sure to end a sentence: behind a bracket, behind a word and a
# number, or behind four letters of which the last is the last one of no abbreviation.
_BREAK = re.compile(
    r"[\n.!?](?:(?<=\n)\n*|(?<=[!?])(?=\s|$|[A-Z\"”])"
    r"|(?=\s|$|[A-Z\"”])(?<!\n\d.)(?<!\n\d\d.)"
    r"(?:(?<=[A-Za-z][A-Za-z][A-Za-z][A-KM-OQ-WYZa-km-oq-wyz].)|(?<=[)\]].)"
    r"|(?<=[A-Za-z] \d.)|(?<=[A-Za-z] \d\d.)|()))"
)
_SHORTENED = r"e\.g i\.e etc vs approx dr mr mrs fig al resp incl esp ca st [a-z]"
_ABBREVIATION = re.compile(
    "|".join(rf"(?<=\b{word})" for word in _SHORTENED.split()), re.IGNORECASE
)


def sentence_starts(text: str) -> list[int]:
    r"""Offsets at which a new sentence or line begins, without the first.

    A full stop ends a sentence before white space or a capital, unless an abbreviation, an
    initial or a list number stands before it.

    >>> sentence_starts("See Dr. Fox. Then\n- rest")
    [12, 18]
    """
    starts = [
        match.end()
        for match in _BREAK.finditer(text)
        if match.lastindex is None or not _ends_nothing(text, match.start())
    ]
    if starts and starts[-1] == len(text):
        starts.pop()
    return starts


def _ends_nothing(text: str, stop: int) -> bool:
    """Whether a full stop belongs to an abbreviation or a list number."""
    end = stop - 1 if text[stop - 1 : stop] == "\n" else stop
    if text[end - 1 : end].isalpha():
        return _ABBREVIATION.match(text, end) is not None
    return text[max(0, stop - 8) : stop].rpartition("\n")[2].strip(" -*#").isdigit()
