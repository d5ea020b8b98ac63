"""The data card of a gold file: what a reader has to know before believing a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mmrare_judge.calibration.gold import Gold
from mmrare_judge.calibration.gold_label import GoldLabel
from mmrare_judge.records import Record


class RaterCard(Record):
    """What one rater did: labels given, cells left empty, units never shown."""

    given: int
    empty: int
    absent: int


class CriterionCard(Record):
    """What is known of one criterion.

    Attributes:
        units: Units labelled by anyone.
        distribution: How often each declared category was given, all raters together; for a
            continuous scale least, mean and greatest number.
        missing: Cells of units by raters without a label.
        per_unit: How many units have 0, 1, 2, ... labels.
    """

    units: int
    distribution: Mapping[str, float]
    missing: int
    per_unit: Mapping[int, int]


class DataCard(Record):
    """A gold file at a glance.

    Attributes:
        name: What it is called.
        source: Where it comes from.
        licence: On which terms.
        hash: Tagged hash of labels and scales.
        items: Items.
        clusters: Independent cases.
        systems: Units by system.
        units: Units: item, system and criterion.
        labels: Labels given.
        raters: By rater.
        criteria: By criterion.
    """

    name: str
    source: str
    licence: str
    hash: str
    items: int
    clusters: int
    systems: Mapping[str, int]
    units: int
    labels: int
    raters: Mapping[str, RaterCard]
    criteria: Mapping[str, CriterionCard]


def data_card(gold: Gold, *, name: str, source: str, licence: str) -> DataCard:
    """Describe gold labels.

    >>> from mmrare_judge.calibration.gold import gold_from
    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> scales = {"safe": Scale(level="nominal", categories=("NO", "YES"))}
    >>> labels = [GoldLabel("1", "m", "safe", "a", "NO", "1")]
    >>> card = data_card(gold_from(labels, scales), name="n", source="s", licence="MIT")
    >>> card.criteria["safe"].distribution
    {'NO': 1.0, 'YES': 0.0}
    """
    return DataCard(
        name=name,
        source=source,
        licence=licence,
        hash=gold.hash,
        items=len({label.item for label in gold.labels}),
        clusters=len({label.cluster for label in gold.labels}),
        systems=Counter(unit[1] for unit in gold.units),
        units=len(gold.units),
        labels=sum(map(_given, gold.labels)),
        raters={rater: _rater(gold, rater) for rater in gold.raters},
        criteria={criterion: _criterion(gold, criterion) for criterion in gold.criteria},
    )


def _given(label: GoldLabel) -> bool:
    return label.label not in (None, "")


def _rater(gold: Gold, rater: str) -> RaterCard:
    own = [label for label in gold.labels if label.rater == rater]
    given = sum(map(_given, own))
    return RaterCard(given=given, empty=len(own) - given, absent=len(gold.units) - len(own))


def _criterion(gold: Gold, criterion: str) -> CriterionCard:
    ratings = gold.about(criterion=criterion).ratings()
    labels = (ratings.codes >= 0).sum(axis=1)
    return CriterionCard(
        units=ratings.units,
        distribution=_distribution(gold, criterion),
        missing=ratings.units * len(gold.raters) - int(labels.sum()),
        per_unit=dict(sorted(Counter(labels.tolist()).items())),
    )


def _distribution(gold: Gold, criterion: str) -> Mapping[str, float]:
    scale = gold.scales[criterion]
    own = [label.label for label in gold.labels if label.criterion == criterion and _given(label)]
    read = [scale.read(label) for label in own]
    if scale.level == "continuous":
        if not read:
            return {}
        return {"least": min(read), "mean": sum(read) / len(read), "greatest": max(read)}
    counts = Counter(scale.categories[int(code)] for code in read)
    return {category: counts[category] for category in scale.categories}
