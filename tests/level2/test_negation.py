"""What a negation reaches, and what it does not."""

import pytest

from mmrare_judge.level2.negation import negated_words
from mmrare_judge.level2.tokens import Tokens

# Words in capitals are the negated ones among the words of interest; all others are not.
CASES = [
    ("avoid ASPIRIN, IBUPROFEN, and NAPROXEN and start heparin", "a list is negated to its end"),
    ("NSAIDS are contraindicated", "a participle negates its subject"),
    ("NSAIDS should be avoided in favour of paracetamol", "should be avoided"),
    ("MRI is not indicated", "not, with a participle"),
    ("there is no need for MRI", "no need for"),
    ("start prednisone, and NSAIDS should be avoided", "a clause before with a verb of its own"),
    ("because of renal failure, NSAIDS and ERGOTS are contraindicated", "a phrase put before"),
    (
        "it is not recommended to take ZYRTEC, as both are antihistamines",
        "the reason is not negated",
    ),
    ("not only steroids but also ivig", "not only"),
    ("start steroids without delay", "without delay"),
    ("do not stop prednisone", "do not stop"),
    ("do not delay antibiotics", "do not delay"),
    ("anticoagulation is not contraindicated", "not contraindicated"),
    ("there are no contraindications to thrombolysis", "no contraindications"),
    ("rule out pulmonary embolism", "ruling out is considering"),
    ("no history of ASTHMA; give aspirin", "absent history, up to the semicolon"),
    ("ct without CONTRAST, then mri", "without, up to the next step"),
    ("use heparin rather than WARFARIN", "rather than"),
    ("do not give WARFARIN unless inr is low; prefer heparin", "unless"),
    ("if not already done, order mri", "if not already done"),
    ("if no RESPONSE, rituximab", "a condition put before"),
    ("patients shouldn't receive LIVE VACCINES but may receive others", "a contraction, up to but"),
    ("surgery was performed and CHEMOTHERAPY was not given", "one clause of two"),
    ("no TRANSFUSION was given and nadroparin was started", "one clause of two, forward"),
    ("neither CT nor MRI is needed", "neither nor"),
    ("no lesions were found on mri", "the test that found nothing was done"),
    ("no, the flu is something else", "an answer"),
    ("discontinue IBUPROFEN, initiate surgery", "stopping"),
    ("contraindicated: NSAIDS, ERGOTS", "a heading"),
    ("NSAIDS: avoid", "a remark behind a colon"),
    ("start heparin; NSAIDS: contraindicated", "a participle behind a colon"),
    ("NSAIDS: contraindicated due to bleeding; start heparin", "a remark that goes on"),
    ("NSAIDS: not recommended because of heparin", "not recommended, behind a colon"),
    ("start heparin; NSAIDS - not indicated", "not indicated, behind a dash"),
    ("heparin | start | NSAIDS | avoid | bleeding", "a row of a table"),
    ("NSAIDS → avoid", "an arrow"),
    ("NSAIDS were stopped on day 3 and heparin was started", "stopped, with a time"),
    ("NSAIDS are not to be used", "not to be used"),
    ("contraindications: NSAIDS, ERGOTS; start heparin", "a heading that is a noun"),
    ("avoidance of NSAIDS and start heparin", "avoidance of"),
    ("we advise against NSAIDS but start heparin", "advise against"),
    ("we advise against stopping prednisone", "advise against stopping"),
    ("antibiotics to protect against infection", "protect against"),
    ("start an ASPIRIN-free regimen with heparin", "free behind a hyphen"),
    ("no need to perform SURGERY; give aspirin", "no need to"),
    ("she does not need to start ASPIRIN", "does not need to"),
    ("ASPIRIN has no role", "no role"),
    ("ASPIRIN should be held", "held"),
    ("hold ASPIRIN and start heparin", "hold"),
    ("in patients allergic to PENICILLIN, steroids are given", "an allergy, up to the comma"),
]


@pytest.mark.parametrize("marked", [pytest.param(text, id=name) for text, name in CASES])
def test_negation_reaches_the_words_in_capitals(marked: str) -> None:
    tokens = Tokens(marked)
    negated = negated_words(tokens.words, tokens.gaps)
    capitals = {at for at, start in enumerate(tokens.starts) if marked[start].isupper()}
    plain = "antihistamines heparin prednisone steroids ivig antibiotics mri ct aspirin surgery"
    told = {at for at, word in enumerate(tokens.words) if word in plain.split()}
    assert capitals <= negated
    assert not (told - capitals) & negated


def test_a_long_sentence_without_an_end_takes_no_long_time() -> None:
    tokens = Tokens("nsaids, " * 20_000 + "are contraindicated")
    assert len(negated_words(tokens.words, tokens.gaps)) < 100
