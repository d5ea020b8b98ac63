"""Results that are found again by the identity of what they were made of."""

from __future__ import annotations

import gc

from mmrare_judge.records import ByIdentity


class Words(list[str]):
    """A list that can be compared with others, and cannot be hashed."""


def test_the_same_object_is_worked_on_once_and_an_equal_one_again() -> None:
    worked: list[Words] = []
    count = ByIdentity(lambda words: worked.append(words) or len(words))  # type: ignore[func-returns-value]  # append gives nothing
    one, other = Words(["a", "b"]), Words(["a", "b"])
    assert [count(one), count(one), count(other), count(one)] == [2, 2, 2, 2]
    assert [id(words) for words in worked] == [id(one), id(other)]


def test_several_arguments_are_told_apart_by_their_places() -> None:
    joined = ByIdentity(lambda left, right: f"{left}{right}")
    one, other = Words("a"), Words("b")
    assert joined(one, other) != joined(other, one)


def test_no_more_is_kept_than_was_said_and_what_was_forgotten_is_worked_out_again() -> None:
    worked: list[int] = []
    double = ByIdentity(lambda words: worked.append(1) or 2 * len(words), most=2)  # type: ignore[func-returns-value]  # append gives nothing
    kept = [Words("a" * n) for n in range(5)]
    assert [double(words) for words in kept] == [0, 2, 4, 6, 8]
    assert double(kept[0]) == 0
    assert len(worked) == 6


def test_an_object_that_is_gone_never_lends_its_result_to_the_next_at_its_place() -> None:
    length = ByIdentity(lambda words: len(words))
    for n in range(1000):
        assert length(Words("a" * (n % 7))) == n % 7
        gc.collect(0)
