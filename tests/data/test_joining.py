"""Ids in other spellings: what joins, and what is left alone because it could be two."""

import pytest

from mmrare_judge.data.items import Item, Reference
from mmrare_judge.data.joining import TRIED, join_ids
from mmrare_judge.data.predictions import Prediction, pair_up


@pytest.mark.parametrize(
    ("id", "item"),
    [
        ("7", "007"),
        ("7.0", "007"),
        ("007", "7.0"),
        ("7.00", "7"),
        (" 7 ", "7"),
        ("7\u200b", "7"),
        ("\ufeff7", "7"),
        ("'7", "7"),
        ("７", "7"),
        ("٧", "7"),
        ("1e5", "100000"),
        ("1E+05", "100000"),
        ("pmc12-a", "PMC12-A"),
        ("case  7", "case 7"),
        ("7.50", "7.5"),
    ],
)
def test_two_spellings_of_one_id_join(id: str, item: str) -> None:
    assert join_ids([id], ["other", item]) == {id: item}
    assert join_ids([item], ["other", id]) == {item: id}


@pytest.mark.parametrize(
    ("ids", "items"),
    [
        pytest.param(["7.0"], ["7", "007"], id="two items could be meant"),
        pytest.param(["07", "7.0"], ["7"], id="two ids could be the one"),
        pytest.param(["7"], ["70"], id="another number"),
        pytest.param(["7a"], ["7"], id="more than a number"),
        pytest.param(["PMC7"], ["7"], id="a name with a number"),
        pytest.param([" "], [""], id="blank ids"),
        pytest.param(["1" * 10_000], ["1" * 10_000 + ".0"], id="longer than any number"),
        pytest.param(["1e999999999"], ["1"], id="an absurd exponent"),
        pytest.param(["nan"], ["inf"], id="words for no number"),
    ],
)
def test_ids_that_could_be_two_or_are_others_do_not_join(ids: list[str], items: list[str]) -> None:
    assert join_ids(ids, items) == {}


def test_an_id_that_is_there_as_it_stands_keeps_its_partner() -> None:
    assert join_ids(["7", "007"], ["7"]) == {"7": "7"}
    assert join_ids(["7", "007"], ["007", "7"]) == {"7": "7", "007": "007"}


def _item(id: str) -> Item:
    return Item(id=id, track="treatment", question="Plan?", reference=Reference())


def test_a_joined_prediction_has_the_items_id_and_says_so() -> None:
    answers = [Prediction(item_id="7.0", text="Rest.", system=system) for system in ("m", "n")]
    pairing = pair_up(answers, [_item("007")])
    assert pairing.problems() == ()
    for prediction, item in pairing.pairs:
        assert prediction.item_id == item.id == "007"
        assert prediction.notes == ("its id '7.0' was read as the item's id '007'",)


def test_a_join_that_fails_says_what_was_tried() -> None:
    pairing = pair_up([Prediction(item_id="9", text="Rest.")], [_item("7")])
    assert pairing.pairs == ()
    assert pairing.describe().splitlines()[-1] == TRIED
