"""Text read as a grading, or not."""

from __future__ import annotations

import pytest

from mmrare_judge.backends.replies import read_completion
from support.asking import MALFORMED, TEXT, Grading


@pytest.mark.parametrize(
    "text",
    [
        f"First {TEXT} then {TEXT}",
        f"Use {{this}}: {TEXT}",
        f"Broken: {MALFORMED} and so on",
        "{" * 100_000,
        'x {"a":' * 20_000,
        "no braces at all",
        "",
        "null",
    ],
    ids=["two", "brace", "broken", "deep", "deep-after-prose", "prose", "empty", "null"],
)
def test_nothing_is_guessed_from_text_that_holds_no_single_object(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_completion(text, Grading.model_validate_json)


def test_a_quoted_end_of_thinking_inside_the_reply_does_not_cut_it() -> None:
    text = TEXT.replace("named", "says </think> itself")
    assert read_completion(text, Grading.model_validate_json) == text
