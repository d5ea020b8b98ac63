"""Which lists a heading negates, and which it does not."""

import pytest

from mmrare_judge.data.items import Item, Reference
from mmrare_judge.level2.negation import negated_items
from mmrare_judge.level2.verify import verify

# Of each plan, what it advises against and what it advises; the rest is of no interest.
PLANS = [
    pytest.param("Avoid:\n- aspirin\n- NSAIDs\n\nStart heparin.", "aspirin", "heparin", id="colon"),
    pytest.param(
        "## Contraindicated medications\n1. Aspirin\n2. Ibuprofen\n\n## Therapy\n1. Heparin",
        "aspirin",
        "heparin",
        id="hash",
    ),
    pytest.param(
        "**Medications to avoid**\n* Aspirin\n\n**Plan**\n* Heparin",
        "aspirin",
        "heparin",
        id="bold",
    ),
    pytest.param(
        "- **Avoid in porphyria:**\n  - aspirin\n- **Give:**\n  - heparin",
        "aspirin",
        "heparin",
        id="heading that is an item",
    ),
    pytest.param(
        "3. **Do not use**\n   - aspirin\n4. **Monitoring**\n   - heparin level",
        "aspirin",
        "heparin",
        id="numbered headings",
    ),
    pytest.param(
        "The following drugs are contraindicated:\n\n- Aspirin: bleeding. Use heparin instead.",
        "aspirin",
        "heparin",
        id="what to take instead",
    ),
    pytest.param(
        "Avoid:\n- NSAIDs (e.g. ibuprofen, aspirin)\n- warfarin; heparin is the choice",
        "aspirin",
        "heparin",
        id="examples in brackets",
    ),
    pytest.param(
        "Avoid:\n- NSAIDs:\n  - aspirin\n1. Start heparin", "aspirin", "heparin", id="nested"
    ),
]


def _plan(text: str, drug: str) -> tuple[bool, bool]:
    reference = Reference(answer="Heparin.", must_not=(drug,))
    item = Item(id="1", track="treatment", question="Plan?", reference=reference)
    match = verify(text, item).lists[-1].elements[0]
    return match.found, match.negated


@pytest.mark.parametrize(("text", "against", "advised"), PLANS)
def test_a_list_under_a_heading_that_says_avoid_is_no_violation(
    text: str, against: str, advised: str
) -> None:
    assert _plan(text, against) == (False, True)
    assert _plan(text, advised) == (True, False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("To avoid relapse:\n- aspirin", id="a purpose"),
        pytest.param("Contraindications to surgery and what to give:\n- aspirin", id="of another"),
        pytest.param("Not urgent:\n- aspirin", id="not, of something else"),
        pytest.param("Avoid delay.\n- aspirin", id="a sentence"),
        pytest.param("Avoid:\nIbuprofen\n- aspirin", id="a line between"),
        pytest.param("Start:\n- aspirin\nAvoid:\n- ibuprofen", id="another list"),
        pytest.param("Avoid:", id="nothing follows"),
    ],
)
def test_other_headings_negate_nothing(text: str) -> None:
    assert _plan(text, "aspirin")[0] is ("aspirin" in text)


def test_a_heading_over_nothing_but_items_takes_no_long_time() -> None:
    plan = "Avoid:\n" + "- ibuprofen (because of bleeding)\n" * 5_000 + "Start aspirin."
    assert _plan(plan, "aspirin") == (True, False)


def test_a_heading_is_found_with_a_bullet_before_it_and_white_space_behind() -> None:
    text = "- Avoid: \r\n  - aspirin\r\n"
    assert [text[start:end].strip() for start, end in negated_items(text)] == ["aspirin"]
