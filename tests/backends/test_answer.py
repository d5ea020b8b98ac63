"""Text read as a grading, or not."""

from __future__ import annotations

import pytest

from mmrare_judge.backends.replies import read_completion
from support.asking import MALFORMED, OTHER, TEXT, Grading


@pytest.mark.parametrize(
    "text",
    [
        f"First {TEXT} then {OTHER}",
        f"{TEXT} I hope it helps.",
        f"Use {TEXT} as an example.",
        f"Broken: {MALFORMED} and so on",
        "{" * 100_000,
        'x {"a":' * 20_000,
        "no braces at all",
        "",
        "null",
    ],
    ids=[
        "two",
        "prose-after",
        "example",
        "broken",
        "deep",
        "deep-after-prose",
        "prose",
        "empty",
        "null",
    ],
)
def test_nothing_is_guessed_from_text_that_does_not_end_with_its_only_object(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_completion(text, Grading.model_validate_json)


def test_a_quoted_end_of_thinking_inside_the_reply_does_not_cut_it() -> None:
    text = TEXT.replace("named", "says </think> itself")
    assert read_completion(text, Grading.model_validate_json) == text
