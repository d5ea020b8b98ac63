"""Is the judge at most a margin worse than a clinician? The margin is given beforehand."""

from __future__ import annotations

from math import ceil, inf
from typing import Literal

from pydantic import Field

from mmrare_judge.calibration.analyses.ceiling import Side, Versus, rules_for, side_by
from mmrare_judge.calibration.statistics.bootstrap import RESAMPLING, Resampling
from mmrare_judge.calibration.statistics.influence import LEAST_OFF, off_mode
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
        needed: What more it would take to decide, where it is ``inconclusive``.
    """

    statistic: str
    margin: float = Field(gt=0)
    verdict: Verdict
    side: Side
    sentence: str
    needed: str = ""


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

    ``difference = (judge against clinicians) - (clinicians against clinicians)``; non-inferior if
    the lower end of its interval is above ``-margin``. The lower end is that of a score test
    (`least_difference`), which keeps the one-sided level of 2.5 % with a 95 % interval from 20
    cases on. With fewer than 5 labels a clinician off the most frequent level nothing is decided.

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
    rules = rules_for(ratings)
    if versus not in rules:
        remedy = f"For this scale there are: {', '.join(rules)}"
        raise InputError(f"no comparison {versus!r}", remedy=remedy)
    side = side_by(ratings, versus, judge=judge, name=name, resampling=resampling)
    verdict = _verdict(side, margin)
    sentence = _sentence(side, margin, verdict)
    needed = ""
    if verdict == "inconclusive":
        clinicians = [rater for rater in ratings.raters if rater != judge]
        needed = _needed(side, margin, off_mode(ratings.only(*clinicians)))
    return NonInferiority(
        statistic=name,
        margin=margin,
        verdict=verdict,
        side=side,
        sentence=sentence,
        needed=needed,
    )


def _verdict(side: Side, margin: float) -> Verdict:
    interval = side.difference.interval
    if interval is None:
        return "undefined" if side.difference.value is None else "inconclusive"
    if interval.low > -margin:
        return "non-inferior"
    return "inferior" if interval.high < -margin else "inconclusive"


def _sentence(side: Side, margin: float, verdict: Verdict) -> str:
    interval, difference = side.difference.interval, side.difference.value
    if difference is None:
        return f"No verdict: {side.difference.reason}."
    head = f"The judge differs from clinicians by {difference:+.3f}"
    if interval is None:
        return f"{head} ({side.difference.reason}); with a margin of {margin:g} it is {verdict}."
    ends = f"{interval.low:+.3f} to {interval.high:+.3f}"
    return f"{head} ({ends}); with a margin of {margin:g} it is {verdict}."


def _needed(side: Side, margin: float, off: float) -> str:
    """How many more cases like these would decide, as far as that can be told."""
    difference, interval = side.difference.value or 0.0, side.difference.interval
    cases = side.difference.clusters
    if off < LEAST_OFF:
        more = f"about {ceil(cases * (LEAST_OFF / off - 1))} more cases like these" if off else ""
        wanted = f"{LEAST_OFF} labels a clinician off the most frequent level, not {off:.1f}"
        return f"{wanted}: {more or 'none was given yet'}"
    if interval is None:
        return "labels that differ between cases"
    if difference <= -margin:
        return "a better judge: more cases like these are not likely to prove it non-inferior"
    factor = ((difference - interval.low) / (difference + margin)) ** 2
    return f"about {ceil(cases * (factor - 1))} more cases like these, if the difference stays"
