"""How many labels an interval of kappa needs."""

from __future__ import annotations

from mmrare_judge.calibration.planning.kappa_variance import Prevalence, kappa_variance
from mmrare_judge.calibration.planning.parts import Plan, check_width, rounded_up
from mmrare_judge.calibration.statistics.estimate import normal_quantile, two_sided

FEW = 5
"""With fewer units of the rarer answer a large-sample variance is not to be trusted."""


class KappaPlan(Plan):
    """Labels for an interval of kappa.

    Attributes:
        labels: Units that every rater labels.
        raters: Raters.
        kappa: Kappa, as expected.
        prevalence: The share of yes by the first and by the second rater, as expected.
        width: Width of the interval, from end to end.
        level: Nominal coverage.
        design_effect: By how much clusters inflate the variance.
        rare: Units of the rarer answer to expect.
    """

    labels: int
    raters: int
    kappa: float
    prevalence: tuple[float, float]
    width: float
    level: float
    design_effect: float
    rare: float


def labels_for_kappa(
    kappa: float,
    prevalence: Prevalence,
    width: float,
    *,
    design_effect: float = 1.0,
    level: float = 0.95,
    raters: int = 2,
) -> KappaPlan:
    """How many units to label for an interval of kappa that is so wide from end to end.

    ``n = D V (2 z / width)²`` with V from `kappa_variance` and D the design effect. A criterion of
    several levels is planned by its rarest level against the others.

    Source: Cantor (1996), Psychological Methods 1; Donner and Eliasziw (1992).

    Args:
        kappa: Kappa, as expected.
        prevalence: The share of yes, of all raters or of the first and the second.
        width: The wanted width.
        design_effect: See `design_effect`.
        level: Nominal coverage.
        raters: Raters; more than two share one prevalence.

    Raises:
        InputError: A value is impossible.

    >>> labels_for_kappa(0.6, 0.5, 0.2).labels
    246
    """
    check_width(width, design_effect, most=2)
    shares = prevalence if isinstance(prevalence, tuple) else (prevalence, prevalence)
    variance = kappa_variance(kappa, prevalence, raters=raters)
    z = normal_quantile(two_sided(level))
    labels = max(rounded_up(design_effect * variance * (2 * z / width) ** 2), 2)
    rare = labels * min(min(share, 1 - share) for share in shares)
    sentence = (
        f"Label {labels} units, each by {raters} raters: where kappa is about {kappa:g}, its "
        f"{level:.0%} interval is then about {width:g} wide."
    )
    if rare < FEW:
        sentence += (
            f" Beware: only {rare:.1f} of them would be of the rarer answer, too few for this "
            "formula; label more, or sample the rarer answer more often."
        )
    return KappaPlan(
        labels=labels, raters=raters, kappa=kappa, prevalence=shares, width=width, level=level,
        design_effect=design_effect, rare=rare, sentence=sentence,
    )  # fmt: skip
