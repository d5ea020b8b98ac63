r"""Lists under a heading that negates all of them: "Avoid:", "## Contraindicated medications".

A heading is a line that ends with a colon, begins with ``#`` or is bold as a whole. It negates if
it says nothing but that: words of negation and general words, up to "in", "due to" and the like.
"To avoid relapse:" names what is avoided itself, and "Contraindications to surgery:" as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmrare_judge.lexical.negation_words import (
    AUXILIARY,
    BACKWARD,
    CONTRACTIONS,
    CONTRAINDICATION,
    FORWARD,
    NOT_DONE,
    PREPOSED,
)

_LINE = re.compile(r"(?m)^([ \t]*)((?:[-*•–]|\(?\d{1,2}[.)])[ \t]+)?([^\n]*)$")
_HEADING = re.compile(r"#+[ \t]*(.{2,80})|\*\*([^*\n]{2,80})\*\*[ \t]*:?|([^:\n]{2,80}):[*_]*")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_REST = re.compile(
    r"(?<!e\.g)(?<!i\.e)[.;:!?]+(?=[\s*]|$)|\s[–—-]\s|(?<=\w\W)(?:use|prefer|switch|start|give)\b",
    re.IGNORECASE,
)

_NEGATING = FORWARD | BACKWARD | CONTRACTIONS | CONTRAINDICATION | {"avoidance", "prohibited"}
_GENERAL = frozenset(
    "a an the these this that following to be and or of what which absolute absolutely strict "
    "strictly do does use give prescribe administer order perform drug drugs medication "
    "medications medicine medicines treatment treatments therapy therapies intervention "
    "interventions agent agents substance substances test tests investigation investigations "
    "procedure procedures measure measures option options thing things".split()
)
_SAYS_NO_MORE = _NEGATING | _GENERAL | AUXILIARY | NOT_DONE


def negated_items(text: str) -> Iterator[tuple[int, int]]:
    r"""Offsets of what a heading negates, item by item.

    The list ends with the first line that is no item, is one of another level, or is numbered
    where the others are not. Of an item that goes on to say why, or what to take instead, the rest
    is left out.

    >>> text = "Start heparin.\nAvoid:\n- aspirin: it bleeds\n- NSAIDs\nFollow up."
    >>> [text[start:end] for start, end in negated_items(text)]
    ['aspirin', 'NSAIDs']
    """
    if not any(map(_may_negate, text.split("\n"))):  # nearly always, and quickly told
        return
    above: int | None = None  # how far the negating heading is indented; None outside of lists
    numbered: dict[int, bool] = {}  # for each level of the list, whether its items are
    for line in _LINE.finditer(text):
        words, level = line[3].strip(), len(line[1].expandtabs())
        if not words:
            continue
        counted = (line[2] or "-")[0] not in "-*•–"
        inside = above is not None and line[2] is not None and level > above
        if inside and numbered.setdefault(level, counted) == counted:
            rest = _REST.search(text, line.start(3), line.end())
            yield line.start(3), rest.start() if rest else line.end()
        else:
            numbered = {}
            above = (level if line[2] else -1) if _negates(words) else None


def _may_negate(line: str) -> bool:
    """Whether a line would negate the list below it, item or not."""
    if ":" not in line and "#" not in line and "**" not in line:
        return False
    parts = _LINE.match(line)
    return parts is not None and _negates(parts[3].strip())


def _negates(line: str) -> bool:
    heading = _HEADING.fullmatch(line)
    if heading is None:
        return False
    words = _WORD.findall(next(filter(None, heading.groups())).casefold().replace("’", "'"))
    place = next((at for at, word in enumerate(words) if word in _NEGATING), len(words))
    behind = (at for at, word in enumerate(words) if at > place and word in PREPOSED)
    return place < len(words) and _SAYS_NO_MORE.issuperset(words[: next(behind, len(words))])
