import json
from math import exp, inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.judging.confidence import Token, label_confidences, label_positions

DOSE = (("dose", ("NO", "YES")),)
HEAD, TAIL = '{"dose": {"level":', "}}"
Top = dict[str, float]


def token(text: str, top: Top | None = None) -> Token:
    """A token with the probabilities of what could have stood there."""
    listed = tuple((other, log(p)) for other, p in (top or {text: 1.0}).items())
    return Token(text, 0.0, listed)


def dose(*written: Token, text: str | None = None) -> float | None:
    """The confidence of the one label in a reply whose last tokens are given."""
    tokens = [token(HEAD), *written, token(TAIL)]
    reply = "".join(each.text for each in tokens)
    return label_confidences(text or reply, tokens, DOSE)["dose"]


QUOTE = token(' "')
END = token('"')


@pytest.mark.parametrize(
    ("written", "confidence"),
    [
        # 0.6 of 0.6 + 0.3 + 0.1
        pytest.param(
            [QUOTE, token("YES", {"YES": 0.6, "NO": 0.3, "cannot": 0.1}), END], 0.6, id="own token"
        ),
        # Before the mask: 0.006 of 0.006 + 0.002; what fits no label is left out.
        pytest.param(
            [QUOTE, token("YES", {"The": 0.991, "YES": 0.006, "NO": 0.002, "c": 1e-9}), END],
            0.75,
            id="before the grammar mask",
        ),
        pytest.param(
            [token(' "YES', {' "YES': 0.8, ' "NO': 0.1, ' "cannot': 0.1}), END],
            0.8,
            id="with the quote mark",
        ),
        pytest.param(
            [QUOTE, token('YES"', {'YES"': 0.8, 'NO"': 0.1, "can": 0.1})], 0.8, id="with the end"
        ),
        # White space between JSON's marks is free: "NO" without it is a NO all the same.
        pytest.param(
            [token(' "YES', {' "YES': 0.5, '"NO': 0.3, ' "cannot': 0.2}), END], 0.5, id="no space"
        ),
        # Two ways to write YES, one to write NO: 0.5 + 0.2 of 1.
        pytest.param(
            [QUOTE, token("YES", {"YES": 0.5, "Y": 0.2, "NO": 0.3, "cannot": 1e-12}), END],
            0.7,
            id="two ways to one label",
        ),
        pytest.param(
            [QUOTE, token("Y", {"Y": 0.9, "N": 0.1, "c": 1e-12}), token("ES"), END],
            0.9,
            id="split label, decided by its first token",
        ),
        # The quote mark alone 0.8, a whole NO 0.2; then YES 0.75 of it: 0.6 of 1.
        pytest.param(
            [
                token(' "', {' "': 0.8, ' "NO': 0.2}),
                token("YES", {"YES": 0.75, "NO": 0.2, "cannot": 0.05}),
                END,
            ],
            0.6,
            id="decided in part at the quote mark",
        ),
        # A quote mark with and without a space lead to the same place: 0.9 of 1.
        pytest.param(
            [
                token(' "', {' "': 0.5, '"': 0.5}),
                token("YES", {"YES": 0.9, "NO": 0.1, "cannot": 1e-12}),
                END,
            ],
            0.9,
            id="two ways to the quote mark",
        ),
        # An unlikely quote mark says nothing about the label behind it.
        pytest.param(
            [
                token(' "', {" 2": 0.9999, ' "': 0.0001}),
                token("YES", {"YES": 0.9, "NO": 0.1, "cannot": 1e-12}),
                END,
            ],
            0.9,
            id="unlikely quote mark",
        ),
        pytest.param(
            [QUOTE, token("cannot", {"NO": 0.5, "YES": 0.1, "cannot": 0.4}), token('_determine"')],
            0.4,
            id="cannot determine",
        ),
    ],
)
def test_the_labels_share_of_the_labels_mass(written: list[Token], confidence: float) -> None:
    assert dose(*written) == pytest.approx(confidence)


def test_labels_with_a_common_beginning_part_at_their_first_difference() -> None:
    # PART 0.7, NONE 0.3; then IAL 0.8, LY 0.2: PARTIAL has 0.56 of 1.
    asked = (("dose", ("NONE", "PARTLY", "PARTIAL")),)
    tokens = [
        token(HEAD),
        token('"'),
        token("PART", {"PART": 0.7, "NONE": 0.3, "cannot": 1e-12}),
        token("IAL", {"IAL": 0.8, "LY": 0.2}),
        token('"' + TAIL),
    ]
    reply = HEAD + '"PARTIAL"' + TAIL
    assert label_confidences(reply, tokens, asked) == {"dose": pytest.approx(0.56)}


def test_a_label_that_begins_another_ends_with_its_quote_mark() -> None:
    asked = (("dose", ("1", "10")),)
    tokens = [
        token(HEAD + '"'),
        token("1", {"1": 0.9, "cannot": 0.1}),
        token('"', {'"': 0.7, "0": 0.3}),
        token(TAIL),
    ]
    assert label_confidences(HEAD + '"1"' + TAIL, tokens, asked) == {"dose": pytest.approx(0.63)}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param([QUOTE, Token("YES", -0.1), END], id="no top"),
        pytest.param(
            [QUOTE, token("YES", {"NO": 0.9, "cannot": 0.1}), END], id="own token missing"
        ),
        pytest.param(
            [QUOTE, Token("YES", 0.0, (("YES", -1.0), ("YES", -2.0), ("NO", -1.0))), END],
            id="own token twice",
        ),
        pytest.param(
            [QUOTE, token("YES", {"The": 0.9992, "YES": 0.0006, "NO": 0.0002}), END],
            id="mass below the floor",
        ),
        # The quote mark alone, 0.3, may lead to any label.
        pytest.param(
            [token(' "YES', {' "YES': 0.6, ' "NO': 0.1, ' "': 0.3}), END], id="token of any label"
        ),
        # NO may have 0.1 as well.
        pytest.param(
            [QUOTE, token("YES", {"YES": 0.6, "cannot": 0.1}), END], id="label not listed"
        ),
        pytest.param(
            [QUOTE, Token("YES", 0.0, (("YES", nan), ("NO", -1.0))), END], id="not a number"
        ),
        pytest.param(
            [QUOTE, Token("YES", -inf, (("YES", -inf), ("NO", -inf))), END], id="no mass at all"
        ),
    ],
)
def test_a_doubtful_confidence_is_none(written: list[Token]) -> None:
    assert dose(*written) is None


def test_an_unlisted_label_that_can_have_next_to_nothing_is_no_doubt() -> None:
    # NO and cannot_determine have at most 0.01 together, since the top adds up to 0.99.
    assert dose(QUOTE, token("YES", {"YES": 0.96, "The": 0.03}), END) == 1.0


REPLY = HEAD + ' "YES"' + TAIL
SURE = [token(HEAD), QUOTE, token("YES", {"YES": 0.9, "NO": 0.1, "c": 1e-12}), END, token(TAIL)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([], [], id="bare"),
        pytest.param(["```", "json\n"], ["\n```"], id="code fence"),
        pytest.param(["<think>", 'Not {"level": "NO"}, then.', "</think>"], [], id="thinking"),
        pytest.param([], ["", "<|end|>"], id="end mark"),
    ],
)
def test_what_was_stripped_around_the_reply_shifts_nothing(
    before: list[str], after: list[str]
) -> None:
    tokens = [*map(token, before), *SURE, *map(token, after)]
    assert label_confidences(REPLY, tokens, DOSE) == {"dose": pytest.approx(0.9)}


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param([], id="none"),
        pytest.param(SURE[:-1], id="cut"),
        pytest.param([*SURE, *SURE], id="reply twice"),
        pytest.param([token(REPLY.replace("dose", "Dose"))], id="another text"),
    ],
)
def test_tokens_that_do_not_hold_the_reply_once_give_none(tokens: list[Token]) -> None:
    assert label_confidences(REPLY, tokens, DOSE) == {"dose": None}


def test_text_in_reasoning_is_not_taken_for_a_level() -> None:
    reply = '{"dose": {"reasoning": "\\"level\\": \\"NO\\"", "quotes": ["dose.level"], "level":'
    tokens = [token(reply), *SURE[1:]]
    text = reply + ' "YES"' + TAIL
    assert label_confidences(text, tokens, DOSE) == {"dose": pytest.approx(0.9)}


def test_a_character_split_over_tokens_is_joined_again() -> None:
    # U+2265 is three bytes, here two tokens.
    head = '{"dose": {"reasoning": "\u2265 5 mg", "level":'
    first, second = head.split("\u2265")
    parts = [b"\xe2\x89".decode("utf-8", "surrogateescape"), "\udca5"]
    tokens = [token(first), *map(token, parts), token(second), *SURE[1:]]
    text = head + ' "YES"' + TAIL
    assert label_confidences(text, tokens, DOSE) == {"dose": pytest.approx(0.9)}


def test_each_key_has_its_own() -> None:
    asked = (("dose", ("NO", "YES")), ("safe", ("NO", "YES")), ("plan", ("NO", "YES")))
    tokens = [
        token('{"dose":{"level":"'),
        token("YES", {"YES": 0.9, "NO": 0.1, "c": 1e-12}),
        token('"},"safe":{"level":"'),
        token("NO", {"YES": 0.2, "NO": 0.8, "c": 1e-12}),
        token('"}}'),
    ]
    text = '{"dose":{"level":"YES"},"safe":{"level":"NO"}}'
    expected = {"dose": pytest.approx(0.9), "safe": pytest.approx(0.8), "plan": None}
    assert label_confidences(text, tokens, asked) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(' {"a" : {"level" : "1"} }\n', {"a": ("1", 19)}, id="spaces"),
        pytest.param('{"a":{"level":"1","x":{"level":"2"}}}', {"a": ("1", 14)}, id="nested"),
        pytest.param('{"a":{"level":"1","level":"2"}}', {}, id="level twice"),
        pytest.param('{"a":{"level":"1"},"a":{"level":"2"}}', {}, id="key twice"),
        pytest.param('{"a":{"level":"\\u0031"}}', {}, id="escapes"),
        pytest.param('{"a":{"level":1},"b":"level","c":{}}', {}, id="no string"),
        pytest.param('{"a":{"level":"1"}} and more', {}, id="text behind"),
        pytest.param('{"a":{"level":"1"}', {}, id="cut"),
        pytest.param('["level"]', {}, id="no object"),
        pytest.param("[" * 100_000, {}, id="too deep"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_positions_of_levels(text: str, found: dict[str, tuple[str, int]]) -> None:
    assert label_positions(text) == found


@given(
    st.dictionaries(st.text(max_size=4), st.tuples(st.text(), st.sampled_from(["NO", "YES"]))),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_every_level_is_found_where_it_stands(
    answers: dict[str, tuple[str, str]], indent: int | None, ascii_only: bool
) -> None:
    reply = {key: {"reasoning": why, "level": level} for key, (why, level) in answers.items()}
    text = json.dumps(reply, indent=indent, ensure_ascii=ascii_only)
    found = label_positions(text)
    assert {key: label for key, (label, _) in found.items()} == {
        key: level for key, (_, level) in answers.items()
    }
    for label, start in found.values():
        assert text[start : start + len(label) + 2] == f'"{label}"'


WEIGHTS = st.lists(st.floats(0.01, 1), min_size=4, max_size=4)


@given(WEIGHTS, st.permutations(["YES", "NO", "cannot", "The"]))
def test_a_confidence_is_a_share_whatever_the_order_of_the_top(
    weights: list[float], order: list[str]
) -> None:
    names = ("YES", "NO", "cannot", "The")
    share = {name: w / sum(weights) for name, w in zip(names, weights, strict=True)}
    found = dose(QUOTE, token("YES", {name: share[name] for name in order}), END)
    labels = share["YES"] + share["NO"] + share["cannot"]
    assert found == pytest.approx(share["YES"] / labels)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(['"', "Y", "YES", "NO", "N", "c", " ", '"NO', "The", ""]),
            st.floats(-20, 0),
        ),
        max_size=8,
    )
)
def test_any_top_gives_a_share_or_none(top: list[tuple[str, float]]) -> None:
    found = dose(QUOTE, Token("YES", -1.0, tuple(top)), END)
    assert found is None or 0 <= found <= 1
    known = sum(exp(p) for text, p in top if text in ("Y", "YES", "NO", "N", "c"))
    if found is not None:
        own = sum(exp(p) for text, p in top if text in ("Y", "YES"))
        assert found == pytest.approx(own / known)
