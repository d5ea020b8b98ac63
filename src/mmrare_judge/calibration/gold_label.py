"""One gold label: what one clinician said of one prediction on one criterion."""

from __future__ import annotations

from dataclasses import dataclass

Unit = tuple[str, str, str]
"""What is labelled: item, system and criterion."""


@dataclass(frozen=True, slots=True)
class GoldLabel:
    """One rater's label of one prediction on one criterion.

    Attributes:
        item: The item.
        system: The model that answered; empty where there is one only.
        criterion: The criterion.
        rater: Who labelled.
        label: The label; ``None`` where the rater gave none.
        cluster: The case the item belongs to; labels of one case are not independent.
        row: The row of the file it was read from.
        inclusion: The probability with which the unit was chosen to be labelled, as the labelling
            sheet says; ``None`` where the units were not sampled with different ones.
    """

    item: str
    system: str
    criterion: str
    rater: str
    label: str | float | None
    cluster: str
    row: int | None = None
    inclusion: float | None = None

    @property
    def unit(self) -> Unit:
        """What is labelled."""
        return self.item, self.system, self.criterion
