"""Single words: folded, stemmed, and weighed by how much they say."""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import lru_cache

_DOUBLED = re.compile(r"([bdgmnprt])\1$")
_WHOLE = frozenset("weekly monthly yearly hourly daily early during".split())
_INVISIBLE = re.compile("[\u0300-\u036f\u00ad\u200b-\u200f\u2060\ufeff]")
_GREEK_PLURALS = (("oses", "osis"), ("yses", "ysis"), ("stases", "stasis"))
_BRITISH = (
    ("haem", "hem"),
    ("aemi", "emi"),
    ("oede", "ede"),
    ("oeso", "eso"),
    ("paed", "ped"),
    ("rrhoe", "rrhe"),
    ("gynaec", "gynec"),
    ("anaes", "anes"),
)


def fold_word(word: str) -> str:
    """Fold one word for comparison: case, compatibility forms, accents, apostrophes.

    >>> fold_word("Sjögren’s")
    "sjogren's"
    """
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKD", word.replace("’", "'")).casefold()
    return _INVISIBLE.sub("", folded)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Strip the endings that make another form of a word out of it, and nothing else.

    Stripped are plural, past, participle and adverb, and the endings that lead from a verb or a
    noun to its noun or adjective (-ion, -ive, -ment, -ness, -al, -ic, ...), each only where a
    base of some length remains. None of them tells two drugs apart. British spellings of Greek
    roots become American ones. Words with digits are left alone.

    >>> stem("injections"), stem("injected"), stem("injecting")
    ('inject', 'inject', 'inject')
    >>> stem("depression") == stem("depressive"), stem("prednisone") == stem("prednisolone")
    (True, False)
    """
    if not word.isalpha() or word in _WHOLE:
        return word
    singular = _american(_singular(word))
    return singular if len(singular) <= 4 else _plain(_derived(_inflected(singular)))


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    for plural, singular in _GREEK_PLURALS:
        if word.endswith(plural) and len(word) > 6:
            return word.removesuffix(plural) + singular
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1]


def _american(word: str) -> str:
    for british, american in _BRITISH:
        word = word.replace(british, american)
    return word


def _inflected(word: str) -> str:
    for ending in ("ing", "ed"):
        base = word[: -len(ending)]
        if word.endswith(ending) and len(base) >= 3 and any(vowel in base for vowel in "aeiouy"):
            return base[:-1] if len(base) > 3 and _DOUBLED.search(base) else base
    for ending in ("ness", "ment", "ally", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _derived(word: str) -> str:
    if word.endswith("ion") and len(word) >= 7 and word[-4] in "ts":
        return word[:-3]
    for ending in ("ive", "ory", "ity", "ous", "ance", "ence", "ant", "ent", "ism", "al", "ic"):
        if word.endswith(ending) and len(word) - len(ending) >= 5:
            return word[: -len(ending)]
    return word


def _plain(base: str) -> str:
    """Level what is left before an ending: silent e, y for i."""
    if len(base) > 4 and base.endswith("e"):
        base = base[:-1]
    return base[:-1] if len(base) > 4 and base.endswith(("i", "y")) else base


_FUNCTION = """
a about above after again all also although am an and any approximately are around as at be because
been before being below between both but by can commonly could did do does doing down during e.g
each eg either else etc even ever every for from generally had has have having he her here hers
herself him himself his how however i i.e ie if in into is it its itself just likely mainly may me
might more most mostly much must my myself near of off often on once one only onto or other others
our ours out over own per please possibly primarily probably quite rather s same shall she should so
some sometimes still such than that the their theirs them themselves then there therefore these they
this those though through thus to too toward towards typically under until up upon us usually versus
very via vs was we well were what when where whether which while who whom whose why will with within
would yes yet you your yours
"""

_GENERAL = """
able accord additional administer administered advise affect another appear application apply
approach appropriate area assess assessment associate attribute base become begin bring call care
carefully carry case cause certain change check combine common complete condition conduct consider
considered consist consult contact contain continue daily day depend develop different discuss
disease disorder doctor dose due effect employ enhance ensure establish evaluate evaluated
evaluation exam examination experience explain factor find finding follow form found general get
give good group help helpful high implement important include including increase indicate individual
initial initiate involve issue keep kind know known lead level like long low majority make making
manage many medical medication mellitus method month need new normal number obtain occur option
order part particular patient people perform performed person place plan possible prescribe presence
present prevent problem procedure proceed process protocol provide rate reason recommend recommended
regimen relate related relevant report reported require required result risk routine scan see seek
seen several severe show shown side sign significant specific standard start state structured study
subsequent suggest suitable support suspect symptom system take technique term test therapy time
together treat treatment try turn type undergo underlie use used using utilise utilize variety
various way week work year
"""

_DIRECTIVE_STEMS = frozenset(
    stem(word)
    for word in """
    add administer adjust apply arrange assess begin check commence conduct consider consult
    continue counsel educate employ ensure establish evaluate follow give implement increase
    initiate insert instruct keep maintain manage measure monitor obtain offer order perform place
    plan prescribe proceed provide recommend reduce refer remove repair repeat replace restart
    resume schedule screen send start switch taper transition treat try use utilize gave began
    """.split()
)

_FINITE = frozenset(
    """
    affects allows am are belongs can cannot causes contains could decreases depends develops did do
    does had has have helps improves include includes increases indicates involves is leads lowers
    may means might must needs occurs present presents prevents progresses protects raises reduces
    refers relieves require requires shall should starts treats turns was were will works would
    """.split()
)

_CLAUSE = frozenset("if that which who you your it one they".split())

_FUNCTION_WORDS = frozenset(_FUNCTION.split())
_GENERAL_STEMS = frozenset(stem(word) for word in _GENERAL.split())

# Common endings of international nonproprietary names (WHO, "The use of stems in the selection of
# INN"): a word with one of them is taken for a drug, in the table or not.
_DRUG_ENDING = re.compile(
    r".{2,}(?:mab|tinib|ciclib|parib|lisib|zomib|lidomide|vir|virine|azole|cillin|mycin|micin|"
    r"floxacin|cycline|penem|fungin|sartan|april|enapril|inopril|olol|alol|vastatin|gliptin|"
    r"gliflozin|glitazone|glutide|tidine|setron|triptan|gepant|caine|dronate|dronic|parin|xaban|"
    r"gatran|grel|platin|rubicin|taxel|azepam|azolam|barbital|dipine|oxetine|tecan|trexate|trexed|"
    r"predniso(?:ne|lone)|cortisone|methasone|semide|thiazide|vaptan|profen|coxib|oxicam|stigmine|"
    r"curonium|lukast|tropium|terol|phylline|formin|relin|relix|reotide|eotide|kinra|cept|limus|"
    r"mustine|citabine|arone|lazine|ridone|apine|triptyline|ipramine|zosin|oxin|quine|conazole|"
    r"bendazole|nidazole|prazole|amivir|phosphamide|lukin|poetin|grastim|stim|iclovir|ciclovir)"
    r"|(?:predniso(?:ne|lone)|cef[a-z]{4,}|sulfa[a-z]{5,}|insulin|heparin|lithium|colchicine|"
    r"digoxin|quinine|zinc|interferon|aspirin)"
)


class Weight(IntEnum):
    """How much a word says."""

    FUNCTION = 0
    GENERAL = 1
    CONTENT = 2


@lru_cache(maxsize=65536)
def weight(word: str) -> Weight:
    """How much a folded word says.

    >>> [weight(word).name for word in ("the", "treatment", "hydatid")]
    ['FUNCTION', 'GENERAL', 'CONTENT']
    """
    if word in _FUNCTION_WORDS or (len(word) == 1 and not word.isdigit()):
        return Weight.FUNCTION
    return Weight.GENERAL if stem(word) in _GENERAL_STEMS else Weight.CONTENT


@lru_cache(maxsize=65536)
def is_directive(word: str) -> bool:
    """Whether a folded word is a verb that opens an order of its own, in any form.

    >>> is_directive("start"), is_directive("started"), is_directive("prednisone")
    (True, True, False)
    """
    return stem(word) in _DIRECTIVE_STEMS


def makes_statement(word: str) -> bool:
    """Whether a folded word stands in sentences, and not in names of things or short orders.

    >>> makes_statement("you"), makes_statement("is"), makes_statement("brain")
    (True, True, False)
    """
    return word in _FINITE or word in _CLAUSE or word.endswith("n't")


@lru_cache(maxsize=65536)
def looks_like_drug(word: str) -> bool:
    """Whether a folded word ends as international nonproprietary names do.

    >>> looks_like_drug("prednisolone"), looks_like_drug("procedure")
    (True, False)
    """
    return _DRUG_ENDING.fullmatch(word) is not None
