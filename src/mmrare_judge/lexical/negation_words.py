"""The words by which negation is known, and those at which it ends."""

from __future__ import annotations

FORWARD = frozenset(
    "no not cannot never without avoid avoids avoiding deny denies denied denying withhold "
    "withholding discontinue discontinuing discontinuation stop stops stopping cease ceasing omit "
    "omitting hold holding neither nor refuse refuses refused".split()
)
"""Cues that negate what follows."""
FORWARD_PAIRS = frozenset(
    [
        ("refrain", "from"),
        ("instead", "of"),
        ("rather", "than"),
        ("absence", "of"),
        ("lack", "of"),
        ("free", "of"),
        ("free", "from"),
        ("negative", "for"),
        ("cessation", "of"),
        ("avoidance", "of"),
        ("contraindication", "to"),
        ("contraindications", "to"),
        ("allergic", "to"),
        ("allergy", "to"),
        ("hypersensitive", "to"),
        ("hypersensitivity", "to"),
        ("intolerant", "of"),
        ("intolerance", "to"),
        ("intolerance", "of"),
    ]
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
HARMLESS = frozenset(
    [
        ("not", "only"),
        ("not", "just"),
        ("not", "merely"),
        ("not", "simply"),
        ("not", "necessarily"),
        ("not", "uncommon"),
        ("not", "rare"),
        ("not", "later"),
        ("no", "later"),
        ("not", "more"),
        ("no", "more"),
        ("not", "less"),
        ("no", "less"),
        ("no", "fewer"),
        ("no", "longer"),
        ("no", "doubt"),
        ("not", "already"),
        ("without", "hesitation"),
        ("without", "waiting"),
        ("without", "further"),
    ]
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
