"""One prediction, from text to `Grade`.

In comes a prediction with its item; out comes a `mmrare_judge.judging.grade.Grade`. Start reading
at `Judge` in `judge.py`: it writes the questions (`questions.py`), has them answered (by
`model_judge.py`, through `questions.py` and `prompt.py`, or by `embedded_judge.py`), looks the
quotes up (`evidence.py`, `folding.py`), makes verdicts and a score of the answers,
and signs the grade (`grading.py`). `kept_grades.py` finds what was graded before.
"""
