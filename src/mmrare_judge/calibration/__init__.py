"""How far a judge agrees with clinicians, and what its scores are worth.

Needs the extra ``calibration``: numpy, scipy, scikit-learn, krippendorff and matplotlib. Only numpy
is loaded on import; the others are where they are used.
"""

from mmrare_judge.errors import MissingExtraError

try:
    import numpy  # noqa: F401  every module below needs it
except ImportError as error:
    raise MissingExtraError("numpy", "calibration") from error
