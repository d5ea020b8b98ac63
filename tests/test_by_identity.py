"""Results that are found again by the identity of what they were made of."""

from __future__ import annotations

import gc

from mmrare_judge.records import by_identity


class Words(list[str]):
    """A list that can be compared with others, and cannot be hashed."""


def test_the_same_object_is_worked_on_once_and_an_equal_one_again() -> None:
    worked: list[Words] = []
    count = by_identity(lambda words: worked.append(words) or len(words))  # type: ignore[func-returns-value]  # append gives nothing
    one, other = Words(["a", "b"]), Words(["a", "b"])
    assert [count(one), count(one), count(other), count(one)] == [2, 2, 2, 2]
    assert [id(words) for words in worked] == [id(one), id(other)]


def test_several_arguments_are_told_apart_by_their_places() -> None:
    joined = by_identity(lambda left, right: f"{left}{right}")
    one, other = Words("a"), Words("b")
    assert joined(one, other) != joined(other, one)


def test_what_was_forgotten_is_worked_out_again() -> None:
    double = by_identity(lambda words: 2 * len(words))
    kept = [Words("a" * (n % 7)) for n in range(600)]
    assert [double(words) for words in kept] == [2 * len(words) for words in kept]
    assert [double(words) for words in kept] == [2 * len(words) for words in kept]


def test_an_object_that_is_gone_never_lends_its_result_to_the_next_at_its_place() -> None:
    length = by_identity(lambda words: len(words))
    for n in range(1000):
        assert length(Words("a" * (n % 7))) == n % 7
        gc.collect(0)
