"""Is the judge at most a margin worse than a clinician? The margin is given beforehand."""

from __future__ import annotations

from math import inf
from typing import Literal

from pydantic import Field

from mmrare_judge.calibration.ceiling import human_ceiling
from mmrare_judge.calibration.ceiling_sides import Side, Versus
from mmrare_judge.calibration.statistics.bootstrap import RESAMPLING, Resampling
from mmrare_judge.calibration.statistics.ratings import Ratings
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record

Verdict = Literal["non-inferior", "inferior", "inconclusive", "undefined"]


class NonInferiority(Record):
    """The outcome of a non-inferiority test.

    Attributes:
        statistic: What is measured.
        margin: By how much the judge may be worse, as declared beforehand.
        verdict: ``non-inferior``: the whole interval of the difference lies above ``-margin``;
            ``inferior``: it lies below; ``inconclusive``: it straddles; ``undefined``.
        side: Judge, clinicians and their difference.
        sentence: The verdict in words.
    """

    statistic: str
    margin: float = Field(gt=0)
    verdict: Verdict
    side: Side
    sentence: str


def non_inferiority(
    ratings: Ratings,
    *,
    judge: str,
    margin: float,
    name: str = "cohen_kappa",
    versus: Versus = "pairwise",
    resampling: Resampling = RESAMPLING,
) -> NonInferiority:
    """Test whether the judge agrees with clinicians as well as they do, up to a margin.

    ``difference = (judge against clinicians) - (clinicians against clinicians)``, each replicate
    of a bootstrap over clusters giving both terms; non-inferior if the interval's lower end is
    above ``-margin``. With a 95 % interval the one-sided level of the test is 2.5 %.

    Args:
        ratings: The labels of the judge and of two clinicians or more.
        judge: The judge's name among the raters.
        margin: The greatest loss that would be acceptable, in units of the statistic; to be fixed
            before the labels are seen.
        name: The statistic.
        versus: By which rule it is compared.
        resampling: How the interval is made.

    Raises:
        InputError: The margin is not positive or not finite, or the ratings do not allow the
            comparison.

    Source: Piaggio et al. (2012), CONSORT extension for non-inferiority trials.
    """
    if not 0 < margin < inf:
        raise InputError(
            f"margin {margin}", remedy="A margin of non-inferiority is finite and above zero"
        )
    ceiling = human_ceiling(ratings, judge=judge, name=name, resampling=resampling)
    if versus not in [side.versus for side in ceiling.sides]:
        known = ", ".join(side.versus for side in ceiling.sides)
        raise InputError(f"no comparison {versus!r}", remedy=f"For this scale there are: {known}")
    side = ceiling.side(versus)
    verdict = _verdict(side, margin)
    return NonInferiority(
        statistic=name,
        margin=margin,
        verdict=verdict,
        side=side,
        sentence=_sentence(side, margin, verdict),
    )


def _verdict(side: Side, margin: float) -> Verdict:
    interval = side.difference.interval
    if interval is None:
        return "undefined"
    if interval.low > -margin:
        return "non-inferior"
    return "inferior" if interval.high < -margin else "inconclusive"


def _sentence(side: Side, margin: float, verdict: Verdict) -> str:
    interval, difference = side.difference.interval, side.difference.value
    if interval is None or difference is None:
        return f"No verdict: {side.difference.reason}."
    head = f"The judge differs from clinicians by {difference:+.3f}"
    ends = f"{interval.low:+.3f} to {interval.high:+.3f}"
    return f"{head} ({ends}); with a margin of {margin:g} it is {verdict}."
