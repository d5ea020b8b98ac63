"""Predictions joined with their items: `pair_up`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmrare_judge.errors import InputError
from mmrare_judge.item import Item
from mmrare_judge.prediction import Prediction

_SHOWN = 10


@dataclass(frozen=True)
class Pairing:
    """What `pair_up` found; nothing that went in is missing.

    Attributes:
        pairs: Every prediction with its item, in the predictions' order.
        predictions_without_item: Predictions whose id no item has.
        items_without_prediction: For each system the ids of the items it has not answered, in
            the items' order; a system that answered all of them is not in it. Without any
            prediction it holds all ids under the empty name.
    """

    pairs: tuple[tuple[Prediction, Item], ...]
    predictions_without_item: tuple[Prediction, ...]
    items_without_prediction: Mapping[str, tuple[str, ...]]

    def problems(self) -> tuple[str, ...]:
        """One line for every system and kind of missing partner; none when all are paired."""
        strangers: dict[str, list[str]] = {}
        for prediction in self.predictions_without_item:
            strangers.setdefault(prediction.system, []).append(prediction.item_id)
        return (
            *(
                _line(system, "no item for its prediction", ids)
                for system, ids in strangers.items()
            ),
            *(
                _line(system, "no prediction for the item", ids)
                for system, ids in self.items_without_prediction.items()
            ),
        )

    def describe(self) -> str:
        """The pairing in words: one line of figures, then the problems."""
        systems = len({prediction.system for prediction, _ in self.pairs})
        items = len({item.id for _, item in self.pairs})
        head = f"{len(self.pairs)} predictions paired: systems {systems}, items {items}"
        return "\n".join((head, *self.problems()))


def pair_up(predictions: Iterable[Prediction], items: Sequence[Item]) -> Pairing:
    """Every prediction with the item of its id, and what has no partner.

    Raises:
        InputError: Two items have the same id.

    >>> from mmrare_judge.item import Reference
    >>> item = Item(id="7", track="treatment", question="Plan?", reference=Reference())
    >>> answers = [Prediction(item_id="7", text="Rest."), Prediction(item_id="8", text="None.")]
    >>> print(pair_up(answers, [item]).describe())
    1 predictions paired: systems 1, items 1
    system not named: no item for its prediction: 8
    """
    by_id = _by_id(items)
    pairs: list[tuple[Prediction, Item]] = []
    strangers: list[Prediction] = []
    answered: dict[str, set[str]] = {}
    for prediction in predictions:
        answered.setdefault(prediction.system, set()).add(prediction.item_id)
        item = by_id.get(prediction.item_id)
        if item is None:
            strangers.append(prediction)
        else:
            pairs.append((prediction, item))
    unanswered = {
        system: tuple(id for id in by_id if id not in ids)
        for system, ids in (answered or {"": set()}).items()
    }
    missing = {system: ids for system, ids in unanswered.items() if ids}
    return Pairing(tuple(pairs), tuple(strangers), missing)


def _by_id(items: Sequence[Item]) -> dict[str, Item]:
    by_id: dict[str, Item] = {}
    for item in items:
        if item.id in by_id:
            remedy = "Give every item an id of its own"
            raise InputError(f"two items have the id {item.id!r}", remedy=remedy)
        by_id[item.id] = item
    return by_id


def _line(system: str, what: str, ids: Sequence[str]) -> str:
    who = f"system {system!r}" if system else "system not named"
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{who}: {what}: {', '.join(ids[:_SHOWN])}{more}"
