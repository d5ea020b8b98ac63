"""A data set, graded into a folder that survives interruption.

In come pairs of prediction and item, judges and limits; out come the folder with ``run.json``,
``grades.jsonl`` and ``summary.json``, and a `RunReport`. Start reading in `run.py` with `Run`;
`specification.py` says what a run is, `folder.py` keeps what is on disk, `summary.py` makes grades
into few numbers, `estimate.py` tells what a run would cost, `regrade.py` scores stored replies
again.
"""
