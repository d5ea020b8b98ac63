"""Words by how much they say: function words, words too general to weigh much, and drug names."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

from mmrare_judge.lexical.stems import stem

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


def is_finite(word: str) -> bool:
    """Whether a folded word is an auxiliary, or a verb in the third person as statements have it.

    >>> is_finite("reduces"), is_finite("administer")
    (True, False)
    """
    return word in _FINITE or word.endswith("n't")


def makes_statement(word: str) -> bool:
    """Whether a folded word stands in sentences, and not in names of things or short orders.

    >>> makes_statement("you"), makes_statement("is"), makes_statement("brain")
    (True, True, False)
    """
    return is_finite(word) or word in _CLAUSE


@lru_cache(maxsize=65536)
def looks_like_drug(word: str) -> bool:
    """Whether a folded word ends as international nonproprietary names do.

    >>> looks_like_drug("prednisolone"), looks_like_drug("procedure")
    (True, False)
    """
    return _DRUG_ENDING.fullmatch(word) is not None
