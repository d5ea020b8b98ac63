"""Which words of a text are negated: avoided, denied, stopped, or said not to be needed.

The method is that of NegEx (Chapman et al. 2001, J Biomed Inform 34:301): cues, phrases that look
like cues and are none, and a scope that ends with the clause. The word lists are ours, and unlike
there they hold the ways of advising against something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import compress
from typing import NamedTuple

from mmrare_judge.level2.words import is_directive

# --- The words by which negation is known, and those at which it ends


def _pairs(listed: str) -> frozenset[tuple[str, str]]:
    return frozenset((first, last) for first, last in map(str.split, listed.split(",")))


FORWARD = frozenset(
    "no not cannot never without avoid avoids avoiding deny denies denied denying withhold "
    "withholding discontinue discontinuing discontinuation stop stops stopping cease ceasing omit "
    "omitting hold holding neither nor refuse refuses refused".split()
)
"""Cues that negate what follows."""
FORWARD_PAIRS = _pairs(
    "refrain from, instead of, rather than, absence of, lack of, free of, free from, negative "
    "for, cessation of, avoidance of, contraindication to, contraindications to, allergic to, "
    "allergy to, hypersensitive to, hypersensitivity to, intolerant of, intolerance to, "
    "intolerance of"
)
"""Cues of two words that negate what follows."""
CONTRAINDICATION = frozenset("contraindication contraindications".split())
"""Nouns that negate the list behind their colon."""
ADVICE = frozenset(
    "advise advises advised advising recommend recommends recommended recommending counsel "
    "counselled counseled caution cautioned cautions decide decided".split()
)
"""Verbs whose "against" negates what follows; "protect against" does not."""
KEPT_FREE = frozenset(["cell"])
"""What "-free" does not take away: cell-free DNA is the name of a test."""
ALLERGY = frozenset(
    "allergic allergy hypersensitive hypersensitivity intolerant intolerance".split()
)
"""First words of cues that reach to the next comma at most: behind it stands what to give."""
NO_PLACE = frozenset("role place benefit indication value".split())
"""Nouns that, as in "has no role", negate what they are said of."""
NECESSITY = frozenset("need reason indication necessity requirement role".split())
"""Nouns and verbs whose "to" goes on with what is negated: "no need to operate"."""
BACKWARD = frozenset(
    "contraindicated avoided discouraged unnecessary inadvisable inappropriate unwarranted "
    "withheld held discontinued stopped omitted".split()
)
"""Participles and adjectives that negate what they are said of."""
NOT_DONE = frozenset(
    "recommended indicated needed necessary required advised advisable appropriate suitable "
    "warranted performed done given used started initiated administered prescribed considered "
    "continued attempted justified helpful useful beneficial".split()
)
"""Participles that, with "not", negate what they are said of."""
BETWEEN = frozenset(
    "be been being currently routinely generally usually typically yet currently therefore "
    "strongly absolutely is are was were".split()
)
"""Words that may stand between "not" and its participle."""
NEGATIVE_VERBS = frozenset(
    "stop stopping discontinue discontinuing discontinued withhold withholding withheld avoid "
    "avoiding avoided omit omitting omitted delay delaying delayed delays hesitate forget miss "
    "missing skip skipping exclude contraindicated contraindication contraindications "
    "interruption interrupting interrupt rule inappropriate unreasonable".split()
)
"""Words that undo a negation before them, as in "do not stop"."""
HARMLESS = _pairs(
    "not only, not just, not merely, not simply, not necessarily, not uncommon, not rare, not "
    "later, no later, not more, no more, not less, no less, no fewer, no longer, no doubt, "
    "not already, without hesitation, without waiting, without further"
)
"""Pairs that begin like a cue and negate nothing."""
ENDS = frozenset(
    "but however although though except unless instead rather yet whereas while because since "
    "until which then so thus therefore if when after before during whether including who where "
    "otherwise only".split()
)
"""Words that end a negation's scope."""
ENDS_LATER = frozenset("on by at via per as".split())
"""Words that end it unless they directly follow the cue."""
NEW_SUBJECT = frozenset(
    "the a an this these it he she they we you patient patients there both his her".split()
)
"""Words that begin a clause of its own behind a comma or "and"."""
AUXILIARY = frozenset(
    "is are was were be should will can may must has have had could would requires needs".split()
)
"""Verbs that show that a clause is complete."""
PREPOSED = frozenset(
    "in given because due with for if since as when despite after before considering although "
    "while during once".split()
)
"""Words that open a phrase before the main clause."""
PURPOSE = frozenset(
    "prevent reduce minimize minimise lower decrease treat improve control avoid limit allow "
    "preserve protect".split()
)
"""Verbs of a purpose: what is to be prevented is not what is avoided."""
CONTRACTIONS = frozenset(
    "ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't needn't "
    "shan't shouldn't wasn't weren't won't wouldn't".split()
)
"""Not, contracted."""
CUES = (
    FORWARD
    | BACKWARD
    | CONTRACTIONS
    | CONTRAINDICATION
    | {first for first, _ in FORWARD_PAIRS}
    | {"non", "against"}
)
"""Words that can begin a cue; a sentence without one of them has nothing negated."""


# --- Cues: words that negate, and phrases that only look as if

_LABELLING = re.compile("[:–—→|]| - ")
"""What stands between a thing and a remark on it: "NSAIDs: avoid", "| NSAIDs | avoid |"."""
_HAVING = frozenset("has have had".split())
_BEFORE_VERB = BETWEEN | {"to", "need", "reason", "any", "further"}
_LEADING_ON = PREPOSED | ENDS_LATER | {"until", "unless"}
_NOT = frozenset(("not", "never"))
_HARMLESS_ENDS = frozenset(last for _, last in HARMLESS)
_LED_TO = NEGATIVE_VERBS | _BEFORE_VERB


class Cue(NamedTuple):
    """A cue, by the positions of its first word and behind its last, and where it points."""

    start: int
    end: int
    forward: bool


def cues_in(words: list[str], gaps: list[str]) -> list[Cue]:
    """The cues of a sentence, given its folded words and what stands before each of them."""
    cues: list[Cue] = []
    free = 0
    for position in compress(range(len(words)), map(CUES.__contains__, words)):
        if position < free:
            continue
        free = _skip(position, words)
        if free > position:
            continue
        cue = _cue_at(position, words, gaps)
        if cue is not None:
            cues.append(cue)
        free = max(position + 1, cue.end if cue else 0)
    return cues


def _skip(position: int, words: list[str]) -> int:
    """Behind a phrase that looks like a cue and is none, if one stands here."""
    word = words[position]
    following = words[position + 1] if position + 1 < len(words) else ""
    if following in _HARMLESS_ENDS and (_plain(word), following) in HARMLESS:
        return position + 2
    if word not in BACKWARD and following in _LED_TO:
        for ahead in range(position + 1, min(position + 4, len(words))):
            if words[ahead] in NEGATIVE_VERBS:
                return ahead + 1
            if words[ahead] not in _BEFORE_VERB:
                break
    return position


def _plain(word: str) -> str:
    return "not" if word in CONTRACTIONS or word == "cannot" else word


def _cue_at(position: int, words: list[str], gaps: list[str]) -> Cue | None:
    word = _plain(words[position])
    if word in BACKWARD:
        return _participle(position, words, gaps)
    if word in FORWARD:
        return _forward(position, word, words, gaps)
    if word == "non":
        return Cue(position, position + 1, forward=True)
    return _in_company(position, word, words, gaps)


def _forward(position: int, word: str, words: list[str], gaps: list[str]) -> Cue | None:
    """No, not, avoid and the like: about what follows, if about anything."""
    if word == "no" and position + 1 < len(words):
        if "," in gaps[position + 1]:
            return None
        if words[position + 1] in NO_PLACE and words[max(0, position - 1)] in _HAVING:
            return Cue(position, position + 2, forward=False)
    if word in _NOT and position > 0 and words[position - 1] in ("if", "or"):
        return None
    if gaps[position] != " " and _is_remark(position, words, gaps):
        return Cue(position, position + 1, forward=False)
    if word in _NOT:
        return _not(position, words)
    return Cue(position, position + 1, forward=True)


def _in_company(position: int, word: str, words: list[str], gaps: list[str]) -> Cue | None:
    """Words that negate together with one beside them: free, against, contraindications."""
    following = words[position + 1] if position + 1 < len(words) else ""
    if word == "free" and gaps[position] == "-" and words[position - 1] not in KEPT_FREE:
        return Cue(position, position + 1, forward=False)
    if word == "against" and words[max(0, position - 1)] in ADVICE:
        return Cue(position, position + 1, forward=True)
    if word in CONTRAINDICATION and following and ":" in gaps[position + 1]:
        return Cue(position, position + 1, forward=True)
    if (word, following) in FORWARD_PAIRS:
        return Cue(position, position + 2, forward=True)
    return None


def _is_remark(position: int, words: list[str], gaps: list[str]) -> bool:
    """Whether one word is all that is said of what stands before a colon: "NSAIDs: avoid"."""
    alone = position + 1 == len(words) or any(mark in gaps[position + 1] for mark in ",;(|")
    return alone and labelled(position, gaps)


def labelled(position: int, gaps: list[str]) -> bool:
    """Whether a word is a remark on what stands before it, behind a colon or a dash."""
    return position > 0 and gaps[position] != " " and bool(_LABELLING.search(gaps[position]))


def _participle(position: int, words: list[str], gaps: list[str]) -> Cue | None:
    """Contraindicated, stopped, unnecessary: what was, unless it stands before its object."""
    end = position + 1
    linked = position > 0 and words[position - 1] in AUXILIARY
    last = end == len(words) or words[end] in _LEADING_ON or any(m in gaps[end] for m in ",;:|")
    if end < len(words) and ":" in gaps[end]:
        return Cue(position, end, forward=True)
    if linked and words[max(0, position - 2)] in ("it", "there"):
        return Cue(position, end, forward=True)
    if words[position] in ("unnecessary", "inappropriate", "unwarranted") and not linked:
        return None
    backward = linked or last or words[position] == "contraindicated"
    return Cue(position, end, forward=not backward)


def _not(position: int, words: list[str]) -> Cue:
    """Not: about what stands before it in "X is not needed", else about what follows."""
    end = position + 1
    while end < len(words) and (words[end] in BETWEEN or words[end : end + 2] == ["to", "be"]):
        end += 1
    if end < len(words) and words[end] in NOT_DONE:
        passive = position >= 2 or (position == 1 and words[0] not in AUXILIARY)
        subject = position >= 2 and words[position - 2] in ("it", "there")
        return Cue(position, end + 1, forward=not passive or subject)
    return Cue(position, position + 1, forward=True)


# --- What a cue reaches

_OPENING = frozenset("if when once should given because since without absence".split())
_PARTING = re.compile("[;:–—→|]| - ")
_AIMS = PURPOSE | {"order"}
_STOPPERS = ENDS | ENDS_LATER | CUES | {"to", "and", "or", "in"}
"""The words at which a clause can end without a mark before them."""
_ENDED_BY = ENDS | {"that", "as"}
_OPENERS = _ENDED_BY | {"and"}
_SCOPE = 40
"""The most words a negation reaches: longer than any clause, so that no input takes long."""


def negated_words(words: list[str], gaps: list[str]) -> set[int]:
    """Positions in a sentence that are negated; "do not stop" and the like negate nothing.

    Args:
        words: The folded words of the sentence.
        gaps: What stands before each of them.

    >>> negated_words(["avoid", "aspirin", "and", "start", "heparin"], ["", " ", " ", " ", " "])
    {1}
    """
    negated: set[int] = set()
    for cue in cues_in(words, gaps):
        negated.update(_ahead(cue, words, gaps) if cue.forward else _behind(cue, words, gaps))
    return negated


def carries_negation(word: str) -> bool:
    """Whether a folded word negates by itself, and is polarity rather than content.

    >>> carries_negation("avoid"), carries_negation("free")
    (True, False)
    """
    return word in FORWARD or word in BACKWARD or word == "non" or word in CONTRACTIONS


def _parted(gap: str) -> bool:
    return gap != " " and _PARTING.search(gap) is not None


def _ahead(cue: Cue, words: list[str], gaps: list[str]) -> range:
    if words[cue.start] == "non":
        return range(cue.end, min(cue.end + 1, len(words)))
    preposed = words[cue.start] in ALLERGY or (
        words[0] in _OPENING
        and not any("," in gap for gap in gaps[max(0, cue.start - _SCOPE) : cue.start + 1])
    )
    end, last = cue.end, min(len(words), cue.end + _SCOPE)
    while end < last and (
        (gaps[end] == " " and words[end] not in _STOPPERS)
        or not _clause_ends(end, cue.end, words, gaps, preposed)
    ):
        end += 1
    return range(cue.end, end)


def _clause_ends(at: int, first: int, words: list[str], gaps: list[str], preposed: bool) -> bool:
    word, gap = words[at], gaps[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if at > first and _parted(gap):
        return True
    if word == "to" and words[at - 1] in NECESSITY:
        return False
    if word in ENDS or (at > first and word in ENDS_LATER):
        return True
    if "," in gap and (preposed or is_directive(word) or word in NEW_SUBJECT):
        return True
    if word in ("and", "or", "to") and at > first and is_directive(following):
        return True
    if word == "and" and (following in AUXILIARY or following in NEW_SUBJECT):
        return True
    if word == "and" and not AUXILIARY.isdisjoint(words[first:at]):
        return not AUXILIARY.isdisjoint(words[at : at + 4])
    if word in ("to", "in") and following in _AIMS and at > first:
        return True
    return at > first and word in CUES and word not in ("non", "against")


def _behind(cue: Cue, words: list[str], gaps: list[str]) -> range:
    if words[cue.start] == "free":
        return range(cue.start - 1, cue.start)
    start = cue.start - 1 if labelled(cue.start, gaps) else cue.start
    least = max(0, cue.start - _SCOPE)
    while start > least and (
        (gaps[start] == " " and words[start - 1] not in _OPENERS)
        or not _clause_begins(start, words, gaps)
    ):
        start -= 1
    return range(start, cue.start)


def _clause_begins(at: int, words: list[str], gaps: list[str]) -> bool:
    """Whether the clause that ends behind ``at`` begins with the word at ``at``."""
    word, gap = words[at - 1], gaps[at]
    if _parted(gap):
        return True
    if word in _ENDED_BY:
        return True
    if (
        "," in gap
        and words[0] in PREPOSED
        and not any("," in before for before in gaps[max(0, at - _SCOPE) : at])
    ):
        return True
    if "," in gap or word == "and":
        return _has_verb(words[max(0, at - _SCOPE) : at - 1 if word == "and" else at])
    return False


def _has_verb(words: list[str]) -> bool:
    return any(
        word in AUXILIARY or (is_directive(word) and words[index + 1 : index + 2] != ["of"])
        for index, word in enumerate(words)
    )


# --- Lists under a heading that negates all of them: "Avoid:", "## Contraindicated medications"

# A heading is a line that ends with a colon, begins with ``#`` or is bold as a whole. It negates if
# it says nothing but that: words of negation and general words, up to "in", "due to" and the like.
# "To avoid relapse:" names what is avoided itself, and "Contraindications to surgery:" as well.

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
