"""Which statistics can be asked of which ratings."""

from __future__ import annotations

from mmrare_judge.calibration.ratings import Ratings
from mmrare_judge.calibration.statistic import Statistic


def unsuited(row: Statistic, ratings: Ratings) -> str:
    """Why a statistic cannot be asked of these ratings; empty if it can.

    >>> from mmrare_judge.calibration.ratings import Scale
    >>> from mmrare_judge.calibration.statistics_table import statistic
    >>> two = Ratings.from_labels([["a", "b"]], Scale(level="nominal", categories=("a", "b", "c")))
    >>> unsuited(statistic("sensitivity"), two)
    'the scale names no positive category'
    """
    scale, count = ratings.scale, len(ratings.raters)
    if count < 2 or (row.raters == "pair" and count != 2):
        wanted = "exactly two raters" if row.raters == "pair" else "two raters or more"
        return f"it needs {wanted}, not {count}"
    if row.needs == "numbers":
        has = bool(scale.points) or scale.level == "continuous"
        return "" if has else "the scale gives its categories no points"
    if scale.level == "continuous":
        return "a continuous scale has no categories"
    if row.needs == "order" and scale.level == "nominal":
        return "the categories of a nominal scale have no order"
    if row.needs == "positive" and scale.positive is None:
        return "the scale names no positive category"
    return ""
